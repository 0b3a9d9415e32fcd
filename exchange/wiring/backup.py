"""Backups of a node and what becomes of one (docs/decisions/0022).

There are two, to be kept in two places. `data`: settings, the root's statement, the store and its files, whose content
is sealed, and proofs of alarms, which are no secrets. `keys`: what opens it, sealed under the passphrase: store key,
signing identity, local key, a token's PIN. Neither holds the private half of an epoch, nor the other's part, nor a
token of a ministry.
"""

import asyncio
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exchange.errors import Invalid
from exchange.node.access import Scope, make_token
from exchange.node.config import CONFIG_FILE, load_config
from exchange.node.guard import FOLDER as PROOFS
from exchange.node.keyring import LOCAL, SIGNING
from exchange.process import sole_owner, write_durably
from exchange.storage.archive import read_archive, write_archive
from exchange.storage.engine import Database
from exchange.storage.node_backup import begin_again, check_store, copy_store, files_of, one_sealed
from exchange.storage.node_reading import DATABASE
from exchange.wiring.custody import KEYS, TOKEN_PIN, open_signing
from exchange.wiring.node import ADMIN_TOKEN
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
from exchange.wiring.statements import REQUEST, STATEMENT, installed_statement
from keys.digests import key_id
from keys.errors import KeystoreFault, Undecryptable
from keys.keystore import STORE, Keystore
from keys.primitives import random_bytes
from keys.vault import Vault
from schemas.statement import SigningKey

DATA: Final = "cbm-node-data/1"
SECRETS: Final = "cbm-node-keys/1"
_SETTINGS: Final = (CONFIG_FILE, REQUEST, STATEMENT)
_SECRETS: Final = (STORE, SIGNING, LOCAL, TOKEN_PIN)
_CONTENT: Final = re.compile(r"content/[0-9a-f]{32}")
_SPOOLED: Final = re.compile(r"spool/[0-9a-f]{32}\.body")
_PROOF: Final = re.compile(rf"{PROOFS}/[0-9A-Za-z-]{{1,80}}\.cbm")
_FOLDERS: Final = ("content", "spool", PROOFS)


@dataclass(frozen=True, slots=True)
class Restored:
    """Whose node it is, as of when its store is (Unix seconds), and the digest of the charter that it pins."""

    member: str
    taken: int
    charter: str


def back_up_data(folder: Path, out: Path, now: int) -> Backup:
    """Store, files and settings of one moment, also while the node runs. Raises Conflict, Invalid, StoreFault."""
    member = load_config(folder).member
    with staging(folder) as stage:
        for name in _SETTINGS:
            if (folder / name).exists():
                shutil.copyfile(folder / name, stage / name)

        def copy() -> None:
            (stage / DATABASE).unlink(missing_ok=True)
            copy_store(folder, stage / DATABASE)

        snapshot(folder, stage, _FOLDERS, copy, lambda: _named(stage / DATABASE) | _proofs(folder))
        files = files_in(stage)
        digest = write_archive(out, DATA, {"member": member, "taken": now}, files)
    return written_down(Backup(out, digest, now, len(files)), folder / DATABASE, BACKED_UP)


def back_up_keys(folder: Path, out: Path, now: int) -> Backup:
    """The keys that open the other backup, sealed as they are in the folder. Raises Conflict, Invalid, StoreFault."""
    member = load_config(folder).member
    kept = [f"{KEYS}/{name}.key" for name in _SECRETS]
    files = [(name, folder / name) for name in kept if (folder / name).exists()]
    digest = write_archive(out, SECRETS, {"member": member, "taken": now}, files)
    return written_down(Backup(out, digest, now, len(files)), folder / DATABASE, KEYS_BACKED_UP)


def restore_node(
    folder: Path, data: Path, keys: Path, passphrase: bytes, now: int, sha256: str | None = None
) -> Restored:
    """Make a node's folder of its two backups; it appears whole or not at all.

    The data pin the charter and name the relay and a token's module: with `sha256`, that of the data's backup as it was
    made, nothing of a changed one is used.
    The node has no epoch: it publishes new ones before it receives. Its streams begin anew. Raises Conflict when the
    folder exists, Invalid or StoreFault for backups that are damaged or not of one node, KeystoreFault.
    """
    require_empty(folder)
    with staging(folder) as stage:
        facts = read_archive(data, DATA, stage, _belongs_to_data, sha256)
        others = read_archive(keys, SECRETS, stage, _belongs_to_keys)
        (stage / KEYS).chmod(0o700)
        for name in _FOLDERS:
            (stage / name).mkdir(mode=0o700, exist_ok=True)
        if facts.get("member") != others.get("member"):
            raise Invalid("bad-backup", "the two backups are of two members' nodes")
        taken = int(facts["taken"])
        charter = _check(stage, passphrase)
        asyncio.run(_mark(stage, taken, now))
        put_in_place(stage, folder)
    return Restored(str(facts["member"]), taken, charter)


def _named(store: Path) -> set[str]:
    content, spooled = files_of(store)
    return {*(f"content/{name}" for name in content), *(f"spool/{name}.body" for name in spooled)}


def _proofs(folder: Path) -> set[str]:
    """Each is complete before an alarm names it. Operators may take them elsewhere, or lay other files beside them."""
    names = {f"{PROOFS}/{path.name}" for path in (folder / PROOFS).glob("*.cbm")}
    return {name for name in names if _PROOF.fullmatch(name)}


def _check(stage: Path, passphrase: bytes) -> str:
    """The parts are there, whole, and of one node; gives the digest of the charter that it pins."""
    config = load_config(stage)
    check_store(stage / DATABASE)
    identity = open_signing(stage, config, passphrase)
    entry = installed_statement(stage)
    if (
        entry is not None
        and isinstance(entry.statement, SigningKey)
        and key_id(entry.statement.keys) != identity.key_id
    ):
        raise Invalid(
            "bad-backup", "the signing key is not the one of the data: take the keys' backup of the same time"
        )
    found = one_sealed(stage / DATABASE)
    if found is None:
        return config.charter_digest
    try:
        Vault(Keystore.open(stage / KEYS, passphrase).get(LOCAL)).open("title", *found)
    except (Undecryptable, KeystoreFault):
        raise Invalid("bad-backup", "the local key does not open the stored messages: it is another node's") from None
    return config.charter_digest


async def _mark(stage: Path, taken: int, now: int) -> None:
    text, token = make_token("operator", (Scope.ADMIN.value,), ("*",), random_bytes(40), now)
    database = Database.open(stage / DATABASE, "node")
    try:
        with sole_owner(stage):
            await begin_again(database, taken, now, token)
    finally:
        await database.close()
    write_durably(stage / ADMIN_TOKEN, f"{text}\n".encode("ascii"), 0o600)


def _belongs_to_data(name: str) -> bool:
    fixed = (*_SETTINGS, DATABASE)
    return name in fixed or any(pattern.fullmatch(name) for pattern in (_CONTENT, _SPOOLED, _PROOF))


def _belongs_to_keys(name: str) -> bool:
    return name in {f"{KEYS}/{secret}.key" for secret in _SECRETS}
