"""Editions of the Secretariat's database: what goes in, what comes along, and what is told."""

import json

from keys.digests import provision_digest
from schemas.canon import decode
from schemas.envelope import Header
from schemas.limits import DAY, MAX_PROVISION
from schemas.provision import SIGNED_PROVISION
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode
from tests.support.records import example
from tests.support.secretariat import CONSENT, edition, made, record_id, sector_record, submit, submitted
from tests.support.world import World


def sent(relay: HostileRelay) -> Header:
    return relay.posted[-1].header


async def test_an_edition_carries_the_signed_provision_of_every_source_beside_its_own(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    sources = [submitted(world, code, sector_record(code, n)) for n, code in enumerate(("KAZ", "MNG", "XAA"), 1)]
    for sealed in sources:
        await submit(cica, relay, sealed)
    answer = await made(api, token)
    assert (answer["edition"], answer["sources"], answer["void"]) == (1, [record_id(n) for n in (1, 2, 3)], [])
    record, listed = await edition(cica, answer)
    assert record["body"]["entry_of"] == answer["sources"]
    assert record["body"]["content"] == {"en": "Visas are easier."}
    assert [(row.originators, row.record_id) for row in listed.rows] == [
        ((code,), record_id(n)) for n, code in enumerate(("KAZ", "MNG", "XAA"), 1)
    ]
    await cica.send()
    header = sent(relay)
    own = [s for s in header.core.provisions if s.provision.providers == ("CICA",)]
    assert len(own) == 1
    assert set(header.core.provisions) == {*own, *(sealed.header.core.provisions[0] for sealed in sources)}
    assert header.recipients == ("MNG", "UZB")
    assert set(listed.provisions) == {provision_digest(s.header.core.provisions[0].body).hex() for s in sources}


async def test_a_source_without_the_consent_for_all_readers_is_left_out_and_told(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    closed = await submit(cica, relay, submitted(world, "XAA", sector_record("XAA", 2, handling=CONSENT)))
    answer = await made(api, token)
    assert answer["sources"] == [record_id(1)]
    reason = "no consent of XAA for MNG, UZB (1.7)"
    assert answer["left_out"] == [{"record_id": record_id(2), "message": closed, "reason": reason}]
    await cica.send()
    assert {s.provision.providers for s in sent(relay).core.provisions} == {("CICA",), ("KAZ",)}


async def test_grants_that_the_readers_need_come_along_and_no_others(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    base = submitted(world, "XAA", sector_record("XAA", 1, handling=CONSENT))
    about = base.header.core.provisions[0].provision
    needed = world.grant(about, "XAA", "CICA", ["MNG", "UZB"])
    others = [world.grant(about, "XAA", "CICA", ["KAZ"]), world.grant(about, "XAA", "KAZ", ["MNG"])]
    await submit(cica, relay, world.forward(base, "XAA", ["CICA"], grants=[needed, *others]))
    answer = await made(api, token)
    record, _ = await edition(cica, answer)
    (consent,) = record["body"]["originator_consents"]
    digest = provision_digest(base.header.core.provisions[0].body).hex()
    assert consent["consent_ref"] == f"grant, onward on-consent, Provision {digest}"
    await cica.send()
    assert sent(relay).core.grants == (needed,)


async def test_the_last_use_of_a_grant_is_for_the_earlier_source(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    tag = world.random(16)
    sealed = [submitted(world, "XAA", sector_record("XAA", n, handling=CONSENT), class_tags=(tag,)) for n in (1, 2)]
    grant = world.grant(None, "XAA", "CICA", ["MNG", "UZB"], class_tag=tag, uses=2)
    await submit(cica, relay, world.forward(sealed[0], "XAA", ["CICA"], grants=[grant]))
    await submit(cica, relay, sealed[1], time=world.now + 60)
    answer = await made(api, token)
    assert answer["sources"] == [record_id(1)]
    assert [row["record_id"] for row in answer["left_out"]] == [record_id(2)]


async def test_the_next_edition_updates_the_one_before_and_keeps_traces(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    await submit(cica, relay, submitted(world, "MNG", sector_record("MNG", 2)))
    first, _ = await edition(cica, await made(api, token))
    assert first["action"] == "new"
    await cica.send()
    act = sector_record("KAZ", 3, "The end", action="withdraw", references=[record_id(1)])
    await submit(cica, relay, submitted(world, "KAZ", act), time=world.now + 60)
    answer = await made(api, token)
    assert (answer["edition"], answer["sources"]) == (2, [record_id(2)])
    assert answer["void"] == [{"record_id": record_id(1), "reason": "it is withdrawn"}]
    second, listed = await edition(cica, answer)
    assert (second["action"], second["references"]) == ("update", [first["record_id"]])
    (trace,) = listed.traces
    assert (trace.record_id, trace.edition) == (record_id(1), 2)
    third = await made(api, token)
    assert (third["edition"], third["void"]) == (3, answer["void"])


async def test_another_audience_has_editions_of_its_own(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    assert [
        (await made(api, token, to=to))["edition"] for to in (["MNG"], ["UZB"], ["UZB", "MNG"], ["MNG", "UZB"])
    ] == [
        1,
        1,
        1,
        2,
    ]


async def test_views_of_modality_b_by_priority_area(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    for number, area in ((1, "tourism"), (2, "finance")):
        record = example("expression-of-interest", "views-b")
        record |= {
            "record_id": record_id(number),
            "originators": ["KAZ"],
            "recipients": ["CICA"],
            "handling": {"tlp": "GREEN", "onward": "members"},
        }
        record.pop("references", None)
        record["body"]["priority_area"] = area
        await submit(cica, relay, submitted(world, "KAZ", json.dumps(record).encode()))
    answer = await made(api, token, measure="3.B", priority_area="tourism")
    assert answer["sources"] == [record_id(1)]
    record, listed = await edition(cica, answer)
    assert (record["measure"], listed.topic.priority_area) == ("3.B", "tourism")
    assert record["title"] == {"en": "Compiled views on tourism (3.B), edition 1"}


async def test_chosen_sources_only(api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay) -> None:
    for number in (1, 2, 3):
        await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", number)))
    await made(api, token)
    answer = await made(api, token, sources=[record_id(1), record_id(3)])
    assert answer["sources"] == [record_id(1), record_id(3)]
    assert answer["void"] == [{"record_id": record_id(2), "reason": "it was not chosen for this edition"}]


async def test_a_source_that_ends_before_the_edition_may_go_is_left_out(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    until = world.now + DAY
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1), until=until))
    await submit(cica, relay, submitted(world, "MNG", sector_record("MNG", 2)))
    later = await made(api, token, not_before="2027-01-20T00:00:00+00:00")
    assert later["sources"] == [record_id(2)]
    assert (await made(api, token))["sources"] == [record_id(1), record_id(2)]


async def test_a_repeated_list_reads_back_as_it_was_written(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    sealed = submitted(world, "KAZ", sector_record("KAZ", 1))
    await submit(cica, relay, sealed)
    _, listed = await edition(cica, await made(api, token))
    (row,) = listed.rows
    stored = await cica.parts.stores.views.message(bytes.fromhex(row.message))
    assert stored is not None
    signed = decode(SIGNED_PROVISION, stored.signed_provisions[0], 2 * MAX_PROVISION)
    assert row.provision == provision_digest(signed.body).hex()
    assert row.consents == (("KAZ", "terms, onward members"),)
