"""Thieves of node keys in open sessions: a revocation or a removal that is appended ends those, and only those."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from aiohttp import web

from exchange.errors import Unauthenticated
from exchange.relay.session import shake_hands
from keys import ceremony
from keys.amendment import Changes
from schemas.canon import encode
from schemas.ids import MemberId
from schemas.limits import DAY
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT
from schemas.relayapi import Acks, Challenge, Deliver, Welcome, decode_frame, encode_frame
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry
from tests.support.changes import ChangingWorld, certificate, identity, revocation, term
from tests.support.relay import Server, identity_of, relay
from tests.support.world import Sealed

MNG = MemberId("MNG")
NEW = identity("node", "MNG")
REASON = "session-key: a revocation or a removal ended this session's key of MNG"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with relay(tmp_path, ChangingWorld()) as running:
        yield running


def world_of(server: Server) -> ChangingWorld:
    assert isinstance(server.world, ChangingWorld)
    return server.world


def revoked(world: ChangingWorld, code: str = "MNG") -> DirectoryEntry:
    return revocation(world.roots[code], world.nodes[code].key_id, world.now)


def removed(world: ChangingWorld) -> DirectoryEntry:
    draft = world.draft(Changes(removed=(MNG,)))
    signatures = [ceremony.sign_charter(world.roots[code], draft) for code in ("KAZ", "UZB", "XAA")]
    return ceremony.assemble_charter(draft, signatures, world.directory.charter)


async def append(server: Server, entry: DirectoryEntry) -> None:
    """It is verified and stored; no quorum has seen it."""
    server.quorum.present.clear()
    assert (await server.request("POST", "/v1/directory", encode(DIRECTORY_ENTRY, entry))).status == 200
    keeper = server.app.keeper
    assert keeper.published is not None
    assert keeper.published.size < keeper.current.size


@pytest.mark.parametrize("ending", [revoked, removed])
async def test_a_thief_who_keeps_a_session_open_loses_it_at_once(
    server: Server, ending: Callable[[ChangingWorld], DirectoryEntry]
) -> None:
    async with server.session("MNG") as thief, server.session("UZB") as other:
        await append(server, ending(world_of(server)))
        assert await thief.closed() == REASON
        assert len(server.app.sessions) == 1
        sealed = server.world.envelope(["UZB"])
        await server.submit(sealed)
        assert (await other.receive(Deliver)).header == sealed.header_bytes


async def test_a_thief_does_not_come_back_with_the_key(server: Server) -> None:
    async with server.session("MNG") as thief:
        await append(server, revoked(world_of(server)))
        await thief.closed()
    async with server.connection() as again:
        challenge = await again.receive(Challenge)
        await again.send(server.world.session("MNG", challenge.nonce, time=server.clock.now())[0])
        assert (await again.closed()).startswith("session-signature")


async def test_a_thief_who_sends_on_in_an_ended_session_is_not_heard(server: Server) -> None:
    """It answers for the member in the moment in which the session ends: nothing is taken, and nothing pushed."""
    sealed = server.world.envelope(["MNG"])
    await server.submit(sealed)
    async with server.session("MNG") as thief:
        await thief.receive(Deliver)
        await append(server, revoked(world_of(server)))
        await thief.send(Acks((acknowledgement(server, sealed),)))
        assert await thief.closed() == REASON
    assert server.rows("notices") == 0
    assert server.rows("contents") == 1


async def test_a_session_that_a_revoked_key_did_not_begin_goes_on(server: Server) -> None:
    """The member has another key already: revoking the old one must not cut its node off."""
    world = world_of(server)
    certified = certificate(term(NEW, world.now, world.now + DAY), world.roots["MNG"])
    assert (await server.request("POST", "/v1/directory", encode(DIRECTORY_ENTRY, certified))).status == 200
    async with server.connection() as node:
        challenge = await node.receive(Challenge)
        await node.send(world.session("MNG", challenge.nonce, signer=NEW, time=server.clock.now())[0])
        await node.receive(Welcome)
        sealed = world.envelope(["UZB", "MNG"])
        await server.submit(sealed)
        await append(server, revoked(world))
        assert (await node.receive(Deliver)).header == sealed.header_bytes
        assert len(server.app.sessions) == 1


async def test_anothers_revocation_of_the_same_key_ends_no_session(server: Server) -> None:
    world = world_of(server)
    async with server.session("MNG") as node:
        await append(server, revocation(world.roots["KAZ"], world.nodes["MNG"].key_id, world.now))
        assert await node.nothing_within(0.1)
        assert len(server.app.sessions) == 1


class _Late:
    """A connection over which the thief's key is revoked while the welcome is on its way."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._proof = b""

    async def send_bytes(self, data: bytes) -> None:
        frame = decode_frame(data)
        if isinstance(frame, Challenge):
            self._proof = encode_frame(self._server.world.session("MNG", frame.nonce, time=frame.time)[0])
        else:
            await append(self._server, revoked(world_of(self._server)))

    async def receive(self, timeout: float) -> aiohttp.WSMessage:  # noqa: ASYNC109  # as aiohttp has it
        return aiohttp.WSMessage(aiohttp.WSMsgType.BINARY, self._proof, None)


async def test_a_thief_whose_key_is_revoked_during_the_handshake_has_no_session(server: Server) -> None:
    socket = cast("web.WebSocketResponse", _Late(server))
    with pytest.raises(Unauthenticated, match="ended this session's key of MNG"):
        await shake_hands(socket, identity_of(server.world), server.app.keeper, None, server.clock)


def acknowledgement(server: Server, sealed: Sealed) -> bytes:
    return encode(SIGNED_ACKNOWLEDGEMENT, server.world.acknowledgement(sealed, "MNG"))
