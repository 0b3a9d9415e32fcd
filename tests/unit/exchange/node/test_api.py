"""The node's real API in this process: what is right is stored once and shown, and events can be resumed."""

import asyncio
import json

import aiohttp
import pytest

from tests.support.attacks import delivered
from tests.support.forms import FORM, form, part, text
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, Reply, bare_record, manifest_of, sealed_by
from tests.support.world import World


async def test_a_message_is_queued_and_shown(api: Api, token: str) -> None:
    reply = await api.send(token, ["UZB", "MNG"], tlp="AMBER", precedence="flash", expires="12h")
    assert (reply.status, reply.json["state"]) == (202, "queued")
    shown = (await api.ask("GET", f"/v1/messages/{reply.json['id']}", token)).json
    assert [row["member"] for row in shown["recipients"]] == ["MNG", "UZB"]
    assert (shown["tlp"], shown["precedence"], shown["box"], shown["path"]) == ("AMBER", "flash", "outbox", ["KAZ"])
    assert shown["record"]["body"] == bare_record()["body"]
    (listed,) = (await api.ask("GET", "/v1/messages?box=outbox", token)).json["messages"]
    assert listed.items() <= shown.items()


async def test_a_repeated_key_gives_the_same_id_and_stores_nothing_more(api: Api, token: str) -> None:
    first = await api.send(token, ["MNG"], key="k")
    before = api.node.facts()
    second = await api.send(token, ["MNG"], key="k")
    assert (first.status, second.status) == (202, 200)
    assert first.json["id"] == second.json["id"]
    assert api.node.facts() == before


async def test_a_key_used_for_another_request_is_a_conflict_and_changes_nothing(api: Api, token: str) -> None:
    await api.send(token, ["MNG"], key="k")
    before = api.node.facts()
    reply = await api.send(token, ["UZB"], key="k")
    assert (reply.status, reply.code) == (409, "idempotency-key-used")
    assert api.node.facts() == before


async def test_requests_at_once_with_one_key_store_one_message(api: Api, token: str) -> None:
    replies = await asyncio.gather(*(api.send(token, ["MNG"], key="k") for _ in range(8)))
    assert sorted(reply.status for reply in replies) == [200] * 7 + [202]
    assert len({reply.json["id"] for reply in replies}) == 1
    assert len(api.node.rows("messages")) == 1


