"""The one encoding: every value has one sequence of bytes, and every other sequence is refused with its reason."""

import re
import tracemalloc
from dataclasses import dataclass
from enum import IntEnum

import pytest

from schemas.canon import Blob, Choice, Field, Seq, Struct, Text, Uint, decode, encode, fixed
from schemas.errors import DecodeError, Reason
from tests.support.wire import pack, raw_map, refusal, refused


class Colour(IntEnum):
    RED = 1
    BLUE = 4


@dataclass(frozen=True, slots=True)
class Thing:
    number: int
    name: str | None
    colours: tuple[Colour, ...]


THING = Struct(
    Thing,
    Field(1, "number", Uint(0, 1000)),
    Field(3, "name", Text(5), optional=True),
    Field(7, "colours", Seq(Choice(Colour), 0, 3, lambda colour: colour)),
)
FULL = Thing(300, "abc", (Colour.RED, Colour.BLUE))


def test_bytes_are_the_ones_that_the_format_says() -> None:
    # map of 3; 1: 300; 3: "abc"; 7: [1, 4]
    assert encode(THING, FULL).hex(" ") == "83 01 cd 01 2c 03 a3 61 62 63 07 92 01 04"


def test_an_absent_field_is_left_out() -> None:
    data = encode(THING, Thing(0, None, ()))
    assert data.hex(" ") == "82 01 00 07 90"
    assert decode(THING, data, 100) == Thing(0, None, ())


@pytest.mark.parametrize(
    ("size", "low", "high"),
    [(1, 0, 0x7F), (2, 0x80, 0xFF), (3, 0x100, 0xFFFF), (5, 0x10000, 2**32 - 1), (9, 2**32, 2**53)],
)
def test_integers_take_their_shortest_form(size: int, low: int, high: int) -> None:
    codec = Uint(0, 2**53)
    for number in (low, high):
        assert len(encode(codec, number)) == size
        assert decode(codec, encode(codec, number), 9) == number


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.MALFORMED),
        (b"\x83\x01", Reason.MALFORMED),
        (b"\xc1", Reason.MALFORMED),
        (b"\xa1\xff", Reason.MALFORMED),  # not UTF-8
        (b"\xa3\xed\xa0\x80", Reason.MALFORMED),  # UTF-8 of a surrogate
        (b"\x01", Reason.WRONG_TYPE),
        (b"\x90", Reason.WRONG_TYPE),
        (encode(THING, FULL) + b"\x00", Reason.TRAILING_BYTES),
        (encode(THING, FULL) + encode(THING, FULL), Reason.TRAILING_BYTES),
        (b"\x91" * 1025 + b"\x00", Reason.TOO_DEEP),
        (b"\x81\x01" * 5000, Reason.TOO_DEEP),
        (pack({1: 1, 7: [], 8: 0}), Reason.UNKNOWN_FIELD),
        (pack({0: 1, 1: 1, 7: []}), Reason.UNKNOWN_FIELD),
        (pack({-1: 1, 1: 1, 7: []}), Reason.UNKNOWN_FIELD),
        (pack({1: 1}), Reason.MISSING_FIELD),
        (pack({7: [], 1: 1}), Reason.BAD_ORDER),
        (raw_map([(b"\x01", b"\x01"), (b"\x01", b"\x01"), (b"\x07", b"\x90")]), Reason.DUPLICATE_FIELD),
        (raw_map([(b"\x01", b"\x01"), (b"\x07", b"\x90"), (b"\x01", b"\x01")]), Reason.DUPLICATE_FIELD),
        (pack({"1": 1, 7: []}), Reason.WRONG_TYPE),
        (pack({None: 1, 7: []}), Reason.WRONG_TYPE),
        (pack({True: 1, 7: []}), Reason.WRONG_TYPE),
        (pack({1.0: 1, 7: []}), Reason.WRONG_TYPE),
        (pack({1: None, 7: []}), Reason.WRONG_TYPE),
        (pack({1: 1, 3: None, 7: []}), Reason.WRONG_TYPE),  # absent is left out, never nil
        (pack({1: True, 7: []}), Reason.WRONG_TYPE),
        (pack({1: 1.0, 7: []}), Reason.WRONG_TYPE),
        (pack({1: "1", 7: []}), Reason.WRONG_TYPE),
        (pack({1: 1, 3: b"abc", 7: []}), Reason.WRONG_TYPE),
        (pack({1: 1, 7: {}}), Reason.WRONG_TYPE),
        (pack({1: 1, 7: [True]}), Reason.WRONG_TYPE),
        (pack({1: 1001, 7: []}), Reason.OUT_OF_RANGE),
        (pack({1: -1, 7: []}), Reason.OUT_OF_RANGE),
        (pack({1: 2**64 - 1, 7: []}), Reason.OUT_OF_RANGE),
        (pack({1: 1, 3: "", 7: []}), Reason.OUT_OF_RANGE),
        (pack({1: 1, 3: "abcdef", 7: []}), Reason.OUT_OF_RANGE),
        (pack({1: 1, 3: "a\nb", 7: []}), Reason.OUT_OF_RANGE),
        (pack({1: 1, 3: "a\x85b", 7: []}), Reason.OUT_OF_RANGE),
        (pack({1: 1, 7: [2]}), Reason.OUT_OF_RANGE),
        (pack({1: 1, 7: [1, 1]}), Reason.BAD_ORDER),
        (pack({1: 1, 7: [4, 1]}), Reason.BAD_ORDER),
        (pack({1: 1, 7: [1, 4, 4, 4]}), Reason.OUT_OF_RANGE),
        (pack(dict.fromkeys(range(33), 0)), Reason.MALFORMED),  # no object has so many fields
        (pack([0] * 257), Reason.MALFORMED),
        (raw_map([(b"\x01", b"\xcc\x01"), (b"\x07", b"\x90")]), Reason.NON_CANONICAL),
        (raw_map([(b"\x01", b"\xd3" + bytes(7) + b"\x01"), (b"\x07", b"\x90")]), Reason.NON_CANONICAL),
        (raw_map([(b"\xcc\x01", b"\x01"), (b"\x07", b"\x90")]), Reason.NON_CANONICAL),
        (raw_map([(b"\x01", b"\x01"), (b"\x07", b"\xdc\x00\x00")]), Reason.NON_CANONICAL),
        (raw_map([(b"\x01", b"\x01"), (b"\x03", b"\xd9\x01a"), (b"\x07", b"\x90")]), Reason.NON_CANONICAL),
        (b"\xde\x00\x02\x01\x01\x07\x90", Reason.NON_CANONICAL),
    ],
)
def test_what_is_not_the_one_encoding_is_refused(data: bytes, reason: Reason) -> None:
    assert refused(THING, data) is reason


