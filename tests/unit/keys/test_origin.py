"""Origin proofs: what a quorum had cosigned while a key was valid counts for its signatures, and nothing else does."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from keys.checkpoint import Checkpoint, SignedCheckpoint
from keys.cosign import MEMBER_NAMES
from keys.digests import logged_grant, logged_provision
from keys.note import NoteSignature
from keys.origin import Cosigned, Origin, cosigned_audit, origins_of, stood, unbounded
from keys.quorum import origin_of
from keys.verify import Moment, grant_fault, provision_fault
from keys.view import Directory
from schemas.ids import Digest, KeyId, MemberId
from schemas.limits import DAY, MAX_MEMBERS, MAX_ORIGIN_CHECKPOINTS, MAX_ORIGIN_NOTE, MAX_TREE_SIZE
from schemas.origin import OriginProof, Origins, joined
from tests.support.changes import ChangingWorld, revocation
from tests.support.origins import AuditLog
from tests.support.world import NOW, Sealed

KAZ = MemberId("KAZ")
# After the end of every signing key of the world.
LATER = NOW + 500 * DAY


class Case:
    """KAZ's Provision with a Grant, accepted now as the second of three envelopes."""

    def __init__(self) -> None:
        self.world = ChangingWorld()
        self.log = AuditLog(self.world)
        self.log.accept(self.world.envelope(["UZB"], "XAA"))
        manifest = self.world.manifest()
        self.provision = self.world.signed_provision(manifest, ["KAZ"], ["MNG"])
        self.grant = self.world.grant(self.provision.provision, "KAZ", "MNG", ["UZB"], until=LATER)
        self.sealed: Sealed = self.world.envelope(
            ["MNG"], manifest=manifest, provisions=[self.provision], grants=[self.grant]
        )
        self.index = self.log.accept(self.sealed)
        self.log.accept(self.world.envelope(["KAZ"], "UZB"))

    def proved(self, origins: Origins | None, least_size: Callable[[int], int] = unbounded) -> frozenset[Origin]:
        return origins_of(origins, self.world.directory, least_size)

    def holds(self, origins: Origins | None, at: int = LATER) -> bool:
        """Whether both signatures count at `at`."""
        moment = Moment(self.world.directory, at, self.proved(origins))
        faults = [provision_fault(self.provision, moment), grant_fault(self.grant, moment)]
        assert (faults[0] is None) is (faults[1] is None)
        return faults == [None, None]


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_proof_gives_what_stood_there_and_when(case: Case) -> None:
    size = case.world.directory.size
    proof = case.log.proof(case.index, NOW + 9)
    assert case.proved(proof) == {
        Origin(logged_provision(case.provision), NOW + 9, size),
        Origin(logged_grant(case.grant), NOW + 9, size),
    }
    assert case.proved(None) == frozenset()


def test_signatures_count_after_their_key_has_ended_only_with_a_proof(case: Case) -> None:
    assert case.holds(None, NOW)
    assert not case.holds(None)
    assert case.holds(case.log.proof(case.index))


def test_the_key_has_to_be_valid_when_a_quorum_has_cosigned_and_not_only_when_the_relay_says(case: Case) -> None:
    end = NOW + 400 * DAY
    assert case.holds(case.log.proof(case.index, end))
    assert not case.holds(case.log.proof(case.index, end + 1))
    assert not case.holds(case.log.proof(case.index, NOW - 31 * DAY))


def test_a_quorum_that_was_there_early_is_not_made_late_by_those_who_join_in(case: Case) -> None:
    early = case.log.proof(case.index, NOW, ["KAZ", "MNG", "UZB"])
    late = case.log.proof(case.index, LATER, ["XAA"])
    both = _with_lines(early, late)
    assert {origin.time for origin in case.proved(both)} == {NOW}
    # XAA's key has ended when it cosigns: its line counts for nothing.
    fewer = _with_lines(case.log.proof(case.index, NOW, ["KAZ", "MNG"]), late)
    assert case.proved(fewer) == frozenset()


def _with_lines(origins: Origins, others: Origins) -> Origins:
    """The first note with the last two lines, one member's, of the other."""
    lines = others.checkpoints[0].splitlines(keepends=True)[-2:]
    return replace(origins, checkpoints=(origins.checkpoints[0] + b"".join(lines),))


@pytest.mark.parametrize("by", [[], ["KAZ", "MNG"]])
def test_fewer_than_the_quorum_prove_nothing(case: Case, by: list[str]) -> None:
    assert not case.holds(case.log.proof(case.index, by=by))
    assert case.holds(case.log.proof(case.index, by=["KAZ", "MNG", "UZB"]))


def test_a_revocation_or_removal_undoes_no_proof_from_before_its_index(case: Case) -> None:
    proof = case.log.proof(case.index)
    case.world.publish(revocation(case.world.roots["KAZ"], case.world.nodes["KAZ"].key_id, NOW, compromised_at=0))
    assert not case.holds(None, NOW)
    assert case.holds(proof, NOW)


