"""How a node follows the directory's log: what it knows and what it is shown decide whether it goes on. Pure.

What it is shown is adopted when the relay signed it, it continues what this node has, every entry keeps the rules, and
a quorum has cosigned it. Whatever the relay can only have done on purpose, or by losing its past, is a report: a kind
of alarm with the signed evidence for it, and whom it concerns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from keys.checkpoint import Checkpoint, SignedCheckpoint, parse_signed
from keys.cosign import Quorum
from keys.directory import Directory, extend
from keys.errors import BadSignature, KeyFault, Untrusted
from keys.merkle import MemoryTree, Proof, consistency_proof, tree_root
from keys.quorum import known_log, verify_cosigned
from keys.tiles import entry_hash
from schemas.charter import Charter
from schemas.errors import DecodeError
from schemas.ids import Digest, MemberId
from schemas.observation import ObservationKind
from schemas.statement import read_entry

LOG: Final = "directory"


@dataclass(frozen=True, slots=True)
class Report:
    """An alarm with what proves it, as `schemas.observation.Observation` has it.

    Attributes:
        member: whom it concerns: nothing is sent to it until an operator allows it. None: nobody in particular.
        entries: those that the proof needs beside the directory that this node has, in order.
    """

    kind: ObservationKind
    detail: str
    member: MemberId | None = None
    held: bytes | None = None
    shown: bytes | None = None
    receipt: bytes | None = None
    index: int | None = None
    root: Digest | None = None
    path: Proof = ()
    entries: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A checkpoint that this node has from somewhere else than the relay's newest.

    `member`: who had it, None when the relay itself had this node asked to cosign it. `note`: with the relay's
    signature, verified.
    """

    size: int
    root: Digest
    note: bytes
    member: MemberId | None


@dataclass(frozen=True, slots=True)
class Log:
    """A verified view and the tree over the same entries."""

    view: Directory
    tree: MemoryTree

    def root(self, size: int) -> Digest:
        """The root at a size that the tree has."""
        return tree_root(size, self.tree)