@pytest.mark.parametrize("code", [0, 5, 127, 128, 255])
@pytest.mark.parametrize("form", ["fix", "empty", "ext8", "ext16", "ext32"])
def test_extension_types_are_malformed(form: str, code: int) -> None:
    kind = bytes([code])
    value = {
        "fix": b"\xd6" + kind + bytes(4),
        "empty": b"\xc7\x00" + kind,
        "ext8": b"\xc7\x03" + kind + bytes(3),
        "ext16": b"\xc8\x00\x03" + kind + bytes(3),
        "ext32": b"\xc9\x00\x00\x00\x03" + kind + bytes(3),
    }[form]
    assert refused(THING, raw_map([(b"\x01", value), (b"\x07", b"\x90")])) is Reason.MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        b"\xc6\x7f\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xdd\x7f\xff\xff\xff",
        b"\xdd\x00\x00\x01\x00" * 1000,
        b"\xdf\x7f\xff\xff\xff",
        b"\xc9\x7f\xff\xff\xff\x05",
        b"\x91" * 100_000,
        b"\x81\x01" * 100_000,
        (b"\xdc\x01\x00" + b"\xc0" * 255) * 300,
    ],
    ids=lambda data: f"{data[:6].hex()}x{len(data)}",
)
def test_huge_declared_lengths_and_deep_nesting_cost_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        refused(THING, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A list of 256 places is 2 KiB, and at most 1,024 of them are open at once.
    assert peak < 4 * 1024 * 1024


def test_an_object_over_its_size_is_not_even_parsed() -> None:
    assert refused(THING, b"\xc1" * 101, max_size=100) is Reason.TOO_LARGE
    assert refused(THING, b"\xc1" * 100, max_size=100) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Thing(1001, None, ()), Reason.OUT_OF_RANGE),
        (Thing(True, None, ()), Reason.WRONG_TYPE),
        (Thing(1, "abcdef", ()), Reason.OUT_OF_RANGE),
        (Thing(1, "\ud800", ()), Reason.OUT_OF_RANGE),
        (Thing(1, None, (Colour.BLUE, Colour.RED)), Reason.BAD_ORDER),
        (Thing(1, None, (Colour.RED,) * 4), Reason.OUT_OF_RANGE),
    ],
)
def test_the_encoder_refuses_what_the_decoder_would_refuse(value: Thing, reason: Reason) -> None:
    assert refusal(encode, THING, value) is reason


def test_text_has_to_match_its_pattern_as_a_whole() -> None:
    codec = Text(9, re.compile("[A-Z]{3}"))
    assert codec.unpack("KAZ", "code") == "KAZ"
    for text in ("KA", "KAZX", "kaz", "KAZ\n", " KAZ"):
        assert refusal(codec.unpack, text, "code") is Reason.OUT_OF_RANGE


def test_blobs_have_both_bounds() -> None:
    codec = Blob(2, 3)
    assert [codec.unpack(bytes(n), "blob") for n in (2, 3)] == [bytes(2), bytes(3)]
    assert {refusal(codec.unpack, bytes(n), "blob") for n in (1, 4)} == {Reason.OUT_OF_RANGE}
    assert fixed(16) == Blob(16, 16)


def test_an_error_names_the_field_and_holds_no_value() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(THING, pack({1: 1, 3: "secret", 7: []}), 100)
    assert str(caught.value) == "Thing.name: out-of-range"
    assert caught.value.__cause__ is None


def test_a_struct_with_unordered_field_numbers_is_a_programming_fault() -> None:
    with pytest.raises(ValueError, match="Thing do not ascend"):
        Struct(Thing, Field(2, "number", Uint()), Field(1, "name", Text(5)))
