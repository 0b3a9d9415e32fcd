"""Verification of an audit log of a million entries against the bare loop of its hashes, and searches in it."""

import hashlib
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from exchange.audit.verify import Verifier
from exchange.bench.parties import NOW
from exchange.bench.result import Result, at_least, at_most
from exchange.storage.audit_port import AuditQuery
from exchange.storage.audit_reading import AuditReading, audit_reading
from exchange.storage.engine import Database
from exchange.tile_files import TileFiles
from exchange.wiring.audit_columns import run_both
from exchange.wiring.auditing import TILES, Tiles
from keys.merkle import Frontier, leaf_hash
from keys.tiles import grow
from schemas.audit import AuditEntry, AuditKind, write_entry
from schemas.ids import Digest, EnvelopeId, MemberId

_ENTRIES: Final = 1_000_000
_NEW: Final = 10_000
_PAGE: Final = 1 << 16
_ROUNDS: Final = 5
_VERIFY_GOAL: Final = 0.4
_SEARCH_GOAL: Final = 200.0
_INSERT: Final = "INSERT INTO audit (position, time, class, envelope, leaf) VALUES (?, ?, ?, ?, ?)"
_KINDS: Final = (AuditKind.SUBMITTED, AuditKind.SEALED, AuditKind.RELAYED, AuditKind.RECEIVED, AuditKind.OPENED)
_MEMBERS: Final = tuple(f"X{one}{two}" for one in "ABCD" for two in "EFGHIJK")


@dataclass(frozen=True, slots=True)
class _Kind:
    """Entries of one class: their leaf without what differs, and where that goes."""

    number: int
    leaf: bytes
    salt: int
    time: int
    envelope: int


