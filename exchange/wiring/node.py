"""A node's folder, and the one place where its keys, its store and its loops meet.

node.toml             settings
participation.toml    which measures the state takes part in, and with whom; optional
consent.toml          rules by which requests for consent are answered at once; optional
keys/                 keystore: signing identity, encryption epochs, local key
signing-*.cbm         what the state's root is asked to certify, and its statements (`exchange.wiring.statements`)
admin.token           token of `cbm node status`, scope admin only
node.db, content/, spool/   what it stores
log/audit/            hash tiles of its audit log; made anew from the store when they are lost
lock                  held by the process that runs on the folder
run.json              {"pid", "url"} while it runs
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from exchange.certificates import only
from exchange.clock import Clock, SystemClock
from exchange.errors import Conflict
from exchange.hardening import harden
from exchange.logs import configure_logging, get_logger, tell_hardening
from exchange.node.access import Scope, make_token
from exchange.node.books import Books
from exchange.node.config import CONFIG_FILE, load_config, load_declaration, load_rules
from exchange.node.directory import DirectoryView
from exchange.node.files import NodeFiles
from exchange.node.guard import Guard
from exchange.node.parts import Parts
from exchange.node.runner import Node
from exchange.node.transport import RelayClient
from exchange.node.wake import Wakes
from exchange.process import RUN_FILE, note_running, sole_owner, stop_on_signals, write_durably
from exchange.storage.engine import Database
from exchange.storage.node_values import Token
from exchange.storage.node_views import SqliteAccess
from exchange.wiring.custody import create_keyring, open_keyring
from exchange.wiring.rekey import adopt_next, serve_until_renewed, settle
from exchange.wiring.relay_directory import read_directory, verified_directory
from exchange.wiring.statements import certified_keys, installed_statement, write_request
from exchange.wiring.stores import node_stores
from keys import primitives
from keys.digests import charter_digest, fingerprint
from keys.directory import begin
from keys.token import TokenPlace
from schemas.canon import encode
from schemas.ids import Digest, MemberId
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry

ADMIN_TOKEN: Final = "admin.token"  # noqa: S105  # a file name
_DATABASE: Final = "node.db"
# Entries of the directory in one transaction.
_AT_ONCE: Final = 256
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NewNode:
    """What `init` made: fingerprints to compare by voice."""

    charter: str
    signing_key: str


def create_node(
    folder: Path,
    values: dict[str, str | int],
    entry: DirectoryEntry,
    passphrase: bytes,
    token: tuple[TokenPlace, bytes] | None = None,
    directory: Path | None = None,
) -> NewNode:
    """Make a node's folder: keys, settings, the charter as the beginning of its directory, a certification request.

    `entry`: version 1 of the charter. `values`: member, relay_url, host, port. `token`: where to make the Ed25519 key,
    and the PIN. `directory`: a file with the directory so far, for a member that a later version admitted. Raises
    Conflict when the folder holds a node, Untrusted for a charter or a directory that does not hold or does not name
    the member, Malformed, KeystoreFault, Invalid.
    """
    if (folder / CONFIG_FILE).exists():
        raise Conflict("node-exists", f"{folder / CONFIG_FILE} exists: choose another folder, keys are not overwritten")
    digest = charter_digest(entry.body)
    member = MemberId(str(values["member"]))
    begun = begin(entry, digest) if directory is None else verified_directory(directory, digest)
    begun.member(member)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keyring = create_keyring(folder, member, passphrase, token)
    now = SystemClock().now()
    bearer, row = make_token("operator", (Scope.ADMIN.value,), ("*",), primitives.random_bytes(40), now)
    entries = [encode(DIRECTORY_ENTRY, entry)] if directory is None else read_directory(directory)
    asyncio.run(_begin_store(folder, entries, row))
    write_durably(folder / ADMIN_TOKEN, f"{bearer}\n".encode("ascii"), 0o600)
    signing_key = write_request(folder, keyring.signing, now)
    # Last: a folder without settings is none, and what a crash left is not taken for a node.
    text = _settings(values, digest) + ("" if token is None else _token_settings(token[0]))
    write_durably(folder / CONFIG_FILE, text.encode("utf-8"))
    load_config(folder)
    return NewNode(fingerprint(digest), signing_key)


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
    """Everything that a node's loops share. Raises KeystoreFault, StoreFault, Untrusted, Invalid.

    Epoch keys whose time has come are destroyed before anything is opened.
    """
    config = load_config(folder)
    declaration = load_declaration(folder, config.member)
    rules = load_rules(folder)
    keyring = open_keyring(folder, config, passphrase, clock.now())
    database = Database.open(folder / _DATABASE, "node")
    stores = node_stores(database)
    books = Books(stores.access, stores.trust, stores.hand, stores.withdrawals)
    guard = Guard(folder, keyring, lambda: certified_keys(folder), books, clock, config.delivery.directory_max_age)
    directory = await DirectoryView.load(books, Digest(bytes.fromhex(config.charter_digest)), guard)
    digests = tuple(digest for relay in directory.current.charter.relays for digest in relay.tls_digests)
    parts = Parts(
        config=config,
        keyring=keyring,
        directory=directory,
        guard=guard,
        stores=stores,
        files=NodeFiles(folder, keyring.vault),
        relay=RelayClient(config.relay_url, digests, keyring.signing, clock),
        clock=clock,
        wakes=Wakes(),
        declaration=declaration,
        rules=rules,
    )
    return parts, database


async def run_node(folder: Path, passphrase: bytes, announce: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is told the address once it answers.

    Raises ExchangeError or KeyFault when it cannot begin, Conflict when another process runs on the folder.
    """
    configure_logging(load_config(folder).log_level)
    tell_hardening(harden())
    with sole_owner(folder):
        await _run(folder, passphrase, announce)


