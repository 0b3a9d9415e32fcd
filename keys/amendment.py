"""Drafts of later charter versions, as functions of the ceremonies: what is to change, and what a draft changes.

Admission, removal, a new root, other quorums, a new Chairmanship, other relays: each is one field of `Changes`. Signing
and assembling are those of `keys.ceremony`, for every version alike; the rules are those of `keys.charter`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from keys.charter import vote
from keys.digests import charter_digest, fingerprint, key_id
from keys.errors import Untrusted
from schemas.canon import encode
from schemas.charter import (
    CHARTER,
    Chairmanship,
    Charter,
    Handover,
    Member,
    Quorums,
    Relay,
    Role,
    default_witness_quorum,
)
from schemas.files import RootPublic
from schemas.ids import MemberId


@dataclass(frozen=True, slots=True)
class Changes:
    """What the next version changes; what is left out stays.

    Attributes:
        admitted: rows of new members.
        removed: codes of members that leave.
        roots: new roots of members that stay.
        relays: all relays from then on.
        amend, witness: quorums. Left out, a quorum of all stays one of all, and a default one the default; any other
            stays the number that it is, as far as the new number of Member States allows it.
        handover: where the directory ends, when a relay is new (`keys.directory.handover_of`).
    """

    admitted: tuple[Member, ...] = ()
    removed: tuple[MemberId, ...] = ()
    roots: tuple[RootPublic, ...] = ()
    chairmanship: Chairmanship | None = None
    relays: tuple[Relay, ...] | None = None
    editions: tuple[str, ...] | None = None
    amend: int | None = None
    witness: int | None = None
    handover: Handover | None = None


def amend_charter(before: Charter, changes: Changes, now: int) -> Charter:
    """The draft of the version after `before`.

    Raises Untrusted for a change that has no object, that changes nothing, or that nobody could decide, DecodeError for
    what the format refuses: a member twice, a quorum that no vote or a minority reaches, a chair that leaves.
    """
    members = _members(before, changes)
    votes = sum(member.role is Role.MEMBER for member in members)
    relays, editions = changes.relays, changes.editions
    charter = Charter(
        version=before.version + 1,
        previous=charter_digest(encode(CHARTER, before)),
        members=members,
        chairmanship=changes.chairmanship or before.chairmanship,
        relays=before.relays if relays is None else tuple(sorted(relays, key=lambda relay: relay.name)),
        editions=before.editions if editions is None else tuple(sorted(set(editions))),
        quorums=_quorums(before, changes, votes),
        created=now,
        handover=changes.handover,
    )
    encode(CHARTER, charter)
    if not draft_changes(before, charter):
        raise Untrusted(f"the draft changes nothing of version {before.version}: say what is to change")
    vote(before, charter)
    return charter


def draft_changes(before: Charter, draft: Charter) -> tuple[str, ...]:
    """What a draft changes, one line each, with the fingerprints to compare by voice."""
    return (*_member_lines(before, draft), *_relay_lines(before, draft), *_other_lines(before, draft))


def _members(before: Charter, changes: Changes) -> tuple[Member, ...]:
    rows = {member.code: member for member in before.members}
    for code in changes.removed:
        if rows.pop(code, None) is None:
            raise Untrusted(f"{code} is no member that could be removed: check the code")
    for new in changes.roots:
        row = rows.get(new.member)
        if row is None or row.root == new.keys:
            raise Untrusted(f"{new.member} is no member that stays, or this is its root already: give the new root")
        rows[new.member] = Member(row.code, row.role, row.names, new.keys)
    for member in changes.admitted:
        if member.code in rows:
            raise Untrusted(f"{member.code} is a member already: it cannot be admitted again")
        rows[member.code] = member
    return tuple(rows[code] for code in sorted(rows))


def _quorums(before: Charter, changes: Changes, votes: int) -> Quorums:
    old, was = before.quorums, len(before.voters())
    amend = votes if old.amend == was else old.amend
    witness = default_witness_quorum(votes) if old.witness == default_witness_quorum(was) else old.witness
    least = votes // 2 + 1
    return Quorums(
        min(max(amend, least), votes) if changes.amend is None else changes.amend,
        min(max(witness, least), votes) if changes.witness is None else changes.witness,
    )


def _member_lines(before: Charter, draft: Charter) -> Iterator[str]:
    old = {member.code: member for member in before.members}
    new = {member.code: member for member in draft.members}
    for code in sorted(old.keys() - new.keys()):
        yield f"removes {code}"
    for code, member in new.items():
        role, root = member.role.name.lower(), fingerprint(key_id(member.root))
        known = old.get(code)
        if known is None:
            yield f"admits {code} as {role}, root {root}"
            continue
        if known.role is not member.role:
            yield f"makes {code} {role} instead of {known.role.name.lower()}"
        if known.root != member.root:
            yield f"replaces the root of {code} by {root}"
        if known.names != member.names:
            yield f"names {code} otherwise"


def _relay_lines(before: Charter, draft: Charter) -> Iterator[str]:
    old = {relay.name: relay for relay in before.relays}
    new = {relay.name: relay for relay in draft.relays}
    for name in sorted(old.keys() - new.keys()):
        yield f"names relay {name} no more"
    for name, relay in new.items():
        known = old.get(name)
        if known is None or known.keys != relay.keys:
            yield f"names relay {name} with key {fingerprint(key_id(relay.keys))}"
        elif known.tls_digests != relay.tls_digests:
            yield f"names other certificates of relay {name}"
    if draft.handover is not None:
        root = fingerprint(draft.handover.root_hash)
        yield f"ends the directory at {draft.handover.size} entries with root hash {root}"


def _other_lines(before: Charter, draft: Charter) -> Iterator[str]:
    if before.chairmanship != draft.chairmanship:
        yield f"gives the Chairmanship to {draft.chairmanship.member}, or changes its term"
    if before.editions != draft.editions:
        yield f"puts in force: {', '.join(draft.editions)}"
    for name in ("amend", "witness"):
        was, is_now = getattr(before.quorums, name), getattr(draft.quorums, name)
        if was != is_now:
            yield f"changes the quorum to {name} from {was} to {is_now}"
