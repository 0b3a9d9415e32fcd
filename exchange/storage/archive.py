"""A backup as one file: a tar of plain files, with a manifest of their digests as its last member.

The manifest is for damage, not for malice: against that, whoever keeps a backup keeps its SHA-256 elsewhere, and gives
it to the reader. A reader takes nothing but
regular files under names that its caller allows, whatever else a tar could hold.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final

from exchange.errors import Conflict, Invalid, StoreFault

_MANIFEST: Final = "manifest.json"
_PIECE: Final = 256 * 1024
# The names and digests of some hundred thousand files.
_MAX_MANIFEST: Final = 64 * 1024 * 1024

Facts = Mapping[str, str | int]


def write_archive(out: Path, kind: str, facts: Facts, files: Iterable[tuple[str, Path]]) -> str:
    """Write a new archive of a kind (mode 0600), whole or not at all; gives its SHA-256 in hexadecimal.

    `facts` stand in the manifest. Raises Conflict when `out` exists, StoreFault when a file cannot be read or written.
    """
    if out.exists():
        raise Conflict("backup-exists", f"{out} exists: a backup is never overwritten")
    unfinished = out.with_name(out.name + ".new")
    try:
        unfinished.unlink(missing_ok=True)
        handle = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w+b") as file:
            _write(file, kind, facts, files)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        unfinished.replace(out)
        _sync(out.parent)
    except OSError as fault:
        unfinished.unlink(missing_ok=True)
        raise StoreFault(
            "backup-failed", f"{out} cannot be written ({fault.strerror}): check disk and rights"
        ) from None
    return digest


def read_archive(path: Path, kind: str, into: Path, allowed: Callable[[str], bool], sha256: str | None = None) -> Facts:
    """Unpack an archive of a kind into an existing folder; gives its facts. `sha256`: what `write_archive` gave.

    Raises Invalid for another digest or kind, a name that is not allowed, or damage; what was unpacked by then stays in
    `into`.
    """
    digests: dict[str, str] = {}
    try:
        with path.open("rb") as file, _of_digest(file, sha256), tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                plain = member.type == tarfile.REGTYPE and member.sparse is None
                source = tar.extractfile(member) if plain else None
                if source is None:
                    raise Invalid("bad-backup", f"{path} holds what is no plain file")
                if member.name == _MANIFEST:
                    return _checked(path, kind, source.read(_MAX_MANIFEST), digests)
                if not allowed(member.name) or member.name in digests:
                    raise Invalid("bad-backup", f"{path} holds a file that has no place in a {kind}")
                digests[member.name] = _unpack(source, into / member.name)
    except (tarfile.TarError, EOFError) as fault:
        raise Invalid("bad-backup", f"{path} is no whole backup ({type(fault).__name__})") from None
    except OSError as fault:
        raise StoreFault("restore-failed", f"{path} cannot be unpacked ({fault.strerror or fault})") from None
    raise Invalid("bad-backup", f"{path} ends before its manifest: it is not whole")


@contextmanager
def _of_digest(file: io.BufferedReader, sha256: str | None) -> Iterator[None]:
    """Nothing of a file is looked at that is not the expected one. Raises Invalid."""
    if sha256 is not None:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256.strip().lower():
            raise Invalid("bad-backup", "it is not the backup of that SHA-256: somebody changed it, or it is another")
        file.seek(0)
    yield


def _write(file: BinaryIO, kind: str, facts: Facts, files: Iterable[tuple[str, Path]]) -> None:
    digests = {}
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for name, path in files:
            with path.open("rb") as source:
                entry = _entry(name, os.fstat(source.fileno()).st_size)
                digest = _Digesting(source)
                tar.addfile(entry, digest)
                digests[name] = digest.sha256.hexdigest()
        text = json.dumps({"kind": kind, "facts": dict(facts), "files": digests}).encode("utf-8")
        tar.addfile(_entry(_MANIFEST, len(text)), io.BytesIO(text))


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o600
    return entry


class _Digesting:
    """A file whose bytes are digested while the tar reads them."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.sha256.update(data)
        return data


def _unpack(source: IO[bytes], path: Path) -> str:
    digest = hashlib.sha256()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        while piece := source.read(_PIECE):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _checked(path: Path, kind: str, text: bytes, digests: dict[str, str]) -> Facts:
    try:
        manifest = json.loads(text)
        named, facts, said = manifest["files"], dict(manifest["facts"]), manifest["kind"]
    except (ValueError, TypeError, KeyError):
        raise Invalid("bad-backup", f"the manifest of {path} cannot be read") from None
    if said != kind:
        raise Invalid("bad-backup", f"{path} is no {kind}: it says that it is something else")
    if named != digests:
        raise Invalid("bad-backup", f"{path} is damaged: its files are not those of its manifest")
    return facts


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
