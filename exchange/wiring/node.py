"""A node's folder, and the one place where its keys, its store and its loops meet.

node.toml             settings
participation.toml    which measures the state takes part in, and with whom; optional
keys/                 keystore: signing identity, encryption epochs, local key
signing-request.cbm   what the state's root is asked to certify
signing-key.cbm       the root's statement, once installed
admin.token           token of `cbm node status`, scope admin only
node.db, content/, spool/   what it stores
lock                  held by the process that runs on the folder
run.json              {"pid", "url"} while it runs
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from exchange.certificates import only
from exchange.clock import Clock, SystemClock
from exchange.errors import Conflict, Invalid
from exchange.logs import configure_logging, get_logger
from exchange.node.access import Scope, make_token
from exchange.node.config import CONFIG_FILE, NodeConfig, load_config, load_declaration
from exchange.node.directory import DirectoryView
from exchange.node.files import NodeFiles
from exchange.node.keyring import Keyring
from exchange.node.parts import Parts, Stores
from exchange.node.runner import Node
from exchange.node.transport import RelayClient
from exchange.node.wake import Wakes
from exchange.process import RUN_FILE, no_core_dumps, note_running, sole_owner, stop_on_signals, write_durably
from exchange.storage.engine import Database
from exchange.storage.node_evidence import SqliteEvidence
from exchange.storage.node_inbox import SqliteInbox
from exchange.storage.node_outbox import SqliteOutbox
from exchange.storage.node_records import SqliteRecords
from exchange.storage.node_values import Token
from exchange.storage.node_views import SqliteAccess, SqliteViews
from keys import primitives
from keys.ceremony import request_signing_key
from keys.digests import charter_digest, fingerprint, key_id
from keys.directory import Directory, begin, extend
from keys.errors import Untrusted
from keys.keystore import Keystore
from schemas.canon import encode
from schemas.files import ENTRY, SIGNING_REQUEST, decode_file, encode_file
from schemas.ids import Digest, MemberId
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry, SigningKey

KEYS: Final = "keys"
REQUEST: Final = "signing-request.cbm"
STATEMENT: Final = "signing-key.cbm"
ADMIN_TOKEN: Final = "admin.token"  # noqa: S105  # a file name
_DATABASE: Final = "node.db"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NewNode:
    """What `init` made: fingerprints to compare by voice."""

    charter: str
    signing_key: str


def create_node(folder: Path, values: dict[str, str | int], entry: DirectoryEntry, passphrase: bytes) -> NewNode:
    """Make a node's folder: keys, settings, the charter as the beginning of its directory, a certification request.

    `values`: member, relay_url, host, port. Raises Conflict when the folder holds a node, Untrusted for a charter that
    does not hold or does not name the member, KeystoreFault, Invalid.
    """
    if (folder / CONFIG_FILE).exists():
        raise Conflict("node-exists", f"{folder / CONFIG_FILE} exists: choose another folder, keys are not overwritten")
    digest = charter_digest(entry.body)
    member = MemberId(str(values["member"]))
    begin(entry, digest).member(member)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keyring = Keyring.create(member, Keystore.create(folder / KEYS, passphrase))
    now = SystemClock().now()
    text, token = make_token("operator", (Scope.ADMIN.value,), ("*",), primitives.random_bytes(40), now)
    asyncio.run(_begin_store(folder, encode(DIRECTORY_ENTRY, entry), token))
    write_durably(folder / ADMIN_TOKEN, f"{text}\n".encode("ascii"), 0o600)
    write_durably(folder / REQUEST, encode_file(SIGNING_REQUEST, request_signing_key(keyring.signing, now)))
    # Last: a folder without settings is none, and what a crash left is not taken for a node.
    write_durably(folder / CONFIG_FILE, _settings(values, digest).encode("utf-8"))
    load_config(folder)
    return NewNode(fingerprint(digest), fingerprint(keyring.signing.key_id))


def install_statement(folder: Path, entry: DirectoryEntry) -> str:
    """Check the root's statement about this node's signing key against the charter, and keep it.

    Gives the fingerprint of the certified key. Raises Untrusted, BadSignature or Invalid.
    """
    config = load_config(folder)
    statement = entry.statement
    if not isinstance(statement, SigningKey) or statement.member != config.member:
        raise Invalid("wrong-statement", f"this is no statement about a signing key of {config.member}")
    request = decode_file(SIGNING_REQUEST, (folder / REQUEST).read_bytes())
    if key_id(statement.keys) != key_id(request.request.keys):
        raise Untrusted(f"the statement certifies another key than {folder / REQUEST} asks for")
    directory = asyncio.run(_stored_directory(folder, config))
    extend(directory, [entry])
    write_durably(folder / STATEMENT, encode_file(ENTRY, entry))
    return fingerprint(key_id(statement.keys))


def status_access(folder: Path) -> tuple[Path, ssl.SSLContext | None]:
    """How the operator's own commands reach the node: its token, and TLS to no other certificate than the node's own.

    Raises Invalid.
    """
    certificate = load_config(folder).listen.tls_certificate
    return folder / ADMIN_TOKEN, only(folder / certificate) if certificate is not None else None


def create_token(folder: Path, ministry: str, scopes: tuple[str, ...], measures: tuple[str, ...]) -> str:
    """A new token of a ministry; the text is not kept. Raises Invalid."""
    text, token = make_token(ministry, scopes, measures, primitives.random_bytes(40), SystemClock().now())
    asyncio.run(_with_access(folder, lambda access: access.add_token(token)))
    return text


def list_tokens(folder: Path) -> tuple[Token, ...]:
    """The tokens of a node; their secret halves are not stored."""
    return asyncio.run(_with_access(folder, lambda access: access.tokens()))


def revoke_token(folder: Path, token_id: str) -> bool:
    """Revoke a token at once; False when there is no such token in force."""
    now = SystemClock().now()
    return asyncio.run(_with_access(folder, lambda access: access.revoke_token(token_id, now)))


async def open_parts(folder: Path, passphrase: bytes, clock: Clock) -> tuple[Parts, Database]:
    """Everything that a node's loops share. Raises KeystoreFault, StoreFault, Untrusted, Invalid."""
    config = load_config(folder)
    declaration = load_declaration(folder, config.member)
    keyring = Keyring(MemberId(config.member), Keystore.open(folder / KEYS, passphrase))
    database = Database.open(folder / _DATABASE, "node")
    access = SqliteAccess(database)
    directory = await DirectoryView.load(access, Digest(bytes.fromhex(config.charter_digest)))
    digests = tuple(digest for relay in directory.current.charter.relays for digest in relay.tls_digests)
    parts = Parts(
        config=config,
        keyring=keyring,
        directory=directory,
        stores=Stores(
            SqliteOutbox(database),
            SqliteEvidence(database),
            SqliteInbox(database),
            SqliteViews(database),
            access,
            SqliteRecords(database),
        ),
        files=NodeFiles(folder, keyring.vault),
        relay=RelayClient(config.relay_url, digests, keyring.signing, clock),
        clock=clock,
        wakes=Wakes(),
        declaration=declaration,
    )
    return parts, database


