"""Verifies the stored audit log of a node or a relay against its tiles, its checkpoints, and what others hold of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from exchange.audit.anchor_file import HEAD, AnchorFile, read_anchor_file, signed_by_node, signed_by_relay
from exchange.audit.fault import Broken, Fault, Wrong
from exchange.audit.pruned import Gone, Loss, Terms
from exchange.audit.verify import PAGE, Mark, Reference, Told, Verifier, silent
from exchange.errors import Invalid, NotFound, StoreFault
from exchange.node.config import load_config
from exchange.storage.audit_reading import AuditReading, audit_reading
from exchange.storage.relay_sqlite import read_entries
from exchange.tile_files import TileFiles
from exchange.wiring.audit_columns import run_both
from exchange.wiring.epochs import node_directory
from keys.checkpoint import SignedCheckpoint, parse_signed
from keys.digests import charter_digest
from keys.directory import begin, extend
from keys.errors import KeyFault, Untrusted
from keys.merkle import Frontier
from keys.tiles import HASH, WIDTH, Tile
from keys.view import Directory
from schemas.errors import DecodeError
from schemas.ids import Digest, MemberId
from schemas.statement import read_entry

TILES: Final = Path("log") / "audit"


class Judge(Protocol):
    """Raises KeyFault for a checkpoint that is not signed as it has to be."""

    def __call__(self, signed: SignedCheckpoint, short: bool = False) -> object:
        """`short`: by its Ed25519 line."""
        ...


class Tiles:
    """The log's own tiles of leaf hashes; `Reference`, which proves nothing alone: they are the operator's too."""

    binding = False
    who = "the log's own tiles"

    def __init__(self, files: TileFiles, end: int) -> None:
        """`end`: where to look for their end first."""
        self._files = files
        index = end // WIDTH
        while index and not files.width(0, index):
            index -= 1
        while files.width(0, index) == WIDTH:
            index += 1
        self.size = index * WIDTH + files.width(0, index)

    def hashes(self, first: int, count: int) -> bytes:
        """See Reference."""
        found, end = b"", min(first + count, self.size)
        while first < end:
            index, skip = divmod(first, WIDTH)
            width = min(WIDTH, self.size - index * WIDTH)
            try:
                data = self._files.read(Tile(0, index, width))
            except NotFound:
                break
            found += data[skip * HASH : (skip + end - first) * HASH]
            first = (index + 1) * WIDTH
        return found


class Anchored:
    """A file of an anchor (`exchange.audit.anchor_file`); `Reference`."""

    binding = True

    def __init__(self, file: BinaryIO, path: Path) -> None:
        """Reads the checkpoint. Raises DecodeError."""
        head = file.read(HEAD)
        self._file = file
        self.parts: AnchorFile = read_anchor_file(head, path.stat().st_size)
        self.size = self.parts.size
        self.who = f"the hashes of {path.name}"
        self.path = path

    def hashes(self, first: int, count: int) -> bytes:
        """See Reference."""
        if self.parts.start is None or first >= self.size:
            return b""
        self._file.seek(self.parts.start + first * HASH)
        return self._file.read(min(count, self.size - first) * HASH)

    def check(self) -> None:
        """That its hashes are those under its checkpoint. Raises Invalid."""
        frontier = Frontier()
        for first in range(0, self.size, PAGE):
            data = self.hashes(first, PAGE)
            frontier = frontier.extend(Digest(data[n : n + HASH]) for n in range(0, len(data), HASH))
        if self.size and frontier.root != self.parts.signed.checkpoint.root:
            raise Invalid("bad-anchor", f"{self.path}: its hashes are not those that were signed: get it anew")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a log was found to be: how far, how many entries are pruned or lost, how many are under others' anchors.

    `losses`: what the log says was lost at a restore, which nobody can tell from what was taken away then.
    """

    frontier: Frontier
    pruned: int
    lost: int
    anchored: int
    checkpoints: int
    losses: tuple[Loss, ...] = ()


def node_trust(folder: Path, pinned: Digest | None) -> tuple[Digest, MemberId, Directory]:
    """The charter's digest, the member and the directory of the node in `folder`.

    Raises Untrusted when `pinned` is another charter; as `node_directory`.
    """
    config = load_config(folder)
    digest = Digest(bytes.fromhex(config.charter_digest))
    directory = node_directory(folder)
    _check_pinned(pinned, directory)
    return digest, MemberId(config.member), directory


def relay_trust(folder: Path, pinned: Digest | None) -> tuple[Digest, Directory]:
    """The charter's digest and the directory of the relay in `folder`; as `node_trust`."""
    entries = [read_entry(raw) for raw in read_entries(folder)]
    if not entries:
        raise Untrusted("there is no charter in this relay's store")
    digest = charter_digest(entries[0].body)
    directory = extend(begin(entries[0], digest), entries[1:])
    _check_pinned(pinned, directory)
    return digest, directory


def _check_pinned(pinned: Digest | None, directory: Directory) -> None:
    if pinned is not None and all(record.digest != pinned for record in directory.charters):
        raise Untrusted("this log is kept under another charter than the one that was given")


@contextmanager
def anchor_files(paths: Sequence[Path]) -> Iterator[list[Anchored]]:
    """Open files of anchors. Raises DecodeError."""
    with ExitStack() as stack:
        yield [Anchored(stack.enter_context(path.open("rb")), path) for path in paths]