async def with_file(api: Api, token: str, data: bytes, filename: str = "map.bin", key: str = "k") -> Reply:
    body = form(part("message", text()), part("attachment", data, filename, "Content-Type: image/png\r\n"))
    return await api.ask("POST", "/v1/messages", token, data=body, headers={**FORM, "Idempotency-Key": key})


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_003])
async def test_a_file_comes_back_byte_for_byte(api: Api, token: str, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    reply = await with_file(api, token, data[:size])
    assert reply.status == 202, reply.body
    shown = (await api.ask("GET", f"/v1/messages/{reply.json['id']}", token)).json
    (listed,) = shown["attachments"]
    assert (listed["filename"], listed["media_type"], listed["size"]) == ("map.bin", "image/png", size)
    file = await api.ask("GET", f"/v1/messages/{reply.json['id']}/attachments/0", token)
    assert (file.status, file.body) == (200, data[:size])
    # A browser is to save it, whatever its sender calls it.
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    missing = await api.ask("GET", f"/v1/messages/{reply.json['id']}/attachments/1", token)
    assert (missing.status, missing.code) == (404, "no-such-attachment")


async def test_a_repeated_upload_leaves_no_second_file(api: Api, token: str) -> None:
    await with_file(api, token, b"x" * 100_000)
    before = api.node.facts()
    assert (await with_file(api, token, b"x" * 100_000)).status == 200
    for other in (await with_file(api, token, b"y" * 100_000), await with_file(api, token, b"x" * 100_000, "b.bin")):
        assert (other.status, other.code) == (409, "idempotency-key-used")
    assert api.node.facts() == before
    assert len(api.node.files()) == 1


async def test_a_file_that_is_damaged_on_the_disk_is_cut_off(api: Api, token: str) -> None:
    reply = await with_file(api, token, b"x" * 300_000)
    (name,) = api.node.files()
    path = api.node.folder / name
    stored = bytearray(path.read_bytes())
    stored[-1] ^= 1
    path.write_bytes(stored)
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.ask("GET", f"/v1/messages/{reply.json['id']}/attachments/0", token)
    path.unlink()
    gone = await api.ask("GET", f"/v1/messages/{reply.json['id']}/attachments/0", token)
    assert (gone.status, gone.code) == (500, "disk")


async def test_a_forward_that_is_refused_copies_no_files(
    api: Api, token: str, world: World, relay: HostileRelay
) -> None:
    data = b"a map" * 100
    manifest = manifest_of(world, "MNG", attachments=(world.attachment(data),))
    provision = world.signed_provision(manifest, ("MNG",), ["KAZ", "UZB"])
    sealed = world.envelope(["KAZ"], "MNG", manifest=manifest, attachments=data, provisions=[provision])
    path = f"/v1/messages/{(await delivered(api.node, relay, sealed)).hex()}/forward"
    before = api.node.facts()
    for body, status, code in (
        ({"to": ["UZB"], "expires": "soon"}, 422, "bad-request"),
        ({"to": ["UZB"], "precedence": "urgent"}, 422, "bad-request"),
        ({"to": ["XAA"]}, 403, "no-consent"),
        ({"to": ["KAZ"]}, 422, "own-member"),
        ({}, 422, "bad-request"),
    ):
        reply = await api.ask("POST", path, token, json=body)
        assert (reply.status, reply.code) == (status, code)
    assert api.node.facts() == before
    allowed = await api.ask("POST", path, token, json={"to": ["UZB"]})
    assert allowed.status == 202
    assert len(api.node.files()) == 2
    own = await api.ask("POST", f"/v1/messages/{allowed.json['id']}/forward", token, json={"to": ["UZB"]})
    assert (own.status, own.code) == (422, "not-received")


async def test_a_refusal_names_recipient_and_provider(api: Api, token: str, world: World, relay: HostileRelay) -> None:
    message = await delivered(api.node, relay, sealed_by(world, "MNG", ("KAZ",)))
    reply = await api.ask("POST", f"/v1/messages/{message.hex()}/forward", token, json={"to": ["UZB"]})
    assert (reply.json["rule"], reply.json["recipient"], reply.json["provider"]) == ("no-consent", "UZB", "MNG")


# Events.


async def events(api: Api, token: str, count: int, last: str | None = None) -> list[dict[str, str]]:
    headers = {"Authorization": f"Bearer {token}"} | ({} if last is None else {"Last-Event-ID": last})
    found: list[dict[str, str]] = []
    async with asyncio.timeout(20), api.http.get(f"{api.url}/v1/events", headers=headers) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        while len(found) < count:
            lines = (await stream.content.readuntil(b"\n\n")).decode().splitlines()
            if not lines[0].startswith(":"):
                found.append(dict(line.split(": ", 1) for line in lines if line))
    return found


async def test_events_resume_where_the_last_one_was(api: Api, token: str) -> None:
    ids = [(await api.send(token, ["MNG"])).json["id"] for _ in range(3)]
    first = await events(api, token, 2)
    rest = await events(api, token, 1, first[-1]["id"])
    told = [json.loads(event["data"]) for event in (*first, *rest)]
    assert [event["id"] for event in told] == ids
    assert {event["event"] for event in (*first, *rest)} == {"message.state"}
    assert told[0] == {"id": ids[0], "box": "outbox", "state": "queued"}


async def test_an_event_that_comes_while_one_listens(api: Api, token: str) -> None:
    waiting = asyncio.create_task(events(api, token, 1))
    await asyncio.sleep(0)
    sent = await api.send(token, ["MNG"])
    (event,) = await waiting
    assert json.loads(event["data"])["id"] == sent.json["id"]


async def test_pages_of_a_listing(api: Api, token: str) -> None:
    ids = [(await api.send(token, ["MNG"])).json["id"] for _ in range(5)]
    found: list[str] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = (await api.ask("GET", f"/v1/messages?box=outbox&limit=2&after={cursor}", token)).json
        found += [row["id"] for row in page["messages"]]
        cursor = page["next"]
    assert found == ids


async def test_members_and_health(api: Api, token: str, world: World) -> None:
    reply = (await api.ask("GET", "/v1/members", token)).json
    assert [row["code"] for row in reply["members"]] == ["KAZ", "MNG", "UZB", "XAA"]
    assert all(row["can_receive"] for row in reply["members"])
    assert reply["directory_size"] == world.directory.size
    for path in ("/healthz", "/readyz"):
        assert (await api.ask("GET", path)).status == 200


async def test_metrics_for_the_operator(api: Api) -> None:
    await api.node.write(["MNG"])
    operator = await api.node.token("operator", ("admin",))
    reply = await api.ask("GET", "/metrics", operator)
    assert b'cbm_node_messages{box="outbox",state="queued"} 1.0' in reply.body