async def run_node(folder: Path, passphrase: bytes, announce: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is told the address once it answers.

    Raises ExchangeError or KeyFault when it cannot begin, Conflict when another process runs on the folder.
    """
    no_core_dumps()
    configure_logging(load_config(folder).log_level)
    with sole_owner(folder):
        await _run(folder, passphrase, announce)


async def _run(folder: Path, passphrase: bytes, announce: Callable[[str], None] | None) -> None:
    log = get_logger("node")
    parts, database = await open_parts(folder, passphrase, SystemClock())
    stop = asyncio.Event()
    stop_on_signals(stop)

    def ready(url: str) -> None:
        note_running(folder, url)
        if announce is not None:
            announce(url)
        log.info("node.ready", url=url, member=parts.member)

    try:
        await Node(parts, installed_statement(folder)).serve(folder, ready, stop)
        log.info("node.stopped")
    finally:
        (folder / RUN_FILE).unlink(missing_ok=True)
        await database.close()


def installed_statement(folder: Path) -> DirectoryEntry | None:
    """The root's statement about this node's key, when it has been installed."""
    path = folder / STATEMENT
    return decode_file(ENTRY, path.read_bytes()) if path.exists() else None


async def _begin_store(folder: Path, charter: bytes, token: Token) -> None:
    database = Database.open(folder / _DATABASE, "node")
    try:
        access = SqliteAccess(database)
        await access.append_directory(0, (charter,))
        await access.add_token(token)
    finally:
        await database.close()


async def _stored_directory(folder: Path, config: NodeConfig) -> Directory:
    database = Database.open(folder / _DATABASE, "node")
    try:
        view = await DirectoryView.load(SqliteAccess(database), Digest(bytes.fromhex(config.charter_digest)))
        return view.current
    finally:
        await database.close()


async def _with_access(folder: Path, job: Callable[[SqliteAccess], Awaitable[T]]) -> T:
    load_config(folder)
    database = Database.open(folder / _DATABASE, "node")
    try:
        return await job(SqliteAccess(database))
    finally:
        await database.close()


def _settings(values: dict[str, str | int], digest: Digest) -> str:
    return "\n".join(
        [
            f"member = {json.dumps(values['member'])}",
            f"relay_url = {json.dumps(values['relay_url'])}",
            f"charter_digest = {json.dumps(digest.hex())}",
            "",
            "[listen]",
            f"host = {json.dumps(values['host'])}",
            f"port = {values['port']}",
            "",
        ]
    )