def audit_results() -> list[Result]:
    """One log, made anew in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder))
        with audit_reading(Path(folder) / "node.db") as reading:
            return [*_verification(reading, Path(folder)), _searches(reading)]


def _verification(reading: AuditReading, folder: Path) -> list[Result]:
    tiles = Tiles(TileFiles(folder / TILES), reading.end)
    earlier = Frontier()
    for page in _hash_pages(reading, reading.end - _NEW):
        earlier = earlier.extend(page)
    bare, ours, new = [], [], []
    for _ in range(_ROUNDS):
        bare.append(_bare(reading))
        ours.append(_timed(lambda: run_both(Verifier(reading, [tiles], []), folder / "node.db")))
        new.append(_timed(lambda: Verifier(reading, [tiles], [], earlier).run()))
    # The best of each: whatever else the machine does only ever adds.
    full, loop, added = min(ours), min(bare), min(new)
    rate, limit = _ENTRIES / full / 1000, _ENTRIES / loop / 1000
    what = "verifying a log of a million entries, with tiles and index / the bare loop of its leaf and node hashes"
    part = f"verifying the last {_NEW} entries, the others being verified / verifying all"
    return [
        at_least("audit-verify-1m", rate, limit, _VERIFY_GOAL, "thousand/s", what),
        at_most("audit-incremental", added * 1e3, full * 1e3, 2 * _NEW / _ENTRIES, "ms", part),
    ]


def _searches(reading: AuditReading) -> Result:
    """The slowest of several, each for its first hundred entries."""
    queries = {
        "member": AuditQuery(member="XDK", newest=True),
        "kind and time": AuditQuery(kinds=(AuditKind.OPENED,), since=NOW + _ENTRIES // 4),
        "envelope": AuditQuery(envelope=(_ENTRIES // 2).to_bytes(16, "big")),
        "actor": AuditQuery(actor="defence/", newest=True),
        "reason and member": AuditQuery(reason="by-rule", member="XAE"),
        "nothing there": AuditQuery(reason="by-rule", kinds=(AuditKind.KEY,)),
        "time": AuditQuery(since=NOW + _ENTRIES // 2),
    }
    taken = {}
    for name, query in queries.items():
        search = partial(_first_page, reading, query)
        taken[name] = statistics.median(_timed(search) for _ in range(9))
    slowest = max(taken, key=lambda name: taken[name])
    what = f"search by {slowest} in a million entries, the slowest of {len(queries)} / the goal"
    return at_most("audit-search-1m", taken[slowest] * 1e3, _SEARCH_GOAL, 1, "ms", what)


def _first_page(reading: AuditReading, query: AuditQuery) -> None:
    list(islice(reading.search(query, None), 100))


def _bare(reading: AuditReading) -> float:
    """Seconds for the hashes alone, in one loop over leaves that are in memory."""
    sha256 = hashlib.sha256
    taken, size = 0.0, 0
    left: list[bytes] = []
    for leaves in _leaf_pages(reading):
        start = time.perf_counter()
        for leaf in leaves:
            node, rest = sha256(b"\x00" + leaf).digest(), size
            while rest & 1:
                node, rest = sha256(b"\x01" + left.pop() + node).digest(), rest >> 1
            left.append(node)
            size += 1
        taken += time.perf_counter() - start
    return taken


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _leaf_pages(reading: AuditReading) -> Iterator[list[bytes]]:
    for first in range(0, reading.end, _PAGE):
        yield [leaf for row in reading.page(first, first + _PAGE) if (leaf := row[4]) is not None]


def _hash_pages(reading: AuditReading, end: int) -> Iterator[list[Digest]]:
    for first in range(0, end, _PAGE):
        rows = reading.page(first, min(first + _PAGE, end))
        yield [leaf_hash(leaf) for row in rows if (leaf := row[4]) is not None]


def _fill(folder: Path) -> None:
    """A million entries in their store and tiles. Leaves are put together from parts: writing each takes a minute."""
    Database.open(folder / "node.db", "node")
    files, size = TileFiles(folder / TILES), 0
    with closing(sqlite3.connect(folder / "node.db")) as connection:
        connection.execute("PRAGMA synchronous = 0")
        kinds = _classes(connection)
        for first in range(0, _ENTRIES, _PAGE):
            rows = [_row(number, kinds) for number in range(first, min(first + _PAGE, _ENTRIES))]
            with connection:
                connection.executemany(_INSERT, rows)
            hashes = [leaf_hash(row[4]) for row in rows]
            files.write(grow(size, hashes, files))
            size += len(hashes)


def _classes(connection: sqlite3.Connection) -> Sequence[_Kind]:
    made = []
    for place, member in enumerate(_MEMBERS):
        for kind in _KINDS:
            actor, reason = (
                f"{('defence', 'border')[place % 2]}/desk-{place % 3}",
                "by-rule" if place % 4 == 0 else None,
            )
            values = (int(kind), member, actor, reason or "")
            text = "INSERT INTO audit_classes (kind, member, actor, reason) VALUES (?, ?, ?, ?)"
            number = connection.execute(text, values).lastrowid or 0
            salt, at, envelope = b"s" * 32, 0x01020304 + NOW // 2, b"e" * 16
            leaf = write_entry(
                AuditEntry(
                    kind, salt, at, actor, MemberId(member), EnvelopeId(envelope), Digest(b"h" * 32), reason=reason
                )
            )
            places = (leaf.index(salt), leaf.index(at.to_bytes(4, "big")), leaf.index(envelope))
            made.append(_Kind(number, leaf, *places))
    connection.commit()
    return made


def _row(number: int, kinds: Sequence[_Kind]) -> tuple[int, int, int, bytes, bytes]:
    kind = kinds[number * 7919 % len(kinds)]
    envelope, at = (number // 2).to_bytes(16, "big"), NOW + number
    leaf = bytearray(kind.leaf)
    leaf[kind.salt : kind.salt + 32] = hashlib.sha256(envelope).digest()
    leaf[kind.time : kind.time + 4] = at.to_bytes(4, "big")
    leaf[kind.envelope : kind.envelope + 16] = envelope
    return number, at, kind.number, envelope, bytes(leaf)
