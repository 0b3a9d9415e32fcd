"""One valid vector at least for each wire object, and what is derived from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

from keys.checkpoint import parse_signed
from keys.digests import charter_digest, content_commitment, epoch_key_id, header_digest, key_id, sha256
from keys.logsigner import cosign_checkpoint
from keys.note import encode_lines
from keys.sealing import body_key, key_commitment
from keys.stream import seal_stream
from keys.witness import AddCheckpoint
from schemas.canon import encode
from schemas.content import HEAD, RESEND, TRANSPORT, Head, Resend, Transport, Void, VoidReason, padded_size
from schemas.contexts import Context, framed
from schemas.envelope import frame_prefix
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.ids import ClassTag
from schemas.provision import SIGNED_PROVISION, SignedProvision
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT
from schemas.relayapi import (
    ACKS,
    MAILBOX,
    SEEN,
    Acks,
    Challenge,
    Deliver,
    Frame,
    Mailbox,
    Notice,
    Seen,
    SeenItem,
    WitnessAnswer,
    WitnessRequest,
    WitnessStatus,
    encode_frame,
)
from schemas.statement import read_entry
from schemas.terms import Onward, Precedence, Purpose, Suite, Tlp
from schemas.wrap import wrap_info
from tests.support.cosigners import signed_checkpoint
from tests.support.world import Sealed
from tests.vectors.gen.kept import VectorWorld
from tests.vectors.gen.model import Vector, decode

RECORD = b'{"measure":"2.1.1.b","title":{"en":"Example"}}'
TAG = ClassTag(bytes(range(16)))


@dataclass(frozen=True)
class Story:
    """KAZ sends a record with an attachment to MNG; MNG may pass it to UZB under a Grant."""

    world: VectorWorld

    @cached_property
    def attachment(self) -> bytes:
        return b"attached bytes"

    @cached_property
    def manifest(self) -> bytes:
        listed = (self.world.attachment(self.attachment, "map.txt", "text/plain"),)
        return self.world.manifest(["KAZ"], RECORD, attachments=listed)

    @cached_property
    def provision(self) -> SignedProvision:
        return self.world.signed_provision(self.manifest, ["KAZ"], ["MNG"])

    @cached_property
    def widest(self) -> SignedProvision:
        return self.world.signed_provision(
            self.manifest,
            ["KAZ", "UZB"],
            ["MNG"],
            onward=Onward.ON_CONSENT,
            purpose=Purpose.DISASTER_RESPONSE,
            until=self.world.now + 999_999,
            not_before=self.world.now + 10,
            tlp=Tlp.RED,
            max_precedence=Precedence.PRIORITY,
            class_tags=(TAG,),
        )

    @cached_property
    def grant(self) -> SignedGrant:
        return self.world.grant(self.provision.provision, "KAZ", "MNG", ["UZB"], uses=2)

    @cached_property
    def class_grant(self) -> SignedGrant:
        return self.world.grant(None, "KAZ", "MNG", ["UZB"], class_tag=TAG)

    @cached_property
    def original(self) -> Sealed:
        return self.world.envelope(
            ["MNG"], manifest=self.manifest, attachments=self.attachment, provisions=[self.provision]
        )

    @cached_property
    def forward(self) -> Sealed:
        return self.world.forward(self.original, "MNG", ["UZB"], grants=[self.grant])


def objects(story: Story) -> Iterator[Vector]:
    """Every object, accepted."""
    world, original = story.world, story.original
    header = original.header
    receipt, ack = world.receipt(original), world.acknowledgement(original, "MNG")
    for name, signed in (("least", story.provision), ("widest", story.widest)):
        yield decode(name, "provision", signed.body)
        yield decode(name, "signed-provision", encode(SIGNED_PROVISION, signed))
    for name, grant in (("named", story.grant), ("class", story.class_grant)):
        yield decode(name, "grant", grant.body)
        yield decode(name, "signed-grant", encode(SIGNED_GRANT, grant))
    yield decode("original", "core", header.core_bytes)
    yield decode("original", "wraps", header.wraps_bytes)
    yield decode("original", "header", original.header_bytes, note="KAZ to MNG")
    yield decode("forward", "header", story.forward.header_bytes, note="MNG to UZB under a Grant of KAZ")
    yield decode("original", "frame-length", frame_prefix(original.header_bytes))
    yield decode("record", "manifest", story.manifest)
    yield decode("example", "transport", encode(TRANSPORT, Transport(7, 300)))
    yield decode("with-a-checkpoint", "transport", encode(TRANSPORT, Transport(7, 300, b"a signed note")))
    yield decode("with-an-anchor", "transport", encode(TRANSPORT, Transport(7, 300, None, b"a signed note")))
    voids = (Void(2, VoidReason.EXPIRED), Void(5, VoidReason.LOST))
    yield decode("two-voids", "head", encode(HEAD, Head(original.secrets["MNG"].stream, 6, original.digest, voids)))
    yield decode("example", "resend", encode(RESEND, Resend(receipt.receipt.time)))
    yield decode("number-1", "wrap-secret", original.secrets["MNG"].encode())
    yield decode("example", "receipt", receipt.body)
    yield decode("example", "signed-receipt", encode(SIGNED_RECEIPT, receipt))
    yield decode("delivered", "acknowledgement", ack.body)
    yield decode("delivered", "signed-acknowledgement", encode(SIGNED_ACKNOWLEDGEMENT, ack))
    yield decode("version-1", "charter", read_entry(world.entries[0]).body)
    yield decode("kaz", "signing-key", read_entry(world.entries[1]).body)
    yield decode("kaz-1", "epoch-key", read_entry(world.entries[4]).body)
    yield decode("signing-key", "directory-entry", world.entries[1])
    yield decode("epoch-key", "directory-entry", world.entries[4])


def frames(story: Story) -> Iterator[Vector]:
    """The session's statement, its frames, and the objects of the pull interface."""
    world, original = story.world, story.original
    receipt = encode(SIGNED_RECEIPT, world.receipt(original))
    ack = encode(SIGNED_ACKNOWLEDGEMENT, world.acknowledgement(original, "MNG"))
    nonce = world.random(32)
    proof, welcome = world.session("KAZ", nonce, tls_digest=sha256(b"a certificate"))
    plain, _ = world.session("KAZ", nonce)
    seen = Seen((SeenItem(original.header.core.id, original.header.recipients[0]),))
    deliver = Deliver(original.header_bytes, receipt, original.body)
    yield decode("tls", "session-statement", proof.statement)
    yield decode("loopback", "session-statement", plain.statement)
    yield decode("one", "acks", encode(ACKS, Acks((ack,))))
    yield decode("one", "seen", encode(SEEN, seen))
    yield decode("one-each", "mailbox", encode(MAILBOX, Mailbox((deliver,), (ack,))))
    yield decode("empty", "mailbox", encode(MAILBOX, Mailbox((), ())))
    named: dict[str, Frame] = {
        "challenge": Challenge(nonce, world.relay.key_id, world.now),
        "proof": proof,
        "welcome": welcome,
        "deliver": deliver,
        "deliver-large": Deliver(original.header_bytes, receipt, None),
        "notice": Notice((ack,)),
        "acks": Acks((ack,)),
        "seen": seen,
        **_witnessing(world),
    }
    for name, frame in named.items():
        yield decode(name, "frame", encode_frame(frame))


