"""Gathers what `exchange.node.checkup` judges: from a node's folder, its process, the relay. Changes nothing."""

import shutil
import ssl
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from exchange.certificates import leaf
from exchange.clock import Clock
from exchange.errors import ExchangeError
from exchange.hardening import locked_memory
from exchange.node.checkup_facts import Facts, HoldFacts, KeyFacts, ProcessFacts, QuorumFacts, RelayFacts
from exchange.node.config import NodeConfig, load_config
from exchange.node.following import LOG
from exchange.node.probe import probe, signed_round_trip
from exchange.node.transport import RelayClient
from exchange.process import process_of
from exchange.storage.node_reading import read_checkpoint, read_holds
from exchange.wiring.custody import KEYS, open_signing
from exchange.wiring.epochs import list_epochs, node_directory
from exchange.wiring.statements import installed_statement
from keys.checkpoint import parse_signed
from keys.digests import key_id
from keys.directory import Directory
from keys.errors import KeyFault
from keys.identity import SigningIdentity
from keys.mortal import ends
from keys.primitives import certificate_end
from keys.quorum import verify_cosigned
from schemas.errors import DecodeError
from schemas.ids import MemberId
from schemas.statement import SigningKey


async def gather(folder: Path, passphrase: bytes | None, status: Mapping[str, object] | None, clock: Clock) -> Facts:
    """Everything about the node in `folder`. `status`: what the running node says of itself; None when none runs.

    Without a `passphrase` no signed request is sent. Raises Invalid, StoreFault, Untrusted or KeystoreFault when there
    is no node to be examined.
    """
    config = load_config(folder)
    directory = node_directory(folder)
    identity = open_signing(folder, config, passphrase) if passphrase is not None else None
    now = clock.now()
    certificate = config.listen.tls_certificate
    return Facts(
        now=now,
        relay=await _relay(config, directory, identity, clock),
        keys=_keys(folder, config, directory, now),
        process=None if status is None else _process(folder, status),
        quorum=_quorum(folder, directory),
        held=tuple(HoldFacts(hold.member, hold.kind) for hold in read_holds(folder)),
        disk_free=shutil.disk_usage(folder).free,
        exposed=_exposed(folder, config),
        swap=_swap(),
        listen_certificate_end=None if certificate is None else _end_of(folder / certificate),
    )


async def _relay(
    config: NodeConfig, directory: Directory, identity: SigningIdentity | None, clock: Clock
) -> RelayFacts:
    digests = tuple(digest for relay in directory.charter.relays for digest in relay.tls_digests)
    tls = config.relay_url.startswith("https://")
    try:
        found = await probe(config.relay_url, digests if tls else ())
    except ExchangeError as fault:
        return RelayFacts(fault.detail)
    if identity is None:
        return RelayFacts(None, tls, found.date, found.certificate_end)
    client = RelayClient(config.relay_url, digests, identity, clock)
    try:
        refused = await signed_round_trip(client, MemberId(config.member))
        behind = len(await client.directory(directory.size))
    except ExchangeError as fault:
        return RelayFacts(fault.detail)
    finally:
        await client.close()
    return RelayFacts(None, tls, found.date, found.certificate_end, refused, behind)


def _keys(folder: Path, config: NodeConfig, directory: Directory, now: int) -> KeyFacts:
    entry = installed_statement(folder)
    statement = entry.statement if entry is not None else None
    overdue = tuple(name for name, end in ends(folder / KEYS).items() if end <= now)
    if not isinstance(statement, SigningKey):
        return KeyFacts(False, False, False, 0, 0, False, 0, overdue)
    record = directory.signing.get((MemberId(config.member), key_id(statement.keys)))
    usable = [row.record for row in list_epochs(folder)[0] if row.held and row.in_force]
    return KeyFacts(
        installed=True,
        published=record is not None,
        in_force=record is not None and directory.in_force(record),
        valid_from=statement.valid_from,
        valid_until=statement.valid_until,
        present_epoch=any(epoch.valid_from <= now <= epoch.valid_until for epoch in usable),
        ahead=sum(epoch.valid_from > now for epoch in usable),
        overdue=overdue,
    )


def _quorum(folder: Path, directory: Directory) -> QuorumFacts | None:
    """Of the store, by which a stopped node is examined too; the relay could show another one."""
    # A running node may have gone on meanwhile.
    kept = read_checkpoint(folder, directory.size)
    if kept is None or kept.note is None:
        return None
    view = directory.as_of(kept.size)
    needed, members = view.charter.quorums.witness, len(view.charter.voters())
    try:
        _, quorum = verify_cosigned(parse_signed(kept.note), LOG, view)
    except (KeyFault, DecodeError):
        return QuorumFacts(0, needed, members, kept.latest)
    return QuorumFacts(len(quorum.times), needed, members, kept.latest)


def _process(folder: Path, status: Mapping[str, object]) -> ProcessFacts:
    relay, directory = status.get("relay"), status.get("directory")
    told = directory if isinstance(directory, Mapping) else {}
    updated = told.get("updated")
    fault = told.get("fault")
    return ProcessFacts(
        locked=_locked(folder),
        session=isinstance(relay, Mapping) and relay.get("session") is True,
        directory_updated=int(datetime.fromisoformat(updated).timestamp()) if isinstance(updated, str) else None,
        directory_fault=None if fault is None else str(fault),
    )


def _locked(folder: Path) -> int | None:
    """What the process that runs on the folder has locked of its memory; None when the system does not say."""
    pid = process_of(folder)
    try:
        return locked_memory(Path(f"/proc/{pid}/status").read_text("ascii"))
    except OSError:
        return None


def _exposed(folder: Path, config: NodeConfig) -> tuple[str, ...]:
    """Private files and folders that others can read or enter."""
    named = [folder / KEYS, folder / "content", folder / "spool", *folder.glob("*.token"), *folder.glob("node.db*")]
    if config.listen.tls_key is not None:
        named.append(folder / config.listen.tls_key)
    named += (folder / KEYS).rglob("*")
    return tuple(str(path) for path in named if path.exists() and path.stat().st_mode & 0o077)


def _swap() -> bool:
    """Whether this machine has swap, as far as it says so."""
    try:
        lines = Path("/proc/swaps").read_text("utf-8").splitlines()
    except OSError:
        return False
    return len(lines) > 1


def _end_of(certificate: Path) -> int | None:
    """When a PEM file's first certificate ends; None when it cannot be read, of which the node's start tells."""
    try:
        return certificate_end(ssl.PEM_cert_to_DER_cert(leaf(certificate)))
    except (ExchangeError, KeyFault, ValueError):
        return None
