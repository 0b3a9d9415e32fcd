"""Who took every file and every passphrase of a node, and had recorded its traffic; tries whatever can be tried."""

from collections.abc import Iterator
from pathlib import Path

from keys import primitives
from keys.errors import KeyFault
from keys.identity import EpochIdentity
from keys.keystore import Keystore
from keys.mortal import MortalKeys
from keys.primitives import KEM_SEED
from keys.sealing import body_key, open_wrap
from keys.stream import open_stream
from schemas.contexts import Context, framed
from tests.support.world import Sealed


def plaintext(sealed: Sealed, recipient: str, halves: list[EpochIdentity]) -> bytes | None:
    """What is in a recorded envelope, by any of these private halves; None when none of them opens it."""
    header = sealed.header
    wrap = header.wrap_for(recipient)  # type: ignore[arg-type]  # a code
    assert wrap is not None
    for half in halves:
        try:
            secret = open_wrap(wrap, header.core.suite, header.core_bytes, header.core.key_commitment, half)
        except KeyFault:
            continue
        return b"".join(open_stream(body_key(secret.content_key), [sealed.body]))
    return None


def halves_in(folder: Path, keystore: Keystore) -> list[EpochIdentity]:
    """Every private half that a node's folder gives away to who has its store key."""
    found = {bytes(half.seed): half for half in _as_intended(keystore)}
    for secret in (*_secrets(keystore), *_under_any_veil(folder, keystore)):
        # Seeds at any place in what opens, whatever the program means by it.
        for start in range(max(0, len(secret) - KEM_SEED + 1)):
            seed = secret[start : start + KEM_SEED]
            found.setdefault(seed, EpochIdentity(seed))
    return list(found.values())


def files_with(folder: Path, piece: bytes) -> list[str]:
    """Every file that holds these bytes, raw or in hexadecimal."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path.name for path in files if (data := path.read_bytes()).find(piece) >= 0 or piece.hex().encode() in data]


def _as_intended(keystore: Keystore) -> Iterator[EpochIdentity]:
    mortal = MortalKeys(keystore)
    for name in mortal.names():
        yield EpochIdentity(mortal.get(name)[:KEM_SEED])


def _secrets(keystore: Keystore) -> list[bytes]:
    return [keystore.get(name) for name in keystore.names()]


def _under_any_veil(folder: Path, keystore: Keystore) -> Iterator[bytes]:
    """Every sealed file under every 32 bytes of any file of the keystore as its veil, with every time of a veil."""
    data = [path.read_bytes() for path in (folder / "keys").rglob("*") if path.is_file()]
    times = {whole[32:40] for whole in data if len(whole) == 40}
    windows = {whole[start : start + 32] for whole in data for start in range(len(whole) - 31)}
    within = keystore.within("epochs")
    for name in within.names():
        inner = within.get(name)
        veil = folder / "keys" / "veils" / f"{name}.veil"
        for time in {veil.read_bytes()[32:40]} if veil.exists() else times:
            context = framed(Context.SEALED_KEY, name.encode(), time)
            for window in windows:
                try:
                    yield primitives.secret_open(window, inner, context)
                except KeyFault:
                    continue
