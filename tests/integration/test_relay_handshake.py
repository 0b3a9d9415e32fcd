"""Who may have a session: a signed challenge both ways, bound to this relay, this connection and this certificate."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme

from exchange.relay.limits import MAX_ADDRESS_HANDSHAKES
from keys.digests import sha256
from keys.identity import SigningIdentity
from schemas.canon import encode
from schemas.contexts import Context
from schemas.ids import SECRETARIAT, Digest
from schemas.limits import MAX_CLOCK_AHEAD
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT
from schemas.relayapi import Acks, Challenge, Deliver, Proof, Welcome, encode_frame
from tests.support.entropy import derived
from tests.support.relay import Server, Tls, relay
from tests.support.world import World


@pytest.fixture
async def server(tmp_path: Path, world: World) -> AsyncIterator[Server]:
    async with relay(tmp_path, world) as running:
        yield running


async def test_nothing_is_heard_before_the_proof(server: Server) -> None:
    sealed = server.world.envelope(["MNG"])
    await server.submit(sealed)
    async with server.connection() as session:
        await session.receive(Challenge)
        await session.send(Acks((encode(SIGNED_ACKNOWLEDGEMENT, server.world.acknowledgement(sealed, "MNG")),)))
        assert (await session.closed()).startswith("session-proof")
    assert server.rows("notices") == 0


async def test_a_wrong_nonce_is_refused(server: Server) -> None:
    proof, _ = server.world.session("MNG", bytes(32))
    assert (await server.refused_session(proof)).startswith("session-nonce")


async def test_a_replayed_proof_is_refused(server: Server) -> None:
    async with server.connection() as first:
        challenge = await first.receive(Challenge)
        proof, _ = server.world.session("MNG", challenge.nonce)
        await first.send(proof)
        await first.receive(Welcome)
    assert (await server.refused_session(proof)).startswith("session-nonce")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"relay": bytes(32)}, "session-relay"),
        ({"tls_digest": bytes(32)}, "session-certificate"),
    ],
)
async def test_a_proof_for_something_else_is_refused(server: Server, fields: dict[str, object], reason: str) -> None:
    async with server.connection() as session:
        challenge = await session.receive(Challenge)
        proof, _ = server.world.session("MNG", challenge.nonce, **fields)  # type: ignore[arg-type]  # passed on
        await session.send(proof)
        assert (await session.closed()).startswith(reason)


async def test_nobody_has_a_session_in_another_member_s_name(server: Server) -> None:
    sealed = server.world.envelope(["MNG"])
    await server.submit(sealed)
    async with server.connection() as session:
        challenge = await session.receive(Challenge)
        proof, _ = server.world.session("MNG", challenge.nonce, signer=server.world.nodes["UZB"])
        await session.send(proof)
        assert (await session.closed()).startswith("session-signature")
    async with server.connection() as session:
        challenge = await session.receive(Challenge)
        stolen, _ = server.world.session("MNG", challenge.nonce)
        await session.send(Proof(stolen.statement, server.world.nodes["MNG"].key_id, bytes(64)))
        assert (await session.closed()).startswith("session-signature")


async def test_a_challenge_that_another_relay_passes_on_is_refused(server: Server) -> None:
    """The other relay shows its victim this relay's nonce; the victim's answer names the relay that it talks to."""
    other = SigningIdentity.from_entropy(SECRETARIAT, derived("other relay", size=96))
    async with server.connection() as session:
        challenge = await session.receive(Challenge)
        proof, _ = server.world.session("MNG", challenge.nonce, relay=other.key_id)
        await session.send(proof)
        assert (await session.closed()).startswith("session-relay")


@pytest.mark.parametrize("skew", [-MAX_CLOCK_AHEAD - 1, MAX_CLOCK_AHEAD + 1])
async def test_a_proof_of_another_time_is_refused(server: Server, skew: int) -> None:
    async with server.connection() as session:
        challenge = await session.receive(Challenge)
        proof, _ = server.world.session("MNG", challenge.nonce, time=server.clock.now() + skew)
        await session.send(proof)
        assert (await session.closed()).startswith("session-time")


@pytest.fixture(scope="module")
def tls() -> Tls:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    pem = certificate.cert_chain_pems[0].bytes().decode("ascii")
    return Tls(server, client, sha256(ssl.PEM_cert_to_DER_cert(pem)))


async def test_a_session_is_bound_to_the_certificate(tmp_path: Path, world: World, tls: Tls) -> None:
    async with relay(tmp_path, world, tls) as server:
        assert server.url.startswith("https://")
        async with server.session("MNG") as session:
            sealed = world.envelope(["MNG"])
            await server.submit(sealed)
            assert (await session.receive(Deliver)).header == sealed.header_bytes


@pytest.mark.parametrize("seen", [None, bytes(32)])
async def test_one_in_the_middle_with_another_certificate_is_refused(
    tmp_path: Path, world: World, tls: Tls, seen: bytes | None
) -> None:
    async with relay(tmp_path, world, tls) as server, server.connection() as session:
        challenge = await session.receive(Challenge)
        proof, _ = world.session("MNG", challenge.nonce, tls_digest=None if seen is None else Digest(seen))
        await session.send(proof)
        assert (await session.closed()).startswith("session-certificate")


async def test_the_relay_signs_the_node_s_own_statement(server: Server) -> None:
    async with server.connection() as session:
        challenge = await session.receive(Challenge)
        proof, welcome = server.world.session("MNG", challenge.nonce)
        await session.socket.send_bytes(encode_frame(proof))
        got = await session.receive(Welcome)
        assert got.signature == server.world.relay.sign_bytes(Context.SESSION_RELAY, proof.statement)
        assert got == welcome


async def test_one_that_never_proves_anything_is_let_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.relay.session.PROOF_TIMEOUT", 0.2)
    async with server.connection() as session:
        await session.receive(Challenge)
        assert (await session.closed()).startswith("session-proof")


async def test_sessions_that_prove_nothing_are_bounded(server: Server) -> None:
    async with AsyncExitStack() as open_ones:
        for _ in range(MAX_ADDRESS_HANDSHAKES):
            session = await open_ones.enter_async_context(server.connection())
            await session.receive(Challenge)
        answer = await server.request("GET", "/v1/session")
        assert (answer.status, answer.code) == (503, "sessions-busy")
    async with server.session("MNG"):
        pass
