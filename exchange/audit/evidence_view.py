"""The directory in an evidence file, and what it shows of when; what every other claim in the file is judged by.

Whoever makes a file chooses its checkpoints. The newest one says nothing of how the directory was in the past, and a
relay can log today, as if decided long ago, what a thief signs with a key that has ended since. So a file shows with
earlier checkpoints how small the directory still was, for a quorum of members, when something was logged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from exchange.audit.claims import Broken, Claim, Finding, date, short
from exchange.audit.evidence_first import require_plausible
from keys.checkpoint import parse_signed
from keys.cosign import Quorum
from keys.digests import key_id
from keys.directory import Directory, begin, extend
from keys.errors import KeyFault, Untrusted
from keys.merkle import Frontier
from keys.origin import Origin, stood
from keys.quorum import verify_cosigned
from keys.tiles import entry_hash
from schemas.charter import Charter
from schemas.errors import DecodeError
from schemas.evidence import Evidence
from schemas.ids import Digest, KeyId, MemberId
from schemas.limits import MERGE_DELAY
from schemas.statement import DirectoryEntry, read_entry

_LOG: Final = "directory"


@dataclass(frozen=True, slots=True)
class Seen:
    """That members had seen no more than `size` entries: at `time` (Unix seconds) so many of them that it counts."""

    size: int
    time: int


class FileView:
    """A directory that a quorum of the charter's members cosigned. Views of the past are made once."""

    def __init__(
        self, directory: Directory, entries: Sequence[DirectoryEntry], quorum: Quorum, earlier: Sequence[Seen]
    ) -> None:
        """Use `view_of`."""
        self.current = directory
        self.entries = entries
        self._quorum = quorum
        self._earlier = earlier
        self._past: dict[int, Directory] = {}

    @property
    def proved(self) -> int:
        """It is later than this for certain (Unix seconds): a quorum has stated so."""
        return self._quorum.time

    def over(self, member: MemberId, key: KeyId) -> bool:
        """Whether a known key was revoked or removed since, or its term is over: who has it may date back."""
        record = self.current.signing.get((member, key))
        return record is not None and (record.valid_until < self.proved or not self.current.in_force(record))

    def holds(self, origins: Iterable[Origin], digest: Digest, member: MemberId, key: KeyId) -> bool:
        """Whether a known key is not over, or what it signed stood before in a log, which names it by `digest`."""
        if not self.over(member, key):
            return True
        named = (origin for origin in origins if origin.digest == digest)
        shown = (replace(origin, most_size=self._most_size(origin.time)) for origin in named)
        return stood(shown, digest, self.current, member, key)

    def logged_before(self, origin: Origin, index: int) -> bool:
        """Whether something stood in a log before the directory had the entry with this index."""
        return self._most_size(origin.time) <= index

    def before_ending(self, member: MemberId, key: KeyId) -> Directory:
        """The newest view in which a known key has not been ended."""
        record = self.current.signing.get((member, key))
        ending = None if record is None else self.current.ending(record)
        return self.current if ending is None else self.as_of(ending)

    def relay_ending(self, key: KeyId, size: int) -> int | None:
        """The index of the first version of the charter, of those that came after a size, without this relay."""
        later = (record for record in self.current.charters if record.index >= size)
        return next((record.index for record in later if key not in _relays(record.charter)), None)

    def as_of(self, size: int) -> Directory:
        """The view at a size. Raises Untrusted for one that this file does not reach."""
        if size not in self._past:
            self._past[size] = self.current.as_of(size)
        return self._past[size]

    def least_size(self, time: int) -> int:
        """The size that the directory had at a time for certain, as far as the newest checkpoint says."""
        return self.current.size if time > self._quorum.first + MERGE_DELAY else 0

    def _most_size(self, time: int) -> int:
        """The size that it had at most: by then, but for the merge delay, members had seen no more."""
        known = (seen.size for seen in self._earlier if seen.time >= time - MERGE_DELAY)
        return min(known, default=self.current.size)


def view_of(evidence: Evidence, raw: Sequence[bytes], charter: Digest, found: list[Finding]) -> FileView | None:
    """The directory in a file; None when it is one of another charter. Raises Broken.

    Nobody can leave an entry out, such as a revocation: the root would be another one.
    """
    try:
        entries = tuple(read_entry(entry) for entry in raw)
        hashes = [entry_hash(entry) for entry in raw]
        root = Frontier().extend(hashes).root
        first = require_plausible(parse_signed(evidence.checkpoint), entries, root, charter)
        if first is None:
            return None
        directory = extend(begin(entries[0], first), entries[1:])
        _, quorum = verify_cosigned(parse_signed(evidence.checkpoint), _LOG, directory)
        earlier = _earlier(evidence.earlier, hashes, directory)
    except (KeyFault, DecodeError, ValueError) as fault:
        raise Broken(
            Claim.DIRECTORY, f"the directory in the file is not the one that the members saw: {fault}"
        ) from None
    sentence = (
        f"the directory in the file has {directory.size} entries (root {short(root)}), begins with the charter,"
        f" and {len(quorum.times)} members had cosigned it by {date(quorum.first)}, {quorum.needed} being the quorum;"
        " what has ended since is not known to this file"
    )
    found.append(Finding(Claim.DIRECTORY, sentence))
    return FileView(directory, entries, quorum, earlier)


def _earlier(notes: Sequence[bytes], hashes: Sequence[Digest], directory: Directory) -> tuple[Seen, ...]:
    """What earlier checkpoints of this directory say. Raises KeyFault or DecodeError for what is none."""
    keys = replace(directory, epochs={}, withdrawn={}, tree=None)
    found, tree = [], Frontier()
    for signed in sorted(map(parse_signed, notes), key=lambda one: one.checkpoint.size):
        size = signed.checkpoint.size
        tree = tree.extend(hashes[tree.size : size])
        if (tree.size, tree.root) != (size, signed.checkpoint.root):
            raise Untrusted(f"the checkpoint of {size} entries is of another directory")
        _, quorum = verify_cosigned(signed, _LOG, keys.as_of(size))
        charters = [record.charter for record in directory.charters if record.index >= size]
        times = [_enough(quorum, charter) for charter in (keys.as_of(size).charter, *charters)]
        if None not in times:
            found.append(Seen(size, min(time for time in times if time is not None)))
    return tuple(found)


def _enough(quorum: Quorum, charter: Charter) -> int | None:
    """When enough of the states of a charter version had cosigned to know what its quorums can have seen; None: never.

    Two in common with any quorum: one of them may be the thief of the key, who cosigns with it. What ended the key may
    have been cosigned by a quorum of a later version than the one of then.
    """
    states, least = charter.voters(), charter.quorums.witness
    needed = min(max(least, len(states) - least + 2), len(states))
    times = sorted((time for member, time in quorum.times.items() if member in states), reverse=True)
    return times[needed - 1] if needed <= len(times) else None


def _relays(charter: Charter) -> set[KeyId]:
    return {key_id(relay.keys) for relay in charter.relays}