class Growth:
    """The log as it grows by what the relay serves, up to the size that is wanted; a bad entry ends what is verified.

    After one only hashes are kept: they show whether the relay has signed it.
    """

    def __init__(self, log: Log, wanted: int) -> None:
        """Nothing has come yet."""
        self._hashes: list[Digest] = []
        self._start = log
        self._wanted = wanted
        self.view = log.view
        self.raw: list[bytes] = []
        # What came beyond the wanted size.
        self.rest: list[bytes] = []
        # The first entry that breaks a rule: its bytes, and why.
        self.bad: tuple[bytes, str] | None = None

    @property
    def size(self) -> int:
        """How many entries the log has, verified or not."""
        return self._start.view.size + len(self._hashes)

    def take(self, page: Sequence[bytes]) -> None:
        """The next entries, in order."""
        free = max(0, self._wanted - self.size)
        wanted = page[:free]
        self.rest += page[free:]
        self._hashes += [entry_hash(raw) for raw in wanted]
        if self.bad is None and wanted:
            self._verify(wanted)

    def log(self) -> Log:
        """The verified part."""
        return Log(self.view, self._tree(len(self.raw)))

    def all(self) -> MemoryTree:
        """The tree over everything that came, verified or not."""
        return self._tree(len(self._hashes))

    def _tree(self, count: int) -> MemoryTree:
        return self._start.tree.grown(self._hashes[:count]) if count else self._start.tree

    def _verify(self, page: Sequence[bytes]) -> None:
        try:
            self.view = extend(self.view, [read_entry(raw) for raw in page])
            self.raw += page
        except (DecodeError, KeyFault):
            self._one_by_one(page)

    def _one_by_one(self, page: Sequence[bytes]) -> None:
        for raw in page:
            try:
                self.view = extend(self.view, [read_entry(raw)])
            except (DecodeError, KeyFault) as fault:
                self.bad = raw, str(fault)
                return
            self.raw.append(raw)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a checkpoint that the relay shows is judged by.

    Attributes:
        held: the newest cosigned checkpoint that was adopted before, with its note.
        witnessed: the newest one of this log that this node has cosigned itself.
    """

    held: tuple[Checkpoint, bytes] | None
    witnessed: Known | None


def judge_shown(shown: SignedCheckpoint, growth: Growth, facts: Facts) -> Quorum | Report:
    """Whether the checkpoint that the relay shows is adopted, with the entries that have come up to its size.

    The quorum that cosigned it; or what must not be, and then nothing is adopted.

    Raises Untrusted or BadSignature for what proves nothing: no checkpoint of the relay, entries that are not its own.
    """
    checkpoint, note = _signed(shown, growth.view), shown.encode()
    tree = growth.all()
    held, held_note = facts.held or (None, None)
    if growth.size < checkpoint.size:
        raise Untrusted(f"the relay does not serve the {checkpoint.size} entries of the checkpoint that it signed")
    if tree_root(checkpoint.size, tree) != checkpoint.root:
        if held is None or held_note is None:
            raise Untrusted("the relay serves other entries than those of the checkpoint that it signed")
        return _contradiction(held, held_note, checkpoint, note, tree)
    if growth.bad is not None:
        return _invalid(growth, checkpoint, note)
    if held is not None and checkpoint.size < held.size:
        detail = f"the relay shows a directory of {checkpoint.size} entries after one of {held.size}"
        return Report(ObservationKind.ROLLBACK, detail, held=held_note, shown=note)
    split = None if facts.witnessed is None else split_from(facts.witnessed, checkpoint, note, tree)
    if split is not None:
        return split
    try:
        return verify_cosigned(shown, LOG, _at(growth.view, checkpoint.size))[1]
    except (Untrusted, BadSignature) as fault:
        return Report(ObservationKind.UNWITNESSED, str(fault), shown=note, entries=tuple(growth.raw))


def stale(time: int, note: bytes, now: int, max_age: int) -> tuple[Report, ...]:
    """That the newest cosigned checkpoint, of this time, is too old."""
    age = now - time
    if age <= max_age:
        return ()
    detail = f"the newest directory that the relay shows was cosigned {age // 3600} hours ago"
    return (Report(ObservationKind.FREEZE, detail, shown=note),)


def split_from(known: Known, checkpoint: Checkpoint, note: bytes, tree: MemoryTree) -> Report | None:
    """That a known checkpoint is not of the log with this tree, which begins with that of `checkpoint`."""
    if known.size > checkpoint.size or tree_root(known.size, tree) == known.root:
        return None
    whose = known.member or "this node itself"
    detail = f"{whose} was shown another directory of {known.size} entries than the relay shows here"
    root, path = _prefix(known.size, checkpoint.size, tree)
    return Report(ObservationKind.SPLIT_VIEW, detail, known.member, held=known.note, shown=note, root=root, path=path)


def kept_back(known: Known, checkpoint: Checkpoint, note: bytes) -> Report:
    """That a member had a larger directory, which the relay does not show here."""
    detail = f"{known.member} has a directory of {known.size} entries; the relay shows {checkpoint.size} here"
    return Report(ObservationKind.FREEZE, detail, known.member, held=known.note, shown=note)


def _signed(shown: SignedCheckpoint, view: Directory) -> Checkpoint:
    """By a relay that the charter names; a view of which more is known may be later than the checkpoint."""
    log = known_log(shown.checkpoint.origin, LOG, view)
    if log is None or log.end is not None:
        raise Untrusted(f"{shown.checkpoint.origin} is no log of a relay of the charter")
    return log.keys.verify(shown)


def _at(view: Directory, size: int) -> Directory:
    return view if size == view.size else view.as_of(size)


def _prefix(small: int, large: int, tree: MemoryTree) -> tuple[Digest | None, Proof]:
    """The root at the smaller size, and the proof from there; nothing is needed between equal sizes."""
    if small == large:
        return None, ()
    return tree_root(small, tree), consistency_proof(small, large, tree)


def _contradiction(
    held: Checkpoint, held_note: bytes, shown: Checkpoint, shown_note: bytes, tree: MemoryTree
) -> Report:
    """The relay's checkpoint is not of the log that this node has, nor of the one that the relay serves."""
    detail = f"the relay signed another directory of {shown.size} entries than the one that this node follows"
    root, path = _prefix(shown.size, held.size, tree) if shown.size <= held.size else (None, ())
    return Report(ObservationKind.SPLIT_VIEW, detail, held=held_note, shown=shown_note, root=root, path=path)


def _invalid(growth: Growth, checkpoint: Checkpoint, note: bytes) -> Report:
    """The relay signed a log with an entry that the rules refuse."""
    raw, why = growth.bad or (b"", "")
    index = growth.view.size
    path = consistency_proof(index + 1, checkpoint.size, growth.all())
    return Report(
        ObservationKind.INVALID_ENTRY,
        f"entry {index} of the directory breaks its rules, nothing of it is used: {why}",
        _subject(raw),
        shown=note,
        index=index,
        path=path,
        entries=(*growth.raw, raw),
    )


def prove_split(report: Report, held: Checkpoint, shown: Checkpoint, other: MemoryTree) -> Report:
    """A contradiction between checkpoints of two sizes, with the proof from the log that the relay serves.

    Raises Untrusted when that is not the log of the larger checkpoint.
    """
    if other.size < shown.size or tree_root(shown.size, other) != shown.root:
        raise Untrusted("the relay does not serve the log of the checkpoint that it signed")
    root, path = _prefix(held.size, shown.size, other)
    return replace(report, root=root, path=path)


def _subject(raw: bytes) -> MemberId | None:
    """Whom an entry is about; nobody when it is a charter or cannot be read."""
    try:
        statement = read_entry(raw).statement
    except DecodeError:
        return None
    return None if isinstance(statement, Charter) else statement.member


def known_of(signed: SignedCheckpoint, member: MemberId | None) -> Known:
    """A checkpoint whose signature was verified."""
    checkpoint = signed.checkpoint
    return Known(checkpoint.size, checkpoint.root, signed.encode(), member)


def read_known(note: bytes, member: MemberId | None) -> Known:
    """From a stored note. Raises DecodeError."""
    return known_of(parse_signed(note), member)
