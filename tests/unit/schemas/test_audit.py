"""Entries of audit logs and anchors as objects: one form each, nothing but codes, and no leaf taken for another."""

from collections.abc import Mapping

import pytest

from schemas.anchor import ANCHOR, Anchor, read_anchor
from schemas.audit import AUDIT_ENTRY, AuditEntry, AuditKind, read_entry, write_entry
from schemas.canon import encode
from schemas.errors import DecodeError, Reason
from schemas.ids import Digest, EnvelopeId, MemberId
from schemas.leaf import read_leaf
from schemas.limits import MAX_ACTOR, MAX_AUDIT_ENTRY, MAX_CODE, MAX_DIRECTORY_SIZE, MAX_TIME, MAX_TREE_SIZE
from schemas.origin import Acceptance
from tests.support.wire import ABSENT, changed, refusal, refused
from tests.unit.schemas.test_origin import LEAF as ACCEPTED

LEAST = AuditEntry(AuditKind.ALARM, bytes(32), 1_800_000_000)
MOST = AuditEntry(
    kind=AuditKind.PURGED,
    salt=b"s" * 32,
    time=MAX_TIME,
    actor="a" * MAX_ACTOR,
    member=MemberId("CICA"),
    envelope=EnvelopeId(b"e" * 16),
    header_digest=Digest(b"h" * 32),
    provision=Digest(b"p" * 32),
    subject=b"m" * 32,
    reason="r" * MAX_CODE,
    evidence=Digest(b"v" * 32),
    relay_time=MAX_TIME,
    address=b"a" * 16,
    count=MAX_TREE_SIZE,
    directory_size=MAX_DIRECTORY_SIZE,
)


@pytest.mark.parametrize("entry", [LEAST, MOST])
def test_an_entry_is_read_as_it_was_written(entry: AuditEntry) -> None:
    leaf = write_entry(entry)
    assert len(leaf) <= MAX_AUDIT_ENTRY
    assert read_entry(leaf) == read_leaf(leaf) == entry


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({1: 0}, Reason.OUT_OF_RANGE),
        ({1: 1}, Reason.OUT_OF_RANGE),
        ({1: 63}, Reason.OUT_OF_RANGE),
        ({2: 2}, Reason.OUT_OF_RANGE),
        ({2: ABSENT}, Reason.MISSING_FIELD),
        ({3: bytes(31)}, Reason.OUT_OF_RANGE),
        ({5: "Defence/1"}, Reason.OUT_OF_RANGE),
        ({5: "somebody who"}, Reason.OUT_OF_RANGE),
        ({10: b""}, Reason.OUT_OF_RANGE),
        ({11: "words of an official"}, Reason.OUT_OF_RANGE),
        ({14: bytes(4)}, Reason.OUT_OF_RANGE),
        ({16: 0}, Reason.OUT_OF_RANGE),
        ({17: 1}, Reason.UNKNOWN_FIELD),
    ],
)
def test_an_entry_outside_the_protocol_is_refused(changes: Mapping[int, object], reason: Reason) -> None:
    assert refused(AUDIT_ENTRY, changed(write_entry(MOST), changes)) is reason


def test_no_leaf_is_taken_for_one_of_the_other_form() -> None:
    assert isinstance(read_leaf(ACCEPTED), Acceptance)
    assert refusal(lambda: read_entry(ACCEPTED)) in (Reason.OUT_OF_RANGE, Reason.WRONG_TYPE)
    for kind in set(AuditKind) - {AuditKind.ACCEPTED}:
        leaf = write_entry(AuditEntry(kind, bytes(32), 1))
        assert isinstance(read_leaf(leaf), AuditEntry)
        with pytest.raises(DecodeError):
            read_leaf(leaf[:2] + b"\x01" + leaf[3:])
        with pytest.raises(DecodeError):
            read_leaf(ACCEPTED[:2] + bytes([kind]) + ACCEPTED[3:])
    assert refusal(lambda: AuditEntry(AuditKind.ACCEPTED, bytes(32), 1)) is Reason.OUT_OF_RANGE


def test_an_anchor_has_whole_hashes() -> None:
    anchor = Anchor(MemberId("KAZ"), b"note", 7, b"a" * 32 + b"b" * 32)
    assert read_anchor(encode(ANCHOR, anchor)) == anchor
    assert anchor.leaves == (Digest(b"a" * 32), Digest(b"b" * 32))
    assert Anchor(MemberId("KAZ"), b"note", 7, b"").leaves == ()
    assert refusal(lambda: Anchor(MemberId("KAZ"), b"note", 7, bytes(33))) is Reason.MALFORMED
