"""Requests without a session: signed ones (RFC 9421), and those to the directory."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.relay.limits import REQUEST_AGE
from exchange.storage.port import SMALL_BODY
from keys.identity import EpochIdentity
from schemas.canon import decode, encode
from schemas.ids import MemberId
from schemas.limits import DAY, MAX_CLOCK_AHEAD
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT
from schemas.relayapi import ACKS, MAILBOX, MAX_FRAME, MAX_MAILBOX, SEEN, Acks, Deliver, Mailbox, Seen, SeenItem
from tests.support.entropy import derived
from tests.support.realm import epoch_entry, epoch_statement, signing_entry, signing_statement
from tests.support.relay import Answer, Call, Server, relay
from tests.support.world import Sealed, World

MAILBOX_CALL = Call("MNG", "GET", "/v1/mailbox")


@pytest.fixture
async def server(tmp_path: Path, world: World) -> AsyncIterator[Server]:
    async with relay(tmp_path, world) as running:
        yield running


def mailbox(answer: Answer) -> Mailbox:
    assert answer.status == 200, answer.body
    return decode(MAILBOX, answer.body, MAX_MAILBOX)


async def acknowledged(server: Server, sealed: Sealed) -> bytes:
    """MNG's acknowledgement, handed in."""
    ack = encode(SIGNED_ACKNOWLEDGEMENT, server.world.acknowledgement(sealed, "MNG"))
    assert (await server.request("POST", "/v1/acknowledgements", encode(ACKS, Acks((ack,))))).status == 204
    return ack


async def test_a_mailbox_can_be_pulled(server: Server) -> None:
    sealed = server.world.envelope(["MNG"])
    receipt = encode(SIGNED_RECEIPT, await server.submit(sealed))
    got = mailbox(await server.signed(MAILBOX_CALL))
    assert got == Mailbox((Deliver(sealed.header_bytes, receipt, sealed.body),), ())
    ack = await acknowledged(server, sealed)
    assert mailbox(await server.signed(replace(MAILBOX_CALL, nonce="m" * 32))) == Mailbox((), ())
    assert mailbox(await server.signed(Call("KAZ", "GET", "/v1/mailbox"))) == Mailbox((), (ack,))


async def test_a_pull_of_large_bodies_stays_within_its_bound(server: Server) -> None:
    count = MAX_FRAME // SMALL_BODY + 1
    for _ in range(count):
        await server.submit(server.world.envelope(["MNG"], body=b"c" * SMALL_BODY))
    answer = await server.signed(MAILBOX_CALL)
    assert 1 <= len(mailbox(answer).envelopes) < count
    assert len(answer.body) <= 2 * MAX_FRAME


async def test_only_a_recipient_that_has_not_answered_gets_a_body(server: Server) -> None:
    sealed = server.world.envelope(["MNG", "UZB"], body=b"c" * (SMALL_BODY + 1))
    await server.submit(sealed)
    path = f"/v1/bodies/KAZ/{sealed.header.core.id.hex()}"
    assert (await server.signed(Call("MNG", "GET", path))).body == sealed.body
    for stranger in ("KAZ", "XAA"):
        answer = await server.signed(Call(stranger, "GET", path))
        assert (answer.status, answer.code) == (404, "body-not-here")
    await acknowledged(server, sealed)
    answer = await server.signed(Call("MNG", "GET", path, nonce="m" * 32))
    assert (answer.status, answer.code) == (404, "body-not-here")


@pytest.mark.parametrize("path", ["/v1/bodies/KAZ/00", "/v1/bodies/kaz/" + "0" * 32, "/v1/bodies/KAZ/" + "g" * 32])
async def test_a_body_has_to_be_named_rightly(server: Server, path: str) -> None:
    answer = await server.signed(Call("MNG", "GET", path))
    assert (answer.status, answer.code) == (400, "bad-envelope-id")


