"""Every bound of the wire format, from both sides: the last value that is accepted and the first that is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from schemas import consent, limits
from schemas.anchor import ANCHOR, read_anchor
from schemas.audit import AUDIT_ENTRY
from schemas.audit import read_entry as read_audit_entry
from schemas.canon import Codec, decode, encode
from schemas.charter import CHARTER
from schemas.consent import HOLDER_STATEMENT, JOINT_DRAFT, SIGNED_STATEMENT, JointDraft, decode_consent
from schemas.content import ATTACHMENT, HEAD, MANIFEST, TRANSPORT, read_manifest, read_transport
from schemas.envelope import CORE, HEADER, decode_header, header_length
from schemas.errors import DecodeError, Reason
from schemas.evidence import ENVELOPE_EVIDENCE, EVIDENCE, LOGGED_ENTRY
from schemas.grant import GRANT, SIGNED_GRANT
from schemas.group import GROUP, SIGNED_GROUP
from schemas.ids import KeyId, MemberId
from schemas.observation import OBSERVATION, SIGNED_OBSERVATION
from schemas.opening import OPENINGS
from schemas.origin import ACCEPTANCE, ORIGIN_PROOF, ORIGINS
from schemas.provision import PROVISION, SIGNED_PROVISION
from schemas.receipt import RECEIPT, SIGNED_RECEIPT
from schemas.refused import REFUSED_TRANSFER
from schemas.relayapi import ACKS, MAX_ACKS, SEEN, WINDOW, Acks, Frame, decode_frame
from schemas.signed import Signature
from schemas.statement import DIRECTORY_ENTRY, EPOCH_KEY, read_entry
from schemas.wrap import WRAPS
from tests.support.wire import changed, fields, pack, refusal

UNITS: Final = {"KIB", "MIB"}
# Rules between fields, and sizes of files, tested with the objects that they are about; key files, with the keystore.
RULES: Final = {
    "MAX_PROOF_FILE",
    "EXPIRY_MARGIN",
    "OUTBOX_LIMIT",
    "MAX_EPOCH_GRACE",
    "MAX_EPOCH_TERM",
    "MAX_GRANT_PAIRS",
    "MAX_KEY_FILE",
}
WIRE: Final = [path for path in Path(limits.__file__).parent.glob("*.py") if path.name != "limits.py"]


def verdict(codec: Codec[object], number: int, value: object) -> str:
    """What a codec's field says of a value on its own: a field's codec is the rule of that field."""
    field = next(f for f in codec._fields if f.key == number)  # type: ignore[attr-defined]  # a Struct
    try:
        field.codec.unpack(value, field.name)
    except DecodeError as refused:
        return refused.reason.value
    return "accepted"


def codes(count: int) -> list[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return ["A" + first + second for first in letters for second in letters][:count]


def wraps(count: int) -> list[dict[int, object]]:
    return [{1: code, 2: bytes(32), 3: bytes(1224)} for code in codes(count)]


def voids(count: int) -> list[dict[int, int]]:
    return [{1: number, 2: 1} for number in range(1, count + 1)]


def listed(count: int) -> list[dict[int, object]]:
    return [{1: "a", 2: "b/c", 3: 0, 4: bytes(32)}] * count


def digests(count: int) -> list[bytes]:
    return [bytes([number]) * 32 for number in range(count)]


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(2, "big") for number in range(count)]


# Name of the bound: codec, field number, and the field's value made from the bound (or one above it).
FIELDS: Final[dict[str, tuple[object, int, Callable[[int], object]]]] = {
    "MAX_RECIPIENTS": (WRAPS, 1, wraps),
    "MAX_RECIPIENTS of an audience": (PROVISION, 3, codes),
    "MAX_RECIPIENTS of a Grant": (GRANT, 6, codes),
    "MAX_RECIPIENTS of a group": (GROUP, 4, codes),
    "MAX_RECIPIENTS of a request for consent": (consent._REQUEST, 3, codes),
    "MAX_PROVIDERS": (PROVISION, 2, codes),
    "MAX_PROVIDERS of a manifest": (MANIFEST, 2, codes),
    "MAX_CLASS_TAGS": (PROVISION, 13, lambda n: [bytes([i]) * 16 for i in range(n)]),
    "MAX_CLASS_TAGS of a manifest": (MANIFEST, 6, lambda n: [{1: bytes([i]) * 16, 2: "a"} for i in range(n)]),
    "MAX_NAME of a class": (MANIFEST, 6, lambda n: [{1: bytes(16), 2: "a" * n}]),
    "MAX_GROUP_NAME": (GROUP, 2, lambda n: "a" * n),
    "MAX_REASON": (consent._REFUSED, 2, lambda n: "a" * n),
    "MAX_REASON of a request": (consent._REQUEST, 7, lambda n: "a" * n),
    "MAX_REASON of a withdrawal": (consent._WITHDRAWN, 4, lambda n: "a" * n),
    "MAX_REASON of a joint refusal": (consent._JOINT_REFUSED, 2, lambda n: "a" * n),
    "MAX_PASSED_ON": (HOLDER_STATEMENT, 6, lambda n: [{1: "KAZ", 2: i.to_bytes(16, "big"), 3: 0} for i in range(n)]),
    "MAX_SERVICE": (SIGNED_STATEMENT, 1, bytes),
    "MAX_DRAFT_MANIFEST": (JOINT_DRAFT, 2, bytes),
    "MAX_PROVISION of a draft": (JOINT_DRAFT, 1, bytes),
    "MAX_HEADER of a refused transfer": (REFUSED_TRANSFER, 1, bytes),
    "MAX_SMALL_OBJECT of a refused transfer": (REFUSED_TRANSFER, 2, bytes),
    "MAX_SMALL_OBJECT of a group": (SIGNED_GROUP, 1, bytes),
    "MAX_ATTACHMENTS": (MANIFEST, 5, listed),
    "MAX_PROVISION": (SIGNED_PROVISION, 1, bytes),
    "MAX_GRANT": (SIGNED_GRANT, 1, bytes),
    "MAX_CORE": (HEADER, 1, bytes),
    "MAX_WRAPS": (HEADER, 2, bytes),
    "MAX_SMALL_OBJECT": (SIGNED_RECEIPT, 1, bytes),
    "MAX_CHARTER": (DIRECTORY_ENTRY, 2, bytes),
    "MAX_RECORD": (MANIFEST, 4, bytes),
    "MAX_CONTENT": (TRANSPORT, 2, int),
    "MAX_CONTENT of an attachment": (ATTACHMENT, 3, int),
    "MAX_BODY": (CORE, 12, int),
    "MAX_BODY of a receipt": (RECEIPT, 6, int),
    "MAX_FILENAME": (ATTACHMENT, 1, lambda n: "a" * n),
    "MAX_TIME": (CORE, 9, int),
    "MAX_NUMBER": (HEAD, 2, int),
    "MAX_EPOCH": (EPOCH_KEY, 2, int),
    "MAX_DIRECTORY_SIZE": (RECEIPT, 8, int),
    "MAX_DIRECTORY_SIZE of a transport part": (TRANSPORT, 1, int),
    "MAX_DIRECTORY_SIZE of a logged acceptance": (ACCEPTANCE, 8, int),
    "MAX_PROVISIONS of a logged acceptance": (ACCEPTANCE, 9, digests),
    "MAX_GRANTS of a logged acceptance": (ACCEPTANCE, 10, digests),
    "MAX_ACCEPTANCE": (ORIGIN_PROOF, 1, bytes),
    "MAX_TREE_SIZE": (ORIGIN_PROOF, 2, lambda n: n - 1),
    "MAX_PROOF": (ORIGIN_PROOF, 3, lambda n: [bytes(32)] * n),
    "MAX_ORIGIN_NOTE": (ORIGINS, 1, lambda n: [bytes(n)]),
    "MAX_ORIGIN_CHECKPOINTS": (ORIGINS, 1, lambda n: [bytes([i]) for i in range(n)]),
    "MAX_GOSSIP": (TRANSPORT, 3, bytes),
    "MAX_GOSSIP of an anchor": (TRANSPORT, 4, bytes),
    "MAX_ACTOR": (AUDIT_ENTRY, 5, lambda n: "a" * n),
    "MAX_CODE": (AUDIT_ENTRY, 11, lambda n: "a" * n),
    "MAX_TREE_SIZE of an entry": (AUDIT_ENTRY, 15, int),
    "MAX_DIRECTORY_SIZE of an entry": (AUDIT_ENTRY, 16, int),
    "MAX_ANCHOR_NOTE": (ANCHOR, 2, bytes),
    "MAX_ANCHORED": (ANCHOR, 4, lambda n: bytes(32 * n)),
    "MAX_OBSERVATION": (SIGNED_OBSERVATION, 1, bytes),
    "MAX_NOTE of an observation": (OBSERVATION, 5, bytes),
    "MAX_PROOF of an observation": (OBSERVATION, 10, lambda n: [bytes(32)] * n),
    "MAX_DIRECTORY_SIZE of an observation": (OBSERVATION, 8, int),
    "MAX_MEMBERS of a quorum": (CHARTER, 7, lambda n: {1: n, 2: n}),
    "MAX_ACKNOWLEDGEMENTS": (ENVELOPE_EVIDENCE, 4, numbered),
    "MAX_EVIDENCE_REFUSALS": (EVIDENCE, 8, numbered),
    "MAX_EVIDENCE_ITEMS": (EVIDENCE, 9, numbered),
    "MAX_EVIDENCE_EARLIER": (EVIDENCE, 13, numbered),
    "MAX_AUDIT_ENTRY of evidence": (LOGGED_ENTRY, 1, bytes),
    "MAX_OPENINGS": (OPENINGS, 1, numbered),
    "MAX_RECENT": (HEAD, 5, digests),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_takes_its_bound_and_nothing_above_it(name: str) -> None:
    codec, number, value = FIELDS[name]
    bound = getattr(limits, name.split(maxsplit=1)[0])
    assert verdict(codec, number, value(bound)) == "accepted"  # type: ignore[arg-type]  # a Struct of any type
    assert verdict(codec, number, value(bound + 1)) == Reason.OUT_OF_RANGE  # type: ignore[arg-type]


SIZES: Final[dict[str, Callable[[bytes], object]]] = {
    "MAX_HEADER": decode_header,
    "MAX_MANIFEST": read_manifest,
    "MAX_TRANSPORT": read_transport,
    "MAX_AUDIT_ENTRY": read_audit_entry,
    "MAX_ANCHOR": read_anchor,
    # The kind byte counts for nothing.
    "MAX_CONSENT": lambda data: decode_consent(b"\x01" + data),
    "MAX_DIRECTORY_ENTRY": read_entry,
    "MAX_EVIDENCE": lambda data: decode(EVIDENCE, data, limits.MAX_EVIDENCE),
}


@pytest.mark.parametrize("name", SIZES)
def test_an_object_is_parsed_up_to_its_size_and_no_further(name: str) -> None:
    bound = getattr(limits, name)
    # One byte of 0xc1 is never msgpack: the first answer shows that the parser was reached.
    assert refusal(SIZES[name], b"\xc1" * bound) is Reason.MALFORMED
    assert refusal(SIZES[name], b"\xc1" * (bound + 1)) is Reason.TOO_LARGE


LISTS: Final[dict[str, tuple[object, int, int]]] = {
    # The items of these lists are signed objects: only the count is judged before the items.
    "MAX_PROVISIONS": (CORE, 5, limits.MAX_PROVISIONS),
    "MAX_GRANTS": (CORE, 6, limits.MAX_GRANTS),
    "MAX_MEMBERS": (CHARTER, 3, limits.MAX_MEMBERS),
    "MAX_ORIGINS": (ORIGINS, 2, limits.MAX_ORIGINS),
    "MAX_EVIDENCE_ENVELOPES": (EVIDENCE, 6, limits.MAX_EVIDENCE_ENVELOPES),
    "MAX_EVIDENCE_ENVELOPES of heads": (EVIDENCE, 7, limits.MAX_EVIDENCE_ENVELOPES),
    "MAX_MEMBERS of signatures": (DIRECTORY_ENTRY, 3, limits.MAX_MEMBERS),
    "MAX_ACKS": (SEEN, 1, MAX_ACKS),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_counted_before_its_items_are_read(name: str) -> None:
    codec, number, bound = LISTS[name]
    assert verdict(codec, number, [0] * bound) == Reason.WRONG_TYPE  # type: ignore[arg-type]
    assert verdict(codec, number, [0] * (bound + 1)) == Reason.OUT_OF_RANGE  # type: ignore[arg-type]


def test_every_bound_is_tested_from_both_sides() -> None:
    used = {name for path in WIRE for name in re.findall(r"\blimits\.([A-Z_]+)", path.read_text("utf-8"))}
    tested = {name.split()[0] for name in (*FIELDS, *SIZES, *LISTS)} | UNITS | RULES | {"MAX_NAME"}
    assert "MAX_HEADER" in used
    assert used - tested == set()


def test_names_of_members_have_a_bound() -> None:
    name = {1: "en", 2: "a" * limits.MAX_NAME}
    row = {1: "KAZ", 2: 1, 3: [name], 4: {1: bytes(32), 2: bytes(1952)}}
    assert verdict(CHARTER, 3, [row]) == "accepted"  # type: ignore[arg-type]
    longer = row | {3: [name | {2: "a" * (limits.MAX_NAME + 1)}]}
    assert verdict(CHARTER, 3, [longer]) == Reason.OUT_OF_RANGE  # type: ignore[arg-type]


def test_lists_of_frames_have_a_bound() -> None:
    def read(count: int) -> Frame:
        return decode_frame(b"\x06" + pack({1: [b"a"] * count}))

    assert isinstance(read(MAX_ACKS), Acks)
    assert refusal(read, MAX_ACKS + 1) is Reason.OUT_OF_RANGE
    assert WINDOW <= 256
    assert verdict(ACKS, 1, [b"a"] * MAX_ACKS) == "accepted"  # type: ignore[arg-type]


def test_the_largest_draft_is_a_body_and_its_signers_can_send_the_manifest() -> None:
    signature = Signature(MemberId("CICA"), KeyId(bytes(32)), bytes(64))
    largest = JointDraft(bytes(limits.MAX_PROVISION), bytes(limits.MAX_DRAFT_MANIFEST), signature, limits.MAX_TIME)
    data = encode(JOINT_DRAFT, largest)
    assert decode(JOINT_DRAFT, data, limits.MAX_RECORD) == largest
    assert verdict(MANIFEST, 4, data) == "accepted"  # type: ignore[arg-type]
    assert limits.MAX_DRAFT_MANIFEST <= limits.MAX_MANIFEST


def test_a_head_settles_at_most_256_numbers() -> None:
    assert verdict(HEAD, 4, voids(256)) == "accepted"  # type: ignore[arg-type]
    assert verdict(HEAD, 4, voids(257)) == Reason.OUT_OF_RANGE  # type: ignore[arg-type]
    head = pack({1: bytes(16), 2: 300, 3: bytes(32), 4: voids(257)})
    assert refusal(decode, HEAD, head, 2**20) is Reason.MALFORMED


def test_a_frame_length_is_judged_before_anything_is_read() -> None:
    assert header_length(limits.MAX_HEADER.to_bytes(4, "big")) == limits.MAX_HEADER
    assert refusal(header_length, (limits.MAX_HEADER + 1).to_bytes(4, "big")) is Reason.TOO_LARGE


def test_the_last_second_of_an_epoch_keeps_the_margin() -> None:
    keys = {1: bytes(1184), 2: bytes(32)}
    epoch = pack({1: "KAZ", 2: 1, 3: keys, 4: 0, 5: 10, 6: 10 + limits.EXPIRY_MARGIN, 7: 0})
    assert decode(EPOCH_KEY, epoch, 4096).destroy_at == 10 + limits.EXPIRY_MARGIN
    late = changed(epoch, {6: fields(epoch)[6] - 1})
    assert refusal(decode, EPOCH_KEY, late, 4096) is Reason.CONTRADICTION
