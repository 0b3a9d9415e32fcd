"""What a ministry could learn of the others' work, or keep after its token is gone, through streams, lists, metrics."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from exchange.node import api as node_api
from exchange.node import uploads
from exchange.node.compose import date_text
from tests.support.attacks import delivered
from tests.support.forms import JSON
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, api_of, bare_record, manifest_of, record_of, request_of, sealed_by
from tests.support.world import World

SENDING = ("send", "read")
AN_HOUR = 3600.0


@pytest.fixture
async def api(mng: TestNode) -> AsyncIterator[Api]:
    """MNG's node, as its ministries see it."""
    async with api_of(mng) as opened:
        yield opened


@asynccontextmanager
async def stream_of(api: Api, token: str, last: str = "0") -> AsyncIterator[aiohttp.StreamReader]:
    """An open event stream."""
    headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": last}
    async with asyncio.timeout(20), api.http.get(f"{api.url}/v1/events", headers=headers) as stream:
        assert stream.status == 200
        yield stream.content


async def next_event(stream: aiohttp.StreamReader) -> dict[str, str]:
    lines = (await stream.readuntil(b"\n\n")).decode().splitlines()
    return dict(line.split(": ", 1) for line in lines if line)


async def test_a_stream_is_silent_about_the_work_of_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment at each of another ministry's events would tell when, and how many."""
    monkeypatch.setattr(node_api, "_HEARTBEAT", AN_HOUR)
    token = await api.node.token("health", SENDING)
    async with stream_of(api, token) as stream:
        for _ in range(3):
            await api.node.write(["KAZ"])
            await asyncio.sleep(0)
        own = await api.send(token, ["KAZ"])
        event = await next_event(stream)
    assert json.loads(event["data"])["id"] == own.json["id"]


@pytest.mark.parametrize("heartbeat", [0.05, AN_HOUR])
async def test_the_open_stream_of_a_revoked_token_ends_and_tells_nothing_more(
    api: Api, monkeypatch: pytest.MonkeyPatch, heartbeat: float
) -> None:
    monkeypatch.setattr(node_api, "_HEARTBEAT", heartbeat)
    token = await api.node.token("defence", SENDING)
    async with stream_of(api, token) as stream:
        await api.send(token, ["KAZ"])
        assert "data" in await next_event(stream)
        await api.node.parts.stores.access.revoke_token(token.split("_")[1], api.node.clock.now())
        if heartbeat == AN_HOUR:
            await api.node.write(["KAZ"])
        assert b"data" not in await stream.read()
    assert (await api.ask("GET", "/v1/events", token)).status == 401


async def test_ids_of_events_and_cursors_of_lists_are_no_counters(api: Api) -> None:
    """Numbers of the whole node would tell how many messages the others have between two of one's own."""
    token, other = await api.node.token("health", SENDING), await api.node.token("defence", SENDING)
    own = []
    for _ in range(3):
        own.append((await api.send(token, ["KAZ"])).json["id"])
        await api.send(other, ["KAZ"])
    async with stream_of(api, token) as stream:
        ids = [(await next_event(stream))["id"] for _ in own]
    page = (await api.ask("GET", "/v1/messages?box=outbox&limit=1", token)).json
    assert {len(text) for text in (*ids, page["next"])} == {96}
    assert len({*ids, page["next"]}) == 4
    async with stream_of(api, token, ids[0]) as stream:
        event = await next_event(stream)
    assert json.loads(event["data"])["id"] == own[1]
    # Good for its ministry and its list only.
    for path, who in (
        (f"/v1/events?after={ids[0]}", other),
        (f"/v1/messages?box=outbox&after={page['next']}", other),
        (f"/v1/messages?box=inbox&after={page['next']}", token),
        (f"/v1/messages?box=outbox&after={ids[0]}", token),
    ):
        reply = await api.ask("GET", path, who)
        assert (reply.status, reply.code) == (422, "bad-request")


async def test_a_token_for_1_5_of_one_record_type_is_no_way_to_another(
    api: Api, world: World, relay: HostileRelay
) -> None:
    """1.5 is the number of every measure agreed outside the Catalogue, of any ministry."""
    record = json.loads(record_of("KAZ")) | {"measure": "1.5", "agreement_ref": "Memorandum of 2024, article 3"}
    manifest = world.manifest(("KAZ",), json.dumps(record).encode())
    message = (await delivered(api.node, relay, sealed_by(world, "KAZ", ("MNG",), manifest=manifest))).hex()
    health = await api.node.token("health", SENDING, ("2.4.*", "1.5:disaster-alert"))
    defence = await api.node.token("defence", SENDING, ("1.5:military-activity-notification",))
    own = bare_record() | {"measure": "1.5", "agreement_ref": "Memorandum of 2024, article 3"}
    before = api.node.facts()
    assert (await api.ask("GET", f"/v1/messages/{message}", health)).status == 404
    assert (await api.ask("GET", "/v1/messages", health)).json["messages"] == []
    for spelled in (own, {**own, "record_type": "disaster-alert"}, {**own, "record_type": 7}):
        reply = await api.ask("POST", "/v1/messages", health, json=request_of(["KAZ"], measure="1.5", record=spelled))
        assert reply.status in (403, 422)
    assert api.node.facts() == before
    assert [row["id"] for row in (await api.ask("GET", "/v1/messages", defence)).json["messages"]] == [message]
    sent = await api.ask("POST", "/v1/messages", defence, json=request_of(["KAZ"], measure="1.5", record=own))
    assert sent.status == 202
    async with stream_of(api, defence) as stream:
        assert json.loads((await next_event(stream))["data"])["id"] == message


async def test_an_old_alert_in_a_new_envelope_shows_its_own_date(api: Api, world: World, relay: HostileRelay) -> None:
    """A co-recipient passes an alert on days later: its envelope is new, what it says is not."""
    manifest = manifest_of(world)
    provision = world.signed_provision(manifest, ("KAZ",), ["MNG", "UZB"])
    written = world.now
    world.now += 3600
    api.node.clock.time = world.now
    late = world.envelope(["MNG"], "UZB", manifest=manifest, provisions=[provision], core={"created": world.now})
    message = (await delivered(api.node, relay, late)).hex()
    shown = (await api.ask("GET", f"/v1/messages/{message}", await api.node.token("defence", SENDING))).json
    assert shown["created"] == shown["provision"]["created"] == date_text(written)
    assert shown["envelopes"][0]["created"] == date_text(world.now)


@pytest.mark.parametrize("pause", [0.02, AN_HOUR])
async def test_a_request_that_never_ends_is_ended(api: Api, monkeypatch: pytest.MonkeyPatch, pause: float) -> None:
    """Silent or a byte at a time: it holds a connection for the bound and no longer."""
    monkeypatch.setattr(uploads, "_READ_TIMEOUT", 0.3)
    token = await api.node.token("defence", SENDING)
    before = api.node.facts()

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        while True:
            await asyncio.sleep(pause)
            yield b" "

    async with asyncio.timeout(20):
        reply = await api.ask("POST", "/v1/messages", token, data=endless(), headers=JSON)
    assert (reply.status, reply.code) == (408, "too-slow")
    assert api.node.facts() == before
