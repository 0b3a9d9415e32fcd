"""Content: manifest, attachments, transport part, heads, and padding."""

import hashlib
import math
from collections.abc import Mapping
from itertools import pairwise

import pytest

from schemas.canon import decode, encode
from schemas.content import (
    HEAD,
    MANIFEST,
    TRANSPORT,
    Attachment,
    Head,
    Transport,
    Void,
    VoidReason,
    commitment_input,
    content_size,
    padded_size,
    payload_prefix,
    read_manifest,
    read_transport,
)
from schemas.errors import DecodeError, Reason
from schemas.ids import NO_DIGEST, Digest, StreamId
from schemas.limits import MAX_BODY, MAX_CONTENT, MAX_DIRECTORY_SIZE, MIB
from tests.support.wire import ABSENT, changed, pack, refusal, refused
from tests.support.world import World

HEAD_BYTES = encode(HEAD, Head(StreamId(bytes(16)), 3, Digest(bytes(32)), (Void(2, VoidReason.EXPIRED),)))


def padme(size: int) -> int:
    """Algorithm 1 of the PURBs paper (arXiv 1806.03160), as it is printed, with logarithms."""
    exponent = math.floor(math.log2(size))
    significant = math.floor(math.log2(exponent)) + 1
    low_bits = exponent - significant
    mask = 2**low_bits - 1
    return int((size + mask) - (size + mask) % (mask + 1))


@pytest.mark.parametrize("size", [1024, 1025, 1055, 1056, 1057, 2047, 2048, 2049, 65_537, 10**6, 2**24 + 1, 2**28 - 1])
def test_padding_is_padme(size: int) -> None:
    assert padded_size(size) == padme(size)


@pytest.mark.parametrize(
    ("size", "padded"),
    [(0, 1024), (1, 1024), (1024, 1024), (1025, 1088), (1088, 1088), (1089, 1152), (2049, 2176), (MIB + 1, 1_081_344)],
)
def test_padding_worked_out_by_hand(size: int, padded: int) -> None:
    assert padded_size(size) == padded


def test_padding_grows_costs_at_most_an_eighth_and_is_stable() -> None:
    sizes = sorted({*range(1, 5000), *(2**n + d for n in range(12, 29) for d in (-1, 0, 1, 1000))})
    padded = [padded_size(size) for size in sizes]
    assert all(low <= high for low, high in pairwise(padded))
    assert all(after >= before for before, after in zip(sizes, padded, strict=True))
    assert max(after / before for before, after in zip(sizes, padded, strict=True) if before >= 1024) <= 1.12
    assert [padded_size(size) for size in padded] == padded


def test_few_sizes_are_left_to_tell_messages_apart() -> None:
    # Sixteen steps in each doubling from 2**10 to 2**16.
    assert len({padded_size(size) for size in range(1, 2**16)}) == 1 + 6 * 16


def test_the_largest_content_fits_a_body() -> None:
    padded = padded_size(MAX_CONTENT + 1024)
    assert padded + 16 * -(-padded // 65536) <= MAX_BODY


def test_a_manifest_is_read_as_it_was_written(world: World) -> None:
    attachment = world.attachment(b"data", filename="Карта 1.pdf", media_type="application/pdf")
    data = world.manifest(["KAZ", "MNG"], b'{"a":1}', attachments=(attachment,))
    manifest = read_manifest(data)
    assert encode(MANIFEST, manifest) == data
    assert manifest.attachments == (Attachment("Карта 1.pdf", "application/pdf", 4, attachment.sha256),)
    assert content_size(data, manifest.attachments) == 4 + len(data) + 4


PATHS = ["../a", "a/b", "a\\b", "..", "."]
HIDDEN = ["a\x00b", "a\nb", "gpj\u202eexe.", "a\u2066b", "a\u2028b"]


@pytest.mark.parametrize("filename", [*PATHS, *HIDDEN, "", "a" * 256])
def test_names_that_are_paths_or_hide_their_end_are_refused(world: World, filename: str) -> None:
    data = changed(world.manifest(), {5: [{1: filename, 2: "text/plain", 3: 0, 4: bytes(32)}]})
    assert refused(MANIFEST, data) is Reason.OUT_OF_RANGE


def test_a_name_that_has_no_utf_8_is_not_written(world: World) -> None:
    attachment = world.attachment(b"", filename="\ud800")
    assert refusal(lambda: world.manifest(attachments=(attachment,))) is Reason.OUT_OF_RANGE


PERSIAN = "\u0646\u0627\u0645\u0647\u200c\u0647\u0627.pdf"  # written with a joiner inside the word


@pytest.mark.parametrize("filename", ["a", "a" * 255, "...", PERSIAN, "доклад (2).pdf", "報告.pdf"])
def test_names_in_any_script_are_kept(world: World, filename: str) -> None:
    data = world.manifest(attachments=(world.attachment(b"", filename=filename),))
    assert read_manifest(data).attachments[0].filename == filename


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({1: bytes(31)}, Reason.OUT_OF_RANGE),
        ({2: []}, Reason.OUT_OF_RANGE),
        ({2: ["MNG", "KAZ"]}, Reason.BAD_ORDER),
        ({3: 200}, Reason.OUT_OF_RANGE),
        ({4: b""}, Reason.OUT_OF_RANGE),
        ({4: "text"}, Reason.WRONG_TYPE),
        ({5: ABSENT}, Reason.MISSING_FIELD),
        ({5: [{1: "a", 2: "b/c", 3: -1, 4: bytes(32)}]}, Reason.OUT_OF_RANGE),
        ({5: [{1: "a", 2: "b/c", 3: 1}]}, Reason.MISSING_FIELD),
        ({6: []}, Reason.OUT_OF_RANGE),
        ({7: 0}, Reason.UNKNOWN_FIELD),
    ],
)
def test_a_manifest_outside_the_protocol_is_refused(
    world: World, changes: Mapping[int, object], reason: Reason
) -> None:
    assert refusal(read_manifest, changed(world.manifest(), changes)) is reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pack({1: MAX_DIRECTORY_SIZE + 1, 2: 1}), Reason.OUT_OF_RANGE),
        (pack({1: 1, 2: 0}), Reason.OUT_OF_RANGE),
        (pack({1: 1, 2: MAX_CONTENT + 1}), Reason.OUT_OF_RANGE),
        (pack({1: 1}), Reason.MISSING_FIELD),
    ],
)
def test_a_transport_part_outside_the_protocol_is_refused(data: bytes, reason: Reason) -> None:
    assert refusal(read_transport, data) is reason


