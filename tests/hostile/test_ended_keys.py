"""Attacks with keys that a revocation, a removal or a new root ended, and by those who would end another's."""

from collections.abc import Callable
from dataclasses import replace

import pytest

import keys.directory
from keys.amendment import Changes
from keys.directory import Directory, extend
from keys.errors import BadSignature, DirectoryFull, KeyFault, Untrusted
from keys.identity import SigningIdentity
from schemas.canon import encode
from schemas.charter import CHARTER, Charter
from schemas.contexts import Context
from schemas.endings import WithdrawalTarget
from schemas.ids import MemberId
from schemas.limits import DAY, MAX_EPOCH
from schemas.statement import DirectoryEntry
from tests.support.changes import (
    ChangingWorld,
    certificate,
    epoch_of,
    identity,
    posing,
    revocation,
    term,
    version,
    withdrawal,
)
from tests.support.versions import MNG, NEW_MNG, OTHERS, new_root, other_chair, refused, roots, rows
from tests.support.world import NOW

KAZ = MemberId("KAZ")
STOLEN = identity("stolen node", "MNG")
NEWCOMER = identity("root", "ZZZ")
NODE = identity("node", "MNG")


@pytest.fixture
def world() -> ChangingWorld:
    """Four Member States; three amend the charter."""
    return ChangingWorld()


def removed(world: ChangingWorld) -> Directory:
    return world.amend(Changes(removed=(MNG,)), OTHERS)


def revoked(world: ChangingWorld) -> Directory:
    return world.publish(revocation(world.roots["MNG"], world.nodes["MNG"].key_id, NOW))


def replaced(world: ChangingWorld) -> Directory:
    return world.publish(version(new_root(world), [*roots(world, OTHERS), NEW_MNG]))


def old_root(world: ChangingWorld) -> SigningIdentity:
    return ChangingWorld().roots["MNG"]


ENDED: dict[
    str, tuple[type[KeyFault], Callable[[ChangingWorld], Directory], Callable[[ChangingWorld], DirectoryEntry]]
] = {
    "a-revoked-key-certifies-an-epoch": (Untrusted, revoked, lambda w: epoch_of(w.nodes["MNG"], 9, NOW)),
    "a-revoked-key-certifies-an-epoch-dated-back": (
        Untrusted,
        revoked,
        lambda w: epoch_of(w.nodes["MNG"], 9, NOW, created=NOW - 20 * DAY),
    ),
    "a-revoked-key-withdraws": (
        Untrusted,
        revoked,
        lambda w: withdrawal(w.nodes["MNG"], WithdrawalTarget.GRANT, bytes(16), NOW),
    ),
    "a-revoked-key-is-certified-again": (
        Untrusted,
        revoked,
        lambda w: certificate(term(w.nodes["MNG"], NOW, NOW + DAY), w.roots["MNG"]),
    ),
    "a-key-is-revoked-twice": (
        Untrusted,
        revoked,
        lambda w: revocation(w.roots["MNG"], w.nodes["MNG"].key_id, NOW + 1),
    ),
    "a-removed-members-node-certifies-an-epoch": (Untrusted, removed, lambda w: epoch_of(w.nodes["MNG"], 9, NOW)),
    "a-removed-members-root-certifies-a-key": (
        Untrusted,
        removed,
        lambda w: certificate(term(NODE, NOW, NOW + DAY), w.roots["MNG"]),
    ),
    "a-removed-member-signs-a-charter": (
        Untrusted,
        removed,
        lambda w: version(other_chair(w), roots(w, ("KAZ", "MNG"))),
    ),
    "a-removed-member-is-counted-for-a-quorum": (
        Untrusted,
        removed,
        lambda w: version(other_chair(w), roots(w, ("KAZ", "UZB", "MNG"))),
    ),
    "a-replaced-root-certifies-a-key": (
        BadSignature,
        replaced,
        lambda w: certificate(term(NODE, NOW, NOW + DAY), old_root(w)),
    ),
    "a-replaced-root-revokes-a-key": (
        BadSignature,
        replaced,
        lambda w: revocation(old_root(w), w.nodes["MNG"].key_id, NOW),
    ),
    "a-replaced-root-signs-a-charter": (
        BadSignature,
        replaced,
        lambda w: version(other_chair(w), [*roots(w, ("KAZ", "UZB")), old_root(w)]),
    ),
    "a-replaced-root-puts-itself-back": (
        Untrusted,
        replaced,
        lambda w: version(
            replace(other_chair(w), members=rows(w.charter, MNG=old_root(w))),
            [*roots(w, ("KAZ", "UZB")), old_root(w)],
        ),
    ),
}