def verify_node_log(
    folder: Path,
    member: MemberId,
    directory: Directory,
    terms: Terms,
    anchors: Sequence[Path] = (),
    start: Frontier = Frontier(),  # noqa: B008  # a value
    told: Told = silent,
) -> Verified:
    """The log of the node in `folder`; from what was verified before on, if that is given.

    Of `terms` the time and the days count. Raises Broken; Invalid, KeyFault or DecodeError for an anchor that proves
    nothing; StoreFault.
    """

    def judge(signed: SignedCheckpoint, short: bool = False) -> None:
        signed_by_node(signed, member, directory, short)

    database = folder / "node.db"
    with audit_reading(database) as reading:
        rows = list(reading.node_checkpoints())
        stored = [(row.size, row.root, row.note) for row in rows if row.size >= start.size]
        held = max((row.size for row in rows if row.anchored is not None), default=0)
        terms = replace(terms, known=held, given=False, of_relay=False)
        return _verify(reading, database, stored, judge, anchors, start, told, terms)


def verify_relay_log(
    folder: Path,
    directory: Directory,
    terms: Terms,
    anchors: Sequence[Path] = (),
    start: Frontier = Frontier(),  # noqa: B008  # a value
    told: Told = silent,
) -> Verified:
    """The log of the relay in `folder`, as `verify_node_log`."""

    def judge(signed: SignedCheckpoint, short: bool = False) -> None:
        signed_by_relay(signed, directory, short)

    database = folder / "relay.db"
    with audit_reading(database) as reading:
        stored = [(size, None, note) for size, note in reading.relay_checkpoints() if size >= start.size]
        terms = replace(terms, known=reading.relay_published(), given=False, of_relay=True)
        return _verify(reading, database, stored, judge, anchors, start, told, terms)


def _verify(
    reading: AuditReading,
    database: Path,
    stored: Sequence[tuple[int, bytes | None, bytes]],
    judge: Judge,
    paths: Sequence[Path],
    start: Frontier,
    told: Told,
    terms: Terms,
) -> Verified:
    with anchor_files(paths) as anchors:
        for anchor in anchors:
            judge(anchor.parts.signed, short=True)
        marks = [_mark(anchor.parts.signed, f"the checkpoint of {anchor.path.name}") for anchor in anchors]
        unsigned, own = _judged(stored, judge)
        tiles = Tiles(TileFiles(database.parent / TILES), min(reading.end, reading.count))
        references: list[Reference] = [anchor for anchor in anchors if anchor.size]
        anchored = max((mark.size for mark in marks), default=0)
        if anchors:
            terms = replace(terms, known=anchored, given=True)
        gone = Gone(reading.statements(), terms)
        verifier = Verifier(reading, [*references, tiles], [*marks, *own], start, gone=gone)
        try:
            frontier = run_both(verifier, database, told)
        except Broken:
            for anchor in anchors:
                anchor.check()
            raise
        if unsigned is not None:
            raise Broken(unsigned)
        return Verified(frontier, verifier.pruned, verifier.lost, anchored, len(own), tuple(gone.losses))


def _judged(stored: Sequence[tuple[int, bytes | None, bytes]], judge: Judge) -> tuple[Fault | None, list[Mark]]:
    """The first stored checkpoint that is not what it has to be, and the others."""
    first, marks = None, []
    for size, root, note in stored:
        try:
            signed = parse_signed(note)
            judge(signed)
        except (DecodeError, KeyFault) as fault:
            first = first or Fault(max(size - 1, 0), Wrong.SIGNATURE, f"the stored checkpoint over {size}: {fault}")
            continue
        checkpoint = signed.checkpoint
        if checkpoint.size != size or (root is not None and checkpoint.root != root):
            first = first or Fault(
                max(size - 1, 0), Wrong.SIGNATURE, f"the row of the checkpoint over {size} is not it"
            )
            continue
        marks.append(_mark(signed, "the stored checkpoint"))
    return first, marks


def _mark(signed: SignedCheckpoint, who: str) -> Mark:
    return Mark(signed.checkpoint.size, signed.checkpoint.root, who)


def write_anchor(reading: AuditReading, member: MemberId) -> Iterator[bytes]:
    """What a relay holds of a member's log, as the content of a file. Raises StoreFault when it holds nothing."""
    note = reading.anchored(member)
    if note is None:
        raise StoreFault("no-anchor", f"this relay has no anchor of the audit log of {member}")
    yield note
    size = parse_signed(note).checkpoint.size
    for first in range(0, size, WIDTH * 16):
        yield reading.anchored_hashes(member, first, min(WIDTH * 16, size - first))


def contradicting(folder: Path | None, relay: Path | None) -> Counter[str]:
    """How many checkpoints of each member's log contradict another one, by what a node or a relay has on file."""
    database = relay / "relay.db" if relay is not None else (folder or Path()) / "node.db"
    with audit_reading(database) as reading:
        return Counter(member for member, *_ in reading.contradicting(relay is not None))


def write_heard(reading: AuditReading, member: MemberId) -> Iterator[bytes]:
    """The newest checkpoint of a member's log that a node was shown, likewise; without hashes."""
    heard = max(reading.heard(member), key=lambda anchor: anchor.size, default=None)
    if heard is None:
        raise StoreFault("no-anchor", f"{member} has shown this node no checkpoint of its audit log")
    yield heard.note
