"""`cbm relay`: set up, run and inspect a relay."""

from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.ceremony_files import load, refuse_existing
from exchange.cli.cmd_backup import relay_backup, relay_restore
from exchange.cli.describe import describe
from exchange.cli.options import InFile, JsonFlag, PassphraseFile
from exchange.cli.output import Refusal, announce, note, print_result, utc
from exchange.cli.passphrase import read_passphrase
from exchange.clock import SystemClock
from exchange.storage.log_port import LogHoldings
from keys.digests import fingerprint
from schemas.files import RELAY_IDENTITY, SIGNED_CHARTER

relay_app = typer.Typer(help="Set up, run and inspect a relay.", add_completion=False)
relay_app.command("backup")(relay_backup)
relay_app.command("restore")(relay_restore)
directory_app = typer.Typer(help="The relay's copy of the directory.", add_completion=False)
relay_app.add_typer(directory_app, name="directory")

Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", file_okay=False, help="The relay's folder.")]
NewFile = Annotated[Path, typer.Argument(metavar="FILE", help="File to write; it must not exist.")]
PemFile = Annotated[Path | None, typer.Option(metavar="FILE", exists=True, dir_okay=False)]


@relay_app.command("init")
def init(  # noqa: PLR0913, PLR0917  # options of a command
    folder: Folder,
    name: Annotated[str, typer.Option("--name", help="The relay's name in the charter.")] = "relay",
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    plain: Annotated[bool, typer.Option("--plain", help="HTTP without TLS; on loopback only.")] = False,
    tls_cert: PemFile = None,
    tls_key: PemFile = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a relay's identity and settings; its identity file goes to whoever drafts the charter.

    The charter names this identity, so it can only come later: install it with `cbm relay charter`.
    """
    from exchange.wiring.relay import IDENTITY, create_relay

    values: dict[str, Any] = {
        "name": name,
        "host": host,
        "port": port,
        "plain": plain,
        "tls_cert": None if tls_cert is None else str(tls_cert.absolute()),
        "tls_key": None if tls_key is None else str(tls_key.absolute()),
    }
    passphrase = read_passphrase(passphrase_file, new=True, what=f"the relay in {folder}")
    relay = create_relay(folder, values, passphrase)
    print_result({**describe(RELAY_IDENTITY, relay), "file": str(folder / IDENTITY)}, as_json)


@relay_app.command("charter")
def charter(
    folder: Folder,
    file: InFile,
    directory: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="The directory of the relay that is replaced."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Install the charter that names this relay; compare the fingerprint with the members before you do.

    A relay that replaces another takes over that one's directory (`cbm relay directory export`) up to the end that the
    charter states. The fingerprint is that of charter version 1, with which every directory of the members begins.
    """
    from exchange.wiring.relay import IDENTITY, install_charter

    identity = load(folder / IDENTITY, RELAY_IDENTITY)
    digest = install_charter(folder, load(file, SIGNED_CHARTER), identity, directory)
    print_result({"charter": fingerprint(digest)}, as_json)


@directory_app.command("export")
def export(folder: Folder, out: NewFile, as_json: JsonFlag = False) -> None:
    """Write the whole directory into a new file: for the relay that takes over from this one.

    Stop the relay first. The next charter version states the size and the root hash that are printed here.
    """
    from exchange.process import running_at
    from exchange.storage.relay_sqlite import read_entries
    from exchange.wiring.relay_directory import read_directory, write_directory
    from keys.merkle import Frontier
    from keys.tiles import entry_hash

    refuse_existing(out)
    if running_at(folder) is not None:
        note(f"warning: the relay in {folder} runs, and its directory may grow after this export")
    write_directory(out, read_entries(folder))
    tree = Frontier().extend(entry_hash(entry) for entry in read_directory(out))
    print_result({"size": tree.size, "root_hash": fingerprint(tree.root), "file": str(out)}, as_json)


@directory_app.command("show")
def show(file: InFile, as_json: JsonFlag = False) -> None:
    """Verify every entry of a directory file; tell its size, root hash and the charter in force.

    Compare the fingerprint of version 1 with the one that you know: the file alone proves no charter.
    """
    from exchange.wiring.relay_directory import verified_directory
    from keys.directory import handover_of

    directory = verified_directory(file, None)
    end = handover_of(directory)
    told = {"size": end.size, "root_hash": fingerprint(end.root_hash), "charter": directory.charter.version}
    versions = [fingerprint(record.digest) for record in directory.charters]
    print_result({**told, "fingerprints": versions}, as_json)


@relay_app.command("run")
def run(folder: Folder, passphrase_file: PassphraseFile = None, as_json: JsonFlag = False) -> None:
    """Serve until SIGTERM; the address is in the log, in DIR/run.json, and with --json on standard output."""
    import uvloop

    from exchange.wiring.relay import run_relay

    passphrase = read_passphrase(passphrase_file, new=False, what=f"the relay in {folder}")
    uvloop.run(run_relay(folder, passphrase, announce if as_json else None))


@relay_app.command("status")
def status(folder: Folder, as_json: JsonFlag = False) -> None:
    """Show whether the relay runs and what it holds; exit code 1 when it does not run."""
    import asyncio

    from exchange.process import running_at
    from exchange.storage.relay_sqlite import read_holdings

    holdings = read_holdings(folder)
    url = running_at(folder)
    health = "stopped" if url is None else asyncio.run(_health(url))
    mailboxes = [
        {"member": depth.member, "waiting": depth.waiting, "oldest": utc(depth.oldest)} for depth in holdings.mailboxes
    ]
    told = {
        "health": health,
        "url": url,
        "directory_size": holdings.directory_size,
        "accepted": holdings.accepted,
        "held": holdings.held,
        "logs": [_log(log, SystemClock().now()) for log in holdings.logs],
        "mailboxes": mailboxes,
    }
    print_result(told, as_json)
    if health != "ok":
        raise Refusal(f"the relay in {folder} is {health}: start it with `cbm relay run`")


def _log(log: LogHoldings, now: int) -> dict[str, Any]:
    """Of one log what an operator has to know: how far it is signed and published, by whom, how long ago."""
    from keys.checkpoint import parse_signed
    from keys.cosign import MEMBER_NAMES

    published, cosigners = log.published, set[str]()
    if published is not None:
        signed = parse_signed(published.note)
        names = {line.name for line in signed.signatures} - {signed.checkpoint.origin}
        cosigners = {name.removeprefix(MEMBER_NAMES) for name in names}
    return {
        "log": log.name,
        "size": log.size,
        "signed_size": 0 if log.signed is None else log.signed.size,
        "published_size": 0 if published is None else published.size,
        "published": None if published is None else utc(published.time),
        "age_seconds": None if published is None else max(0, now - published.time),
        "cosigned_by": sorted(cosigners),
    }


async def _health(url: str) -> str:
    """What `/healthz` says: this machine asks itself, so the certificate is not what is being checked."""
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(f"{url}/healthz", ssl=False) as response,
        ):
            return "ok" if response.status == 200 else f"answering {response.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as fault:
        note(f"{url} does not answer ({type(fault).__name__})")
        return "not answering"