async def _run(folder: Path, passphrase: bytes, announce: Callable[[str], None] | None) -> None:
    """Serve; when the signing key is renewed, begin again with the next one."""
    stop = asyncio.Event()
    stop_on_signals(stop)
    while True:
        await asyncio.to_thread(settle, folder, passphrase)
        if not await _serve(folder, passphrase, announce, stop):
            return
        adopt_next(folder)


async def _serve(folder: Path, passphrase: bytes, announce: Callable[[str], None] | None, stop: asyncio.Event) -> bool:
    """Serve until told to stop, or until the next signing key is in the directory: True then."""
    log = get_logger("node")
    parts, database = await open_parts(folder, passphrase, SystemClock())

    def ready(url: str) -> None:
        note_running(folder, url)
        if announce is not None:
            announce(url)
        log.info("node.ready", url=url, member=parts.member)

    try:
        node = Node(parts, installed_statement(folder))
        renewed = await serve_until_renewed(lambda end: node.serve(folder, ready, end), parts, folder, stop)
        log.info("node.stopped")
        return renewed
    finally:
        (folder / RUN_FILE).unlink(missing_ok=True)
        await database.close()


async def _begin_store(folder: Path, entries: Iterable[bytes], token: Token) -> None:
    database = Database.open(folder / _DATABASE, "node")
    try:
        access = SqliteAccess(database)
        rest, size = iter(entries), 0
        while page := tuple(islice(rest, _AT_ONCE)):
            await access.append_directory(size, page)
            size += len(page)
        await access.add_token(token)
    finally:
        await database.close()


async def _with_access(folder: Path, job: Callable[[SqliteAccess], Awaitable[T]]) -> T:
    load_config(folder)
    database = Database.open(folder / _DATABASE, "node")
    try:
        return await job(SqliteAccess(database))
    finally:
        await database.close()


def _token_settings(place: TokenPlace) -> str:
    values = {"module": place.module, "label": place.label, "key": place.key}
    return "\n".join(["", "[token]", *(f"{name} = {json.dumps(value)}" for name, value in values.items()), ""])


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
