"""What a session brings beside envelopes that are taken at once: requests to cosign, forwards that wait for a proof."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from exchange.errors import ExchangeError
from keys.origin import AUDIT_LOG
from keys.witness import AddCheckpoint
from schemas.canon import encode
from schemas.origin import ORIGINS
from schemas.receipt import SIGNED_RECEIPT
from schemas.relayapi import Acks, Deliver, WitnessAnswer, WitnessRequest, WitnessStatus, decode_frame, encode_frame
from schemas.terms import Onward
from tests.support.cosigners import signed_checkpoint
from tests.support.hostile_server import HostileServer
from tests.support.node import TestNode, manifest_of, node, sealed_by
from tests.support.origins import AuditLog
from tests.support.world import Sealed, World


@pytest.fixture
def relay(world: World) -> HostileServer:
    """Its HTTP and WebSocket side, which says what a test has it say."""
    return HostileServer(world)


@pytest.fixture
async def uzb(tmp_path: Path, world: World, relay: HostileServer) -> AsyncIterator[TestNode]:
    """UZB's node with its real client."""
    async with relay.running("UZB") as client, node(tmp_path, world, "UZB", client) as opened:
        yield opened


def delivered(world: World, sealed: Sealed) -> Deliver:
    return Deliver(sealed.header_bytes, encode(SIGNED_RECEIPT, world.receipt(sealed)), sealed.body)


def forward(world: World) -> Sealed:
    manifest = manifest_of(world, onward="members")
    provision = world.signed_provision(manifest, ("KAZ",), ["MNG"], onward=Onward.MEMBERS)
    original = world.envelope(["MNG"], "KAZ", manifest=manifest, provisions=[provision])
    return world.forward(original, "MNG", ["UZB"])


async def one_session(tested: TestNode) -> None:
    with pytest.raises(ExchangeError):
        await tested.link._session()


async def test_a_request_to_cosign_is_answered_while_a_forward_waits_for_its_proof(
    world: World, relay: HostileServer, uzb: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that it waits for may need this very cosignature. What comes after it does not wait either."""
    monkeypatch.setattr("exchange.node.deliveries._PAUSE", 0.01)
    sealed, direct, log = forward(world), sealed_by(world, "KAZ", ("UZB",)), AuditLog(world)
    index = log.accept(sealed)
    request = AddCheckpoint(0, (), signed_checkpoint(world, AUDIT_LOG, log.leaves))
    told: list[object] = []
    cosigned = asyncio.Event()

    async def proof(_request: web.Request) -> web.StreamResponse:
        if not cosigned.is_set():
            problem = {"type": "urn:cbm:problem:not-logged-yet", "detail": "try again"}
            return web.json_response(problem, status=404, content_type="application/problem+json")
        return web.Response(body=encode(ORIGINS, log.proof(index)))

    async def script(socket: web.WebSocketResponse) -> None:
        # The forward comes twice, as it does when it is not answered for long.
        for frame in (delivered(world, sealed), delivered(world, sealed), delivered(world, direct)):
            await socket.send_bytes(encode_frame(frame))
        await socket.send_bytes(encode_frame(WitnessRequest(request.encode())))
        while len(told) < 3:
            told.append(decode_frame((await socket.receive(20)).data))
            if isinstance(told[-1], WitnessAnswer):
                cosigned.set()

    relay.http["/v1/log/audit/proof"] = proof
    relay.script = script
    await one_session(uzb)
    answers = [frame for frame in told if isinstance(frame, WitnessAnswer)]
    assert [answer.status for answer in answers] == [WitnessStatus.COSIGNED]
    assert sum(isinstance(frame, Acks) for frame in told) == 2
    assert isinstance(told[-1], Acks)
    assert len(uzb.inbox()) == 2
    assert [row["outcome"] for row in uzb.rows("received")] == ["delivered", "delivered"]


async def test_a_clock_that_is_not_the_relay_s_is_said_before_anything_is_signed(
    world: World, relay: HostileServer, uzb: TestNode
) -> None:
    uzb.clock.time += 121
    with pytest.raises(ExchangeError) as caught:
        await uzb.link._session()
    assert caught.value.code == "clock-differs"
    assert relay.received == []


async def test_a_node_without_keys_takes_nothing_and_cosigns_all_the_same(
    world: World, relay: HostileServer, uzb: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restore has lost them. What comes stays at the relay, and comes again when there are new ones."""
    halves = dict(uzb.parts.keyring._epochs)
    uzb.parts.keyring._epochs.clear()
    request = AddCheckpoint(0, (), signed_checkpoint(world, AUDIT_LOG, [b"leaf"]))
    told: list[object] = []

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(encode_frame(delivered(world, sealed_by(world, "KAZ", ("UZB",)))))
        await socket.send_bytes(encode_frame(WitnessRequest(request.encode())))
        told.append(decode_frame((await socket.receive(20)).data))
        uzb.parts.keyring._epochs.update(halves)
        # The node ends the session of itself.
        assert (await socket.receive(20)).data is not None

    relay.script = script
    with pytest.raises(ExchangeError) as caught:
        await uzb.link._session()
    assert caught.value.code == "put-off"
    assert [type(frame) for frame in told] == [WitnessAnswer]
    assert (uzb.rows("received"), uzb.alarms()) == ([], [])
