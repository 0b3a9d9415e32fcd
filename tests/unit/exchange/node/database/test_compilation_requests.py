"""Requests for editions: repeated, at once, by whom they may not be made, and of what nothing can be compiled."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, api_of, node
from tests.support.secretariat import DATABASE, compiled, edition, made, record_id, sector_record, submit, submitted
from tests.support.world import World


async def test_an_edition_that_the_relay_refused_does_not_count(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    relay.refuse = "no-consent"
    await made(api, token)
    await cica.send()
    relay.refuse = None
    assert (await made(api, token))["edition"] == 1


async def test_repeated_with_its_key_it_is_compiled_once(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    first, again = await compiled(api, token, "k"), await compiled(api, token, "k")
    assert (first.status, again.status) == (202, 200)
    assert (again.json["id"], again.json["edition"]) == (first.json["id"], 1)
    assert (await compiled(api, token, "k", to=["MNG"])).code == "idempotency-key-used"
    assert len(cica.files()) == 1


async def test_two_at_once_have_two_numbers(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    both = await asyncio.gather(made(api, token), made(api, token))
    assert sorted(answer["edition"] for answer in both) == [1, 2]


async def test_a_mark_below_that_of_a_source_is_refused(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    amber = {"tlp": "AMBER", "onward": "members"}
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1, handling=amber)))
    before = cica.facts()
    assert (await compiled(api, token, tlp="GREEN")).code == "marking-too-low"
    assert cica.facts() == before
    for asked, marked in (({"tlp": "AMBER"}, "AMBER"), ({}, "AMBER+STRICT")):
        record, _ = await edition(cica, await made(api, token, **asked))
        assert record["handling"]["tlp"] == marked


async def test_only_the_secretariat_compiles(tmp_path: Path, world: World, relay: HostileRelay) -> None:
    async with node(tmp_path, world, "KAZ", relay) as kaz, api_of(kaz) as api:
        reply = await compiled(api, await kaz.token("trade", ("send", "read")))
        assert (reply.status, reply.code) == (403, "not-the-secretariat")


async def test_who_may_not_read_all_that_it_is_made_of_may_not_compile(api: Api, cica: TestNode) -> None:
    narrow = await cica.token("visas", ("send", "read"), ("2.3.12", DATABASE))
    assert (await compiled(api, narrow)).code == "measure-not-allowed"
    writer = await cica.token("writer", ("send",))
    assert (await compiled(api, writer)).code == "scope-missing"
    reader = await cica.token("reader", ("read",))
    assert (await compiled(api, reader)).code == "scope-missing"


async def test_two_provisions_of_one_name_do_not_stop_the_others(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    """XAA uses the id of a Provision again; an envelope cannot carry both."""
    first = submitted(world, "XAA", sector_record("XAA", 1))
    same = first.header.core.provisions[0].provision.id
    await submit(cica, relay, first)
    await submit(cica, relay, submitted(world, "XAA", sector_record("XAA", 2), id=same), time=world.now + 60)
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 3)), time=world.now + 61)
    answer = await made(api, token)
    assert answer["sources"] == [record_id(1), record_id(3)]
    assert [row["reason"] for row in answer["left_out"]] == ["its Provision has the id of another of the same states"]


async def test_what_came_with_provisions_of_others_is_no_source(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    """XAA sends what it compiled itself: under its own Provision alone the others' terms would be lost."""
    other = submitted(world, "KAZ", sector_record("KAZ", 1), to=["XAA", "CICA"])
    own = submitted(world, "XAA", sector_record("XAA", 2))
    both = [*own.header.core.provisions, *other.header.core.provisions]
    await submit(cica, relay, world.forward(own, "XAA", ["CICA"], provisions=both))
    reply = await compiled(api, token)
    assert reply.code == "nothing-to-compile"
    assert "further Provisions" in reply.json["detail"]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"measure": "2.1.1.b"}, 422, "bad-request"),
        ({"measure": "3.B"}, 422, "bad-request"),
        ({"priority_area": "tourism"}, 422, "bad-request"),
        ({"to": ["QQQ"]}, 404, "unknown-member"),
        ({"to": ["CICA"]}, 422, "own-member"),
        ({"content": {}}, 422, "bad-request"),
        ({"content": {"zz": "no English"}}, 422, "invalid-record"),
        ({"record": {}}, 422, "bad-request"),
        ({"to": ["MNG"], "sources": [record_id(9)]}, 409, "nothing-to-compile"),
    ],
)
async def test_what_cannot_be_compiled_is_refused_and_leaves_nothing(
    api: Api,
    cica: TestNode,
    token: str,
    world: World,
    relay: HostileRelay,
    fields: dict[str, Any],
    status: int,
    code: str,
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    before = cica.facts()
    reply = await compiled(api, token, **fields)
    assert (reply.status, reply.code) == (status, code)
    assert cica.facts() == before
