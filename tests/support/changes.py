"""What changes a test world's directory after its beginning: revocations, withdrawals, later charter versions.

    world = ChangingWorld()
    world.publish(revocation(world.roots["MNG"], world.nodes["MNG"].key_id, world.now))
    world.amend(Changes(removed=(MemberId("MNG"),)), ["KAZ", "UZB", "XAA"])

Every builder signs with whatever identity it is given, so that each step can be replaced by a hostile one.
"""

from collections.abc import Iterable, Mapping

from keys import ceremony
from keys.amendment import Changes, amend_charter
from keys.directory import Directory, extend
from keys.identity import EpochIdentity, SigningIdentity
from schemas.canon import encode
from schemas.charter import CHARTER, Charter, Member, Name, Relay, Role
from schemas.contexts import Context
from schemas.endings import REVOCATION, WITHDRAWAL, Revocation, RevocationReason, Withdrawal, WithdrawalTarget
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY
from schemas.statement import DIRECTORY_ENTRY, EPOCH_KEY, SIGNING_KEY, DirectoryEntry, EntryKind, EpochKey, SigningKey
from tests.support.entropy import derived
from tests.support.world import World


def identity(kind: str, code: str) -> SigningIdentity:
    """A key that no world has."""
    return SigningIdentity.from_entropy(MemberId(code), derived("changes", kind, code, size=96))


def posing(signer: SigningIdentity, code: str) -> SigningIdentity:
    """The same key under another member's name."""
    return SigningIdentity.from_entropy(MemberId(code), signer.entropy)


def party(code: str, role: Role = Role.MEMBER, root: SigningIdentity | None = None) -> Member:
    """A row for a charter, with a root that no world has."""
    return Member(MemberId(code), role, (Name("en", f"Test state {code}"),), (root or identity("root", code)).public)


def new_relay(name: str = "relay-2") -> Relay:
    """A relay that no world has."""
    return Relay(name, identity(name, "CICA").public, ())


def statement_entry(kind: EntryKind, context: Context, body: bytes, signer: SigningIdentity) -> DirectoryEntry:
    """Any statement with one signature."""
    return DirectoryEntry(kind, body, (signer.sign_hybrid(context, body),))


def revocation(
    signer: SigningIdentity, key: KeyId, now: int, member: str | None = None, compromised_at: int | None = None
) -> DirectoryEntry:
    """A revocation of a key, in the name of `member`, by default the signer's."""
    code = MemberId(member or signer.owner)
    body = encode(REVOCATION, Revocation(code, key, RevocationReason.COMPROMISED, compromised_at, now))
    return statement_entry(EntryKind.REVOCATION, Context.REVOCATION, body, signer)


def withdrawal(
    signer: SigningIdentity,
    target: WithdrawalTarget,
    name: bytes,
    now: int,
    member: str | None = None,
) -> DirectoryEntry:
    """A withdrawal of a Grant or Provision."""
    body = encode(WITHDRAWAL, Withdrawal(MemberId(member or signer.owner), target, name, now))
    return statement_entry(EntryKind.WITHDRAWAL, Context.WITHDRAWAL, body, signer)


def certificate(statement: SigningKey, signer: SigningIdentity) -> DirectoryEntry:
    """A statement about a signing key."""
    return statement_entry(EntryKind.SIGNING_KEY, Context.SIGNING_KEY, encode(SIGNING_KEY, statement), signer)


def term(key: SigningIdentity, start: int, end: int) -> SigningKey:
    """That a key signs for its owner from `start` to `end`."""
    return SigningKey(key.owner, key.public, start, end, start, key.cosigner)


def epoch_of(signer: SigningIdentity, number: int, start: int, created: int | None = None) -> DirectoryEntry:
    """A weekly epoch that begins at `start`, certified by this key at `created`, by default at its beginning."""
    key = EpochIdentity(derived("changes", "epoch", signer.owner, str(number), size=96))
    end = start + 7 * DAY
    statement = EpochKey(
        signer.owner, number, key.public, start, end, end + 35 * DAY, start if created is None else created
    )
    return statement_entry(EntryKind.EPOCH_KEY, Context.EPOCH_KEY, encode(EPOCH_KEY, statement), signer)


def version(draft: Charter, signers: Iterable[SigningIdentity]) -> DirectoryEntry:
    """A charter version with whatever signatures; nothing is verified."""
    body = encode(CHARTER, draft)
    signed = sorted((signer.sign_hybrid(Context.CHARTER, body) for signer in signers), key=lambda s: s.signer)
    return DirectoryEntry(EntryKind.CHARTER, body, tuple(signed))


class ChangingWorld(World):
    """A world whose directory goes on."""

    def publish(self, *entries: DirectoryEntry) -> Directory:
        """The directory with these entries."""
        self.directory = extend(self.directory, entries)
        self.entries += tuple(encode(DIRECTORY_ENTRY, entry) for entry in entries)
        self.charter = self.directory.charter
        return self.directory

    def draft(self, changes: Changes) -> Charter:
        """The next version."""
        return amend_charter(self.directory.charter, changes, self.now)

    def amend(
        self, changes: Changes, signers: Iterable[str], introduced: Mapping[str, SigningIdentity] | None = None
    ) -> Directory:
        """Publish the next version, signed by these roots and by those that are new."""
        before, draft = self.directory.charter, self.draft(changes)
        roots = [*(self.roots[code] for code in signers), *(introduced or {}).values()]
        entry = ceremony.assemble_charter(draft, [ceremony.sign_charter(root, draft) for root in roots], before)
        self.roots = {**self.roots, **(introduced or {})}
        return self.publish(entry)
