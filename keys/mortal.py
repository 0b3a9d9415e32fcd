"""Secrets with an end: each is written once, in one place, and destroyed at its time (docs/decisions/0020).

A secret NAME is `keys/epochs/NAME.key`, sealed under a veil of its own and then under the store key. The veil is
`keys/veils/NAME.veil`: 32 random bytes and the time of destruction (Unix seconds, 8 bytes, big-endian), which is bound
to the secret: with another time it does not open. Whoever has all keys and passphrases and not the veil has nothing.

The time stands outside of what is sealed, so that destroying needs no passphrase and comes before anything else.
"""

from pathlib import Path
from typing import Final

from keys import primitives
from keys.errors import KeystoreFault, Undecryptable
from keys.keystore import Keystore, erase, read_private, write_private
from schemas.contexts import Context, framed

SEALED: Final = "epochs"
VEILS: Final = "veils"
_KEY: Final = ".key"
_VEIL: Final = ".veil"
_UNFINISHED: Final = ".new"
_SIZE: Final = 32
_TIME: Final = 8


class MortalKeys:
    """The secrets with an end of one keystore. Prints as their folder only."""

    def __init__(self, keystore: Keystore) -> None:
        """Over an open keystore; makes the two folders when they are missing. Raises KeystoreFault."""
        self._sealed = keystore.within(SEALED)
        self._veils = keystore.within(VEILS).folder

    def __repr__(self) -> str:
        """The folder."""
        return f"MortalKeys({self._sealed.folder})"

    def put(self, name: str, secret: bytes, destroy_at: int) -> None:
        """Seal a new secret until a time (Unix seconds); raises KeystoreFault when there is one of that name.

        It is never written again: a second copy would be a second one to destroy.
        """
        veil = self._veils / (name + _VEIL)
        if self._sealed.has(name) or veil.exists():
            raise KeystoreFault(f"a secret {name} exists already: it is written once")
        key = primitives.random_bytes(_SIZE)
        # The veil first: a veil without a secret is nothing, and the next start removes it.
        write_private(veil, key + destroy_at.to_bytes(_TIME, "big"))
        self._sealed.put(name, primitives.secret_seal(key, secret, _context(name, destroy_at)))

    def get(self, name: str) -> bytes:
        """The secret; raises KeystoreFault when it was destroyed or never here, or does not open."""
        key, destroy_at = _read(self._veils / (name + _VEIL))
        try:
            return primitives.secret_open(key, self._sealed.get(name), _context(name, destroy_at))
        except Undecryptable:
            raise KeystoreFault(f"{name} does not open under its veil: one of the two files is damaged") from None

    def names(self) -> list[str]:
        """Names of all secrets that are here, in order; raises KeystoreFault when the veil of one is missing."""
        names = self._sealed.names()
        for name in names:
            if not (self._veils / (name + _VEIL)).exists():
                raise KeystoreFault(f"{self._veils} lacks the veil of {name}: is what should be mounted there?")
        return names

    def destroy(self, name: str) -> None:
        """Overwrite and remove a secret and its veil; raises KeystoreFault."""
        _destroy(self._sealed.folder / (name + _KEY), self._veils / (name + _VEIL))


def destroy_due(keystore: Path, now: int) -> tuple[str, ...]:
    """Destroy every secret of a keystore's folder whose time has come, and what a crash left of making one.

    Gives the names of the secrets that were destroyed. Needs no passphrase. Raises KeystoreFault when a file resists.
    """
    for folder in (keystore / SEALED, keystore / VEILS):
        for unfinished in sorted(folder.glob("*" + _UNFINISHED)):
            erase(unfinished)
    destroyed = []
    faults = []
    for veil in sorted((keystore / VEILS).glob("*" + _VEIL)):
        name = veil.name.removesuffix(_VEIL)
        sealed = keystore / SEALED / (name + _KEY)
        try:
            if _read(veil)[1] <= now:
                _destroy(sealed, veil)
                destroyed.append(name)
            elif not sealed.exists():
                erase(veil)
        except KeystoreFault as fault:
            # One file that resists must not keep the others alive.
            faults.append(fault)
    if faults:
        raise faults[0]
    return tuple(destroyed)


def ends(keystore: Path) -> dict[str, int]:
    """When each secret of a keystore's folder is destroyed, by its veil; needs no passphrase. Raises KeystoreFault."""
    veils = sorted((keystore / VEILS).glob("*" + _VEIL))
    return {veil.name.removesuffix(_VEIL): _read(veil)[1] for veil in veils}


def _destroy(sealed: Path, veil: Path) -> None:
    """The secret, then its veil: a crash between the two leaves a veil, by which the next try finds the rest."""
    for path in (sealed, veil):
        if path.exists():
            erase(path)


def _read(veil: Path) -> tuple[bytes, int]:
    """A veil and its time. One that a crash has half overwritten holds no key any more: its time has come."""
    data = read_private(veil)
    if len(data) != _SIZE + _TIME:
        raise KeystoreFault(f"{veil} is damaged: its secret is lost, remove both")
    return data[:_SIZE], int.from_bytes(data[_SIZE:], "big")


def _context(name: str, destroy_at: int) -> bytes:
    return framed(Context.SEALED_KEY, name.encode("ascii"), destroy_at.to_bytes(_TIME, "big"))
