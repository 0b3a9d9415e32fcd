"""What backups of nodes and relays share: a private place beside the folder, files of one moment, atomic restores."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exchange.errors import Conflict, StoreFault
from exchange.storage.audit_beside import write_beside
from exchange.storage.audit_port import AuditFact
from exchange.storage.node_facts import OPERATOR
from schemas.audit import AuditKind

# A file that goes between two looks is not named by the next snapshot.
_TRIES: Final = 10
BACKED_UP: Final = "backed-up"
KEYS_BACKED_UP: Final = "keys-backed-up"


@dataclass(frozen=True, slots=True)
class Backup:
    """What was written: the file, its SHA-256 in hexadecimal, as of when (Unix seconds), how many files."""

    file: Path
    sha256: str
    taken: int
    files: int


def written_down(made: Backup, database: Path, what: str) -> Backup:
    """The backup, after the audit log says that it was made: one that cannot be written down is not made."""
    fact = AuditFact(AuditKind.OPERATOR, made.taken, OPERATOR, subject=bytes.fromhex(made.sha256), reason=what)
    try:
        write_beside(database, fact)
    except StoreFault:
        made.file.unlink(missing_ok=True)
        raise
    return made


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A private folder beside another one, on the same disk; gone afterwards, unless it was renamed."""
    stage = folder.absolute().with_name(f".{folder.absolute().name}-{secrets.token_hex(8)}")
    stage.mkdir(mode=0o700, parents=True)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def snapshot(
    folder: Path, stage: Path, folders: Iterable[str], copy: Callable[[], None], named: Callable[[], set[str]]
) -> None:
    """A copy of a store and of every file that it names, while both are in use.

    `copy` makes the store's copy in `stage` anew; `named` gives the relative names of the files that it needs. Each
    file is complete before a row names it, so files are linked first, and what came between is linked afterwards.
    Raises StoreFault when too much is going on.
    """
    folders = tuple(folders)
    for name in folders:
        (stage / name).mkdir(mode=0o700)
    for _ in range(_TRIES):
        for name in folders:
            if (folder / name).is_dir():
                for path in (folder / name).iterdir():
                    _link(path, stage / name / path.name)
        copy()
        wanted = named()
        for relative in wanted:
            _link(folder / relative, stage / relative)
        if all((stage / relative).exists() for relative in wanted):
            for name in folders:
                for path in (stage / name).iterdir():
                    if f"{name}/{path.name}" not in wanted:
                        path.unlink()
            return
    raise StoreFault("backup-failed", f"the files of {folder} do not hold still: try again when less is going on")


def files_in(stage: Path) -> list[tuple[str, Path]]:
    """Every file below a folder with its relative name, in order."""
    return [(str(path.relative_to(stage)), path) for path in sorted(stage.rglob("*")) if path.is_file()]


def require_empty(folder: Path) -> None:
    """Raises Conflict unless there is nothing in the way of a restore."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict("folder-not-empty", f"{folder} is not empty: restore into a new folder, never over another")


def put_in_place(stage: Path, folder: Path) -> None:
    """Make a staged folder the one: whole, or not at all."""
    if folder.exists():
        folder.rmdir()
    stage.rename(folder)


def _link(source: Path, target: Path) -> None:
    """A second name for a file, which costs no space and outlives the first; nothing when there is no such file."""
    try:
        os.link(source, target, follow_symlinks=False)
    except (FileExistsError, FileNotFoundError):
        return
    except OSError as fault:
        raise StoreFault("backup-failed", f"{source} cannot be linked ({fault.strerror})") from None
