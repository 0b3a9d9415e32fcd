"""Every private half that was ever made in the year, kept by the test, and looked for on the disks after its time."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from keys.mortal import ends
from keys.primitives import KEM_SEED
from tests.support.year_node import YearNode

_SECRET: Final = 32
_MLKEM: Final = 64


@dataclass(frozen=True, slots=True)
class Half:
    """A private half: its seed, the sealed file, and the key of its veil, as they were on the disk while it lived."""

    member: str
    name: str
    destroy_at: int
    seed: bytes
    sealed: bytes
    veil: bytes

    pieces: tuple[bytes, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """What may stand in no file after its time: any part of the seed that opens something, and the way to it."""
        middle = len(self.sealed) // 2
        secrets = (self.seed[:_MLKEM], self.seed[_SECRET:], self.veil)
        sealed = self.sealed[middle - _SECRET : middle + _SECRET]
        object.__setattr__(self, "pieces", (*secrets, sealed, self.seed.hex().encode(), self.veil.hex().encode()))


class Halves:
    """All of them, by member and name."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Half]] = {}

    def __len__(self) -> int:
        return sum(len(halves) for halves in self._known.values())

    def note(self, node: YearNode) -> None:
        """Take down what a running node has made since the last time."""
        known = self._known.setdefault(node.code, {})
        keys = node.folder / "keys"
        new = node.names_on_disk() - known.keys()
        stated = ends(keys) if new else {}
        for name in sorted(new):
            destroy_at = stated[name]
            seed = node.wheels.parts.keyring._mortal.get(name)[:KEM_SEED]
            sealed = (keys / "epochs" / f"{name}.key").read_bytes()
            veil = (keys / "veils" / f"{name}.veil").read_bytes()[:_SECRET]
            known[name] = Half(node.code, name, destroy_at, seed, sealed, veil)

    def of(self, member: str) -> Iterable[Half]:
        """Those of a member."""
        return self._known[member].values()

    def dead(self, member: str, now: int, since: int = 0) -> list[Half]:
        """Those of a member whose time came after `since`, and not after `now`."""
        return [half for half in self.of(member) if since < half.destroy_at <= now]

    def living(self, member: str, now: int) -> set[str]:
        """Names of those whose time has not come."""
        return {half.name for half in self.of(member) if half.destroy_at > now}


def found_in(paths: Iterable[str], halves: Iterable[Half]) -> Iterator[str]:
    """Which of the halves have left something in these files, and where."""
    halves = list(halves)
    if not halves:
        return
    data = {path: _read(path) for path in paths}
    whole = b"".join(data.values())
    for half in halves:
        if any(piece in whole for piece in half.pieces):
            places = [path for path, content in data.items() if any(piece in content for piece in half.pieces)]
            yield f"{half.name} of {half.member}, which ended at {half.destroy_at}, in {', '.join(places)}"


def key_files(folder: Path) -> list[str]:
    """The files of a node's keystore."""
    return all_files(folder / "keys")


def all_files(folder: Path) -> list[str]:
    """Every file of a node, the store's journal among them."""
    return [f"{at}/{name}" for at, _, names in os.walk(folder) for name in names]


def marks(paths: Iterable[str]) -> tuple[tuple[str, int, int], ...]:
    """What changes when one of these files does: name, size, and time of the last change."""
    return tuple((path, found.st_size, found.st_mtime_ns) for path in paths for found in [os.lstat(path)])


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # a hundred thousand times in a year
        return file.read()
