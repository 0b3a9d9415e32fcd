"""Backups of a relay: `data` (settings, identity's public half, store, bodies) and `keys`, to be kept in two places.

A relay may only be restored from a backup that nothing was published after: its logs would go on otherwise than its
members saw, which they take for what it is. Otherwise it is replaced (docs/ceremonies.md).
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exchange.errors import Invalid
from exchange.relay.config import FILE, load_settings
from exchange.storage.archive import read_archive, write_archive
from exchange.storage.audit_beside import write_beside
from exchange.storage.node_backup import check_store
from exchange.storage.node_facts import operated
from exchange.storage.relay_backup import bodies_of, copy_relay_store, log_sizes
from exchange.storage.relay_sqlite import BODIES, DATABASE
from exchange.wiring.relay import IDENTITY, KEY_NAME, KEYS
from exchange.wiring.snapshot import (
    BACKED_UP,
    KEYS_BACKED_UP,
    Backup,
    files_in,
    put_in_place,
    require_empty,
    snapshot,
    staging,
    written_down,
)
from keys.ceremony import identity_of
from keys.digests import key_id
from keys.keystore import STORE, Keystore
from schemas.files import RELAY_IDENTITY, decode_file

DATA: Final = "cbm-relay-data/1"
SECRETS: Final = "cbm-relay-keys/1"
_SETTINGS: Final = (FILE, IDENTITY)
_BODY: Final = re.compile(BODIES + r"/[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class RestoredRelay:
    """As of when (Unix seconds) the relay is, and how many entries its two logs have."""

    taken: int
    directory: int
    audit: int


def back_up_relay(folder: Path, out: Path, now: int) -> Backup:
    """Store, bodies and settings of one moment, also while the relay runs. Raises Conflict, Invalid, StoreFault."""
    load_settings(folder)
    with staging(folder) as stage:
        for name in _SETTINGS:
            shutil.copyfile(folder / name, stage / name)

        def copy() -> None:
            (stage / DATABASE).unlink(missing_ok=True)
            copy_relay_store(folder, stage / DATABASE)

        def named() -> set[str]:
            return {f"{BODIES}/{name}" for name in bodies_of(stage / DATABASE)}

        snapshot(folder, stage, (BODIES,), copy, named)
        files = files_in(stage)
        digest = write_archive(out, DATA, {"taken": now}, files)
    return written_down(Backup(out, digest, now, len(files)), folder / DATABASE, BACKED_UP)


def back_up_relay_keys(folder: Path, out: Path, now: int) -> Backup:
    """The relay's signing identity, sealed as it is in the folder. Raises Conflict, Invalid, StoreFault."""
    load_settings(folder)
    files = [(name, folder / name) for name in sorted(_secrets())]
    made = Backup(out, write_archive(out, SECRETS, {"taken": now}, files), now, len(files))
    return written_down(made, folder / DATABASE, KEYS_BACKED_UP)


def restore_relay(
    folder: Path, data: Path, keys: Path, passphrase: bytes, now: int, sha256: str | None = None
) -> RestoredRelay:
    """Make a relay's folder of its two backups; it appears whole or not at all. `sha256`: of the data, as it was told.

    Raises Conflict when the folder is not empty, Invalid or StoreFault for backups that are damaged or not of one
    relay, KeystoreFault.
    """
    require_empty(folder)
    with staging(folder) as stage:
        facts = read_archive(data, DATA, stage, _belongs_to_data, sha256)
        read_archive(keys, SECRETS, stage, lambda name: name in _secrets())
        (stage / KEYS).chmod(0o700)
        (stage / BODIES).mkdir(mode=0o700, exist_ok=True)
        load_settings(stage)
        check_store(stage / DATABASE)
        identity = identity_of(Keystore.open(stage / KEYS, passphrase).get(KEY_NAME))
        if key_id(decode_file(RELAY_IDENTITY, (stage / IDENTITY).read_bytes()).keys) != identity.key_id:
            raise Invalid("bad-backup", "the signing key is not the one of the data: it is another relay's")
        restored = RestoredRelay(int(facts["taken"]), *log_sizes(stage / DATABASE))
        write_beside(stage / DATABASE, operated("restored", now))
        put_in_place(stage, folder)
    return restored


def _secrets() -> set[str]:
    return {f"{KEYS}/{name}.key" for name in (STORE, KEY_NAME)}


def _belongs_to_data(name: str) -> bool:
    return name in (*_SETTINGS, DATABASE) or _BODY.fullmatch(name) is not None
