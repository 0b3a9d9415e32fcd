"""Attacks on the node's line to the relay: garbage, huge, misplaced and forged frames and answers."""

import asyncio
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web

from exchange.errors import ExchangeError
from keys.errors import KeyFault
from schemas.canon import encode
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.ids import KeyId
from schemas.receipt import SIGNED_RECEIPT
from schemas.relayapi import (
    MAX_FRAME,
    Acks,
    Challenge,
    Deliver,
    Notice,
    Proof,
    Seen,
    SeenItem,
    Welcome,
    decode_frame,
    encode_frame,
)
from tests.support.hostile_server import HostileServer, Script, nothing, sends
from tests.support.node import TestNode, sealed_by
from tests.support.world import World

DECLARED = (ExchangeError, DecodeError, KeyFault, aiohttp.ClientError, OSError)


def deliver(world: World) -> Deliver:
    sealed = sealed_by(world, "KAZ", ("MNG",))
    return Deliver(sealed.header_bytes, encode(SIGNED_RECEIPT, world.receipt(sealed)), sealed.body)


async def session_ends(target: TestNode) -> None:
    """One session, which ends with a declared fault and has changed nothing."""
    before = target.facts()
    with pytest.raises(DECLARED):
        await target.link._session()
    assert target.facts() == before
    assert target.rows("received") == []


async def next_session_works(target: TestNode, hostile: HostileServer) -> None:
    """The same node takes an envelope in the session after."""
    hostile.handshake = None
    hostile.script = sends(deliver(hostile.world), b"")
    with pytest.raises(DECLARED):
        await target.link._session()
    assert len(target.inbox()) == 1


FRAMES: dict[str, Callable[[World], object]] = {
    "nothing": lambda w: b"",
    "garbage": lambda w: b"\xff\x00garbage",
    "an-unknown-kind": lambda w: b"\x08\x80",
    "a-kind-without-an-object": lambda w: b"\x04",
    "a-frame-and-more": lambda w: encode_frame(deliver(w)) + b"\x00",
    "larger-than-any-frame": lambda w: b"\x04" + b"\x00" * (MAX_FRAME + 1),
    "text": lambda w: "hello",
    "a-challenge-in-the-middle": lambda w: Challenge(b"n" * 32, w.relay.key_id, w.now),
    "a-second-welcome": lambda w: Welcome(bytes(64)),
    "a-proof": lambda w: Proof(b"x", w.relay.key_id, bytes(64)),
    "a-nodes-acknowledgements": lambda w: Acks((b"x",)),
    "a-nodes-seen": lambda w: Seen(
        (SeenItem(sealed_by(w, "KAZ", ("MNG",)).header.core.id, w.charter.members[0].code),)
    ),
}


@pytest.mark.parametrize("name", FRAMES)
async def test_a_frame_that_has_no_place_ends_the_session_and_the_node_lives_on(
    world: World, hostile: HostileServer, wired: TestNode, name: str
) -> None:
    frame = FRAMES[name](world)
    hostile.script = sends(frame)  # type: ignore[arg-type]  # whatever it is
    await session_ends(wired)
    await next_session_works(wired, hostile)


@pytest.mark.parametrize("field", ["header", "receipt"])
async def test_a_delivery_of_garbage_is_an_alarm_and_the_next_one_counts(
    world: World, hostile: HostileServer, wired: TestNode, field: str
) -> None:
    true = deliver(world)
    values = {"header": true.header, "receipt": true.receipt, "body": true.body, field: b"garbage"}
    hostile.script = sends(Deliver(**values), true, b"")  # type: ignore[arg-type]  # by name
    with pytest.raises(DECLARED):
        await wired.link._session()
    assert (len(wired.inbox()), wired.alarms()) == (1, ["malformed"])


async def test_a_false_notice_on_the_line_is_an_alarm(world: World, hostile: HostileServer, wired: TestNode) -> None:
    hostile.script = sends(Notice((b"garbage",)), b"")
    await session_ends(wired)
    assert wired.alarms() == ["bad-notice"]


def welcomed(world: World, sign: Callable[[bytes, Proof], bytes], relay: KeyId | None = None) -> Script:
    """A handshake whose welcome is made by `sign`."""

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(encode_frame(Challenge(b"n" * 32, relay or world.relay.key_id, world.now)))
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            return
        proof = decode_frame(message.data)
        assert isinstance(proof, Proof)
        await socket.send_bytes(encode_frame(Welcome(sign(proof.statement, proof))))

    return script


HANDSHAKES: dict[str, Callable[[World], Script]] = {
    "silence-and-close": lambda w: nothing,
    "garbage-instead-of-a-challenge": lambda w: sends(b"garbage"),
    "a-delivery-instead-of-a-challenge": lambda w: sends(deliver(w)),
    "a-delivery-instead-of-a-welcome": lambda w: sends(Challenge(b"n" * 32, w.relay.key_id, w.now), deliver(w)),
    "text-instead-of-a-challenge": lambda w: sends("hello"),
    "a-relay-of-no-charter": lambda w: welcomed(w, lambda s, p: bytes(64), KeyId(b"r" * 32)),
    "a-member-as-a-relay": lambda w: welcomed(
        w, lambda s, p: w.nodes["KAZ"].sign_bytes(Context.SESSION_RELAY, s), w.nodes["KAZ"].key_id
    ),
    "a-welcome-by-another-key": lambda w: welcomed(w, lambda s, p: w.nodes["KAZ"].sign_bytes(Context.SESSION_RELAY, s)),
    "the-nodes-own-signature-reflected": lambda w: welcomed(w, lambda s, p: p.signature),
    "a-welcome-under-the-nodes-label": lambda w: welcomed(w, lambda s, p: w.relay.sign_bytes(Context.SESSION_NODE, s)),
    "a-welcome-for-another-statement": lambda w: welcomed(
        w, lambda s, p: w.relay.sign_bytes(Context.SESSION_RELAY, s + b"\x00")
    ),
}


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_who_cannot_prove_to_be_the_relay_delivers_nothing(
    world: World, hostile: HostileServer, wired: TestNode, name: str
) -> None:
    hostile.handshake = HANDSHAKES[name](world)
    hostile.script = sends(deliver(world))
    await session_ends(wired)
    assert not wired.link.connected
    await next_session_works(wired, hostile)


@pytest.mark.parametrize("name", ["a-relay-of-no-charter", "a-member-as-a-relay"])
async def test_a_relay_of_no_charter_gets_no_signature_of_the_node(
    world: World, hostile: HostileServer, wired: TestNode, name: str
) -> None:
    """It could take it to the true relay."""
    signed: list[bytes] = []

    def note(statement: bytes, _proof: Proof) -> bytes:
        signed.append(statement)
        return bytes(64)

    relay = KeyId(b"r" * 32) if name == "a-relay-of-no-charter" else world.nodes["KAZ"].key_id
    hostile.handshake = welcomed(world, note, relay)
    await session_ends(wired)
    assert signed == []


async def test_the_node_reconnects_by_itself_after_a_hostile_session(
    world: World, hostile: HostileServer, wired: TestNode
) -> None:
    async def first_hostile_then_honest(socket: web.WebSocketResponse) -> None:
        frame: bytes | Deliver = b"garbage" if hostile.sessions == 1 else deliver(world)
        await sends(frame)(socket)

    hostile.script = first_hostile_then_honest
    running = asyncio.create_task(wired.link.run())
    try:
        async with asyncio.timeout(30):
            while not wired.inbox():
                assert not running.done()
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert hostile.sessions >= 2
