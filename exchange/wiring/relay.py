"""A relay's folder, and the one place where its key meets its server.

relay.toml            settings
keys/                 keystore with the relay's hybrid signing identity
relay-identity.cbm    its public half, for whoever drafts the charter
relay.db, bodies/     what it stores
log/                  hash tiles of its two logs, which it makes anew from relay.db when they are missing
lock                  held by the process that runs on the folder
run.json              {"pid", "url"} while it runs
"""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

from exchange.clock import SystemClock
from exchange.errors import Conflict, Invalid
from exchange.hardening import harden
from exchange.logs import configure_logging, get_logger, tell_hardening
from exchange.process import RUN_FILE, note_running, sole_owner, stop_on_signals, write_durably
from exchange.relay.app import build_app
from exchange.relay.config import FILE, RelaySettings, load_settings, parse_settings
from exchange.relay.intake import RelayIdentity
from exchange.relay.journal import OPERATOR
from exchange.relay.runner import serve, tls_context
from exchange.storage.audit_port import AuditFact
from exchange.storage.relay_sqlite import SqliteRelayStore
from exchange.wiring.relay_directory import fill_store, read_directory, taken_over
from keys import primitives
from keys.ceremony import identity_of, identity_secret
from keys.digests import charter_digest, fingerprint, key_id
from keys.directory import verify_first_charter
from keys.identity import SIGNING_ENTROPY, SigningIdentity
from keys.keystore import Keystore
from keys.logsigner import sign_checkpoint
from schemas.audit import AuditKind
from schemas.canon import encode
from schemas.charter import Relay
from schemas.files import RELAY_IDENTITY, encode_file
from schemas.ids import SECRETARIAT, Digest
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry, read_entry

KEYS: Final = "keys"
IDENTITY: Final = "relay-identity.cbm"
KEY_NAME: Final = "relay-signing"


def create_relay(folder: Path, values: dict[str, Any], passphrase: bytes) -> Relay:
    """Make a relay's folder with its identity and settings; `values` are those of `relay.toml`.

    Raises Invalid for settings that cannot be, Conflict when the folder holds a relay, KeystoreFault.
    """
    settings = parse_settings(values)
    path = folder / FILE
    if path.exists():
        raise Conflict("relay-exists", f"{path} exists: a relay's identity is never overwritten, use another folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls = tls_context(settings, folder)
    identity = SigningIdentity.from_entropy(SECRETARIAT, primitives.random_bytes(SIGNING_ENTROPY))
    Keystore.create(folder / KEYS, passphrase).put(KEY_NAME, identity_secret(identity))
    relay = Relay(settings.name, identity.public, () if tls is None else (tls[1],))
    write_durably(folder / IDENTITY, encode_file(RELAY_IDENTITY, relay))
    # Last: a folder without settings is none, and what a crash left is not taken for a relay.
    write_durably(path, _toml(values).encode("utf-8"))
    return relay


def install_charter(folder: Path, entry: DirectoryEntry, identity: Relay, old: Path | None = None) -> Digest:
    """Begin the directory with a charter that names this relay, and pin the digest of version 1, which is returned.

    A relay that replaces another is given the directory file of that one (`old`): its own begins with exactly these
    entries, and the charter that names it comes next. Raises Untrusted or BadSignature for what does not hold, Conflict
    when another charter is pinned or while a relay runs on the folder, Invalid when it does not name this relay,
    Malformed or DecodeError for a file that is none.
    """
    settings = load_settings(folder)
    pinned = None if settings.charter_digest is None else Digest(bytes.fromhex(settings.charter_digest))
    raw = encode(DIRECTORY_ENTRY, entry)
    if old is None:
        charter, digest = verify_first_charter(entry, None), charter_digest(entry.body)
    else:
        directory = taken_over(old, entry, pinned)
        charter, digest = directory.charter, directory.charters[0].digest
    if pinned not in (None, digest):
        raise Conflict("charter-pinned", f"another charter is pinned: {settings.charter_digest}")
    if all(key_id(relay.keys) != key_id(identity.keys) for relay in charter.relays):
        raise Invalid("relay-not-in-charter", f"the charter names another relay: draft it with this one's {IDENTITY}")
    with sole_owner(folder):
        if old is None:
            asyncio.run(_begin_directory(folder, raw, digest))
        else:
            asyncio.run(fill_store(folder, chain(read_directory(old), [raw])))
    if pinned is None:
        path = folder / FILE
        write_durably(path, f'charter_digest = "{digest.hex()}"\n{path.read_text("utf-8")}'.encode())
    return digest


async def _begin_directory(folder: Path, raw: bytes, digest: Digest) -> None:
    store = SqliteRelayStore.open(folder)
    try:
        standing = await store.entries(0, 1)
        if not standing:
            await store.append(raw, 0, [_installed(raw)])
        # The same charter may come with other signatures: the first ones stand.
        elif charter_digest(read_entry(standing[0]).body) != digest:
            raise Conflict("charter-pinned", "the directory begins with another charter: use another folder")
    finally:
        await store.close()


def _installed(raw: bytes) -> AuditFact:
    return AuditFact(
        AuditKind.DIRECTORY_ENTRY, SystemClock().now(), actor=OPERATOR, reason="charter", evidence=raw, count=0
    )


async def run_relay(folder: Path, passphrase: bytes, announce: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is told the address once it answers.

    Raises ExchangeError or KeystoreFault when it cannot begin, Conflict when another process runs on the folder.
    """
    settings = load_settings(folder)
    configure_logging(settings.log_level)
    tell_hardening(harden())
    with sole_owner(folder):
        await _run(folder, settings, passphrase, announce)


async def _run(
    folder: Path, settings: RelaySettings, passphrase: bytes, announce: Callable[[str], None] | None
) -> None:
    log = get_logger("relay")
    tls = tls_context(settings, folder)
    key = identity_of(Keystore.open(folder / KEYS, passphrase).get(KEY_NAME))
    store = SqliteRelayStore.open(folder)
    stop = asyncio.Event()
    stop_on_signals(stop)

    def ready(url: str) -> None:
        note_running(folder, url)
        if announce is not None:
            announce(url)
        log.info("relay.ready", url=url, relay=fingerprint(key.key_id))

    try:
        identity = RelayIdentity(key.key_id, key.sign_bytes, partial(sign_checkpoint, key))
        app = await build_app(folder, settings, store, identity, SystemClock(), None if tls is None else tls[1])
        await app.journal.operator("started", settings.model_dump_json().encode())
        await serve(app, settings, None if tls is None else tls[0], ready, stop)
        await app.journal.operator("stopped")
        log.info("relay.stopped")
    finally:
        (folder / RUN_FILE).unlink(missing_ok=True)
        await store.close()


def _toml(values: dict[str, Any]) -> str:
    """Settings without tables, one a line; strings of JSON without escapes beyond TOML's are TOML."""
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items() if value is not None]
    return "\n".join([*lines, ""])