@pytest.mark.parametrize("attack", ENDED)
def test_a_key_that_was_ended_ends_for_everything_that_follows(world: ChangingWorld, attack: str) -> None:
    fault, end, forge = ENDED[attack]
    end(world)
    refused(world, fault, forge(world))


def test_a_thief_who_uses_up_the_numbers_of_epochs(world: ChangingWorld) -> None:
    """It costs the member the stolen key only: the next one begins its own numbers, and is what others seal to."""
    stolen = world.nodes["MNG"]
    world.publish(epoch_of(stolen, MAX_EPOCH, NOW))
    refused(world, Untrusted, epoch_of(stolen, 9, NOW))
    revoked(world)
    world.publish(certificate(term(NODE, NOW, NOW + 30 * DAY), world.roots["MNG"]))
    size = world.directory.size
    world.publish(epoch_of(NODE, 9, NOW), epoch_of(NODE, 10, NOW + 7 * DAY))
    assert (world.directory.epoch_at(MNG, NOW).number, world.directory.epoch_at(MNG, NOW).index) == (9, size)
    refused(world, Untrusted, epoch_of(NODE, 10, NOW + 14 * DAY))
    refused(world, Untrusted, epoch_of(stolen, MAX_EPOCH, NOW))


def test_a_thief_who_uses_up_the_numbers_does_not_outlive_them_beside_the_next_key(world: ChangingWorld) -> None:
    """Both keys count until the old one is revoked: then nobody seals to what it certified, however it is numbered."""
    stolen = world.nodes["MNG"]
    world.publish(certificate(term(NODE, NOW, NOW + DAY), world.roots["MNG"]), epoch_of(NODE, 9, NOW))
    world.publish(epoch_of(stolen, MAX_EPOCH, NOW))
    assert world.directory.epoch_at(MNG, NOW).number == MAX_EPOCH
    assert revoked(world).epoch_at(MNG, NOW).number == 9


