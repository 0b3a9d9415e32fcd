"""An operator with the disk and the signing key rewrites the past of its own audit log: the first wrong entry is named.

1000 entries; the relay holds the hashes of the first 900, a partner has seen the checkpoint over 800.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from exchange.audit.fault import Broken, Wrong
from exchange.audit.verify import Verifier
from exchange.errors import Invalid
from exchange.storage.audit_reading import audit_reading
from exchange.tile_files import TileFiles
from exchange.wiring.audit_columns import run_both
from exchange.wiring.auditing import TILES, anchor_files
from keys.errors import BadSignature
from keys.tiles import Tile
from schemas.ids import Digest
from tests.support.audit_store import AuditStore
from tests.support.world import World

SIZE, ANCHORED, SHOWN = 1000, 900, 800
# By way of places that no entry has, so that none is taken twice.
MOVE = "UPDATE audit SET position = {1} WHERE position {0}"
LEAF = "UPDATE audit SET leaf = CAST(substr(leaf, 1, {1}) || {2} || substr(leaf, {3}) AS BLOB) WHERE position = {0}"
COLUMN = "UPDATE audit SET {1} WHERE position = {0}"
LIKE = (
    "INSERT INTO audit (position, time, class, envelope, subject, leaf)"
    " SELECT {1}, time, class, envelope, subject, leaf FROM audit WHERE position = {0}"
)
REMOVED = "DELETE FROM audit WHERE position BETWEEN {0} AND {1}"


# Found after everything else, so that it must not be what is named.
COLUMN_AT_THE_END = (COLUMN.format(SIZE - 1, "time = time + 1"),)


def closing_gap(first: int, count: int) -> tuple[str, ...]:
    """Remove entries, and have the later ones follow."""
    last = first + count - 1
    away = MOVE.format(f"> {last}", "-position")
    return REMOVED.format(first, last), away, MOVE.format("< 0", f"-position - {count}")


def swapping(one: int, two: int) -> tuple[str, ...]:
    """Let two entries change places."""
    return MOVE.format(f"= {one}", "-1"), MOVE.format(f"= {two}", one), MOVE.format("= -1", two)


def inserting(place: int) -> tuple[str, ...]:
    """Put the like of a later entry, with another salt, in front of an entry."""
    apart = (MOVE.format(f">= {place}", "-position - 1"), MOVE.format("< 0", "-position"))
    return *apart, LIKE.format(place + 5, place), LEAF.format(place, 8, "zeroblob(32)", 41)


def moving(place: int, target: int) -> tuple[str, ...]:
    """Take an entry to a later place."""
    aside = MOVE.format(f"= {place}", "-999999")
    up = MOVE.format(f"BETWEEN {place + 1} AND {target}", "-position")
    return aside, up, MOVE.format("BETWEEN -99999 AND -1", "-position - 1"), MOVE.format("= -999999", target)


def of_other_time(place: int, column: bool = True) -> tuple[str, ...]:
    """Change the time in a leaf, and beside it."""
    leaf = LEAF.format(place, 45, "x'fd'", 47)
    return (leaf, COLUMN.format(place, "time = time / 256 * 256 + 253")) if column else (leaf,)


@dataclass(frozen=True)
class Case:
    """What is done, whether tiles and checkpoints are made and signed anew, and what is named."""

    statements: tuple[str, ...]
    signed_anew: bool
    index: int
    wrong: Wrong


CASES = {
    "a-leaf-changed": Case(of_other_time(300, column=False), False, 300, Wrong.CHANGED),
    "a-leaf-and-its-columns-changed": Case(of_other_time(301), False, 301, Wrong.CHANGED),
    "a-leaf-changed-and-all-signed-anew": Case(of_other_time(302), True, 302, Wrong.CHANGED),
    "the-first-leaf-changed-and-all-signed-anew": Case(of_other_time(0), True, 0, Wrong.CHANGED),
    "two-leaves-changed-and-all-signed-anew": Case((*of_other_time(512), *of_other_time(40)), True, 40, Wrong.CHANGED),
    "an-entry-removed": Case(("DELETE FROM audit WHERE position = 77",), False, 77, Wrong.REMOVED),
    "an-entry-removed-and-the-gap-closed": Case(closing_gap(77, 1), False, 77, Wrong.REMOVED),
    "an-entry-removed-and-all-signed-anew": Case(closing_gap(255, 1), True, 255, Wrong.REMOVED),
    "a-run-removed-and-all-signed-anew": Case(closing_gap(256, 300), True, 256, Wrong.REMOVED),
    "the-end-removed-and-all-signed-anew": Case(("DELETE FROM audit WHERE position >= 850",), True, 850, Wrong.REMOVED),
    "everything-removed": Case(("DELETE FROM audit",), True, 0, Wrong.REMOVED),
    "an-entry-inserted-and-all-signed-anew": Case(inserting(400), True, 400, Wrong.INSERTED),
    "neighbours-reordered-and-all-signed-anew": Case(swapping(600, 601), True, 600, Wrong.REORDERED),
    "an-entry-moved-far-and-all-signed-anew": Case(moving(3, 790), True, 3, Wrong.REORDERED),
    "found-under-another-class": Case(
        ("UPDATE audit SET class = class % 4 + 1 WHERE position = 123",), False, 123, Wrong.INDEX
    ),
    "found-under-no-class": Case(("UPDATE audit SET class = 999 WHERE position = 124",), True, 124, Wrong.INDEX),
    "a-class-renamed": Case(
        ("UPDATE audit_classes SET member = 'TJK' WHERE id = (SELECT class FROM audit WHERE position = 2)",),
        True,
        2,
        Wrong.INDEX,
    ),
    "found-at-another-time": Case(("UPDATE audit SET time = time - 9 WHERE position = 555",), True, 555, Wrong.INDEX),
    "not-found-by-its-envelope": Case(
        ("UPDATE audit SET envelope = NULL WHERE position = 700",), True, 700, Wrong.INDEX
    ),
    "found-by-another-subject": Case(
        ("UPDATE audit SET subject = zeroblob(16) WHERE position = 701",), True, 701, Wrong.INDEX
    ),
    "pruned-with-another-hash": Case(
        ("UPDATE audit SET leaf = NULL, hash = zeroblob(32) WHERE position = 88",), True, 88, Wrong.CHANGED
    ),
    "no-entry-at-all": Case(("UPDATE audit SET leaf = x'c0' WHERE position = 950",), True, 950, Wrong.UNREADABLE),
    "a-leaf-changed-that-only-tiles-have": Case(of_other_time(960), False, 960, Wrong.CHANGED),
}


@dataclass
class Held:
    """The log, and what others hold of it."""

    log: AuditStore
    relay: Path
    partner: Path


@pytest.fixture
async def held(tmp_path: Path, world: World) -> Held:
    folder = tmp_path / "node"
    folder.mkdir()
    log = AuditStore(folder, world)
    await log.grow(0, SIZE)
    for size in (SHOWN, ANCHORED):
        await log.sign(size)
    await log.again()
    return Held(log, log.anchor("relay.anchor", ANCHORED), log.anchor("partner.anchor", SHOWN, bare=True))


def broken(call: Callable[[], object]) -> tuple[int, Wrong, int | None]:
    with pytest.raises(Broken) as caught:
        call()
    return caught.value.fault.index, caught.value.fault.wrong, caught.value.fault.last


def test_an_honest_log_is_found_to_be_whole(held: Held) -> None:
    found = held.log.verify(held.relay, held.partner)
    assert (found.frontier.size, found.pruned, found.anchored, found.checkpoints) == (SIZE, 0, ANCHORED, 3)
    assert held.log.verify().frontier == found.frontier


@pytest.mark.parametrize("name", CASES)
async def test_the_first_wrong_entry_is_named(held: Held, name: str) -> None:
    case = CASES[name]
    held.log.tamper(*case.statements)
    if case.signed_anew:
        await held.log.again()
    assert broken(lambda: held.log.verify(held.relay, held.partner)) == (case.index, case.wrong, None)


@pytest.mark.parametrize(
    "name", ["two-leaves-changed-and-all-signed-anew", "an-entry-removed", "a-class-renamed", "no-entry-at-all"]
)
async def test_two_processes_name_the_same(held: Held, name: str) -> None:
    case = CASES[name]
    held.log.tamper(*case.statements, *COLUMN_AT_THE_END)
    if case.signed_anew:
        await held.log.again()
    database = held.log.folder / "node.db"
    with audit_reading(database) as reading, anchor_files([held.relay]) as anchors:
        verifier = Verifier(reading, anchors, [])
        assert broken(lambda: run_both(verifier, database, many=1)) == (case.index, case.wrong, None)


async def test_without_hashes_a_log_signed_anew_contradicts_what_a_partner_saw(held: Held) -> None:
    held.log.tamper(*of_other_time(302))
    await held.log.again()
    assert held.log.verify().frontier.size == SIZE
    index, wrong, _ = broken(lambda: held.log.verify(held.partner))
    assert (index, wrong) == (SHOWN - 1, Wrong.CHECKPOINT)


async def test_a_range_is_named_when_not_even_tiles_are_left(held: Held) -> None:
    held.log.tamper(*of_other_time(302))
    await held.log.again()
    for path in (held.log.folder / TILES).rglob("*"):
        if path.is_file():
            path.unlink()
    assert broken(lambda: held.log.verify(held.partner)) == (0, Wrong.CHECKPOINT, SHOWN - 1)


def test_a_tile_rewritten_under_what_is_anchored(held: Held) -> None:
    files = TileFiles(held.log.folder / TILES)
    data = bytearray(files.read(Tile(0, 1)))
    data[32 * 20] ^= 1
    (held.log.folder / TILES / Tile(0, 1).path).write_bytes(bytes(data))
    assert broken(lambda: held.log.verify(held.relay)) == (276, Wrong.TILE, None)


async def test_a_checkpoint_signed_anew_over_another_root(held: Held) -> None:
    await held.log.sign(SHOWN, Digest(b"r" * 32))
    assert broken(lambda: held.log.verify(held.relay)) == (SHOWN - 1, Wrong.CHECKPOINT, None)


async def test_a_checkpoint_by_the_key_of_somebody_else(held: Held, world: World) -> None:
    await held.log.sign(SHOWN, signer=World(seed="another").nodes["KAZ"])
    assert broken(lambda: held.log.verify(held.relay)) == (SHOWN - 1, Wrong.SIGNATURE, None)


def test_a_row_that_states_another_root_than_its_note(held: Held) -> None:
    held.log.tamper("UPDATE audit_checkpoints SET root = zeroblob(32) WHERE size = 900")
    assert broken(lambda: held.log.verify(held.relay)) == (ANCHORED - 1, Wrong.SIGNATURE, None)


def test_an_anchor_that_was_altered_accuses_nobody(held: Held) -> None:
    data = bytearray(held.relay.read_bytes())
    data[-32 * 100] ^= 1
    held.relay.write_bytes(bytes(data))
    with pytest.raises(Invalid, match="not those that were signed"):
        held.log.verify(held.relay)


def test_an_anchor_that_the_node_never_signed(held: Held) -> None:
    forged = held.partner.read_bytes().replace(b"\n800\n", b"\n801\n")
    held.partner.write_bytes(forged)
    with pytest.raises(BadSignature):
        held.log.verify(held.partner)


async def test_what_follows_is_verified_from_what_was_verified(held: Held) -> None:
    before = held.log.verify(held.relay).frontier
    await held.log.grow(SIZE, 300)
    await held.log.again()
    after = held.log.verify(start=before).frontier
    assert after == held.log.verify().frontier
    held.log.tamper(*of_other_time(1100, column=False))
    assert broken(lambda: held.log.verify(start=before)) == (1100, Wrong.CHANGED, None)


async def test_a_past_rewritten_behind_what_was_verified(held: Held) -> None:
    """Nothing before is read again: the checkpoint does not go on from it."""
    before = held.log.verify(held.relay).frontier
    held.log.tamper(*of_other_time(5))
    await held.log.grow(SIZE, 10)
    await held.log.again()
    index, wrong, _ = broken(lambda: held.log.verify(start=before))
    assert (index, wrong) == (SIZE - 1, Wrong.CHECKPOINT)
