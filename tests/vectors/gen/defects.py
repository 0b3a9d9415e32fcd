"""Vectors of the first stage that have one defect each."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.canon import encode
from schemas.content import HEAD, Head, Void, VoidReason
from schemas.errors import Reason
from schemas.grant import SIGNED_GRANT
from schemas.ids import NO_DIGEST, StreamId
from schemas.limits import DAY, EXPIRY_MARGIN, MAX_HEADER, MAX_PROVISION, OUTBOX_LIMIT
from schemas.provision import SIGNED_PROVISION
from schemas.relayapi import WitnessAnswer, WitnessStatus, encode_frame
from schemas.statement import read_entry
from schemas.terms import Onward, Tlp
from tests.support.wire import ABSENT, changed, fields, pack, raw_map
from tests.vectors.gen.model import Vector, decode
from tests.vectors.gen.valid import Story

Case = tuple[str, Mapping[int, Any], Reason]


def encoding(story: Story) -> Iterator[Vector]:
    """The rules of the encoding, on the smallest object: a transport part is {1: directory size, 2: content size}."""
    one, two = (b"\x01", b"\x07"), (b"\x02", b"\x09")
    cases: list[tuple[str, bytes, Reason]] = [
        ("empty", b"", Reason.MALFORMED),
        ("cut", raw_map([one, two])[:-1], Reason.MALFORMED),
        ("never-used-byte", b"\xc1", Reason.MALFORMED),
        ("trailing-byte", raw_map([one, two]) + b"\x00", Reason.TRAILING_BYTES),
        ("not-a-map", pack([7, 9]), Reason.WRONG_TYPE),
        ("nested-too-deep", b"\x91" * 1025 + b"\x00", Reason.TOO_DEEP),
        ("fields-in-descending-order", raw_map([two, one]), Reason.BAD_ORDER),
        ("field-repeated", raw_map([one, one, two]), Reason.DUPLICATE_FIELD),
        ("field-unknown", raw_map([one, two, (b"\x05", b"\x00")]), Reason.UNKNOWN_FIELD),
        ("field-negative", raw_map([(b"\xff", b"\x00"), one, two]), Reason.UNKNOWN_FIELD),
        ("field-missing", raw_map([one]), Reason.MISSING_FIELD),
        ("field-named-by-text", pack({"1": 7, "2": 9}), Reason.WRONG_TYPE),
        ("field-number-in-long-form", raw_map([(b"\xcc\x01", b"\x07"), two]), Reason.NON_CANONICAL),
        ("integer-in-long-form", raw_map([(b"\x01", b"\xcd\x00\x07"), two]), Reason.NON_CANONICAL),
        ("integer-signed-form", raw_map([(b"\x01", b"\xd0\x07"), two]), Reason.NON_CANONICAL),
        ("map-in-long-form", b"\xde\x00\x02\x01\x07\x02\x09", Reason.NON_CANONICAL),
        ("nil", raw_map([(b"\x01", b"\xc0"), two]), Reason.WRONG_TYPE),
        ("boolean", raw_map([(b"\x01", b"\xc3"), two]), Reason.WRONG_TYPE),
        ("float", raw_map([(b"\x01", b"\xcb" + bytes(8)), two]), Reason.WRONG_TYPE),
        ("extension-type", raw_map([(b"\x01", b"\xd4\x05\x00"), two]), Reason.MALFORMED),
        ("timestamp-type", raw_map([(b"\x01", b"\xd6\xff\x00\x00\x00\x00"), two]), Reason.MALFORMED),
        ("huge-declared-list", b"\xdd\x7f\xff\xff\xff", Reason.MALFORMED),
        ("huge-declared-bytes", b"\xc6\x7f\xff\xff\xff", Reason.MALFORMED),
        ("over-its-size", b"\xc1" * (16 * 1024 + 1), Reason.TOO_LARGE),
        ("content-size-zero", pack({1: 7, 2: 0}), Reason.OUT_OF_RANGE),
    ]
    for name, data, reason in cases:
        yield decode(name, "transport", data, reason)


def _changed(of: str, data: bytes, cases: list[Case]) -> Iterator[Vector]:
    for name, changes, reason in cases:
        yield decode(name, of, changed(data, changes), reason)


def consent(story: Story) -> Iterator[Vector]:
    """Provisions and Grants."""
    now = story.world.now
    provision = story.provision.body
    yield from _changed(
        "provision",
        provision,
        [
            ("red-for-members", {9: Tlp.RED.value, 4: Onward.MEMBERS.value}, Reason.CONTRADICTION),
            ("red-for-the-public", {9: Tlp.RED.value, 4: Onward.PUBLIC.value}, Reason.CONTRADICTION),
            ("send-by-before-created", {11: now - 1}, Reason.CONTRADICTION),
            ("send-by-after-the-outbox-limit", {11: now + OUTBOX_LIMIT + 1}, Reason.CONTRADICTION),
            ("ends-before-created", {7: now - 1}, Reason.CONTRADICTION),
            ("ends-before-its-embargo", {7: now + 5, 8: now + 6}, Reason.CONTRADICTION),
            ("providers-unordered", {2: ["UZB", "KAZ"]}, Reason.BAD_ORDER),
            ("audience-repeated", {3: ["MNG", "MNG"]}, Reason.BAD_ORDER),
            ("audience-empty", {3: []}, Reason.OUT_OF_RANGE),
            ("member-code-in-lower-case", {3: ["mng"]}, Reason.OUT_OF_RANGE),
            ("unknown-purpose", {6: 8}, Reason.OUT_OF_RANGE),
            ("end-date-nil", {7: None}, Reason.WRONG_TYPE),
            ("without-commitment", {14: ABSENT}, Reason.MISSING_FIELD),
        ],
    )
    grant = story.grant.body
    yield from _changed(
        "grant",
        grant,
        [
            ("provision-and-class", {5: bytes(16)}, Reason.CONTRADICTION),
            ("neither-provision-nor-class", {4: ABSENT}, Reason.CONTRADICTION),
            ("ends-before-created", {9: now - 1}, Reason.CONTRADICTION),
            ("no-uses", {10: 0}, Reason.OUT_OF_RANGE),
        ],
    )
    signed = encode(SIGNED_PROVISION, story.widest)
    first, second = fields(signed)[2]
    yield decode("one-signature-missing", "signed-provision", changed(signed, {2: [first]}), Reason.CONTRADICTION)
    yield decode("signatures-unordered", "signed-provision", changed(signed, {2: [second, first]}), Reason.BAD_ORDER)
    defective = changed(signed, {1: story.widest.body + b"\x00"})
    yield decode("trailing-byte-inside", "signed-provision", defective, Reason.TRAILING_BYTES)
    too_long = changed(signed, {1: bytes(MAX_PROVISION + 1)})
    yield decode("too-long-inside", "signed-provision", too_long, Reason.OUT_OF_RANGE)
    foreign = fields(encode(SIGNED_GRANT, story.grant))[2] | {1: "MNG"}
    data = changed(encode(SIGNED_GRANT, story.grant), {2: foreign})
    yield decode("signer-is-not-the-provider", "signed-grant", data, Reason.CONTRADICTION)


def envelopes(story: Story) -> Iterator[Vector]:
    """Cores, wraps and headers."""
    now, header = story.world.now, story.original.header
    core, wraps = header.core_bytes, header.wraps_bytes
    yield from _changed(
        "core",
        core,
        [
            ("suite-unknown", {1: 2}, Reason.UNSUPPORTED_SUITE),
            ("expires-when-created", {10: now}, Reason.CONTRADICTION),
            ("replaces-itself", {14: header.core.id}, Reason.CONTRADICTION),
            ("without-provision", {5: []}, Reason.OUT_OF_RANGE),
            ("provision-repeated", {5: fields(core)[5] * 2}, Reason.BAD_ORDER),
            ("body-of-no-bytes", {12: 0}, Reason.OUT_OF_RANGE),
            ("id-too-short", {2: bytes(15)}, Reason.OUT_OF_RANGE),
        ],
    )
    (wrap,) = fields(wraps)[1]
    yield decode("recipient-repeated", "wraps", pack({1: [wrap, wrap]}), Reason.BAD_ORDER)
    yield decode("recipients-unordered", "wraps", pack({1: [wrap, wrap | {1: "KAZ"}]}), Reason.BAD_ORDER)
    yield decode("none", "wraps", pack({1: []}), Reason.OUT_OF_RANGE)
    yield decode("sealed-too-short", "wraps", pack({1: [wrap | {3: bytes(1223)}]}), Reason.OUT_OF_RANGE)
    own = changed(story.original.header_bytes, {2: pack({1: [wrap | {1: "KAZ"}]})})
    yield decode("sender-is-a-recipient", "header", own, Reason.CONTRADICTION)
    yield decode(
        "core-in-long-form", "header", changed(story.original.header_bytes, {1: _long_map(core)}), Reason.NON_CANONICAL
    )
    short = changed(story.original.header_bytes, {3: bytes(63)})
    yield decode("signature-too-short", "header", short, Reason.OUT_OF_RANGE)
    yield decode("too-large", "frame-length", (MAX_HEADER + 1).to_bytes(4, "big"), Reason.TOO_LARGE)
    yield decode("zero", "frame-length", bytes(4), Reason.TOO_LARGE)


def _long_map(data: bytes) -> bytes:
    """The same fields under the two-byte form of the map's length."""
    return b"\xde" + (data[0] & 0x0F).to_bytes(2, "big") + data[1:]


