"""Revocations and withdrawals: what they may say, and that a directory carries them under one signature."""

from collections.abc import Mapping

import pytest

from schemas.canon import decode, encode
from schemas.endings import REVOCATION, WITHDRAWAL, Revocation, RevocationReason, Withdrawal, WithdrawalTarget
from schemas.errors import Reason
from schemas.ids import KeyId, MemberId
from schemas.limits import MAX_SMALL_OBJECT
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry, EntryKind, read_entry
from tests.support.changes import revocation, withdrawal
from tests.support.wire import ABSENT, changed, fields, refusal, refused
from tests.support.world import NOW, World

KAZ = MemberId("KAZ")
REVOKED = encode(REVOCATION, Revocation(KAZ, KeyId(bytes(32)), RevocationReason.COMPROMISED, NOW - 5, NOW))
WITHDRAWN = encode(WITHDRAWAL, Withdrawal(KAZ, WithdrawalTarget.GRANT, bytes(16), NOW))


def test_they_are_read_as_they_were_written() -> None:
    assert encode(REVOCATION, decode(REVOCATION, REVOKED, MAX_SMALL_OBJECT)) == REVOKED
    assert encode(WITHDRAWAL, decode(WITHDRAWAL, WITHDRAWN, MAX_SMALL_OBJECT)) == WITHDRAWN


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({1: "kaz"}, Reason.OUT_OF_RANGE),
        ({2: bytes(31)}, Reason.OUT_OF_RANGE),
        ({3: 0}, Reason.OUT_OF_RANGE),
        ({3: 5}, Reason.OUT_OF_RANGE),
        ({4: None}, Reason.WRONG_TYPE),
        ({4: NOW + 1}, Reason.CONTRADICTION),
        ({5: ABSENT}, Reason.MISSING_FIELD),
        ({6: 1}, Reason.UNKNOWN_FIELD),
    ],
)
def test_a_revocation_outside_the_protocol_is_refused(changes: Mapping[int, object], reason: Reason) -> None:
    assert refused(REVOCATION, changed(REVOKED, changes)) is reason


@pytest.mark.parametrize(("value", "read"), [(ABSENT, None), (NOW, NOW), (0, 0)])
def test_when_a_key_was_compromised_may_be_long_ago_or_unknown(value: object, read: int | None) -> None:
    assert decode(REVOCATION, changed(REVOKED, {4: value}), MAX_SMALL_OBJECT).compromised_at == read


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({2: 0}, Reason.OUT_OF_RANGE),
        ({2: 3}, Reason.OUT_OF_RANGE),
        ({3: bytes(15)}, Reason.OUT_OF_RANGE),
        ({3: bytes(32)}, Reason.OUT_OF_RANGE),
        ({4: ABSENT}, Reason.MISSING_FIELD),
        ({5: 1}, Reason.UNKNOWN_FIELD),
    ],
)
def test_a_withdrawal_outside_the_protocol_is_refused(changes: Mapping[int, object], reason: Reason) -> None:
    assert refused(WITHDRAWAL, changed(WITHDRAWN, changes)) is reason


def entries(world: World) -> dict[EntryKind, DirectoryEntry]:
    return {
        EntryKind.REVOCATION: revocation(world.roots["KAZ"], world.nodes["KAZ"].key_id, NOW),
        EntryKind.WITHDRAWAL: withdrawal(world.nodes["KAZ"], WithdrawalTarget.PROVISION, bytes(16), NOW),
    }


@pytest.mark.parametrize("kind", [EntryKind.REVOCATION, EntryKind.WITHDRAWAL])
def test_they_are_entries_with_one_signature(world: World, kind: EntryKind) -> None:
    data = encode(DIRECTORY_ENTRY, entries(world)[kind])
    assert read_entry(data).kind is kind
    (signature,) = fields(data)[3]
    assert refusal(read_entry, changed(data, {3: [signature, signature | {1: "ZZZ"}]})) is Reason.CONTRADICTION
    for other in set(EntryKind) - {kind}:
        assert refusal(read_entry, changed(data, {1: other.value})) in {
            Reason.WRONG_TYPE,
            Reason.MISSING_FIELD,
            Reason.UNKNOWN_FIELD,
            Reason.OUT_OF_RANGE,
        }
