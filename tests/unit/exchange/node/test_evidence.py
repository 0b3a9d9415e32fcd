"""Evidence files of a node: what it has on file of a message, judged as a stranger judges it."""

import pytest

from exchange.audit.claims import Claim
from exchange.audit.evidence import Judgement
from exchange.node.origins import OriginKeeper
from exchange.storage.head_port import StoredHead
from schemas.canon import encode
from schemas.evidence import LOGGED_ENTRY, read_evidence
from schemas.limits import DAY, HOUR, LOG_BY, MAX_CLOCK_AHEAD
from tests.support.attacks import delivered
from tests.support.evidence import Case, Kept, claims, judge, members, of
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, api_of, sealed_by
from tests.support.world import World


async def evidence(api: Api, subject: str, query: str = "", *scopes: str) -> bytes:
    """The file, as an auditor gets it."""
    token = await api.node.token("defence", ("audit", *scopes))
    reply = await api.ask("GET", f"/v1/evidence/{subject}{query}", token)
    assert reply.status == 200, reply.json
    return reply.body


async def judged(world: World, tested: TestNode, subject: str) -> Judgement:
    async with api_of(tested) as api:
        return judge(world, await evidence(api, subject))


async def exchanged(kaz: TestNode, mng: TestNode, relay: HostileRelay) -> str:
    """KAZ sends to MNG, which takes it; its answer comes back, and both have the relay's proof."""
    message = await kaz.write(["MNG"])
    await kaz.send()
    await mng.pull()
    relay.pass_on_answers()
    await kaz.pull()
    for tested in (kaz, mng):
        tested.clock.time += LOG_BY + MAX_CLOCK_AHEAD
        await OriginKeeper(tested.parts).turn()
    return message.hex()


