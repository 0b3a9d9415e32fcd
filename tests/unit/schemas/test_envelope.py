"""Envelope: header, core, wraps and the frame."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from schemas import limits
from schemas.canon import decode, encode
from schemas.contexts import Context, framed
from schemas.envelope import CORE, HEADER, decode_header, encode_header, frame_prefix, header_length
from schemas.errors import DecodeError, Reason
from schemas.ids import ClassTag, Digest, EnvelopeId, KeyId, MemberId, StreamId
from schemas.terms import Suite
from schemas.wrap import WRAP, WRAPS, WrapSecret, wrap_info
from tests.support.wire import ABSENT, changed, fields, pack, refusal, refused
from tests.support.world import NOW, Sealed, World

OTHER = EnvelopeId(bytes(16))
SECRET = WrapSecret(b"k" * 32, StreamId(b"s" * 16), 1, Digest(b"p" * 32))


@pytest.fixture
def sealed(world: World) -> Sealed:
    return world.envelope(["MNG", "UZB"])


def test_a_header_is_read_as_it_was_written(sealed: Sealed) -> None:
    header = decode_header(sealed.header_bytes)
    assert encode_header(header) == sealed.header_bytes
    assert header.core.sender == "KAZ"
    assert header.recipients == ("MNG", "UZB")
    wrap = header.wrap_for(MemberId("UZB"))
    assert wrap is not None
    assert wrap.recipient == "UZB"
    assert header.wrap_for(MemberId("XAA")) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({1: 2}, Reason.UNSUPPORTED_SUITE),
        ({1: 0}, Reason.UNSUPPORTED_SUITE),
        ({1: "1"}, Reason.WRONG_TYPE),
        ({2: bytes(17)}, Reason.OUT_OF_RANGE),
        ({3: "KZ"}, Reason.OUT_OF_RANGE),
        ({5: []}, Reason.OUT_OF_RANGE),
        ({7: 8}, Reason.OUT_OF_RANGE),
        ({8: 4}, Reason.OUT_OF_RANGE),
        ({10: NOW}, Reason.CONTRADICTION),
        ({9: NOW + 2 * limits.DAY}, Reason.CONTRADICTION),
        ({12: 0}, Reason.OUT_OF_RANGE),
        ({6: ABSENT}, Reason.MISSING_FIELD),
        ({14: None}, Reason.WRONG_TYPE),
        ({15: 1}, Reason.WRONG_TYPE),
        ({16: 1}, Reason.UNKNOWN_FIELD),
    ],
)
def test_a_core_outside_the_protocol_is_refused(sealed: Sealed, changes: Mapping[int, object], reason: Reason) -> None:
    core = changed(sealed.header.core_bytes, changes)
    assert refused(CORE, core) is reason
    assert refused(HEADER, changed(sealed.header_bytes, {1: core})) is reason


def test_an_envelope_does_not_replace_itself(sealed: Sealed) -> None:
    core = sealed.header.core
    assert refused(CORE, changed(sealed.header.core_bytes, {14: core.id})) is Reason.CONTRADICTION
    assert decode(CORE, encode(CORE, replace(core, replaces=OTHER)), limits.MAX_CORE).replaces == OTHER


def test_only_so_many_grants_are_for_the_provisions_of_one_envelope(world: World) -> None:
    tag = ClassTag(b"t" * 16)
    manifest = world.manifest()
    provisions = [world.signed_provision(manifest, ["KAZ"], ["MNG"], class_tags=(tag,)) for _ in range(64)]
    most, left = divmod(limits.MAX_GRANT_PAIRS, len(provisions))
    assert left == 0
    grants = [world.grant(None, "KAZ", "MNG", ["UZB"], class_tag=tag) for _ in range(most)]
    elsewhere = [world.grant(None, "UZB", "MNG", ["UZB"], class_tag=tag) for _ in range(limits.MAX_GRANTS - most)]
    core = world.envelope(["UZB"], "MNG", provisions=provisions, grants=[*grants, *elsewhere]).header.core
    assert len(core.grants) == limits.MAX_GRANTS
    one_more = world.grant(provisions[0].provision, "KAZ", "MNG", ["UZB"])
    with pytest.raises(DecodeError) as fault:
        replace(core, grants=(*(s for s in core.grants if s.grant.provider == "KAZ"), one_more))
    assert (fault.value.reason, fault.value.where) == (Reason.CONTRADICTION, "Core.grants")


def test_provisions_and_grants_ascend_by_id(world: World) -> None:
    manifest = world.manifest()
    two = [world.signed_provision(manifest, ["KAZ"], ["MNG"]) for _ in range(2)]
    core = world.envelope(["MNG"], provisions=two).header.core_bytes
    first, second = fields(core)[5]
    assert refused(CORE, changed(core, {5: [second, first]})) is Reason.BAD_ORDER
    assert refused(CORE, changed(core, {5: [first, first]})) is Reason.BAD_ORDER
    grant = world.grant(two[0].provision, "KAZ", "MNG", ["UZB"])
    core = world.envelope(["MNG"], provisions=two, grants=[grant]).header.core_bytes
    (packed,) = fields(core)[6]
    assert refused(CORE, changed(core, {6: [packed, packed]})) is Reason.BAD_ORDER


def test_the_sender_is_not_a_recipient(world: World, sealed: Sealed) -> None:
    wraps = changed(sealed.header.wraps_bytes, {1: [wrap_fields(sealed, "MNG") | {1: "KAZ"}]})
    assert refused(HEADER, changed(sealed.header_bytes, {2: wraps})) is Reason.CONTRADICTION


def wrap_fields(sealed: Sealed, recipient: str) -> dict[int, object]:
    wrap = sealed.header.wrap_for(MemberId(recipient))
    assert wrap is not None
    return fields(encode(WRAP, wrap))


@pytest.mark.parametrize("order", [["UZB", "MNG"], ["MNG", "MNG"]])
def test_wraps_ascend_by_recipient(sealed: Sealed, order: list[str]) -> None:
    assert refused(WRAPS, pack({1: [wrap_fields(sealed, code) for code in order]})) is Reason.BAD_ORDER


@pytest.mark.parametrize("size", [0, 1223, 1225])
def test_a_wrap_has_one_size(sealed: Sealed, size: int) -> None:
    assert refused(WRAPS, pack({1: [wrap_fields(sealed, "MNG") | {3: bytes(size)}]})) is Reason.OUT_OF_RANGE


def test_the_signature_of_a_header_has_64_bytes(sealed: Sealed) -> None:
    for size in (0, 63, 65):
        assert refused(HEADER, changed(sealed.header_bytes, {3: bytes(size)})) is Reason.OUT_OF_RANGE


def test_a_frame_states_its_header_length() -> None:
    assert frame_prefix(bytes(258)) == b"\x00\x00\x01\x02"
    for length in (1, limits.MAX_HEADER):
        assert header_length(length.to_bytes(4, "big")) == length
    for length in (0, limits.MAX_HEADER + 1, 2**32 - 1):
        assert refusal(header_length, length.to_bytes(4, "big")) is Reason.TOO_LARGE
    for prefix in (b"", b"\x00\x00\x01", b"\x00\x00\x00\x00\x01"):
        assert refusal(header_length, prefix) is Reason.MALFORMED


def test_a_wrap_secret_has_88_bytes_whatever_its_number() -> None:
    for number in (1, 2**43):
        data = replace(SECRET, number=number).encode()
        assert len(data) == 88
        assert WrapSecret.decode(data) == replace(SECRET, number=number)
    assert SECRET.encode() == b"k" * 32 + b"s" * 16 + bytes(7) + b"\x01" + b"p" * 32


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (replace(SECRET, number=0), Reason.OUT_OF_RANGE),
        (replace(SECRET, number=2**43 + 1), Reason.OUT_OF_RANGE),
        (replace(SECRET, content_key=bytes(31)), Reason.WRONG_TYPE),
        (replace(SECRET, stream=StreamId(bytes(15))), Reason.WRONG_TYPE),
        (replace(SECRET, previous=Digest(bytes(33))), Reason.WRONG_TYPE),
    ],
)
def test_a_wrap_secret_outside_the_protocol_is_not_written(secret: WrapSecret, reason: Reason) -> None:
    assert refusal(secret.encode) is reason


def test_a_wrap_secret_outside_the_protocol_is_not_read() -> None:
    data = SECRET.encode()
    assert refusal(WrapSecret.decode, data[:-1]) is Reason.MALFORMED
    assert refusal(WrapSecret.decode, data + b"\x00") is Reason.MALFORMED
    for number in (0, 2**43 + 1, 2**64 - 1):
        wrong = data[:48] + number.to_bytes(8, "big") + data[56:]
        assert refusal(WrapSecret.decode, wrong) is Reason.OUT_OF_RANGE


def test_a_wrap_secret_prints_nothing_of_itself() -> None:
    for text in (repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET!r}"):
        assert "kkk" not in text
        assert "6b6b6b" not in text


def test_wrap_info_binds_suite_core_recipient_and_key() -> None:
    info = wrap_info(Suite.HYBRID_1, Digest(b"c" * 32), MemberId("MNG"), KeyId(b"e" * 32))
    parts = [b"\x01", b"c" * 32, b"MNG", b"e" * 32]
    assert info == b"cbm/1/wrap\x00" + b"".join(len(p).to_bytes(8, "big") + p for p in parts)


def test_labels_are_distinct_and_framing_keeps_parts_apart() -> None:
    assert len({context.value for context in Context}) == len(Context)
    assert all(context.value.isascii() and "\x00" not in context.value for context in Context)
    assert all(context.value.startswith("cbm/1/") for context in Context)
    shapes = [framed(Context.WRAP, *parts) for parts in ((b"ab",), (b"a", b"b"), (b"", b"ab"), (b"ab", b""), ())]
    assert len(set(shapes)) == len(shapes)
