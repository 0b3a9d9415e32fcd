"""`cbm relay`: set up, run and inspect a relay."""

from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.ceremony_files import load
from exchange.cli.describe import describe
from exchange.cli.options import InFile, JsonFlag, PassphraseFile
from exchange.cli.output import Refusal, announce, note, print_result, utc
from exchange.cli.passphrase import read_passphrase
from keys.digests import fingerprint
from schemas.files import RELAY_IDENTITY, SIGNED_CHARTER

relay_app = typer.Typer(help="Set up, run and inspect a relay.", add_completion=False)

Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", file_okay=False, help="The relay's folder.")]
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
def charter(folder: Folder, file: InFile, as_json: JsonFlag = False) -> None:
    """Install the charter that names this relay; compare the fingerprint with the members before you do."""
    print_result({"charter": _install(folder, file)}, as_json)


def _install(folder: Path, file: Path) -> str:
    from exchange.wiring.relay import IDENTITY, install_charter

    identity = load(folder / IDENTITY, RELAY_IDENTITY)
    return fingerprint(install_charter(folder, load(file, SIGNED_CHARTER), identity))


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
        "mailboxes": mailboxes,
    }
    print_result(told, as_json)
    if health != "ok":
        raise Refusal(f"the relay in {folder} is {health}: start it with `cbm relay run`")


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
