"""Proof files: the specification's form, and that every part of one counts."""

from dataclasses import replace

import pytest

from keys.checkpoint import SignedCheckpoint
from keys.errors import BadProof, BadSignature
from keys.merkle import inclusion_proof
from keys.proof import LogProof, parse_proof, verify_proof
from schemas.errors import DecodeError, Reason
from schemas.limits import MAX_PROOF, MAX_PROOF_EXTRA
from tests.support.notary import LEAVES, TREE, Log, Node, root

LOG = Log()
SIGNED = LOG.checkpoint(33)
PROOF = LogProof(5, inclusion_proof(5, 33, TREE), SIGNED)
FILE = PROOF.encode()
HEAD = b"c2sp.org/tlog-proof@v1\nindex 5\n"


def trust(signed: SignedCheckpoint) -> None:
    LOG.keys.verify(signed)


def test_a_file_has_the_form_of_the_specification() -> None:
    lines = FILE.split(b"\n")
    assert FILE.startswith(HEAD)
    assert lines[2 + len(PROOF.path)] == b""
    assert FILE.endswith(b"\n\n" + SIGNED.encode())
    extra = replace(PROOF, extra=b"age-v1.2.1").encode()
    assert extra == FILE.replace(b"\n", b"\nextra YWdlLXYxLjIuMQ==\n", 1)


@pytest.mark.parametrize(
    "proof",
    [
        PROOF,
        replace(PROOF, extra=b"\x00"),
        replace(PROOF, extra=bytes(MAX_PROOF_EXTRA)),
        replace(PROOF, path=(root(1),) * MAX_PROOF),
        replace(PROOF, signed=SIGNED.add(Node("KAZ").lines(SIGNED))),
        LogProof(0, (), LOG.checkpoint(1)),
    ],
)
def test_a_file_is_read_as_it_was_written(proof: LogProof) -> None:
    assert parse_proof(proof.encode()) == proof


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.MALFORMED),
        (FILE.replace(b"@v1", b"@v2"), Reason.MALFORMED),
        (b"\n" + FILE, Reason.MALFORMED),
        (FILE.replace(b"index 5\n", b""), Reason.MALFORMED),
        (FILE.replace(b"index 5", b"index  5"), Reason.MALFORMED),
        (FILE.replace(b"index 5", b"Index 5"), Reason.MALFORMED),
        (FILE.replace(b"index 5", b"index -5"), Reason.MALFORMED),
        (FILE.replace(b"index 5", b"index 05"), Reason.NON_CANONICAL),
        (FILE.replace(b"index 5", b"index " + b"9" * 30), Reason.OUT_OF_RANGE),
        (FILE.replace(HEAD, HEAD[:-8] + b"extra YQ==\n"), Reason.MALFORMED),
        (b"c2sp.org/tlog-proof@v1\nextra YQ==\n\n" + SIGNED.encode(), Reason.MISSING_FIELD),
        (b"c2sp.org/tlog-proof@v1\n\n" + SIGNED.encode(), Reason.MALFORMED),
        (FILE.replace(b"index 5", b"extra \nindex 5"), Reason.OUT_OF_RANGE),
        (FILE.replace(b"index 5", b"extra YR==\nindex 5"), Reason.NON_CANONICAL),
        (FILE.replace(b"index 5", b"extra ?\nindex 5"), Reason.MALFORMED),
        (FILE.replace(b"index 5", b"extra YQ==\nextra YQ==\nindex 5"), Reason.MALFORMED),
        (FILE.replace(b"index 5\n", b"index 5\nextra YQ==\n"), Reason.MALFORMED),
        (FILE.replace(b"index 5\n", b"index 5\nYQ==\n"), Reason.OUT_OF_RANGE),
        (
            FILE.replace(b"index 5\n", b"index 5\n" + (b"A" * 43 + b"=\n") * 64),
            Reason.TOO_LARGE,
        ),
        (FILE.replace(b"index 5\n", b"index 5\n\n"), Reason.MALFORMED),
        (FILE[:-1], Reason.MALFORMED),
        (FILE.replace(b"\n", b"\r\n"), Reason.MALFORMED),
    ],
    ids=range(22),
)
def test_another_spelling_is_no_proof(data: bytes, reason: Reason) -> None:
    with pytest.raises(DecodeError) as fault:
        parse_proof(data)
    assert fault.value.reason is reason


@pytest.mark.parametrize("changed", [{"index": -1}, {"path": (root(1),) * 64}, {"extra": b""}])
def test_a_proof_that_could_not_be_read_again_is_not_made(changed: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        replace(PROOF, **changed)  # type: ignore[arg-type]  # each of its field's type


def test_extra_data_has_a_bound() -> None:
    with pytest.raises(DecodeError):
        replace(PROOF, extra=bytes(MAX_PROOF_EXTRA + 1))


def test_a_proof_holds_for_its_entry_place_and_checkpoint() -> None:
    assert verify_proof(parse_proof(FILE), LEAVES[5], trust) == SIGNED.checkpoint
    wrong = [
        (PROOF, LEAVES[4]),
        (replace(PROOF, index=4), LEAVES[5]),
        (replace(PROOF, path=PROOF.path[:-1]), LEAVES[5]),
        (replace(PROOF, signed=LOG.checkpoint(32)), LEAVES[5]),
        (replace(PROOF, index=33), LEAVES[5]),
    ]
    for proof, leaf in wrong:
        with pytest.raises(BadProof):
            verify_proof(proof, leaf, trust)


def test_a_checkpoint_that_is_not_trusted_proves_nothing() -> None:
    forged = replace(PROOF, signed=Log("thief").checkpoint(33))
    with pytest.raises(BadSignature):
        verify_proof(forged, LEAVES[5], trust)


def test_extra_data_is_not_authenticated() -> None:
    assert verify_proof(replace(PROOF, extra=b"anything"), LEAVES[5], trust) == SIGNED.checkpoint
