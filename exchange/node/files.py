"""Files of a node: sealed attachments in `content/`, ciphertext on its way in `spool/`. Blocking: call it in a thread.

A file is complete and on the disk before its row is committed; a file without a row is an orphan of a crash and is
removed at start.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from exchange.errors import StoreFault
from exchange.storage.node_values import StoredAttachment
from keys.primitives import random_bytes
from keys.vault import SALT, Vault
from schemas.limits import CHUNK

_BODY: Final = ".body"
_ARRIVAL: Final = ".arrival"


class NodeFiles:
    """The two folders, with the vault that seals what stays."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        """Make the folders (mode 0700) when they are missing."""
        self._content = folder / "content"
        self._spool = folder / "spool"
        self._vault = vault
        for path in (self._content, self._spool):
            path.mkdir(mode=0o700, exist_ok=True)

    def new_name(self) -> str:
        """A name for a content file: 32 hexadecimal digits."""
        return random_bytes(16).hex()

    def write_content(self, name: str, pieces: Iterable[bytes]) -> None:
        """Seal `pieces` into a content file; on any fault the file is gone."""
        _write(self._content / name, self._vault.seal_file(name, random_bytes(SALT), pieces))

    def read_content(self, name: str) -> Iterator[bytes]:
        """The plaintext of a content file, a chunk at a time; raises Undecryptable."""
        return self._vault.open_file(name, read_pieces(self._content / name))

    def copy_content(self, files: Iterable[StoredAttachment]) -> tuple[StoredAttachment, ...]:
        """The same contents in files of their own, so that either message can be purged without the other."""
        copies: list[StoredAttachment] = []
        try:
            for stored in files:
                name = self.new_name()
                self.write_content(name, self.read_content(stored.file))
                copies.append(StoredAttachment(stored.position, name))
        except BaseException:
            self.remove_content(copy.file for copy in copies)
            raise
        return tuple(copies)

    def remove_content(self, names: Iterable[str]) -> None:
        """Remove content files that no row will name."""
        for name in names:
            (self._content / name).unlink(missing_ok=True)

    def destroy_content(self, names: Iterable[str]) -> None:
        """Overwrite content files that no row names any more, and remove them. Raises StoreFault, after all others."""
        faults = []
        for name in names:
            try:
                _overwrite(self._content / name)
            except StoreFault as fault:
                faults.append(fault)
        if faults:
            raise faults[0]

    def write_body(self, envelope: bytes, pieces: Iterable[bytes]) -> None:
        """Write an envelope's ciphertext to the spool."""
        _write(self.body_path(envelope), pieces)

    def read_body(self, envelope: bytes) -> Iterator[bytes]:
        """A spooled ciphertext, a chunk at a time."""
        return read_pieces(self.body_path(envelope))

    def remove_body(self, envelope: bytes) -> None:
        """Remove a spooled ciphertext."""
        self.body_path(envelope).unlink(missing_ok=True)

    def body_path(self, envelope: bytes) -> Path:
        """Where the ciphertext of an envelope of this node is spooled."""
        return self._spool / (envelope.hex() + _BODY)

    def arrival_path(self) -> Path:
        """A new place for a ciphertext on its way in."""
        return self._spool / (self.new_name() + _ARRIVAL)

    def remove_orphans(self, content: frozenset[str], bodies: frozenset[bytes]) -> int:
        """Remove every file that no row names; gives how many.

        A crash may have come before a content file was overwritten, so it is done now.
        """
        kept = {self._content / name for name in content} | {self.body_path(body) for body in bodies}
        orphans = [path for folder in (self._content, self._spool) for path in folder.iterdir() if path not in kept]
        for path in orphans:
            if path.parent == self._content:
                with suppress(StoreFault):
                    _overwrite(path)
            path.unlink(missing_ok=True)
        return len(orphans)


def manifest_name(message: bytes, attachments: Iterable[StoredAttachment]) -> bytes:
    """What a message's manifest is sealed for: its id (16 bytes) and the names of its files, in order.

    With the files' own keys bound to their names, a message opens with the files that it was stored with or not at all.
    """
    return message + "".join(attachment.file for attachment in attachments).encode("ascii")


def _overwrite(path: Path) -> None:
    """Raises StoreFault; the file is gone all the same."""
    if path.is_file():
        _write(path, (bytes(CHUNK) for _ in range(-(-path.stat().st_size // CHUNK))), truncate=False)
        path.unlink(missing_ok=True)


def _write(path: Path, pieces: Iterable[bytes], *, truncate: bool = True) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if truncate else 0)
    try:
        handle = os.open(path, flags, 0o600)
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        path.unlink(missing_ok=True)
        raise StoreFault("disk", f"cannot write {path.name}: {fault.strerror}: check disk space") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def read_pieces(path: Path) -> Iterator[bytes]:
    """A file's bytes, a chunk at a time; raises StoreFault."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as fault:
        raise StoreFault("disk", f"cannot read {path.name}: {fault.strerror}") from None
