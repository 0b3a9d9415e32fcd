"""Attacks on later charter versions: fake, short of the quorum, replayed, decided by those whom they are about.

Each is offered to the rules that every node and the relay apply, alone and in a batch behind an honest entry.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from keys.amendment import Changes
from keys.directory import handover_of
from keys.errors import BadSignature, KeyFault, Untrusted
from keys.identity import SigningIdentity
from schemas.charter import Charter
from schemas.ids import Digest, MemberId
from schemas.statement import DirectoryEntry, read_entry
from tests.support.changes import (
    ChangingWorld,
    identity,
    new_relay,
    party,
    posing,
    version,
)
from tests.support.versions import ALL, NEW_MNG, OTHERS, new_root, other_chair, refused, removal, roots, rows

KAZ = MemberId("KAZ")
NEWCOMER = identity("root", "ZZZ")
NODE = identity("node", "MNG")


@pytest.fixture
def world() -> ChangingWorld:
    """Four Member States; three amend the charter."""
    return ChangingWorld()


def admission(world: ChangingWorld) -> Charter:
    return world.draft(Changes(admitted=(party("ZZZ", root=NEWCOMER),)))


def takeover(world: ChangingWorld) -> tuple[Charter, list[SigningIdentity]]:
    """KAZ alone gives every other member a root that KAZ holds."""
    mine = {code: posing(identity("taken", code), code) for code in OTHERS if code != "KAZ"} | {"MNG": NEW_MNG}
    draft = replace(other_chair(world), members=rows(world.charter, **mine))
    return draft, [world.roots["KAZ"], *mine.values()]


def expulsion(world: ChangingWorld, kept: str, signers: Iterable[str]) -> DirectoryEntry:
    """Some throw everybody else out, and set quorums that they reach."""
    draft = other_chair(world)
    members = tuple(member for member in draft.members if member.code in kept.split())
    count = len(members)
    chair = replace(draft.chairmanship, member=members[0].code)
    quorums = replace(draft.quorums, amend=count, witness=count)
    return version(replace(draft, members=members, chairmanship=chair, quorums=quorums), roots(world, signers))


def claimed(world: ChangingWorld) -> DirectoryEntry:
    """Three signatures, one of which the relay copied from another draft."""
    good, other = (
        version(other_chair(world), roots(world, ("KAZ", "UZB"))),
        version(removal(world), roots(world, OTHERS)),
    )
    stolen = next(signature for signature in other.signatures if signature.signer == "XAA")
    return replace(good, signatures=(*good.signatures, stolen))


VERSIONS: dict[str, tuple[type[KeyFault], Callable[[ChangingWorld], DirectoryEntry]]] = {
    "a-charter-that-nobody-signed": (
        BadSignature,
        lambda w: version(other_chair(w), [posing(identity("thief", c), c) for c in ALL]),
    ),
    "a-charter-signed-by-the-relay": (Untrusted, lambda w: version(other_chair(w), [w.relay])),
    "a-charter-signed-by-node-keys": (
        BadSignature,
        lambda w: version(other_chair(w), [w.nodes[c] for c in ALL]),
    ),
    "one-signature-less-than-the-quorum": (Untrusted, lambda w: version(other_chair(w), roots(w, ("KAZ", "UZB")))),
    "a-quorum-that-counts-a-signature-over-another-draft": (BadSignature, claimed),
    "a-quorum-that-counts-a-stranger": (
        Untrusted,
        lambda w: version(other_chair(w), [*roots(w, ("KAZ", "UZB")), identity("root", "ZZZ")]),
    ),
    "a-version-that-was-there-before": (Untrusted, lambda w: read_entry(w.entries[0])),
    "a-version-skipped": (Untrusted, lambda w: version(replace(other_chair(w), version=3), roots(w, ALL))),
    "a-version-that-follows-another-one": (
        Untrusted,
        lambda w: version(replace(other_chair(w), previous=Digest(bytes(32))), roots(w, ALL)),
    ),
    "a-removal-that-counts-the-removed-member": (
        Untrusted,
        lambda w: version(removal(w), roots(w, ("KAZ", "UZB", "MNG"))),
    ),
    "a-removal-with-one-signature-less": (Untrusted, lambda w: version(removal(w), roots(w, ("KAZ", "UZB")))),
    "one-member-throws-out-all-others": (Untrusted, lambda w: expulsion(w, "KAZ", ("KAZ",))),
    "half-of-the-members-throw-out-the-other-half": (Untrusted, lambda w: expulsion(w, "KAZ UZB", ("KAZ", "UZB"))),
    "one-member-gives-the-others-roots-of-its-own": (Untrusted, lambda w: version(*takeover(w))),
    "a-root-replaced-by-the-root-that-it-replaces": (
        BadSignature,
        lambda w: version(new_root(w), [*roots(w, OTHERS), w.roots["MNG"]]),
    ),
    "a-root-replaced-by-itself-and-a-minority": (
        Untrusted,
        lambda w: version(new_root(w), [*roots(w, ("KAZ", "UZB")), NEW_MNG]),
    ),
    "a-root-replaced-by-one-that-nobody-holds": (Untrusted, lambda w: version(new_root(w), roots(w, OTHERS))),
    "an-admission-without-one-member": (
        Untrusted,
        lambda w: version(admission(w), [*roots(w, OTHERS), NEWCOMER]),
    ),
    "an-admission-without-the-new-members-signature": (Untrusted, lambda w: version(admission(w), roots(w, ALL))),
    "an-admission-with-a-root-that-the-new-member-does-not-hold": (
        BadSignature,
        lambda w: version(admission(w), [*roots(w, ALL), posing(identity("thief", "ZZZ"), "ZZZ")]),
    ),
    "a-new-relay-that-takes-nothing-over": (
        Untrusted,
        lambda w: version(replace(other_chair(w), relays=(new_relay(),)), roots(w, ALL)),
    ),
    "a-new-relay-that-takes-over-a-directory-cut-short": (
        Untrusted,
        lambda w: version(
            w.draft(Changes(relays=(new_relay(),), handover=replace(handover_of(w.directory), size=5))), roots(w, ALL)
        ),
    ),
}


@pytest.mark.parametrize("attack", VERSIONS)
def test_a_charter_version_that_was_not_decided(world: ChangingWorld, attack: str) -> None:
    fault, forge = VERSIONS[attack]
    refused(world, fault, forge(world))


HONEST: dict[str, Callable[[ChangingWorld], DirectoryEntry]] = {
    "another-chair": lambda w: version(other_chair(w), roots(w, ("KAZ", "MNG", "XAA"))),
    "a-removal": lambda w: version(removal(w), roots(w, OTHERS)),
    "a-new-root": lambda w: version(new_root(w), [*roots(w, OTHERS), NEW_MNG]),
    "an-admission": lambda w: version(admission(w), [*roots(w, ALL), NEWCOMER]),
    "a-new-relay": lambda w: version(
        w.draft(Changes(relays=(new_relay(),), handover=handover_of(w.directory))), roots(w, OTHERS)
    ),
}


@pytest.mark.parametrize("change", HONEST)
def test_a_charter_version_that_was_decided_is_accepted(world: ChangingWorld, change: str) -> None:
    """The control."""
    entry = HONEST[change](world)
    world.publish(entry)
    assert world.directory.charter.version == 2


def test_a_version_is_not_replayed(world: ChangingWorld) -> None:
    """Back to the version before, by signatures that were good once."""
    first = version(other_chair(world), roots(world, OTHERS))
    world.publish(first)
    back = world.draft(Changes(chairmanship=replace(world.charter.chairmanship, member=KAZ)))
    world.publish(version(back, roots(world, OTHERS)))
    refused(world, Untrusted, first)