def _witnessing(world: VectorWorld) -> dict[str, Frame]:
    """The relay asks KAZ's node about its directory; it cosigns, or it has another size."""
    made = signed_checkpoint(world, "directory", world.entries)
    text = made.checkpoint.text.encode()
    signed = parse_signed(world.kept.once("checkpoint", text, made.encode))
    lines = cosign_checkpoint(world.nodes["KAZ"], signed.checkpoint, world.now)
    kept = world.kept.once("cosignature", text, partial(encode_lines, lines))
    origin, size = signed.checkpoint.origin, signed.checkpoint.size
    return {
        "witness-request": WitnessRequest(AddCheckpoint(0, (), signed).encode()),
        "witness-cosigned": WitnessAnswer(origin, size, WitnessStatus.COSIGNED, kept),
        "witness-other-size": WitnessAnswer(origin, 3, WitnessStatus.OTHER_SIZE, None),
    }


def derived(story: Story) -> Iterator[Vector]:
    """Digests, names and keys."""

    def vector(name: str, expect: str | int, note: str, **given: bytes | int | str) -> Vector:
        shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in given.items()}
        return Vector("derive", name, name, expect, note, shown)

    original = story.original
    header, key = original.header, original.content_key
    node, epoch = story.world.nodes["KAZ"].public, story.world.epochs["MNG"][0].public
    wrap = header.wraps[0]
    charter = read_entry(story.world.entries[0]).body
    info = wrap_info(Suite.HYBRID_1, sha256(header.core_bytes), wrap.recipient, wrap.key_id)
    commitment = content_commitment(story.manifest)
    example = framed(Context.GRANT, b"a", b"")
    yield vector("framed", example.hex(), "a label and two parts, the second empty", label="cbm/1/grant", part=b"a")
    yield vector("key-id", key_id(node).hex(), "", ed25519=node.ed25519, mldsa65=node.mldsa65)
    yield vector("epoch-key-id", epoch_key_id(epoch).hex(), "", mlkem768=epoch.mlkem768, x25519=epoch.x25519)
    yield vector("header-digest", header_digest(header).hex(), "", core=header.core_bytes, wraps=header.wraps_bytes)
    yield vector("charter-digest", charter_digest(charter).hex(), "", charter=charter)
    yield vector("content-commitment", commitment.hex(), "", manifest=story.manifest)
    yield vector("key-commitment", key_commitment(key).hex(), "", content_key=key)
    yield vector("body-key", body_key(key).hex(), "", content_key=key)
    yield vector(
        "wrap-info", info.hex(), "", suite=1, core=header.core_bytes, recipient=wrap.recipient, key_id=wrap.key_id
    )
    for size in (1, 1024, 1025, 65_537, 10_000_000):
        yield Vector("derive", f"padded-size-{size}", "padded-size", padded_size(size), "", {"size": size})
    for size in (0, 1, 65_536, 65_537, 131_072):
        sealed = b"".join(seal_stream(bytes(range(32)), [bytes(size)]))
        given = {"key": bytes(range(32)).hex(), "size": size}
        note = "SHA-256 of the ciphertext of `size` zero bytes"
        yield Vector("derive", f"body-stream-{size}", "body-stream", sha256(sealed).hex(), note, given)