async def test_the_sender_proves_that_it_was_sent_logged_and_delivered(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await exchanged(kaz, mng, relay)
    told = await judged(world, kaz, message)
    assert (members(told, Claim.SENT), members(told, Claim.DELIVERED)) == (["KAZ"], ["MNG"])
    assert (len(of(told, Claim.ACCEPTED)), len(of(told, Claim.RELAYED))) == (1, 1)
    assert not any(finding.claim.of_absence for finding in told.findings)


async def test_the_recipient_proves_the_same_of_the_other_side(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await exchanged(kaz, mng, relay)
    told = [await judged(world, tested, message) for tested in (kaz, mng)]
    assert claims(told[0]) == claims(told[1])


async def test_what_the_relays_log_says_of_an_answer_goes_in_when_it_holds(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await exchanged(kaz, mng, relay)
    (row,) = kaz.rows("outbox")
    sealed = relay.posted[0]
    case = Case(world)
    kept = Kept(sealed, None, None, [relay.acknowledged[0]])
    entries = {
        "true": case.logged(kept, "MNG"),
        "of another": case.logged(kept, "MNG", evidence=bytes(32)),
        "not cosigned": case.logged(kept, "MNG", by=["KAZ"]),
    }
    found = {}
    for name, entry in entries.items():
        relay.answered[row["envelope"], "MNG"] = encode(LOGGED_ENTRY, entry)
        found[name] = len(of(await judged(world, kaz, message), Claim.LOGGED))
    relay.answered[row["envelope"], "MNG"] = b"nonsense"
    assert of(await judged(world, kaz, message), Claim.LOGGED) == ()
    assert found == {"true": 1, "of another": 0, "not cosigned": 0}
    relay.down = True
    assert members(await judged(world, kaz, message), Claim.DELIVERED) == ["MNG"]


async def test_a_message_that_waits_is_proved_as_far_as_it_is(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    message = await kaz.write(["MNG"])
    relay.down = True
    await kaz.send()
    told = await judged(world, kaz, message.hex())
    assert (members(told, Claim.SENT), members(told, Claim.NOT_ACCEPTED)) == (["KAZ"], ["None"])


async def test_the_content_stays_sealed_unless_asked_for(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await exchanged(kaz, mng, relay)
    async with api_of(kaz) as api:
        closed, opened = await evidence(api, message), await evidence(api, message, "?content=true", "read")
    assert b"Field exercise" not in closed
    assert all(item.manifest is None for item in read_evidence(closed)[0].envelopes)
    assert of(judge(world, closed), Claim.CONTENT) == ()
    assert members(judge(world, opened), Claim.CONTENT) == ["KAZ"]


async def test_the_content_is_for_who_may_read_the_message_alone(
    relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    """What another ministry sent, and what states say to each other about consent, an auditor gets sealed."""
    message = (await kaz.write(["MNG"])).hex()
    async with api_of(kaz) as api:
        other = await kaz.token("health", ("audit", "read"))
        refused = await api.ask("GET", f"/v1/evidence/{message}?content=true", other)
        assert (refused.status, refused.code) == (404, "no-such-message")
        assert (await api.ask("GET", f"/v1/messages/{message}", other)).status == 404
        assert [row for row in kaz.rows("consent_log") if row["kind"] == "evidence.exported"] == []
        assert (await api.ask("GET", f"/v1/evidence/{message}", other)).status == 200


async def test_another_states_content_is_not_given_out_without_its_consent(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    message = await delivered(mng, relay, sealed_by(world, "KAZ", ("MNG",)))
    async with api_of(mng) as api:
        token = await mng.token("audit", ("audit", "read"))
        refused = await api.ask("GET", f"/v1/evidence/{message.hex()}?content=true", token)
        assert (refused.status, refused.code) == (403, "no-consent")
        reader = await mng.token("audit", ("audit",))
        assert (await api.ask("GET", f"/v1/evidence/{message.hex()}?content=true", reader)).status == 403
    assert [row for row in mng.rows("consent_log") if row["kind"] == "evidence.exported"] == []


async def test_only_who_audits_these_measures_gets_a_file(world: World, relay: HostileRelay, mng: TestNode) -> None:
    message = await delivered(mng, relay, sealed_by(world, "KAZ", ("MNG",)))
    async with api_of(mng) as api:
        asked = {
            "read": await mng.token("defence", ("read", "send", "consent", "admin")),
            "other": await mng.token("health", ("audit",), ("2.4.*",)),
            "own": await mng.token("defence", ("audit",), ("2.1.*",)),
        }
        answers = {who: (await api.ask("GET", f"/v1/evidence/{message.hex()}", token)) for who, token in asked.items()}
        assert {who: reply.status for who, reply in answers.items()} == {"read": 403, "other": 404, "own": 200}
        whole = await mng.token("audit", ("audit",))
        for unknown in ("00" * 16, "zz" * 16, "nonsense", "QQQ"):
            assert (await api.ask("GET", f"/v1/evidence/{unknown}", whole)).status == 404, unknown


async def test_the_streams_of_two_nodes_are_for_who_audits_all_measures(relay: HostileRelay, kaz: TestNode) -> None:
    """They show how much is sent and when, of every ministry."""
    await kaz.write(["MNG"])
    await kaz.send()
    kaz.clock.time += DAY
    await kaz.send()
    async with api_of(kaz) as api:
        some = await kaz.token("health", ("audit",), ("2.1.*", "2.4.*"))
        for code in ("MNG", "QQQ"):
            refused = await api.ask("GET", f"/v1/evidence/{code}", some)
            assert (refused.status, refused.code) == (403, "measure-not-allowed")
        assert [row for row in kaz.rows("consent_log") if row["kind"] == "evidence.exported"] == []
        assert (await api.ask("GET", "/v1/evidence/MNG", await kaz.token("audit", ("audit",)))).status == 200


async def test_an_export_is_written_down(world: World, relay: HostileRelay, mng: TestNode) -> None:
    message = await delivered(mng, relay, sealed_by(world, "KAZ", ("MNG",)))
    await judged(world, mng, message.hex())
    assert [row["subject"] for row in mng.rows("consent_log") if row["kind"] == "evidence.exported"] == [message.hex()]


async def test_heads_are_kept_by_both_sides_and_name_the_envelope(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await exchanged(kaz, mng, relay)
    relay.waiting.clear()
    kaz.clock.time += DAY
    await kaz.send()
    mng.clock.time = kaz.clock.time
    await mng.pull()
    relay.pass_on_answers()
    await kaz.pull()
    ours, theirs = await judged(world, kaz, "MNG"), await judged(world, mng, "KAZ")
    assert members(ours, Claim.NUMBERED) == members(theirs, Claim.NUMBERED) == ["KAZ"]
    (finding,) = of(await judged(world, kaz, message), Claim.NUMBERED)
    assert "MNG had this head" in finding.sentence


async def test_a_head_that_names_several_envelopes_of_a_message_goes_in_once(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = await exchanged(kaz, mng, relay)
    relay.waiting.clear()
    kaz.clock.time += DAY
    await kaz.send()
    heads = kaz.parts.stores.heads
    naming = heads.naming

    async def of_two(digest: bytes, limit: int) -> tuple[StoredHead, ...]:
        return (*await naming(digest, limit), *await naming(digest, limit))

    monkeypatch.setattr(heads, "naming", of_two)
    assert members(await judged(world, kaz, message), Claim.NUMBERED) == ["KAZ"]


async def test_the_relay_withholds_an_envelope_and_hands_over_the_head(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    """KAZ's own file convicts the relay: MNG has acknowledged the head that names what it never got."""
    message = await kaz.write(["MNG"])
    await kaz.send()
    relay.waiting.clear()
    for _ in range(2):
        await kaz.write(["MNG"])
    await kaz.send()
    kaz.clock.time += 2 * HOUR
    await kaz.send()
    mng.clock.time = kaz.clock.time
    await mng.pull()
    relay.pass_on_answers()
    await kaz.pull()
    assert members(await judged(world, kaz, message.hex()), Claim.WITHHELD) == ["MNG"]
