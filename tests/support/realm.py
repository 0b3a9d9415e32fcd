"""The fixed part of a test world: identities, charter, directory. Built once per set of parameters, then shared."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from keys.digests import charter_digest
from keys.directory import Directory, begin, extend
from keys.identity import EpochIdentity, SigningIdentity
from schemas.canon import encode
from schemas.charter import CHARTER, Chairmanship, Charter, Member, Name, Quorums, Relay, Role, default_witness_quorum
from schemas.contexts import Context
from schemas.ids import SECRETARIAT, Digest, MemberId
from schemas.limits import DAY
from schemas.statement import (
    DIRECTORY_ENTRY,
    EPOCH_KEY,
    SIGNING_KEY,
    DirectoryEntry,
    EntryKind,
    EpochKey,
    SigningKey,
    read_entry,
)
from tests.support.entropy import derived

EPOCH_TERM: Final = 7 * DAY
EPOCH_GRACE: Final = 35 * DAY


@dataclass(frozen=True, slots=True)
class Realm:
    """Everything of a world that no test changes.

    `epochs[code][0]` is epoch number 1; it began a day before `now`. `entries[0]` is the charter; all are wire bytes.
    """

    now: int
    roots: Mapping[str, SigningIdentity]
    nodes: Mapping[str, SigningIdentity]
    epochs: Mapping[str, tuple[EpochIdentity, ...]]
    relay: SigningIdentity
    charter: Charter
    charter_digest: Digest
    entries: tuple[bytes, ...]
    directory: Directory


def signing_entry(statement: SigningKey, root: SigningIdentity) -> bytes:
    """A root's statement about a node's signing key, as a directory entry."""
    body = encode(SIGNING_KEY, statement)
    signature = root.sign_hybrid(Context.SIGNING_KEY, body)
    return encode(DIRECTORY_ENTRY, DirectoryEntry(EntryKind.SIGNING_KEY, body, (signature,)))


def epoch_entry(statement: EpochKey, node: SigningIdentity) -> bytes:
    """A node's statement about one of its epochs, as a directory entry."""
    body = encode(EPOCH_KEY, statement)
    signature = node.sign_hybrid(Context.EPOCH_KEY, body)
    return encode(DIRECTORY_ENTRY, DirectoryEntry(EntryKind.EPOCH_KEY, body, (signature,)))


def charter_entry(charter: Charter, roots: Mapping[str, SigningIdentity]) -> bytes:
    """A charter signed by the root of every Member State, as a directory entry."""
    body = encode(CHARTER, charter)
    signatures = tuple(roots[code].sign_hybrid(Context.CHARTER, body) for code in charter.voters())
    return encode(DIRECTORY_ENTRY, DirectoryEntry(EntryKind.CHARTER, body, signatures))


def epoch_statement(member: str, number: int, key: EpochIdentity, now: int) -> EpochKey:
    """Epoch `number` of a member: weekly, the first from a day before `now`."""
    start = now - DAY + (number - 1) * EPOCH_TERM
    end = start + EPOCH_TERM
    return EpochKey(MemberId(member), number, key.public, start, end, end + EPOCH_GRACE, now - DAY)


def signing_statement(member: str, key: SigningIdentity, now: int) -> SigningKey:
    """A node's signing key, valid from a month before `now` for a little over a year."""
    return SigningKey(MemberId(member), key.public, now - 30 * DAY, now + 400 * DAY, now - 30 * DAY, key.cosigner)


@lru_cache(maxsize=32)
def realm(
    codes: tuple[str, ...],
    observers: tuple[str, ...],
    secretariat: bool,
    now: int,
    epochs: int,
    seed: str,
    edition: str,
) -> Realm:
    """Build a realm; the same arguments give the same keys and statements (ML-DSA signatures may differ)."""
    parties = dict.fromkeys(codes, Role.MEMBER) | dict.fromkeys(observers, Role.OBSERVER)
    if secretariat:
        parties[SECRETARIAT] = Role.SECRETARIAT

    def identity(kind: str, code: str) -> SigningIdentity:
        return SigningIdentity.from_entropy(MemberId(code), derived(seed, kind, code, size=96))

    roots = {code: identity("root", code) for code in sorted(parties)}
    nodes = {code: identity("node", code) for code in sorted(parties)}
    relay = identity("relay", SECRETARIAT)
    keys = {
        code: tuple(EpochIdentity(derived(seed, "epoch", code, str(n), size=96)) for n in range(1, epochs + 1))
        for code in sorted(parties)
    }
    members = tuple(
        Member(MemberId(code), parties[code], (Name("en", f"Test state {code}"),), roots[code].public)
        for code in sorted(parties)
    )
    quorum = default_witness_quorum(len(codes))
    charter = Charter(
        version=1,
        previous=None,
        members=members,
        chairmanship=Chairmanship(MemberId(min(codes)), now - 30 * DAY, now + 700 * DAY),
        relays=(Relay("relay", relay.public, ()),),
        editions=(edition,),
        quorums=Quorums(amend=quorum, witness=quorum),
        created=now - 30 * DAY,
    )
    entries = [charter_entry(charter, roots)]
    entries += [signing_entry(signing_statement(code, nodes[code], now), roots[code]) for code in sorted(parties)]
    for number in range(1, epochs + 1):
        for code in sorted(parties):
            statement = epoch_statement(code, number, keys[code][number - 1], now)
            entries.append(epoch_entry(statement, nodes[code]))
    first = read_entry(entries[0])
    directory = extend(begin(first, charter_digest(first.body)), [read_entry(entry) for entry in entries[1:]])
    return Realm(
        now,
        MappingProxyType(roots),
        MappingProxyType(nodes),
        MappingProxyType(keys),
        relay,
        charter,
        charter_digest(first.body),
        tuple(entries),
        directory,
    )
