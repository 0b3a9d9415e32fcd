"""Acknowledgements whose keys have ended: what stood in the log before counts, and nothing else does."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from keys.answered import logged_answer, verify_logged_acknowledgement
from keys.digests import sha256
from keys.errors import BadSignature, Untrusted
from keys.origin import Origin, unbounded
from schemas.audit import AuditKind
from schemas.canon import encode
from schemas.evidence import LoggedEntry
from schemas.ids import MemberId
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT
from tests.support.answered import logged_answer_of
from tests.support.changes import ChangingWorld, revocation

MNG = MemberId("MNG")


class Case:
    """MNG's acknowledgement, the second of three entries; then its key is revoked."""

    def __init__(self) -> None:
        self.world = ChangingWorld()
        self.size = self.world.directory.size
        self.sealed = self.world.envelope(["MNG"])
        self.ack = self.world.acknowledgement(self.sealed, "MNG", time=self.world.now)
        self.raw = encode(SIGNED_ACKNOWLEDGEMENT, self.ack)

    def revoke(self) -> None:
        self.world.publish(revocation(self.world.roots["MNG"], self.world.nodes["MNG"].key_id, self.world.now))

    def logged(self, by: list[str] | None = None, **fields: Any) -> LoggedEntry:  # noqa: ANN401  # as of AuditEntry
        """Its entry, with other fields or fewer cosigners."""
        return logged_answer_of(self.world, self.ack, self.size, by=by, **fields)

    def holds(self, logged: LoggedEntry, least: Callable[[int], int] = unbounded) -> bool:
        directory = self.world.directory
        origins = logged_answer(logged, directory, least)
        try:
            verify_logged_acknowledgement(self.ack, directory, self.world.now, origins)
        except Untrusted:
            return False
        return True


@pytest.fixture
def case() -> Case:
    return Case()


def test_an_answer_of_before_the_revocation_counts_after_it(case: Case) -> None:
    logged = case.logged()
    case.revoke()
    assert logged_answer(logged, case.world.directory, unbounded) == {
        Origin(sha256(case.raw), case.world.now, case.size)
    }
    assert case.holds(logged)


def test_without_a_proof_only_a_key_in_force_counts(case: Case) -> None:
    verify_logged_acknowledgement(case.ack, case.world.directory, case.world.now, frozenset())
    case.revoke()
    with pytest.raises(Untrusted):
        verify_logged_acknowledgement(case.ack, case.world.directory, case.world.now, frozenset())


@pytest.mark.parametrize(
    "fields",
    [
        {"evidence": sha256(b"another")},
        {"kind": AuditKind.PUSHED},
        {"directory_size": None},
        {"evidence": None},
    ],
    ids=["another", "another-kind", "no-size", "no-digest"],
)
def test_an_entry_that_states_something_else_proves_nothing(case: Case, fields: dict[str, Any]) -> None:
    logged = case.logged(**fields)
    case.revoke()
    assert not case.holds(logged)


def test_an_entry_of_after_the_revocation_proves_nothing(case: Case) -> None:
    case.revoke()
    assert not case.holds(case.logged(directory_size=case.world.directory.size))


def test_an_entry_that_was_dated_back_proves_nothing(case: Case) -> None:
    case.revoke()
    assert not case.holds(case.logged(), least=lambda _: case.world.directory.size)


def test_a_checkpoint_without_a_quorum_proves_nothing(case: Case) -> None:
    logged = case.logged(by=["KAZ", "MNG"])
    case.revoke()
    assert not case.holds(logged)


def test_a_path_that_leads_elsewhere_proves_nothing(case: Case) -> None:
    logged = case.logged()
    case.revoke()
    for other in (replace(logged, index=0), replace(logged, path=logged.path[:-1]), replace(logged, leaf=b"\x80")):
        assert not case.holds(other)


def test_a_proof_does_not_replace_the_signature(case: Case) -> None:
    case.ack = replace(case.ack, signature=bytes(64))
    case.raw = encode(SIGNED_ACKNOWLEDGEMENT, case.ack)
    logged = case.logged()
    case.revoke()
    origins = logged_answer(logged, case.world.directory, unbounded)
    with pytest.raises(BadSignature):
        verify_logged_acknowledgement(case.ack, case.world.directory, case.world.now, origins)
