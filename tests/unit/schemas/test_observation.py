"""Proof files: what is written is read again, and nothing else is."""

import pytest

from schemas import limits
from schemas.canon import encode
from schemas.errors import DecodeError, Reason
from schemas.files import PROOF_LINE
from schemas.ids import Digest, KeyId, MemberId
from schemas.observation import (
    OBSERVATION,
    SIGNED_OBSERVATION,
    Observation,
    ObservationKind,
    SignedObservation,
    encode_proof,
    read_proof,
)
from tests.support.wire import refusal

SEEN = Observation(
    ObservationKind.SPLIT_VIEW,
    MemberId("KAZ"),
    KeyId(bytes(32)),
    5,
    held=b"held",
    shown=b"shown",
    root=Digest(b"r" * 32),
    path=(Digest(bytes(32)),),
)
SIGNED = SignedObservation(encode(OBSERVATION, SEEN), bytes(64))
ENTRIES = (b"first", b"second")
FILE = encode_proof(SIGNED, ENTRIES)


def test_a_file_is_read_as_it_was_written() -> None:
    signed, entries = read_proof(FILE)
    assert (signed, signed.observation, entries) == (SIGNED, SEEN, ENTRIES)
    assert encode_proof(signed, entries) == FILE
    assert FILE.startswith(b"cbm/1 proof\n")


def test_alarms_are_named_in_kebab_case() -> None:
    assert [kind.label for kind in ObservationKind][:2] == ["split-view", "rollback"]
    assert ObservationKind.RECEIPT_SIZE.label == "receipt-size"


def part(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


OBJECT = encode(SIGNED_OBSERVATION, SIGNED)
BAD: dict[str, tuple[bytes, Reason]] = {
    "empty": (b"", Reason.MALFORMED),
    "another-line": (FILE.replace(b"proof", b"stuff"), Reason.MALFORMED),
    "nothing-follows": (PROOF_LINE, Reason.MISSING_FIELD),
    "no-entries": (PROOF_LINE + part(OBJECT), Reason.MISSING_FIELD),
    "cut": (FILE[:-1], Reason.MALFORMED),
    "a-length-alone": (FILE + b"\x00\x00", Reason.MALFORMED),
    "an-empty-entry": (FILE + part(b""), Reason.MALFORMED),
    "a-length-beyond-the-end": (FILE + b"\xff\xff\xff\xff", Reason.MALFORMED),
    "no-observation": (PROOF_LINE + part(b"\xc1") + part(b"entry"), Reason.MALFORMED),
    "an-observation-with-more": (PROOF_LINE + part(OBJECT + b"\x00") + part(b"entry"), Reason.TRAILING_BYTES),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_none(name: str) -> None:
    data, reason = BAD[name]
    assert refusal(read_proof, data) is reason


def test_a_file_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PROOF_FILE", len(FILE))
    assert encode_proof(SIGNED, ENTRIES) == FILE
    read_proof(FILE)
    assert refusal(read_proof, FILE + b"\x00") is Reason.TOO_LARGE
    with pytest.raises(DecodeError):
        encode_proof(SIGNED, (*ENTRIES, b"third"))