def contents(story: Story) -> Iterator[Vector]:
    """Manifests, heads and secrets of wraps."""
    attached = fields(story.manifest)[5][0]
    yield from _changed(
        "manifest",
        story.manifest,
        [
            ("filename-is-a-path", {5: [attached | {1: "../map.txt"}]}, Reason.OUT_OF_RANGE),
            ("filename-with-control-character", {5: [attached | {1: "map\n.txt"}]}, Reason.OUT_OF_RANGE),
            ("filename-turns-direction", {5: [attached | {1: "map\u202etxt.exe"}]}, Reason.OUT_OF_RANGE),
            ("salt-too-short", {1: bytes(31)}, Reason.OUT_OF_RANGE),
            ("kind-unknown", {3: 200}, Reason.OUT_OF_RANGE),
            ("body-empty", {4: b""}, Reason.OUT_OF_RANGE),
            ("body-as-text", {4: "{}"}, Reason.WRONG_TYPE),
        ],
    )
    head = encode(HEAD, Head(StreamId(bytes(16)), 1, NO_DIGEST, (Void(1, VoidReason.EXPIRED),)))
    yield decode("void-repeated", "head", changed(head, {4: fields(head)[4] * 2}), Reason.BAD_ORDER)
    yield decode("void-without-reason", "head", changed(head, {4: [{1: 1}]}), Reason.MISSING_FIELD)
    secret = story.original.secrets["MNG"].encode()
    yield decode("number-zero", "wrap-secret", secret[:48] + bytes(8) + secret[56:], Reason.OUT_OF_RANGE)
    yield decode("too-short", "wrap-secret", secret[:-1], Reason.MALFORMED)


