"""Private keys in files: sealed, mode 0600, written atomically, refused when anyone else can read them.

A file that stands alone (a root key) is sealed under a passphrase. A keystore is a folder: one random store key sealed
under the passphrase, and each secret sealed under the store key, so that opening costs Argon2id once.
"""

import os
import re
import stat
from pathlib import Path
from typing import Final

from keys import primitives
from keys.errors import KeystoreFault, Undecryptable
from schemas.contexts import Context, framed

_MAGIC: Final = b"cbm/1 sealed-key\n"
STORE: Final = "store"
_SUFFIX: Final = ".key"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,80}")
_MAX_FILE: Final = 16 * 1024


def write_sealed_file(path: Path, label: str, secret: bytes, passphrase: bytes) -> None:
    """Seal `secret` under `passphrase` (Argon2id) into a new file; raises KeystoreFault when the file exists."""
    if path.exists():
        raise KeystoreFault(f"{path} exists: move it away first, keys are never overwritten")
    _check_passphrase(passphrase)
    salt = primitives.random_bytes(primitives.ARGON2_SALT)
    key = primitives.passphrase_key(passphrase, salt)
    _write(path, _MAGIC + salt + primitives.secret_seal(key, secret, _context(label)))


def read_sealed_file(path: Path, label: str, passphrase: bytes) -> bytes:
    """Open what `write_sealed_file` wrote under the same label; raises KeystoreFault."""
    data = read_private(path)
    if not data.startswith(_MAGIC):
        raise KeystoreFault(f"{path} is not a sealed key file")
    salt_end = len(_MAGIC) + primitives.ARGON2_SALT
    key = primitives.passphrase_key(passphrase, data[len(_MAGIC) : salt_end].ljust(primitives.ARGON2_SALT, b"\0"))
    return _open(path, key, data[salt_end:], label)


def is_sealed_file(path: Path) -> bool:
    """Whether a file is one that `write_sealed_file` wrote; raises OSError."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


class Keystore:
    """A folder of sealed secrets, opened once with its passphrase. Prints as its path only."""

    def __init__(self, folder: Path, key: bytes) -> None:
        """Use `create` or `open`."""
        self._folder = folder
        self._key = key

    def __repr__(self) -> str:
        """The path."""
        return f"Keystore({self._folder})"

    @classmethod
    def create(cls, folder: Path, passphrase: bytes) -> "Keystore":
        """Make the folder (mode 0700) and its store key; raises KeystoreFault when there is one."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(folder)
        key = primitives.random_bytes(32)
        write_sealed_file(folder / (STORE + _SUFFIX), STORE, key, passphrase)
        return cls(folder, key)

    @classmethod
    def open(cls, folder: Path, passphrase: bytes) -> "Keystore":
        """Open the store; raises KeystoreFault on a wrong passphrase, damage, or files that others can read."""
        if not folder.is_dir():
            raise KeystoreFault(f"there is no keystore in {folder}: run init first")
        _check_private(folder)
        return cls(folder, read_sealed_file(folder / (STORE + _SUFFIX), STORE, passphrase))

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._folder

    def within(self, name: str) -> "Keystore":
        """A store in a folder of this one, under the same store key; made (mode 0700) when it is missing."""
        folder = self._folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        _check_private(folder)
        return Keystore(folder, self._key)

    def put(self, name: str, secret: bytes) -> None:
        """Seal one secret under its name, replacing it atomically; raises KeystoreFault on a bad name."""
        _write(self._path(name), primitives.secret_seal(self._key, secret, _context(name)))

    def get(self, name: str) -> bytes:
        """The secret of that name; raises KeystoreFault."""
        path = self._path(name)
        return _open(path, self._key, read_private(path), name)

    def has(self, name: str) -> bool:
        """Whether there is a secret of that name."""
        return self._path(name).exists()

    def names(self) -> list[str]:
        """Names of all secrets, in order."""
        found = (path.name.removesuffix(_SUFFIX) for path in self._folder.glob("*" + _SUFFIX))
        return sorted(name for name in found if name != STORE)

    def delete(self, name: str) -> None:
        """Overwrite and remove a secret; raises KeystoreFault when there is none."""
        erase(self._path(name))

    def _path(self, name: str) -> Path:
        if _NAME.fullmatch(name) is None or name == STORE:
            raise KeystoreFault("a key's name has lower-case letters, digits, dots and dashes only")
        return self._folder / (name + _SUFFIX)


def erase(path: Path) -> None:
    """Overwrite a private file in place, make that durable, and remove it; raises KeystoreFault.

    Where the file system writes elsewhere than in place, what was there before is left to chance
    (docs/decisions/0020).
    """
    size = len(read_private(path))
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        _sync_folder(path.parent)
    except OSError as fault:
        raise KeystoreFault(f"{path} cannot be destroyed: {fault.strerror}: destroy it by hand") from None


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 whole or not at all, replacing what was there; raises KeystoreFault."""
    _write(path, data)


def _context(label: str) -> bytes:
    return framed(Context.SEALED_KEY, label.encode("utf-8"))


def _check_passphrase(passphrase: bytes) -> None:
    if len(passphrase) < 8:
        raise KeystoreFault("the passphrase is shorter than 8 bytes: choose a longer one")


def _open(path: Path, key: bytes, sealed: bytes, label: str) -> bytes:
    try:
        return primitives.secret_open(key, sealed, _context(label))
    except Undecryptable:
        raise KeystoreFault(f"{path} does not open: wrong passphrase, or the file is damaged") from None


def _check_private(path: Path) -> None:
    try:
        status = path.lstat()
    except OSError as fault:
        raise KeystoreFault(f"{path} cannot be read: {fault.strerror}") from None
    if stat.S_ISLNK(status.st_mode):
        raise KeystoreFault(f"{path} is a symbolic link: keep keys in a real place")
    if status.st_uid != os.geteuid():
        raise KeystoreFault(f"{path} belongs to another user: change its owner")
    if status.st_mode & 0o077:
        raise KeystoreFault(f"{path} can be read by others: chmod go= {path}")


def read_credential(path: Path) -> bytes:
    """The first 16 KiB of a file that the service manager handed over; raises KeystoreFault.

    It belongs to this user or to root. systemd lets the service read root's file by an access list, whose mask shows
    as the group's bits: those are allowed here, the bits of all others are not, and nobody may be able to replace it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status, folder = os.fstat(file.fileno()), path.parent.stat()
            data = file.read(_MAX_FILE)
    except OSError as fault:
        raise KeystoreFault(f"{path} cannot be read: {fault.strerror}") from None
    for found, forbidden in ((status, 0o027), (folder, 0o022)):
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & forbidden:
            raise KeystoreFault(f"{path} can be read or replaced by others: have the service manager hand it over")
    return data


def read_private(path: Path) -> bytes:
    """The first 16 KiB of a file that only its owner can read, not through a link; raises KeystoreFault."""
    try:
        _check_private(path)
        # The link check above could be raced; the open itself follows no link either.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as fault:
        raise KeystoreFault(f"{path} cannot be read: {fault.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        return file.read(_MAX_FILE)


def _write(path: Path, data: bytes) -> None:
    """Write aside with mode 0600, make it durable, then rename: a crash leaves the old file or the new one.

    Raises KeystoreFault when the disk does not take it.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as fault:
        why = fault.strerror or fault
        raise KeystoreFault(f"{path} cannot be written: {why}: check disk space and permissions") from None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