async def test_an_unsigned_request_is_refused(server: Server) -> None:
    answer = await server.request("GET", "/v1/mailbox")
    assert (answer.status, answer.code) == (401, "request-signature")


async def test_a_replayed_request_is_refused(server: Server) -> None:
    headers = server.signature(MAILBOX_CALL)
    assert (await server.request("GET", "/v1/mailbox", headers=headers)).status == 200
    answer = await server.request("GET", "/v1/mailbox", headers=headers)
    assert (answer.status, answer.code) == (401, "request-replayed")


async def test_a_signature_for_another_path_is_refused(server: Server) -> None:
    headers = server.signature(MAILBOX_CALL)
    for path in ("/v1/mailbox?x=1", f"/v1/bodies/KAZ/{bytes(16).hex()}"):
        answer = await server.request("GET", path, headers=headers)
        assert (answer.status, answer.code) == (401, "request-signature")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"nonce": None}, "request-nonce"),
        ({"nonce": "short"}, "request-nonce"),
        ({"nonce": "n" * 65}, "request-nonce"),
        ({"age": 61}, "request-time"),
        ({"age": -MAX_CLOCK_AHEAD - 1}, "request-time"),
        ({"term": REQUEST_AGE + 1}, "request-time"),
        ({"components": ("@method", "@path", "@query")}, "request-signature"),
        ({"components": ()}, "request-signature"),
    ],
)
async def test_a_weak_signature_is_refused(server: Server, change: dict[str, object], code: str) -> None:
    answer = await server.signed(replace(MAILBOX_CALL, **change))  # type: ignore[arg-type]  # fields of Call
    assert (answer.status, answer.code) == (401, code)


@pytest.mark.parametrize("change", [{"age": 60}, {"age": -MAX_CLOCK_AHEAD}, {"term": REQUEST_AGE}])
async def test_a_signature_just_within_its_time_is_accepted(server: Server, change: dict[str, int]) -> None:
    assert (await server.signed(replace(MAILBOX_CALL, **change))).status == 200  # type: ignore[arg-type]  # as above


async def test_nobody_asks_in_another_member_s_name(server: Server) -> None:
    answer = await server.signed(replace(MAILBOX_CALL, signer=server.world.nodes["UZB"]))
    assert (answer.status, answer.code) == (401, "request-signature")
    headers = server.signature(Call("UZB", "GET", "/v1/mailbox"))
    lie = {name: value.replace("UZB:", "MNG:") for name, value in headers.items()}
    answer = await server.request("GET", "/v1/mailbox", headers=lie)
    assert (answer.status, answer.code) == (401, "request-signature")


async def test_an_altered_body_breaks_the_signature(server: Server) -> None:
    sealed = server.world.envelope(["MNG"])
    await server.submit(sealed)
    await acknowledged(server, sealed)
    seen = encode(SEEN, Seen((SeenItem(sealed.header.core.id, MemberId("MNG")),)))
    call = Call("KAZ", "POST", "/v1/notices", seen)
    answer = await server.request("POST", "/v1/notices", seen.replace(b"MNG", b"UZB"), server.signature(call))
    assert (answer.status, answer.code) == (401, "request-signature")
    answer = await server.request(
        "POST", "/v1/notices", seen, server.signature(replace(call, body=None, nonce="m" * 32))
    )
    assert (answer.status, answer.code) == (401, "request-signature")
    assert server.rows("notices") == 1
    assert (await server.signed(replace(call, nonce="o" * 32))).status == 204
    assert server.rows("notices") == 0


async def test_a_request_for_another_relay_is_refused(tmp_path: Path, world: World) -> None:
    async with relay(tmp_path, world, authority="relay.example:443") as server:
        answer = await server.signed(MAILBOX_CALL)
        assert (answer.status, answer.code) == (401, "request-authority")


def entries(answer: Answer) -> list[bytes]:
    found, rest = [], answer.body
    while rest:
        end = 4 + int.from_bytes(rest[:4], "big")
        found.append(rest[4:end])
        rest = rest[end:]
    return found


