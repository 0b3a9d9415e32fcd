"""Envelopes at a real relay: what it accepts stands, what it refuses leaves no trace."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.storage.port import SMALL_BODY
from schemas.canon import encode
from schemas.envelope import Header, encode_header
from schemas.limits import DAY, HOUR, MAX_CLOCK_AHEAD
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, Outcome
from schemas.relayapi import ACKS, Acks
from schemas.terms import Onward
from tests.support.relay import Answer, Server, relay
from tests.support.waiting import until
from tests.support.world import Sealed, World

LARGE = SMALL_BODY + 1


@pytest.fixture
async def server(tmp_path: Path, world: World) -> AsyncIterator[Server]:
    async with relay(tmp_path, world) as running:
        yield running


def sealed_body(world: World, body: bytes, **fields: object) -> Sealed:
    """An envelope whose body is any bytes: the relay cannot tell."""
    return world.envelope(["MNG"], body=body, **fields)  # type: ignore[arg-type]  # passed on


async def acknowledge(server: Server, sealed: Sealed, recipient: str, **fields: object) -> Answer:
    ack = server.world.acknowledgement(sealed, recipient, **fields)  # type: ignore[arg-type]  # passed on
    return await server.request(
        "POST", "/v1/acknowledgements", encode(ACKS, Acks((encode(SIGNED_ACKNOWLEDGEMENT, ack),)))
    )


async def test_a_receipt_states_what_was_accepted_and_when(server: Server) -> None:
    sealed = server.world.envelope(["MNG", "UZB"])
    receipt = (await server.submit(sealed)).receipt
    assert receipt == server.world.receipt(sealed).receipt
    assert receipt.directory_size == len(server.world.entries)


async def test_no_receipt_leaves_before_the_commit(server: Server) -> None:
    with closing(sqlite3.connect(server.folder / "relay.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        posting = asyncio.create_task(server.post(server.world.envelope(["MNG"])))
        done, _ = await asyncio.wait({posting}, timeout=0.5)
        assert not done
        assert server.rows("envelopes") == 0
        other.execute("ROLLBACK")
    assert (await posting).status == 202
    assert server.rows("envelopes") == 1


@pytest.mark.parametrize("size", [200, LARGE])
async def test_the_same_bytes_again_get_the_same_receipt(server: Server, size: int) -> None:
    sealed = sealed_body(server.world, b"c" * size)
    first = await server.submit(sealed)
    # Long after: the retry is neither judged again nor a new acceptance.
    server.clock.time += 3 * DAY
    assert await server.submit(sealed) == first
    assert server.rows("envelopes") == 1


async def test_the_same_bytes_at_once_get_one_receipt(server: Server) -> None:
    sealed = sealed_body(server.world, b"c" * LARGE)
    receipts = await asyncio.gather(*(server.submit(sealed) for _ in range(8)))
    assert len(set(receipts)) == 1
    assert (server.rows("envelopes"), len(server.files())) == (1, 1)


@pytest.mark.parametrize("size", [200, LARGE])
async def test_equivocation_is_refused_and_what_stood_stands(server: Server, size: int) -> None:
    first = sealed_body(server.world, b"c" * size)
    await server.submit(first)
    other = sealed_body(server.world, b"d" * size, core={"id": first.header.core.id})
    answer = await server.post(other)
    assert (answer.status, answer.code) == (409, "equivocation")
    assert (answer.problem["standing"], answer.problem["offered"]) == (first.digest.hex(), other.digest.hex())
    assert (await server.submit(first)).receipt.header_digest == first.digest
    assert server.rows("envelopes") == 1


async def test_a_forged_header_signature_is_refused(server: Server) -> None:
    world = server.world
    answer = await server.post(world.envelope(["MNG"], signer=world.nodes["XAA"]))
    assert (answer.status, answer.code) == (403, "bad-signature")
    assert server.holds_nothing()


async def test_an_altered_wrap_breaks_the_signature(server: Server) -> None:
    sealed = server.world.envelope(["MNG"])
    header = sealed.header
    wraps = bytearray(header.wraps_bytes)
    wraps[-1] ^= 1
    altered = encode_header(Header(header.core_bytes, bytes(wraps), header.signature))
    answer = await server.post(replace(sealed, header_bytes=altered))
    assert (answer.status, answer.code) == (403, "bad-signature")
    assert server.holds_nothing()


async def test_an_unknown_sender_is_refused(server: Server) -> None:
    stranger = World(("KAZ", "MNG", "PAK"), seed="strangers")
    answer = await server.post(stranger.envelope(["MNG"], sender="PAK"))
    assert (answer.status, answer.code) == (403, "untrusted")
    assert server.holds_nothing()


async def test_forwarding_without_consent_is_refused_with_the_missing_consent(server: Server) -> None:
    original = server.world.envelope(["MNG"])
    await server.submit(original)
    before = server.rows("contents")
    answer = await server.post(server.world.forward(original, "MNG", ["UZB"]))
    assert (answer.status, answer.code) == (403, "no-consent")
    assert (answer.problem["recipient"], answer.problem["provider"]) == ("UZB", "KAZ")
    assert server.rows("contents") == before


async def test_a_spent_grant_is_refused_and_a_retry_is_no_use(server: Server) -> None:
    world = server.world
    manifest = world.manifest(("KAZ",))
    signed = world.signed_provision(manifest, ("KAZ",), ["MNG"], onward=Onward.ON_CONSENT)
    original = world.envelope(["MNG"], manifest=manifest, provisions=[signed])
    grant = world.grant(signed.provision, "KAZ", "MNG", ["UZB", "XAA"], uses=1)
    first = world.forward(original, "MNG", ["UZB"], grants=[grant])
    receipts = [await server.submit(first), await server.submit(first)]
    assert receipts[0] == receipts[1]
    answer = await server.post(world.forward(original, "MNG", ["XAA"], grants=[grant]))
    assert (answer.status, answer.code) == (403, "no-consent")
    # The same use again is counted once.
    await server.submit(world.forward(original, "MNG", ["UZB"], grants=[grant]))
    assert server.rows("uses") == 1


async def test_a_grant_of_one_use_is_spent_once_by_two_uploads_at_once(server: Server) -> None:
    world = server.world
    manifest = world.manifest(("KAZ",))
    signed = world.signed_provision(manifest, ("KAZ",), ["MNG"], onward=Onward.ON_CONSENT)
    original = world.envelope(["MNG"], manifest=manifest, provisions=[signed])
    grant = world.grant(signed.provision, "KAZ", "MNG", ["UZB", "XAA"], uses=1)
    both = [world.forward(original, "MNG", [to], grants=[grant]) for to in ("UZB", "XAA")]
    answers = await asyncio.gather(*(server.post(sealed) for sealed in both))
    assert sorted(answer.status for answer in answers) == [202, 403]
    assert server.rows("uses") == 1


async def test_the_clock_of_a_sender_that_is_ahead_is_told_to_try_later(server: Server) -> None:
    world = server.world
    sealed = world.envelope(["MNG"], core={"created": world.now + MAX_CLOCK_AHEAD + 1})
    answer = await server.post(sealed)
    assert (answer.status, answer.code) == (425, "created-ahead")
    server.clock.time += 1
    await server.submit(sealed)


async def test_an_expired_envelope_is_refused(server: Server) -> None:
    sealed = server.world.envelope(["MNG"])
    server.clock.time = sealed.header.core.expires
    answer = await server.post(sealed)
    assert (answer.status, answer.code) == (422, "envelope-expired")
    assert server.holds_nothing()


async def test_the_time_of_receipts_never_decreases(server: Server) -> None:
    world = server.world
    server.clock.time += HOUR
    first = (await server.submit(world.envelope(["MNG"]))).receipt
    server.clock.time -= HOUR
    second = (await server.submit(world.envelope(["MNG"]))).receipt
    assert (first.time, second.time) == (world.now + HOUR, world.now + HOUR)


async def test_an_acknowledgement_by_one_who_is_no_recipient_is_refused(server: Server) -> None:
    sealed = server.world.envelope(["MNG"])
    await server.submit(sealed)
    answer = await acknowledge(server, sealed, "UZB")
    assert (answer.status, answer.code) == (403, "not-recipient")
    assert (server.rows("contents"), server.rows("notices")) == (1, 0)


async def test_a_forged_acknowledgement_is_refused(server: Server) -> None:
    sealed = server.world.envelope(["MNG"])
    await server.submit(sealed)
    answer = await acknowledge(server, sealed, "MNG", signer=server.world.nodes["UZB"])
    assert (answer.status, answer.code) == (403, "bad-signature")
    assert (server.rows("contents"), server.rows("notices")) == (1, 0)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("header_digest", bytes(32), "header-digest"), ("envelope", bytes(16), "envelope-unknown")],
)
async def test_an_acknowledgement_of_something_else_is_refused(
    server: Server, field: str, value: bytes, code: str
) -> None:
    sealed = server.world.envelope(["MNG"])
    await server.submit(sealed)
    answer = await acknowledge(server, sealed, "MNG", **{field: value})
    assert answer.code == code
    assert (server.rows("contents"), server.rows("notices")) == (1, 0)


async def test_the_ciphertext_goes_after_the_last_acknowledgement_and_the_evidence_stays(server: Server) -> None:
    sealed = server.world.envelope(["MNG", "UZB"], body=b"c" * LARGE)
    receipt = await server.submit(sealed)
    assert (await acknowledge(server, sealed, "MNG")).status == 204
    assert (server.rows("contents"), len(server.files())) == (1, 1)
    assert (await acknowledge(server, sealed, "UZB", outcome=Outcome.REFUSED)).status == 204
    assert (server.rows("contents"), server.files()) == (0, [])
    assert await server.submit(sealed) == receipt
    assert (server.rows("envelopes"), server.rows("contents"), server.rows("notices")) == (1, 0, 2)


async def test_the_ciphertext_goes_at_its_end(tmp_path: Path, world: World) -> None:
    async with relay(tmp_path, world, sweep_interval=0.02) as server:
        sealed = sealed_body(world, b"c" * LARGE)
        await server.submit(sealed)
        server.clock.time = sealed.header.core.expires
        await until(lambda: server.rows("contents") == 0 and server.files() == [])
        assert (await acknowledge(server, sealed, "MNG")).status == 204
        assert server.rows("notices") == 1
