"""Attacks on what is inside: other content for one recipient, altered content, content that is not what was signed."""

from dataclasses import replace

import pytest

from keys.digests import content_commitment, sha256
from keys.sealing import body_key
from keys.stream import seal_stream
from schemas.content import ContentKind, Transport, content_size, payload_prefix
from schemas.limits import CHUNK
from schemas.terms import Onward, Tlp
from schemas.wrap import WrapSecret
from tests.support.attacks import delivered, put_off_by_receiver, refused_by_receiver, refused_by_relay
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of, record_of, sealed_by
from tests.support.relay import Server
from tests.support.world import Sealed, World


def another_body(world: World, sealed: Sealed) -> bytes:
    """What a co-recipient, who knows the content key, can make: another content of the same length."""
    forged = sealed.manifest.replace(b"Steppe 2026", b"Steppe 2027")
    assert len(forged) == len(sealed.manifest)
    return b"".join(seal_stream(body_key(sealed.content_key), [world.payload(forged)]))


class TestBodyAltered:
    """MNG and UZB are recipients; MNG knows the key, and the relay helps it to give UZB another content."""

    async def test_a_body_altered_by_a_co_recipient_is_refused_by_the_relay(self, world: World, server: Server) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG", "UZB"))
        await refused_by_relay(server, sealed, 422, "body-digest", another_body(world, sealed))

    async def test_a_body_altered_by_a_co_recipient_with_the_relay_is_put_off_and_keeps_the_true_one_from_nobody(
        self, world: World, relay: HostileRelay, uzb: TestNode
    ) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG", "UZB"))
        true = world.receipt(sealed).receipt
        attacked = replace(sealed, body=another_body(world, sealed))
        await put_off_by_receiver(
            uzb, relay, attacked, "body-differs", world.receipt(attacked, body_digest=true.body_digest)
        )
        await delivered(uzb, relay, sealed)

    async def test_a_body_altered_and_a_receipt_for_it_is_put_off(
        self, world: World, relay: HostileRelay, uzb: TestNode
    ) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG", "UZB"))
        attacked = replace(sealed, body=another_body(world, sealed))
        await put_off_by_receiver(uzb, relay, attacked, "receipt-differs", world.receipt(attacked))

    @pytest.mark.parametrize("change", [b"\x00", b"\x00" * 70_000])
    async def test_a_body_longer_than_signed(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server, change: bytes
    ) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG",))
        await refused_by_relay(server, sealed, 413, "body-size", sealed.body + change)
        core = sealed.header.core
        attacked = replace(sealed, body=sealed.body + change)
        if len(attacked.body) <= CHUNK:
            receipt = world.receipt(attacked, body_digest=core.body_digest, body_size=core.body_size)
            await put_off_by_receiver(mng, relay, attacked, "body-differs", receipt)

    async def test_a_large_body_longer_than_signed_fills_no_disk_and_is_put_off(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        """It is fetched as a stream, and no further than the sender's size; nothing is answered."""
        data = b"m" * 200_000
        manifest = manifest_of(world, attachments=(world.attachment(data),))
        sealed = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, attachments=data)
        relay.accept(sealed)
        relay.bodies[sealed.header.core.id] = sealed.body + b"\x00" * 10_000_000
        before = mng.facts()
        await mng.pull()
        assert mng.facts() == before
        assert relay.acknowledged == []
        relay.bodies[sealed.header.core.id] = sealed.body
        await mng.pull()
        assert len(mng.inbox()) == 1

    @pytest.mark.parametrize("left", [1, 16, 1000])
    async def test_a_body_shorter_than_signed(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server, left: int
    ) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG",))
        await refused_by_relay(server, sealed, 422, "body-size", sealed.body[:left])
        core = sealed.header.core
        attacked = replace(sealed, body=sealed.body[:left])
        receipt = world.receipt(attacked, body_digest=core.body_digest, body_size=core.body_size)
        await put_off_by_receiver(mng, relay, attacked, "body-differs", receipt)


class TestTwoContents:
    """A sender gives two recipients two contents in one envelope."""

    async def test_two_contents_under_two_keys(
        self, world: World, relay: HostileRelay, mng: TestNode, uzb: TestNode
    ) -> None:
        """UZB's wrap holds another key than the one that the header commits to."""
        base = world.wrap_secret(b"\x01" * 32, "KAZ", "UZB")
        other = WrapSecret(b"\x02" * 32, base.stream, base.number, base.previous)
        sealed = sealed_by(world, "KAZ", ("MNG", "UZB"), content_key=b"\x01" * 32, secrets={"UZB": other})
        await refused_by_receiver(uzb, relay, sealed, "unreadable")
        await delivered(mng, relay, sealed)

    async def test_a_key_commitment_to_neither_key(
        self, world: World, relay: HostileRelay, mng: TestNode, uzb: TestNode
    ) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG", "UZB"), core={"key_commitment": sha256(b"no key")})
        await refused_by_receiver(mng, relay, sealed, "unreadable")
        await refused_by_receiver(uzb, relay, sealed, "unreadable")


