"""Records that belong together, over the API: threads, warnings, and the chain that a message is shown with."""

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from exchange.node.config import load_declaration
from tests.support.attacks import delivered
from tests.support.chains import Act, notification, states, step, uuid
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, Reply, TestNode, api_of, record_of, sealed_by
from tests.support.world import World

DECLARED = """
member = "KAZ"
catalogue = "cica-catalogue-draft-2021-09-27"
[[agreement]]
measure = "2.1.1.d"
partners = ["UZB"]
since = 2026-01-01
"""


async def send(api: Api, token: str, /, **record: object) -> Reply:
    """A notification; `key` and `thread` are of the request, the others members of the record."""
    key = record.pop("key", None)
    terms = {name: record.pop(name) for name in ("thread",) if name in record}
    return await api.send(token, ["MNG"], None if key is None else str(key), record=notification(**record), **terms)


async def show(api: Api, token: str, message: str) -> Any:  # noqa: ANN401  # JSON
    return (await api.ask("GET", f"/v1/messages/{message}", token)).json


async def test_a_chain_is_shown_with_what_holds_now(api: Api, token: str, relay: HostileRelay) -> None:
    first = (await send(api, token)).json["id"]
    await api.node.send()
    record = (await show(api, token, first))["record"]
    second = (await send(api, token, action="correction", references=[record["record_id"]])).json["id"]
    shown = await show(api, token, first)
    assert [(row["depth"], row["action"], row["state"]) for row in shown["chain"]] == [
        (0, "new", "current"),
        (1, "correction", "waiting"),
    ]
    assert shown["current"] == first
    await api.node.send()
    for message in (first, second):
        shown = await show(api, token, message)
        assert [row["state"] for row in shown["chain"]] == ["superseded", "current"]
        assert [row["message"] for row in shown["chain"]] == [first, second]
        assert (shown["chain"][1]["by"], shown["chain"][1]["language"]) == (["KAZ"], "en")
        assert shown["current"] == second
        assert shown["edition_adopted"] is True
    # Its digest is what a translation of it has to name.
    sha256 = shown["record_sha256"]
    body = {"record_id": shown["record"]["record_id"], "sha256": sha256}
    titles = {"fr": "Exercice", "en": "Exercise"}
    translation = {"references": [body["record_id"]], "language": "fr", "title": titles, "translation_of": body}
    reply = await send(api, token, action="translation", **translation)
    assert (reply.status, reply.json["warnings"]) == (202, [])
    assert await states(api.node, bytes.fromhex(first)) == [
        ("new", "superseded"),
        ("correction", "current"),
        ("translation", "waiting"),
    ]


async def test_the_digest_is_of_the_exact_bytes_that_travelled(
    api: Api, token: str, world: World, relay: HostileRelay
) -> None:
    text = b'{ "record_id" :'
    sealed = sealed_by(world, "MNG", ("KAZ",), manifest=world.manifest(("MNG",), spaced(text)))
    message = await delivered(api.node, relay, sealed)
    assert (await show(api, token, message.hex()))["record_sha256"] == hashlib.sha256(spaced(text)).hexdigest()


def spaced(start: bytes) -> bytes:
    """A valid record, written otherwise than this program would."""
    return record_of("MNG").replace(b'{"record_id":', start, 1)


async def test_a_chain_shows_what_the_caller_may_see(api: Api, token: str) -> None:
    first = (await send(api, token)).json["id"]
    record = (await show(api, token, first))["record"]
    second = (await send(api, token, action="correction", references=[record["record_id"]])).json["id"]
    await api.node.send()
    await api.node.database.write(
        lambda c: c.execute("UPDATE messages SET ministry = 'interior' WHERE id = ?", (bytes.fromhex(second),))
    )
    shown = await show(api, token, first)
    assert [row["message"] for row in shown["chain"]] == [first]
    assert (await show(api, await api.node.token("interior", ("read",)), second))["chain"][0]["missing"] == [
        record["record_id"]
    ]


async def test_a_date_beyond_the_calendar_is_shown_all_the_same(
    api: Api, token: str, world: World, relay: HostileRelay
) -> None:
    record = step("expression-of-interest", "energy-security-a", issued_at="9999-12-31T23:59:59-23:59")
    act = Act("MNG", ("KAZ",), record)
    message = await act.forced_on(api.node, relay, world, 1)
    shown = await show(api, token, message.hex())
    assert shown["chain"][0]["issued_at"] == "9999-12-31T23:59:59+00:00"


# Threads.


async def test_a_thread_is_named_by_a_record_or_by_its_message(api: Api, token: str) -> None:
    first = (await send(api, token)).json["id"]
    record_id = (await show(api, token, first))["record"]["record_id"]
    for thread in (first, record_id):
        for stated, expected in ((None, [record_id]), ([uuid(1)], [uuid(1), record_id]), ([record_id], [record_id])):
            references = {} if stated is None else {"references": stated}
            reply = await send(api, token, thread=thread, **references)
            assert (await show(api, token, reply.json["id"]))["record"]["references"] == expected