async def test_the_directory_is_public_and_in_order(server: Server) -> None:
    answer = await server.request("GET", "/v1/directory?from=0")
    assert entries(answer) == list(server.world.entries)
    assert answer.headers["Cbm-Directory-Size"] == str(len(server.world.entries))
    assert entries(await server.request("GET", "/v1/directory?from=3")) == list(server.world.entries[3:])
    assert (await server.request("GET", "/v1/directory?from=999999")).body == b""


@pytest.mark.parametrize("start", ["-1", "x", "", "1.5", "٣", "9" * 10])
async def test_a_bad_index_is_refused(server: Server, start: str) -> None:
    answer = await server.request("GET", f"/v1/directory?from={start}")
    assert (answer.status, answer.code) == (400, "bad-index")


def new_epoch(world: World, member: str = "KAZ", number: int = 9, by: str | None = None) -> bytes:
    key = EpochIdentity(derived("new", member, str(number), size=96))
    return epoch_entry(epoch_statement(member, number, key, world.now), world.nodes[by or member])


async def test_an_entry_is_appended_once(server: Server) -> None:
    size = len(server.world.entries)
    entry = new_epoch(server.world)
    for _ in range(2):
        answer = await server.request("POST", "/v1/directory", entry)
        assert (answer.status, answer.body) == (200, b'{"index": %d, "size": %d}' % (size, size + 1))
    assert entries(await server.request("GET", f"/v1/directory?from={size}")) == [entry]
    # Decisions are made, and stated to be made, under the new size.
    assert (await server.submit(server.world.envelope(["MNG"]))).receipt.directory_size == size + 1


async def test_a_bad_entry_is_refused_and_nothing_is_appended(server: Server) -> None:
    world = server.world
    size = len(world.entries)
    forged_key = signing_entry(signing_statement("KAZ", world.nodes["XAA"], world.now), world.roots["XAA"])
    bad = {
        "by another member": (403, new_epoch(world, by="MNG")),
        "older number": (403, new_epoch(world, number=2)),
        "by another root": (403, forged_key),
        "the charter again, signed anew": (403, World(seed="other").entries[0]),
        "garbage": (400, b"\x00"),
        "trailing": (400, new_epoch(world) + b"\x00"),
        "empty": (400, b""),
    }
    for name, (status, entry) in bad.items():
        answer = await server.request("POST", "/v1/directory", entry)
        assert (answer.status, answer.status >= 400) == (status, True), (name, answer.body)
    assert server.rows("directory") == size
    assert (await server.request("GET", "/v1/directory")).headers["Cbm-Directory-Size"] == str(size)


async def test_a_new_signing_key_sends_at_once(server: Server) -> None:
    world = server.world
    renewed = world.roots["UZB"]  # any key that is not in use yet
    entry = signing_entry(signing_statement("KAZ", renewed, world.now), world.roots["KAZ"])
    sealed = world.envelope(["MNG"], core={"key_id": renewed.key_id}, signer=renewed)
    assert (await server.post(sealed)).code == "untrusted"
    assert (await server.request("POST", "/v1/directory", entry)).status == 200
    await server.submit(sealed)


async def test_health_readiness_and_metrics(server: Server) -> None:
    await server.submit(server.world.envelope(["MNG"], core={"expires": server.world.now + DAY}))
    assert (await server.request("GET", "/healthz")).status == 200
    assert (await server.request("GET", "/readyz")).status == 200
    text = (await server.request("GET", "/metrics")).body.decode("utf-8")
    assert "cbm_relay_envelopes_accepted_total 1.0" in text
    assert not any(code in text for code in ("KAZ", "MNG"))


async def test_what_is_not_there_is_a_problem_document(server: Server) -> None:
    answer = await server.request("GET", "/v1/nothing")
    assert (answer.status, answer.code) == (404, "no-such-path")
    assert (await server.request("DELETE", "/v1/envelopes")).status == 405