def answers(story: Story) -> Iterator[Vector]:
    """Receipts, acknowledgements, session statements and frames."""
    world = story.world
    receipt, ack = world.receipt(story.original), world.acknowledgement(story.original, "MNG")
    proof, welcome = world.session("KAZ", bytes(32))
    yield decode("directory-size-zero", "receipt", changed(receipt.body, {8: 0}), Reason.OUT_OF_RANGE)
    yield decode("body-size-zero", "receipt", changed(receipt.body, {6: 0}), Reason.OUT_OF_RANGE)
    yield decode("outcome-unknown", "acknowledgement", changed(ack.body, {6: 3}), Reason.OUT_OF_RANGE)
    yield decode("role-unknown", "session-statement", changed(proof.statement, {4: 2}), Reason.OUT_OF_RANGE)
    yield decode("certificate-nil", "session-statement", changed(proof.statement, {6: None}), Reason.WRONG_TYPE)
    frame = encode_frame(welcome)
    yield decode("kind-unknown", "frame", b"\xff" + frame[1:], Reason.WRONG_TYPE)
    yield decode("empty", "frame", b"", Reason.WRONG_TYPE)
    yield decode("kind-without-object", "frame", frame[:1], Reason.MALFORMED)
    yield decode("trailing-byte", "frame", frame + b"\x00", Reason.TRAILING_BYTES)
    answer = encode_frame(WitnessAnswer("log", 5, WitnessStatus.OTHER_SIZE, None))
    cosigned = answer[:1] + changed(answer[1:], {3: 200})
    yield decode("cosigned-without-lines", "frame", cosigned, Reason.CONTRADICTION)
    yield decode("acks-none", "frame", b"\x06" + pack({1: []}), Reason.OUT_OF_RANGE)


def statements(story: Story) -> Iterator[Vector]:
    """Charters and key statements."""
    world, now = story.world, story.world.now
    charter = read_entry(world.entries[0]).body
    rows = fields(charter)[3]
    yield from _changed(
        "charter",
        charter,
        [
            ("quorum-of-half-or-fewer", {7: {1: 1, 2: 2}}, Reason.CONTRADICTION),
            ("quorum-of-more-than-all", {7: {1: 4, 2: 2}}, Reason.CONTRADICTION),
            ("first-names-a-previous", {2: bytes(32)}, Reason.CONTRADICTION),
            ("second-names-no-previous", {1: 2}, Reason.CONTRADICTION),
            ("chaired-by-a-stranger", {4: {1: "XAA", 2: now, 3: now + DAY}}, Reason.CONTRADICTION),
            ("members-unordered", {3: rows[::-1]}, Reason.BAD_ORDER),
            ("secretariat-code-as-member", {3: [rows[0] | {1: "CICA"}, *rows[1:]]}, Reason.CONTRADICTION),
        ],
    )
    signing, epoch = read_entry(world.entries[1]).body, read_entry(world.entries[4]).body
    yield decode("term-empty", "signing-key", changed(signing, {3: now, 4: now}), Reason.CONTRADICTION)
    dies = {4: now, 5: now + DAY, 6: now + DAY + EXPIRY_MARGIN - 1}
    yield decode("destroyed-while-in-use", "epoch-key", changed(epoch, dies), Reason.CONTRADICTION)
    yield decode(
        "lattice-half-too-short", "epoch-key", changed(epoch, {3: {1: bytes(1183), 2: bytes(32)}}), Reason.OUT_OF_RANGE
    )
    (signature,) = fields(world.entries[1])[3]
    two = changed(world.entries[1], {3: [signature, signature | {1: "UZB"}]})
    yield decode("two-signatures", "directory-entry", two, Reason.CONTRADICTION)
    yield decode("kind-unknown", "directory-entry", changed(world.entries[1], {1: 6}), Reason.OUT_OF_RANGE)
