"""Vectors of the later stages: the bytes are well formed, and something about them does not hold."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from exchange.consent.decision import Rule
from exchange.delivery.times import TimeRule
from keys.sealing import body_key
from keys.stream import seal_stream
from schemas.canon import encode
from schemas.content import padded_size
from schemas.envelope import encode_header
from schemas.ids import ClassTag, EnvelopeId
from schemas.limits import CHUNK, DAY, MAX_CLOCK_AHEAD, OUTBOX_LIMIT
from schemas.provision import SignedProvision
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT
from schemas.statement import DIRECTORY_ENTRY, read_entry
from schemas.terms import Onward, Precedence, Purpose
from tests.support.world import Sealed
from tests.vectors.gen.model import ACCEPTED, Vector
from tests.vectors.gen.valid import Story

BAD, UNTRUSTED, UNDECRYPTABLE = "bad-signature", "untrusted", "undecryptable"


def _signed(name: str, of: str, data: bytes, now: int, expect: str = ACCEPTED) -> Vector:
    return Vector("signature", f"{of}-{name}", of, expect, "", {"now": now, "hex": data.hex()})


def signatures(story: Story) -> Iterator[Vector]:
    """Judged against the directory of world.json, at `now`."""
    world, now, original = story.world, story.world.now, story.original
    yield _signed("original", "header", original.header_bytes, now)
    yield _signed("before-the-key-was-valid", "header", original.header_bytes, now - 31 * DAY, UNTRUSTED)
    yield _signed("after-the-key-ended", "header", original.header_bytes, now + 401 * DAY, UNTRUSTED)
    header = original.header
    spliced = replace(header, wraps_bytes=story.forward.header.wraps_bytes)
    posed = world.envelope(["MNG"], provisions=[story.provision], signer=world.nodes["UZB"])
    key_of_other = world.envelope(["MNG"], provisions=[story.provision], core={"key_id": world.nodes["UZB"].key_id})
    receipt, ack = world.receipt(original), world.acknowledgement(original, "MNG")
    yield _signed("signed-by-another-node", "header", posed.header_bytes, now, BAD)
    yield _signed("wraps-of-another-header", "header", encode_header(spliced), now, BAD)
    yield _signed("names-a-key-of-another-member", "header", key_of_other.header_bytes, now, UNTRUSTED)
    yield _signed("example", "signed-receipt", encode(SIGNED_RECEIPT, receipt), now)
    forged = world.receipt(original, signer=world.nodes["KAZ"])
    yield _signed("signed-by-a-member", "signed-receipt", encode(SIGNED_RECEIPT, forged), now, BAD)
    stranger = world.receipt(original, signer=world.nodes["KAZ"], relay=world.nodes["KAZ"].key_id)
    yield _signed("of-a-relay-in-no-charter", "signed-receipt", encode(SIGNED_RECEIPT, stranger), now, UNTRUSTED)
    yield _signed("delivered", "signed-acknowledgement", encode(SIGNED_ACKNOWLEDGEMENT, ack), now)
    false = world.acknowledgement(original, "MNG", signer=world.nodes["KAZ"])
    yield _signed("signed-by-the-sender", "signed-acknowledgement", encode(SIGNED_ACKNOWLEDGEMENT, false), now, BAD)
    entry = read_entry(world.entries[4])
    (good,) = entry.signatures
    for half, broken in (("curve", {"ed25519": bytes(64)}), ("lattice", {"mldsa65": bytes(3309)})):
        defective = replace(entry, signatures=(replace(good, **broken),))  # type: ignore[arg-type]  # one of two halves
        yield _signed(f"{half}-half-broken", "directory-entry", encode(DIRECTORY_ENTRY, defective), now, BAD)
    yield _signed("epoch-repeated", "directory-entry", world.entries[4], now, UNTRUSTED)


def times(story: Story) -> Iterator[Vector]:
    """The time rules, for acceptance at `now`."""
    now, data = story.world.now, story.original.header_bytes

    def vector(name: str, at: int, expect: str, sealed: bytes = data) -> Vector:
        return Vector("times", f"header-{name}", "header", expect, "", {"now": at, "hex": sealed.hex()})

    yield vector("in-time", now, ACCEPTED)
    yield vector("created-ahead-of-the-clock", now - MAX_CLOCK_AHEAD - 1, TimeRule.AHEAD)
    yield vector("expired", now + DAY, TimeRule.EXPIRED)
    world = story.world
    stale = world.envelope(["MNG"], provisions=[story.provision], core={"expires": now + 40 * DAY})
    yield vector("older-than-an-outbox-may-hold-it", now + OUTBOX_LIMIT + 1, TimeRule.STALE, stale.header_bytes)
    late = world.envelope(["MNG"], provisions=[story.provision], core={"expires": now + 41 * DAY})
    yield vector("expires-after-the-key", now, TimeRule.EXPIRES_LATE, late.header_bytes)
    first = world.envelope(["MNG"], provisions=[story.provision])
    key = world.epochs["UZB"][0]
    foreign = world.wrap(first.secrets["MNG"], first.header.core_bytes, "MNG", key.public, key.key_id)
    unknown = world.envelope(["MNG"], provisions=[story.provision], wraps={"MNG": foreign})
    yield vector("wrapped-to-a-key-of-another-member", now, TimeRule.EPOCH_UNKNOWN, unknown.header_bytes)
    early = world.envelope(["MNG"], provisions=[story.provision], core={"created": now - 2 * DAY})
    yield vector("sealed-before-the-epoch", now, TimeRule.EPOCH_NOT_VALID, early.header_bytes)


def consent(story: Story) -> Iterator[Vector]:
    """`authorise` at `now`, with nothing withdrawn and the listed uses counted: the set of rules that refuse."""
    world, now = story.world, story.world.now

    def vector(name: str, sealed: Sealed, *expect: Rule, at: int = now, uses: tuple[str, ...] = ()) -> Vector:
        given: dict[str, Any] = {
            "now": at,
            "hex": sealed.header_bytes.hex(),
            "used_by_others": list(uses),
            "entries": [],
        }
        return Vector("authorise", f"header-{name}", "header", sorted(expect), "", given)

    def own(**terms: object) -> list[SignedProvision]:
        return [world.signed_provision(story.manifest, ["KAZ"], ["MNG"], **terms)]

    def sent(to: str = "MNG", sender: str = "KAZ", **steps: Any) -> Sealed:  # noqa: ANN401  # steps of `envelope`
        return world.envelope([to], sender, manifest=story.manifest, **steps)

    grant = story.grant
    yield vector("provider-to-audience", story.original)
    yield vector("forward-under-a-grant", story.forward)
    yield vector("forward-without-consent", world.forward(story.original, "MNG", ["UZB"]), Rule.NO_CONSENT)
    yield vector("sender-does-not-hold-it", world.forward(story.original, "UZB", ["MNG"]), Rule.NOT_HOLDER)
    yield vector("grant-spent", story.forward, Rule.NO_CONSENT, uses=(grant.grant.id.hex(),) * 2)
    yield vector("grant-ended", story.forward, Rule.NO_CONSENT, at=grant.grant.until + 1)
    forged = world.grant(story.provision.provision, "KAZ", "MNG", ["UZB"], world.nodes["MNG"])
    refused = world.forward(story.original, "MNG", ["UZB"], grants=[forged])
    yield vector("grant-forged", refused, Rule.GRANT_SIGNATURE, Rule.NO_CONSENT)
    purpose = world.grant(story.provision.provision, "KAZ", "MNG", ["UZB"], purpose=Purpose.LAW_ENFORCEMENT)
    other = world.forward(story.original, "MNG", ["UZB"], grants=[purpose])
    yield vector("grant-for-another-purpose", other, Rule.NO_CONSENT)
    tagged = world.grant(None, "KAZ", "MNG", ["UZB"], class_tag=ClassTag(b"t" * 16))
    yield vector(
        "grant-for-another-class", world.forward(story.original, "MNG", ["UZB"], grants=[tagged]), Rule.NO_CONSENT
    )
    posed = world.sign_provision(story.provision.provision, {"KAZ": world.nodes["UZB"]})
    yield vector("provision-forged", sent(provisions=[posed]), Rule.PROVISION_SIGNATURE)
    half = world.sign_provision(story.widest.provision, {"UZB": world.nodes["KAZ"]})
    yield vector("joint-provision-half-signed", sent(provisions=[half]), Rule.PROVISION_SIGNATURE)
    yield vector("embargo", sent(provisions=own(not_before=now + 1)), Rule.EMBARGO)
    yield vector("provision-ended", sent(provisions=own(until=now)), Rule.ENDED, at=now + 1)
    yield vector("first-sending-over", sent(provisions=own(send_by=now)), Rule.SEND_BY, at=now + 1)
    urgent = sent(provisions=own(max_precedence=Precedence.ROUTINE), core={"precedence": Precedence.FLASH})
    yield vector("too-urgent", urgent, Rule.PRECEDENCE)
    yield vector("another-purpose", sent(core={"purpose": Purpose.STATISTICS}, provisions=own()), Rule.PURPOSE)
    yield vector("open-to-members", sent("UZB", "MNG", provisions=own(onward=Onward.MEMBERS)))
    unknown = sent("UZB", "MNG", provisions=own(onward=Onward.MEMBERS, charter=2))
    yield vector("members-of-an-unknown-charter", unknown, Rule.NO_CONSENT)


def opening(story: Story) -> Iterator[Vector]:
    """MNG opens an envelope: wrap, commitment, body, content. Every failure is the same to the network."""
    world, original = story.world, story.original

    def vector(name: str, sealed: Sealed, expect: str = UNDECRYPTABLE, body: bytes | None = None) -> Vector:
        given = {
            "recipient": "MNG",
            "header": sealed.header_bytes.hex(),
            "body": (sealed.body if body is None else body).hex(),
        }
        if expect == ACCEPTED:
            given["manifest"] = sealed.manifest.hex()
        return Vector("open", f"envelope-{name}", "envelope", expect, "", given)

    def sent(**steps: Any) -> Sealed:  # noqa: ANN401  # steps of `envelope`
        values: dict[str, Any] = {
            "manifest": story.manifest,
            "attachments": story.attachment,
            "provisions": [story.provision],
        }
        return world.envelope(["MNG"], **(values | steps))

    def plain(payload: bytes) -> Sealed:
        return sent(payload=payload)

    def numbered_zero() -> Sealed:
        # A core does not depend on its wraps, so that the same steps give the same core again.
        steps: dict[str, Any] = {"content_key": world.random(32), "core": {"id": EnvelopeId(world.random(16))}}
        first = sent(**steps)
        text = first.secrets["MNG"].encode()
        wrap = world.wrap_text(text[:48] + bytes(8) + text[56:], first.header.core_bytes, "MNG")
        return sent(**steps, wraps={"MNG": wrap})

    secret = original.secrets["MNG"]
    payload = world.payload(story.manifest, story.attachment)
    yield vector("original", original, ACCEPTED)
    yield vector("wrap-of-another-envelope", sent(wraps={"MNG": original.header.wraps[0]}))
    yield vector(
        "content-key-that-breaks-its-commitment", sent(secrets={"MNG": replace(secret, content_key=bytes(32))})
    )
    yield vector("wrap-secret-with-number-zero", numbered_zero())
    flipped = bytes([original.body[0] ^ 1]) + original.body[1:]
    yield vector("body-with-a-flipped-bit", original, body=flipped)
    yield vector("body-cut", original, body=original.body[:-1])
    yield vector("body-extended", original, body=original.body + b"\x00")
    unpadded = payload[: len(payload.rstrip(b"\x00"))]
    yield vector("not-padded", plain(unpadded))
    yield vector("padded-too-far", plain(payload + bytes(padded_size(len(payload) + 1) - len(payload))))
    yield vector("padding-not-zero", plain(payload[:-1] + b"\x01"))
    other = world.manifest(["KAZ"], b'{"other":1}')
    yield vector("another-content-than-the-providers-signed", plain(world.payload(other)))
    yield vector("content-size-wrong", plain(world.payload(story.manifest, story.attachment, content_size=999)))
    swapped = world.payload(story.manifest, bytes(len(story.attachment)))
    yield vector("another-attachment-than-the-manifest-names", plain(swapped))
    tail = bytes(padded_size(len(payload)) - len(payload))
    yield vector("manifest-cut", plain((len(payload)).to_bytes(4, "big") + payload[4:] + tail))


def streams(story: Story) -> Iterator[Vector]:
    """Small bodies under one key: every defect in a single chunk."""
    key = body_key(bytes(range(32)))
    good = b"".join(seal_stream(key, [b"text"]))
    long = b"".join(seal_stream(key, [bytes(CHUNK + 1)]))

    def vector(name: str, data: bytes, expect: str = UNDECRYPTABLE) -> Vector:
        given = {"key": key.hex(), "hex": data.hex()}
        if expect == ACCEPTED:
            given["plaintext"] = b"text".hex()
        return Vector("stream", f"body-{name}", "body", expect, "", given)

    yield vector("one-chunk", good, ACCEPTED)
    yield vector("empty", b"")
    yield vector("tag-only-of-another-stream", long[-16:])
    yield vector("second-chunk-alone", long[CHUNK + 16 :])
    yield vector("cut", good[:-1])
    yield vector("extended", good + b"\x00")
    yield vector("flipped-bit", bytes([good[0] ^ 1]) + good[1:])
