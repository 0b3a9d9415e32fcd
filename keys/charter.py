"""Who has to sign a version of the charter, and whether they did.

Version 1 is signed by the root of every Member State. Every later one names the version before by its digest and is
signed by as many Member States of that version as it asks for, not counting those whose place or root the new version
takes away: nobody decides about itself. Whoever is admitted is admitted by all of them. Yet never do fewer
than the quorum or two thirds, whichever is less, and never half or fewer: else a few could exclude the others from the
count, and a majority could set aside a quorum that it does not reach.

A root that is new as a Member State's signs too: it consents, and holds the key that it is said to have.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from keys.digests import charter_digest, key_id
from keys.errors import Untrusted
from keys.hybrid import verify_hybrid
from schemas.canon import encode
from schemas.charter import CHARTER, Charter, HybridPublic, Role
from schemas.ids import Digest, KeyId, MemberId
from schemas.statement import DirectoryEntry


@dataclass(frozen=True, slots=True)
class Vote:
    """Who signs a version.

    Attributes:
        eligible: the Member States of the version before that are asked, each with its root.
        needed: how many of them have to sign.
        introduced: Member States with a root that is new as theirs; all of them have to sign, with that root.
    """

    eligible: Mapping[MemberId, HybridPublic]
    needed: int
    introduced: Mapping[MemberId, HybridPublic]


def vote(before: Charter, charter: Charter) -> Vote:
    """Who signs the version after `before`.

    Raises Untrusted when it does not follow `before`, does not state a handover that is due, or takes place or root
    from too many at once.
    """
    if charter.version != before.version + 1:
        raise Untrusted(f"charter version {charter.version} does not follow version {before.version}")
    if charter.previous != charter_digest(encode(CHARTER, before)):
        raise Untrusted(f"charter version {charter.version} follows another version {before.version}")
    if bool(_relay_keys(charter) - _relay_keys(before)) != (charter.handover is not None):
        raise Untrusted("a charter version states where the directory ends when it names a new relay, and only then")
    old, new = _roots(before), _roots(charter)
    eligible = {code: root for code, root in old.items() if new.get(code) == root}
    introduced = {code: root for code, root in new.items() if old.get(code) != root}
    known = {member.code for member in before.members}
    admits = new.keys() - old.keys() or any(member.code not in known for member in charter.members)
    needed = len(eligible) if admits else min(before.quorums.amend, len(eligible))
    # Two thirds where the charter asks for more, so that several lost roots can be replaced at once.
    needed = max(needed, len(old) // 2 + 1, min(before.quorums.amend, -(-2 * len(old) // 3)))
    if needed > len(eligible):
        raise Untrusted(
            f"charter version {charter.version} takes place or root from so many Member States that the others, "
            f"{len(eligible)} of {len(old)}, cannot decide it: change fewer at once"
        )
    return Vote(eligible, needed, introduced)


def verify_first_charter(entry: DirectoryEntry, pinned: Digest | None) -> Charter:
    """Check version 1: the pinned digest, and a hybrid signature by the root of every Member State.

    Raises Untrusted or BadSignature. `pinned` None only shows or assembles a charter; it does not trust it.
    """
    charter = entry.statement
    if not isinstance(charter, Charter) or charter.version != 1:
        raise Untrusted("the directory does not begin with version 1 of a charter")
    if pinned is not None and charter_digest(entry.body) != pinned:
        raise Untrusted("the charter is not the one that was pinned: compare its fingerprint with the other members")
    roots = _roots(charter)
    if {signature.signer for signature in entry.signatures} != roots.keys():
        missing = ", ".join(sorted(roots.keys() - {s.signer for s in entry.signatures}))
        raise Untrusted(f"the charter is not signed by exactly its Member States; missing: {missing or 'none'}")
    for signature in entry.signatures:
        verify_hybrid(roots[signature.signer], signature, entry.context, entry.body)
    return charter


def verify_amendment(entry: DirectoryEntry, before: Charter) -> Charter:
    """Check the version after `before`, and that those who have to have signed it.

    Raises Untrusted or BadSignature. That the handover is true of a directory is `keys.directory`'s to check.
    """
    charter = entry.statement
    if not isinstance(charter, Charter):
        raise Untrusted("this is no version of a charter")
    rule = vote(before, charter)
    signers = {signature.signer for signature in entry.signatures}
    missing = rule.introduced.keys() - signers
    if missing:
        raise Untrusted(f"a new root of {', '.join(sorted(missing))} has not signed: it has to show that it is held")
    strangers = signers - rule.introduced.keys() - rule.eligible.keys()
    if strangers:
        raise Untrusted(f"{', '.join(sorted(strangers))} signed charter version {charter.version} and may not")
    votes = len(signers & rule.eligible.keys())
    if votes < rule.needed:
        raise Untrusted(f"charter version {charter.version} is signed by {votes} of the {rule.needed} that it needs")
    roots = {**rule.eligible, **rule.introduced}
    for signature in entry.signatures:
        verify_hybrid(roots[signature.signer], signature, entry.context, entry.body)
    return charter


def _roots(charter: Charter) -> dict[MemberId, HybridPublic]:
    return {member.code: member.root for member in charter.members if member.role is Role.MEMBER}


def _relay_keys(charter: Charter) -> set[KeyId]:
    return {key_id(relay.keys) for relay in charter.relays}
