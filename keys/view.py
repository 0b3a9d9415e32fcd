"""The verified view of the directory as a value; `keys.directory` makes it, and nothing else does.

It holds charters, keys, epochs, and what was revoked and withdrawn, each with its index. What an entry says counts
from its index on: a view of `size` entries knows those below. `as_of` gives the view that somebody had earlier. A key
is in force in a view when it was not revoked there and its member has been one ever since.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from keys.cosign import CosignerKeys
from keys.digests import key_id
from keys.errors import Untrusted
from keys.merkle import Frontier
from schemas.charter import Chairmanship, Charter, HybridPublic, Member, Relay, Role
from schemas.endings import RevocationReason
from schemas.ids import Digest, KeyId, MemberId
from schemas.statement import KemPublic

K = TypeVar("K")
V = TypeVar("V", bound="_Placed")


class _Placed:
    """A record that knows its index."""

    __slots__ = ()
    index: int


@dataclass(frozen=True, slots=True)
class CharterRecord(_Placed):
    """One version of the charter; `codes` are those of all its members, `roots` their root keys' ids with the codes."""

    charter: Charter
    digest: Digest
    index: int
    codes: frozenset[MemberId] = field(init=False, compare=False, repr=False)
    roots: frozenset[tuple[MemberId, KeyId]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Read them off once."""
        members = self.charter.members
        object.__setattr__(self, "codes", frozenset(member.code for member in members))
        object.__setattr__(self, "roots", frozenset((member.code, key_id(member.root)) for member in members))


@dataclass(frozen=True, slots=True)
class SigningRecord(_Placed):
    """A certified signing key of a member's node, with its ML-DSA-44 half for cosignatures; times are Unix seconds.

    `cosigning` are the keys under which the node cosigns.
    """

    member: MemberId
    key_id: KeyId
    keys: HybridPublic
    cosigner: bytes
    valid_from: int
    valid_until: int
    index: int
    cosigning: CosignerKeys = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Hash them once: every checkpoint is compared with those of every key."""
        keys = CosignerKeys.of(self.member, self.keys.ed25519, self.cosigner)
        object.__setattr__(self, "cosigning", keys)


@dataclass(frozen=True, slots=True)
class EpochRecord(_Placed):
    """A certified encryption epoch of a member's node; `certifier` is the signing key; times are Unix seconds."""

    member: MemberId
    key_id: KeyId
    keys: KemPublic
    number: int
    valid_from: int
    valid_until: int
    destroy_at: int
    index: int
    certifier: KeyId


@dataclass(frozen=True, slots=True)
class RevocationRecord(_Placed):
    """That a member's root ended a signing key. `compromised_at` and `created` (Unix seconds) are information only."""

    member: MemberId
    key_id: KeyId
    reason: RevocationReason
    compromised_at: int | None
    created: int
    index: int


@dataclass(frozen=True, slots=True)
class WithdrawalRecord(_Placed):
    """That a provider withdrew the Grant or Provision with this `id`; `certifier` is the signing key that said so."""

    member: MemberId
    id: bytes
    index: int
    certifier: KeyId


@dataclass(frozen=True, slots=True)
class Directory:
    """An immutable verified view. Lookups raise Untrusted.

    Attributes:
        charters: every version, the first one first; `charter` is the one in force.
        signing, revoked: by member and key id. A key may be revoked that was never published.
        epochs: of each member, in the order of the log; numbers ascend among those that one signing key certified.
        withdrawn: by provider and id of each Grant or Provision that it withdrew.
        obeyed: keys whose revocation reached this party on another way than by the log.
        tree: what the log's Merkle tree grows from; None in a view of the past, which does not grow.
        members, relays: those of the charter in force.
    """

    size: int
    charters: tuple[CharterRecord, ...]
    signing: Mapping[tuple[MemberId, KeyId], SigningRecord]
    epochs: Mapping[MemberId, tuple[EpochRecord, ...]]
    revoked: Mapping[tuple[MemberId, KeyId], RevocationRecord]
    withdrawn: Mapping[tuple[MemberId, bytes], WithdrawalRecord]
    obeyed: frozenset[tuple[MemberId, KeyId]] = frozenset()
    tree: Frontier | None = field(default=None, compare=False, repr=False)
    members: Mapping[MemberId, Member] = field(init=False, compare=False, repr=False)
    relays: Mapping[KeyId, Relay] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Index the charter in force."""
        charter = self.charter
        object.__setattr__(self, "members", MappingProxyType({member.code: member for member in charter.members}))
        object.__setattr__(self, "relays", MappingProxyType({key_id(relay.keys): relay for relay in charter.relays}))

    @property
    def charter(self) -> Charter:
        """The version in force."""
        return self.charters[-1].charter

    @property
    def charter_digest(self) -> Digest:
        """Its digest."""
        return self.charters[-1].digest

    @property
    def chairs(self) -> tuple[Chairmanship, ...]:
        """The Chairmanship of every version, the oldest version first."""
        return tuple(record.charter.chairmanship for record in self.charters)

    def as_of(self, size: int) -> "Directory":
        """The view that was there at a size, which copies all that is kept: who asks often keeps the answer.

        What is obeyed without being in the log is obeyed in it too.
        """
        if size == self.size:
            return self
        if not 1 <= size < self.size:
            raise Untrusted(f"the directory was never seen at a size of {size}: update it")
        kept = {member: tuple(_below(records, size)) for member, records in self.epochs.items()}
        return replace(
            self,
            size=size,
            charters=tuple(_below(self.charters, size)),
            signing=_mapping_below(self.signing, size),
            epochs=MappingProxyType({member: records for member, records in kept.items() if records}),
            revoked=_mapping_below(self.revoked, size),
            withdrawn=_mapping_below(self.withdrawn, size),
            tree=None,
        )

    def member(self, code: MemberId) -> Member:
        """The row of a member in the charter in force."""
        member = self.members.get(code)
        if member is None:
            raise Untrusted(f"{code} is not in the charter: check the code, or update the directory")
        return member

    def may_send(self, code: MemberId) -> bool:
        """Member States and the Secretariat send; an observer state only receives."""
        member = self.members.get(code)
        return member is not None and member.role is not Role.OBSERVER

    def voters_since(self, version: int) -> frozenset[MemberId]:
        """The Member States of a charter version that have been Member States ever since; nobody of an unknown one."""
        voters = [frozenset(record.charter.voters()) for record in self.charters[version - 1 :]]
        return frozenset.intersection(*voters) if voters else frozenset()

    def knows(self, member: MemberId, key: KeyId) -> bool:
        """Whether this signing key of this member is in the directory, in force or not."""
        return (member, key) in self.signing

    def in_force(self, record: SigningRecord | EpochRecord, size: int | None = None) -> bool:
        """Whether neither a revocation nor the member's removal ended the key below `size`, whatever its term.

        A key that becomes its member's root is a node's no more. An epoch ends with the signing key that certified it.
        `size` is by default this view's.
        """
        name = (record.member, record.key_id if isinstance(record, SigningRecord) else record.certifier)
        ending = self.ending(record)
        return name not in self.obeyed and (ending is None or ending >= (self.size if size is None else size))

    def ending(self, record: SigningRecord | EpochRecord) -> int | None:
        """The index of the first entry that ended it, whatever its term; None: none has."""
        name = (record.member, record.key_id if isinstance(record, SigningRecord) else record.certifier)
        later = (version for version in self.charters if record.index < version.index)
        ends = [v.index for v in later if record.member not in v.codes or name in v.roots][:1]
        revocation = self.revoked.get(name)
        return min(ends if revocation is None else (*ends, revocation.index), default=None)

    def signing_key(self, member: MemberId, key: KeyId, at: int, size: int | None = None) -> SigningRecord:
        """The member's signing key, in force at `size`, by default this view's, and valid at `at`."""
        record = self.signing.get((member, key))
        if record is None or not record.index < (self.size if size is None else size):
            raise Untrusted(f"no signing key {key.hex()[:16]} of {member} is in the directory: update it")
        if not self.in_force(record, size):
            raise Untrusted(f"the signing key {key.hex()[:16]} of {member} was ended by a revocation or a removal")
        if not record.valid_from <= at <= record.valid_until:
            raise Untrusted(f"the signing key {key.hex()[:16]} of {member} is not valid at that time")
        return record

    def epoch_at(self, member: MemberId, at: int) -> EpochRecord:
        """The newest epoch of a member that is in force and valid at `at`."""
        for record in reversed(self.epochs.get(member, ())):
            if record.valid_from <= at <= record.valid_until and self.in_force(record):
                return record
        raise Untrusted(f"{member} has no valid encryption epoch: its node has to publish one")

    def epoch(self, member: MemberId, key: KeyId) -> EpochRecord:
        """The epoch of a member with this key id, in force or not."""
        for record in self.epochs.get(member, ()):
            if record.key_id == key:
                return record
        raise Untrusted(f"no epoch key {key.hex()[:16]} of {member} is in the directory")

    def relay(self, key: KeyId, size: int | None = None) -> Relay:
        """The relay with this identity, of the charter in force at `size`, by default at this view's."""
        relays = self.relays if size is None else _relays(list(_below(self.charters, size))[-1:])
        relay = relays.get(key)
        if relay is None:
            raise Untrusted(f"no relay {key.hex()[:16]} is in the charter")
        return relay


def _below(records: Iterable[V], size: int) -> Iterable[V]:
    return (record for record in records if record.index < size)


def _mapping_below(records: Mapping[K, V], size: int) -> Mapping[K, V]:
    return MappingProxyType({name: record for name, record in records.items() if record.index < size})


def _relays(charters: list[CharterRecord]) -> dict[KeyId, Relay]:
    return {key_id(relay.keys): relay for record in charters for relay in record.charter.relays}