def with_plain(world: World, tail: bytes, cut: int = 0) -> Sealed:
    """An envelope whose padding is replaced; every digest fits."""
    manifest = manifest_of(world)
    plain = world.payload(manifest)
    used = len(payload_prefix(Transport(world.directory.size, content_size(manifest, ())), manifest))
    padding = len(plain) - used
    return sealed_by(
        world, "KAZ", ("MNG",), manifest=manifest, payload=plain[:used] + bytes(padding - cut - len(tail)) + tail
    )


def with_attachment(world: World, sent: bytes, said: bytes) -> Sealed:
    manifest = manifest_of(world, attachments=(world.attachment(said),))
    return sealed_by(world, "KAZ", ("MNG",), manifest=manifest, attachments=sent)


def under_terms(world: World, manifest: bytes, providers: tuple[str, ...] = ("KAZ",), **terms: object) -> Sealed:
    provision = world.signed_provision(manifest, providers, ["MNG"], **terms)
    return world.envelope(["MNG"], providers[0], manifest=manifest, provisions=[provision])


INSIDE = {
    "padding-not-zero": lambda w: with_plain(w, b"hidden"),
    "padding-too-short": lambda w: with_plain(w, b"", 1),
    "an-attachment-of-another-digest": lambda w: with_attachment(w, b"the map that was sent", b"the map that I signed"),
    "an-attachment-shorter-than-said": lambda w: with_attachment(w, b"short", b"long" * 2000),
    "content-that-the-provision-does-not-commit-to": lambda w: under_terms(
        w, manifest_of(w), commitment=content_commitment(manifest_of(w))
    ),
    "content-of-other-providers": lambda w: under_terms(w, manifest_of(w, "XAA")),
    "a-record-that-names-other-originators": lambda w: under_terms(w, w.manifest(("KAZ",), record_of("XAA"))),
    "a-record-of-a-lower-marking": lambda w: under_terms(w, w.manifest(("KAZ",), record_of("KAZ", "CLEAR"))),
    "a-record-of-wider-onward-terms": lambda w: under_terms(w, w.manifest(("KAZ",), record_of("KAZ", onward="public"))),
    "terms-wider-than-the-record": lambda w: under_terms(w, manifest_of(w), onward=Onward.PUBLIC, tlp=Tlp.CLEAR),
    "a-record-that-is-no-json": lambda w: under_terms(w, w.manifest(("KAZ",), b"{")),
    "a-record-nested-without-end": lambda w: under_terms(w, w.manifest(("KAZ",), b"[" * 100_000)),
    "a-record-that-is-no-object": lambda w: under_terms(w, w.manifest(("KAZ",), b"[]")),
    "a-record-of-no-known-type": lambda w: under_terms(w, w.manifest(("KAZ",), b'{"record_type":"x"}')),
    "a-head-that-is-none": lambda w: under_terms(w, w.manifest(("KAZ",), b"\xff", kind=ContentKind.HEAD)),
}


@pytest.mark.parametrize("name", INSIDE)
async def test_content_that_is_not_what_was_signed(world: World, relay: HostileRelay, mng: TestNode, name: str) -> None:
    """The relay cannot see it. To the network every one of these looks the same."""
    await refused_by_receiver(mng, relay, INSIDE[name](world), "unreadable")


async def test_an_attachment_that_fails_at_its_end_leaves_no_file(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    data = [bytes([n]) * 150_000 for n in range(3)]
    listed = tuple(world.attachment(piece, f"{n}.bin") for n, piece in enumerate(data))
    manifest = manifest_of(world, attachments=listed)
    sent = data[0] + data[1] + data[2][:-1] + b"?"
    await refused_by_receiver(
        mng, relay, sealed_by(world, "KAZ", ("MNG",), manifest=manifest, attachments=sent), "unreadable"
    )
    assert mng.files() == []


async def test_refusals_cannot_be_told_apart_by_their_answers(world: World, relay: HostileRelay, mng: TestNode) -> None:
    for name in ("padding-not-zero", "content-of-other-providers", "a-record-that-is-no-json"):
        await refused_by_receiver(mng, relay, INSIDE[name](world), "unreadable")
    answers = relay.answers()
    shown = {(a.recipient, a.key_id, a.sender, a.outcome, a.time) for a in answers}
    assert len(answers) == 3
    assert len(shown) == 1