def test_a_payload_begins_with_both_parts_after_their_lengths() -> None:
    prefix = payload_prefix(Transport(7, 300), b"manifest")
    transport = encode(TRANSPORT, Transport(7, 300))
    assert prefix == len(transport).to_bytes(4, "big") + transport + b"\x00\x00\x00\x08manifest"
    assert read_transport(transport) == Transport(7, 300)


def test_the_commitment_is_over_label_and_manifest() -> None:
    assert commitment_input(b"abc") == b"cbm/1/content\x00" + (3).to_bytes(8, "big") + b"abc"


def test_the_commitment_of_one_content_is_new_with_every_salt(world: World) -> None:
    digests = {hashlib.sha256(commitment_input(world.manifest())).digest() for _ in range(3)}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({1: bytes(15)}, Reason.OUT_OF_RANGE),
        ({2: 2**43 + 1}, Reason.OUT_OF_RANGE),
        ({4: [{1: 0, 2: 1}]}, Reason.OUT_OF_RANGE),
        ({4: [{1: 1, 2: 5}]}, Reason.OUT_OF_RANGE),
        ({4: [{1: 2, 2: 1}, {1: 2, 2: 1}]}, Reason.BAD_ORDER),
        ({4: [{1: 2, 2: 1}, {1: 1, 2: 1}]}, Reason.BAD_ORDER),
        ({3: ABSENT}, Reason.MISSING_FIELD),
    ],
)
def test_a_head_outside_the_protocol_is_refused(changes: Mapping[int, object], reason: Reason) -> None:
    assert refused(HEAD, changed(HEAD_BYTES, changes)) is reason


def test_a_head_is_read_as_it_was_written() -> None:
    head = decode(HEAD, HEAD_BYTES, 4096)
    assert (head.last, head.voids) == (3, (Void(2, VoidReason.EXPIRED),))


class TestHead:
    """What a head names: its last number, and those before it."""

    def test_a_header_has_its_number_counted_from_the_last(self) -> None:
        recent = tuple(Digest(bytes([number]) * 32) for number in (4, 5, 6))
        head = Head(StreamId(bytes(16)), 7, Digest(b"\x07" * 32), (), recent)
        assert [head.number_of(Digest(bytes([number]) * 32)) for number in (3, 4, 6, 7)] == [None, 4, 6, 7]

    def test_a_stream_in_which_nothing_was_sent_names_nothing(self) -> None:
        assert Head(StreamId(bytes(16)), 0, NO_DIGEST, ()).number_of(NO_DIGEST) is None

    @pytest.mark.parametrize(("last", "count"), [(0, 1), (1, 1), (3, 3)])
    def test_more_numbers_than_there_were_are_a_contradiction(self, last: int, count: int) -> None:
        with pytest.raises(DecodeError):
            Head(StreamId(bytes(16)), last, NO_DIGEST, (), (NO_DIGEST,) * count)