def test_what_was_logged_under_a_revocation_proves_nothing(case: Case) -> None:
    case.world.publish(revocation(case.world.roots["KAZ"], case.world.nodes["KAZ"].key_id, NOW))
    index = case.log.accept(case.sealed, grants=[case.grant])
    assert not case.holds(case.log.proof(index), NOW)


def test_a_size_that_was_out_of_date_when_it_was_cosigned_is_not_believed(case: Case) -> None:
    """Else a thief of the key and the relay could log what they made after the revocation as decided before it."""
    before = case.world.directory.size
    case.world.publish(revocation(case.world.roots["KAZ"], case.world.nodes["KAZ"].key_id, NOW))
    index = case.log.accept(case.sealed, directory_size=before)
    proof = case.log.proof(index, NOW + 100)

    def least(time: int) -> int:
        return case.world.directory.size if time >= NOW + 60 else 1

    assert case.proved(proof, least) == frozenset()
    assert case.proved(case.log.proof(index, NOW + 59), least) != frozenset()


def test_proofs_of_several_leaves_stand_side_by_side(case: Case) -> None:
    whole = joined([case.log.proof(index) for index in range(3)])
    assert whole is not None
    assert len(whole.checkpoints) <= MAX_ORIGIN_CHECKPOINTS
    assert len(case.proved(whole)) == 4
    # One that does not hold takes nothing from the others.
    broken = replace(whole, proofs=tuple(_moved(proof) if proof.index == 0 else proof for proof in whole.proofs))
    assert len(case.proved(broken)) == 3


def _moved(proof: OriginProof) -> OriginProof:
    return replace(proof, path=(Digest(bytes(32)), *proof.path[1:]))


ALTERED: dict[str, Callable[[OriginProof], OriginProof]] = {
    "another-place": lambda proof: replace(proof, index=0),
    "a-place-outside": lambda proof: replace(proof, index=3),
    "another-path": _moved,
    "a-path-cut": lambda proof: replace(proof, path=proof.path[1:]),
    "a-path-extended": lambda proof: replace(proof, path=(*proof.path, proof.path[0])),
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_proof_that_does_not_lead_to_the_root_proves_nothing(case: Case, name: str) -> None:
    proof = case.log.proof(case.index)
    assert not case.holds(replace(proof, proofs=(ALTERED[name](proof.proofs[0]),)))


def test_a_leaf_that_is_not_in_the_log_proves_nothing(case: Case) -> None:
    proof = case.log.proof(case.index)
    forged = AuditLog(case.world)
    forged.accept(case.sealed, time=1)
    assert not case.holds(replace(proof, proofs=(replace(proof.proofs[0], leaf=forged.leaves[0]),)))


@pytest.mark.parametrize("note", [b"\x00", b"", b"no note"])
def test_what_is_no_note_proves_nothing(case: Case, note: bytes) -> None:
    proof = case.log.proof(case.index)
    assert case.proved(replace(proof, checkpoints=(note,))) == frozenset()


def test_a_checkpoint_is_verified_once_whatever_the_number_of_its_leaves(case: Case) -> None:
    seen: list[int] = []

    def counted(note: bytes, directory: Directory) -> Cosigned:
        seen.append(directory.size)
        return cosigned_audit(note, directory)

    smaller = case.log.accept(case.sealed, directory_size=7)
    proofs = [case.log.proof(index) for index in (0, case.index, smaller)]
    note = proofs[0].checkpoints
    whole = joined([replace(proof, checkpoints=note) for proof in proofs])
    assert len(origins_of(whole, case.world.directory, unbounded, counted)) == 5
    assert seen == [case.world.directory.size]


def test_a_key_that_is_in_no_directory_has_no_origin(case: Case) -> None:
    proved = case.proved(case.log.proof(case.index))
    digest, key = logged_provision(case.provision), case.world.nodes["KAZ"].key_id
    assert stood(proved, digest, case.world.directory, KAZ, key)
    assert not stood(proved, digest, case.world.directory, MemberId("MNG"), key)
    assert not stood(proved, Digest(bytes(32)), case.world.directory, KAZ, key)
    assert not stood(proved, digest, case.world.directory, KAZ, case.world.nodes["MNG"].key_id)


def test_a_checkpoint_that_every_member_of_the_largest_charter_cosigned_fits_into_a_proof() -> None:
    """The lengths of what follows each line's key hash: a time and a signature, or the relay's signature alone."""
    origin = origin_of("audit", KeyId(bytes(32)))
    lines = [NoteSignature(origin, bytes(4), bytes(size)) for size in (64, 3309)]
    for member in range(MAX_MEMBERS):
        name = f"{MEMBER_NAMES}{member:03}"
        lines += [NoteSignature(name, bytes(4), bytes(8 + size)) for size in (64, 2420)]
    note = SignedCheckpoint(Checkpoint(origin, MAX_TREE_SIZE, Digest(bytes(32))), tuple(lines)).encode()
    assert MAX_ORIGIN_NOTE - 2048 < len(note) <= MAX_ORIGIN_NOTE