def test_a_thief_who_uses_up_what_a_key_may_certify(world: ChangingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the member the stolen key only: the root revokes it, and the next one certifies as many anew."""
    stolen, known = world.nodes["MNG"], len(world.directory.epochs[MNG])
    monkeypatch.setattr(keys.directory, "MAX_KEY_ENTRIES", known + 4)
    flood = [
        *(epoch_of(stolen, 9 + n, NOW) for n in range(2)),
        *(withdrawal(stolen, WithdrawalTarget.GRANT, bytes([n]) * 16, NOW) for n in range(2)),
    ]
    world.publish(*flood)
    for more in (epoch_of(stolen, 11, NOW), withdrawal(stolen, WithdrawalTarget.PROVISION, b"m" * 16, NOW)):
        refused(world, DirectoryFull, more)
    world.publish(certificate(term(NODE, NOW, NOW + 30 * DAY), world.roots["MNG"]))
    refused(world, DirectoryFull, epoch_of(stolen, 11, NOW))
    world.publish(epoch_of(NODE, 20, NOW))
    directory = revoked(world)
    assert directory.epoch_at(MNG, NOW).certifier == NODE.key_id
    directory = world.publish(*(epoch_of(NODE, 21 + n, NOW) for n in range(known + 3)))
    assert directory.epoch_at(MNG, NOW).number == 23 + known
    refused(world, DirectoryFull, epoch_of(NODE, 98, NOW))
    refused(world, Untrusted, epoch_of(stolen, 99, NOW))


STRANGERS: dict[str, tuple[type[KeyFault], Callable[[ChangingWorld], DirectoryEntry]]] = {
    "a-withdrawal-in-anothers-name": (
        BadSignature,
        lambda w: withdrawal(w.nodes["XAA"], WithdrawalTarget.PROVISION, bytes(16), NOW, member="MNG"),
    ),
    "a-withdrawal-in-anothers-name-and-under-its-code": (
        Untrusted,
        lambda w: withdrawal(posing(w.nodes["XAA"], "MNG"), WithdrawalTarget.PROVISION, bytes(16), NOW),
    ),
    "a-withdrawal-by-a-root": (
        Untrusted,
        lambda w: withdrawal(w.roots["MNG"], WithdrawalTarget.PROVISION, bytes(16), NOW),
    ),
    "a-withdrawal-of-a-state-in-no-charter": (
        Untrusted,
        lambda w: withdrawal(identity("node", "ZZZ"), WithdrawalTarget.PROVISION, bytes(16), NOW),
    ),
    "a-withdrawal-dated-after-the-key": (
        Untrusted,
        lambda w: withdrawal(w.nodes["MNG"], WithdrawalTarget.PROVISION, bytes(16), NOW + 401 * DAY),
    ),
    "a-revocation-of-anothers-key": (
        BadSignature,
        lambda w: revocation(w.roots["KAZ"], w.nodes["MNG"].key_id, NOW, member="MNG"),
    ),
    "a-revocation-of-anothers-key-under-its-code": (
        BadSignature,
        lambda w: revocation(posing(w.roots["KAZ"], "MNG"), w.nodes["MNG"].key_id, NOW),
    ),
    "a-revocation-by-the-key-itself": (
        BadSignature,
        lambda w: revocation(w.nodes["MNG"], w.nodes["MNG"].key_id, NOW),
    ),
    "a-revocation-by-the-relay": (
        BadSignature,
        lambda w: revocation(posing(w.relay, "MNG"), w.nodes["MNG"].key_id, NOW),
    ),
}


@pytest.mark.parametrize("attack", STRANGERS)
def test_a_stranger_ends_nothing_of_another(world: ChangingWorld, attack: str) -> None:
    fault, forge = STRANGERS[attack]
    refused(world, fault, forge(world))


def test_a_revocation_of_anothers_key_in_the_own_name_takes_nothing_from_it(world: ChangingWorld) -> None:
    key = world.nodes["MNG"].key_id
    world.publish(revocation(world.roots["KAZ"], key, NOW))
    assert world.directory.signing_key(MNG, key, NOW).key_id == key


@pytest.mark.parametrize("half", ["ed25519", "mldsa65"])
@pytest.mark.parametrize("kind", ["charter", "revocation", "withdrawal"])
def test_half_a_signature_is_none(world: ChangingWorld, kind: str, half: str) -> None:
    entry = {
        "charter": lambda: version(other_chair(world), roots(world, OTHERS)),
        "revocation": lambda: revocation(world.roots["MNG"], world.nodes["MNG"].key_id, NOW),
        "withdrawal": lambda: withdrawal(world.nodes["MNG"], WithdrawalTarget.GRANT, bytes(16), NOW),
    }[kind]()
    first = entry.signatures[0]
    broken = replace(first, **{half: bytes(len(getattr(first, half)))})  # type: ignore[arg-type]  # one of two halves
    refused(world, BadSignature, replace(entry, signatures=(broken, *entry.signatures[1:])))


@pytest.mark.parametrize("kind", ["charter", "revocation", "withdrawal"])
def test_a_signature_made_for_another_purpose_is_none(world: ChangingWorld, kind: str) -> None:
    entry = {
        "charter": lambda: version(other_chair(world), roots(world, OTHERS)),
        "revocation": lambda: revocation(world.roots["MNG"], world.nodes["MNG"].key_id, NOW),
        "withdrawal": lambda: withdrawal(world.nodes["MNG"], WithdrawalTarget.GRANT, bytes(16), NOW),
    }[kind]()
    signers = {"charter": world.roots["KAZ"], "revocation": world.roots["MNG"], "withdrawal": world.nodes["MNG"]}
    other = signers[kind].sign_hybrid(Context.EPOCH_KEY, entry.body)
    refused(world, BadSignature, replace(entry, signatures=(other, *entry.signatures[1:])))


def test_signatures_hold_for_the_exact_draft_only(world: ChangingWorld) -> None:
    """The relay changes one field of a version that was signed."""
    entry = version(other_chair(world), roots(world, OTHERS))
    assert isinstance(entry.statement, Charter)
    altered = replace(entry.statement, created=NOW + 1)
    refused(world, BadSignature, replace(entry, body=encode(CHARTER, altered)))


def test_a_thief_of_the_old_root_certifies_the_new_one_so_that_it_is_never_replaced(world: ChangingWorld) -> None:
    """The draft with the new root's public half travels among all members before it is signed."""
    draft = new_root(world)
    stolen = term(STOLEN, NOW - DAY, NOW + DAY)
    world.publish(certificate(replace(stolen, keys=NEW_MNG.public), world.roots["MNG"]))
    directory = world.publish(version(draft, [*roots(world, OTHERS), NEW_MNG]))
    assert directory.member(MNG).root == NEW_MNG.public
    with pytest.raises(Untrusted, match="ended"):
        directory.signing_key(MNG, NEW_MNG.key_id, NOW)
    with pytest.raises(KeyFault):
        extend(directory, [certificate(term(STOLEN, NOW - DAY, NOW + DAY), old_root(world))])
