"""Origin proofs as objects: what a leaf says, that every proof has its checkpoint, and how several become one."""

from collections.abc import Mapping

import pytest

from schemas.audit import AuditKind
from schemas.canon import decode, encode
from schemas.errors import Reason
from schemas.ids import Digest, EnvelopeId, MemberId
from schemas.limits import MAX_CORE
from schemas.origin import ACCEPTANCE, ORIGINS, Acceptance, OriginProof, Origins, joined, one_origin
from tests.support.wire import ABSENT, changed, fields, refusal, refused

LEAF = encode(
    ACCEPTANCE,
    Acceptance(
        kind=AuditKind.ACCEPTED,
        salt=bytes(32),
        sender=MemberId("KAZ"),
        envelope=EnvelopeId(bytes(16)),
        header_digest=Digest(bytes(32)),
        signature=bytes(64),
        time=1_800_000_000,
        directory_size=9,
        provisions=(Digest(b"p" * 32), Digest(b"q" * 32)),
        grants=(),
    ),
)
PATH = (Digest(b"h" * 32),)
ONE = one_origin(b"note", LEAF, 7, PATH)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({1: 0}, Reason.OUT_OF_RANGE),
        ({1: 2}, Reason.OUT_OF_RANGE),
        ({2: bytes(31)}, Reason.OUT_OF_RANGE),
        ({6: bytes(63)}, Reason.OUT_OF_RANGE),
        ({8: 0}, Reason.OUT_OF_RANGE),
        ({9: []}, Reason.OUT_OF_RANGE),
        ({9: [b"q" * 32, b"p" * 32]}, Reason.BAD_ORDER),
        ({9: [b"p" * 32] * 2}, Reason.BAD_ORDER),
        ({10: ABSENT}, Reason.MISSING_FIELD),
        ({11: 1}, Reason.UNKNOWN_FIELD),
    ],
)
def test_a_leaf_outside_the_protocol_is_refused(changes: Mapping[int, object], reason: Reason) -> None:
    assert refused(ACCEPTANCE, changed(LEAF, changes)) is reason


def test_a_proof_is_read_as_it_was_written_and_its_leaf_with_it() -> None:
    data = encode(ORIGINS, ONE)
    assert decode(ORIGINS, data, MAX_CORE) == ONE
    assert ONE.proofs[0].acceptance.directory_size == 9
    (proof,) = fields(data)[2]
    assert refused(ORIGINS, changed(data, {2: [proof | {1: LEAF + b"\x00"}]})) is Reason.TRAILING_BYTES


@pytest.mark.parametrize("checkpoint", [1, 7])
def test_a_proof_leads_to_a_checkpoint_of_the_list(checkpoint: int) -> None:
    assert refusal(lambda: Origins((b"note",), (OriginProof(LEAF, 7, PATH, checkpoint),))) is Reason.CONTRADICTION


def test_a_checkpoint_that_no_proof_leads_to_is_refused() -> None:
    assert refusal(lambda: Origins((b"note", b"other"), ONE.proofs)) is Reason.CONTRADICTION


def test_checkpoints_and_proofs_have_one_order_and_stand_once() -> None:
    two = joined([ONE, one_origin(b"other", LEAF, 7, PATH)])
    assert two is not None
    data = encode(ORIGINS, two)
    notes, proofs = fields(data)[1], fields(data)[2]
    for changes in ({1: notes[::-1]}, {1: notes[:1] * 2}, {2: proofs[::-1]}, {2: [*proofs, proofs[-1]]}):
        assert refused(ORIGINS, changed(data, changes)) is Reason.BAD_ORDER


def test_several_become_one_with_each_checkpoint_and_leaf_once() -> None:
    later, further = one_origin(b"zz", LEAF, 7, PATH), one_origin(b"note", LEAF, 3, PATH)
    whole = joined([later, ONE, further, ONE])
    assert whole is not None
    assert whole.checkpoints == (b"note", b"zz")
    assert [(proof.checkpoint, proof.index) for proof in whole.proofs] == [(0, 3), (0, 7), (1, 7)]
    assert joined([whole]) == whole
    assert decode(ORIGINS, encode(ORIGINS, whole), MAX_CORE) == whole
    assert joined([]) is None
