"""An edition of the database that other officials of the Secretariat have to release."""

from exchange.consent.decision import Use
from exchange.node.holding import stored_uses
from exchange.records.compiled import read_compilation
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.officials import officials
from tests.support.secretariat import CONSENT, DATABASE, compiled, record_id, sector_record, submit, submitted
from tests.support.world import World


async def test_an_edition_waits_and_goes_out_with_the_provisions_of_its_sources(
    cica: TestNode, world: World, relay: HostileRelay
) -> None:
    for n, code in enumerate(("KAZ", "MNG"), 1):
        await submit(cica, relay, submitted(world, code, sector_record(code, n)))
    async with officials(cica, release=[DATABASE], releases=1) as four:
        reply = await compiled(four.api, four.author, "k")
        assert (reply.status, reply.json["state"]) == (202, "awaiting-release"), reply.json
        ident = reply.json["id"]
        again = await compiled(four.api, four.author, "k")
        assert (again.status, again.json["id"]) == (200, ident)
        waiting = await compiled(four.api, four.author)
        assert (waiting.status, waiting.code) == (409, "edition-awaits-release")
        changed = await four.api.ask("PUT", f"/v1/releases/{ident}", four.author, json={"to": ["MNG"]})
        assert changed.status == 422
        result = (await four.approve(ident, four.first)).json["result"]
        (message,) = four.sent()
        assert message["id"].hex() == result
        found = await four.api.ask("GET", f"/v1/messages/{result}/attachments/0", four.author)
        listed = read_compilation(found.body)
        assert [row.record_id for row in listed.rows] == [record_id(1), record_id(2)]
        assert (await compiled(four.api, four.author)).json["state"] == "awaiting-release"


async def test_the_last_use_of_a_grant_that_was_taken_while_an_edition_waited_is_not_taken_again(
    cica: TestNode, world: World, relay: HostileRelay
) -> None:
    closed = submitted(world, "XAA", sector_record("XAA", 2, handling=CONSENT))
    provision = closed.header.core.provisions[0].provision
    grant = world.grant(provision, "XAA", "CICA", ["MNG", "UZB"], uses=1)
    message = await submit(cica, relay, world.forward(closed, "XAA", ["CICA"], grants=[grant]))
    async with officials(cica, release=[DATABASE], releases=1) as four:
        reply = await compiled(four.api, four.author, to=["MNG"])
        assert reply.json["state"] == "awaiting-release", reply.json
        (use,) = stored_uses((Use(grant.grant.provider, grant.grant.id, grant.grant.recipients[1], provision.id),))
        values = (use.provider, use.grant, use.recipient, use.provision, bytes.fromhex(message))
        await cica.database.write(lambda c: c.execute("INSERT INTO consent_uses VALUES (?, ?, ?, ?, ?)", values))
        ended = (await four.approve(reply.json["id"], four.first)).json
        assert ended["state"] == "failed", ended
        assert four.sent() == []