async def test_a_thread_that_the_caller_may_not_see_does_not_exist_for_it(api: Api, token: str) -> None:
    first = (await send(api, token)).json["id"]
    other = await api.node.token("interior", ("send",))
    before = api.node.facts()
    for thread, who in ((first, other), ("0" * 32, token)):
        reply = await send(api, who, thread=thread)
        assert (reply.status, reply.code) == (404, "no-such-message")
    assert (await send(api, token, thread=first, references="x")).code == "invalid-record"
    assert api.node.facts() == before


# Warnings and refusals.


async def test_what_is_unusual_is_sent_with_warnings(api: Api, token: str) -> None:
    reply = await send(api, token, action="correction", references=[uuid(9)])
    assert reply.status == 202
    (warning,) = reply.json["warnings"]
    assert (warning["code"], uuid(9) in warning["detail"]) == ("chain", True)


async def test_what_differs_from_the_declaration_is_sent_with_warnings(kaz: TestNode) -> None:
    (kaz.folder / "participation.toml").write_text(DECLARED, "utf-8")
    token = await kaz.token("defence", ("send", "read"))
    async with api_of(kaz) as api:
        assert (await send(api, token)).json["warnings"] == []
    kaz.parts = replace(kaz.parts, declaration=load_declaration(kaz.folder, "KAZ"))
    async with api_of(kaz) as api:
        warned = await send(api, token, key="k")
        assert (warned.status, [row["code"] for row in warned.json["warnings"]]) == (202, ["partner-not-agreed"])
        repeated = await send(api, token, key="k")
        assert (repeated.status, repeated.json["warnings"]) == (200, [])


async def test_what_validation_doubts_is_told(api: Api, token: str) -> None:
    reply = await send(api, token, schema_version="1.99.0")
    assert reply.status == 202
    assert [row["code"] for row in reply.json["warnings"]] == ["record"]
    assert "update this program" in reply.json["warnings"][0]["detail"]


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"schema_version": "2.0.0"}, "convert the record, or update this program"),
        ({"record_type": "no-such-type"}, "a record type of this release"),
        ({"catalogue_id": "cica-catalogue-2030"}, "update this program if the edition is newer"),
    ],
)
async def test_what_this_program_does_not_know_is_refused_with_what_to_do(
    api: Api, token: str, world: World, relay: HostileRelay, changes: dict[str, str], remedy: str
) -> None:
    before = api.node.facts()
    reply = await send(api, token, **changes)
    assert reply.status == 422
    assert remedy in reply.json["detail"]
    assert api.node.facts() == before
    sealed = sealed_by(world, "MNG", ("KAZ",), manifest=world.manifest(("MNG",), received(changes)))
    relay.accept(sealed, ("KAZ",))
    await api.node.pull()
    assert api.node.facts() == before
    (alarm,) = api.node.rows("alarms")
    assert remedy in alarm["detail"]


def received(changes: dict[str, str]) -> bytes:
    return json.dumps({**json.loads(record_of("MNG")), **changes}).encode()


async def test_two_ministries_cannot_give_one_id_at_once(api: Api, token: str) -> None:
    other = await api.node.token("interior", ("send",))
    replies = await asyncio.gather(
        *(send(api, who, record_id="urn:x-mod:2027:1") for who in (token, other, token, other))
    )
    assert sorted(reply.status for reply in replies) == [202, 409, 409, 409]
    assert {reply.code for reply in replies if reply.status == 409} == {"record-refused"}
    assert len(api.node.rows("messages")) == 1


async def test_a_request_repeated_with_an_id_of_its_own_is_the_same_request(api: Api, token: str) -> None:
    first = await send(api, token, key="k", record_id="urn:x-mod:2027:1")
    before = api.node.facts()
    replies = await asyncio.gather(*(send(api, token, key="k", record_id="urn:x-mod:2027:1") for _ in range(4)))
    assert [(reply.status, reply.json["id"]) for reply in replies] == [(200, first.json["id"])] * 4
    assert api.node.facts() == before


async def test_what_the_relay_refused_is_sent_anew_under_its_id(api: Api, token: str, relay: HostileRelay) -> None:
    relay.refuse = "too-large"
    first = await send(api, token, record_id="urn:x-mod:2027:1")
    await api.node.send()
    assert (await show(api, token, first.json["id"]))["state"] == "refused"
    relay.refuse = None
    again = await send(api, token, record_id="urn:x-mod:2027:1")
    assert again.status == 202
    await api.node.send()
    assert (await show(api, token, again.json["id"]))["current"] == again.json["id"]
