"""`cbm node`: set up, run and inspect a member's node."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.cli.ceremony_files import load
from exchange.cli.cmd_backup import node_backup, node_restore
from exchange.cli.cmd_doctor import doctor
from exchange.cli.cmd_hand import obey, release_hold
from exchange.cli.cmd_renewal import directory_app, publish, rekey, relay
from exchange.cli.options import InFile, JsonFlag, PassphraseFile, member
from exchange.cli.output import Refusal, WrongUse, announce, print_result, print_table, utc
from exchange.cli.passphrase import read_passphrase
from schemas.files import ENTRY, SIGNED_CHARTER

if TYPE_CHECKING:
    from keys.token import TokenPlace

node_app = typer.Typer(help="Set up, run and inspect a member's node.", add_completion=False)
token_app = typer.Typer(help="Tokens of ministries.", add_completion=False)
node_app.add_typer(token_app, name="token")
node_app.add_typer(directory_app, name="directory")
node_app.command("doctor")(doctor)
node_app.command("backup")(node_backup)
node_app.command("restore")(node_restore)
node_app.command("rekey")(rekey)
node_app.command("publish")(publish)
node_app.command("relay")(relay)
node_app.command("obey")(obey)
node_app.command("release-hold")(release_hold)

Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", file_okay=False, help="The node's folder.")]


@node_app.command("init")
def init(  # noqa: PLR0913, PLR0917  # options of a command
    folder: Folder,
    code: Annotated[str, typer.Option("--member", help="The member's code, such as KAZ.")],
    charter: Annotated[Path, typer.Option("--charter", metavar="FILE", exists=True, dir_okay=False)],
    relay_url: Annotated[str, typer.Option("--relay", metavar="URL", help="The relay's address, https://.")],
    directory: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="The directory so far, for a later member."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on for ministries.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8480,
    token_module: Annotated[Path | None, typer.Option(metavar="FILE", help="Driver of a PKCS#11 token.")] = None,
    token_label: Annotated[str, typer.Option(metavar="LABEL", help="The token's label.")] = "",
    token_key: Annotated[str, typer.Option(metavar="LABEL", help="Label of its new key pair.")] = "cbm-signing",  # noqa: S107
    token_pin_file: Annotated[Path | None, typer.Option(metavar="FILE", help="File with its PIN, mode 0600.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a node's keys and settings; the root then certifies DIR/signing-request.cbm.

    Compare the charter's fingerprint with the other members before you go on: the node trusts this charter, which is
    version 1. A member that was admitted later gives the directory so far, in which it has to be one. With a
    token, the Ed25519 half of the signing key is made there and never leaves it; the PIN is kept with the other keys.
    What the state takes part in, and with whom, goes into DIR/participation.toml, which is read when the node starts.
    """
    from exchange.wiring.node import create_node
    from exchange.wiring.statements import REQUEST

    entry = load(charter, SIGNED_CHARTER)
    token = _token(token_module, token_label, token_key, token_pin_file)
    passphrase = read_passphrase(passphrase_file, new=True, what=f"the node in {folder}")
    values: dict[str, str | int] = {"member": member(code), "relay_url": relay_url, "host": host, "port": port}
    made = create_node(folder, values, entry, passphrase, token, directory)
    told = {"charter": made.charter, "signing_key": made.signing_key, "request": str(folder / REQUEST)}
    print_result(told, as_json)


def _token(module: Path | None, label: str, key: str, pin_file: Path | None) -> "tuple[TokenPlace, bytes] | None":
    """Where a new key is to be made, with the PIN; None for the keystore."""
    if module is None:
        return None
    if not label or pin_file is None:
        raise WrongUse("--token-module needs --token-label and --token-pin-file")
    from keys.keystore import read_private
    from keys.token import TokenPlace

    pin = read_private(pin_file).removesuffix(b"\n").removesuffix(b"\r")
    return TokenPlace(str(module), label, key), pin


@node_app.command("certify")
def certify(folder: Folder, file: InFile, as_json: JsonFlag = False) -> None:
    """Install the root's statement about this node's newest key; the node publishes it when it runs, then uses it."""
    from exchange.wiring.statements import install_statement

    print_result({"signing_key": install_statement(folder, load(file, ENTRY))}, as_json)


@node_app.command("run")
def run(folder: Folder, passphrase_file: PassphraseFile = None, as_json: JsonFlag = False) -> None:
    """Serve until SIGTERM; the address is in the log, in DIR/run.json, and with --json on standard output."""
    import uvloop

    from exchange.wiring.node import run_node

    passphrase = read_passphrase(passphrase_file, new=False, what=f"the node in {folder}")
    uvloop.run(run_node(folder, passphrase, announce if as_json else None))


@node_app.command("status")
def status(folder: Folder, as_json: JsonFlag = False) -> None:
    """Show what waits and why, since when the relay is away, alarms; exit code 1 when the node does not run."""
    import asyncio

    from exchange.client import ClientError, NodeClient, Retry
    from exchange.process import running_at
    from exchange.wiring.node import status_access

    url = running_at(folder)
    if url is None:
        raise Refusal(f"the node in {folder} does not run: start it with `cbm node run`")
    token_file, tls = status_access(folder)

    async def ask() -> dict[str, object]:
        async with NodeClient(url, token_file=token_file, tls=tls, retry=Retry(attempts=1)) as node:
            return dict(await node.status())

    try:
        told = asyncio.run(ask())
    except ClientError as fault:
        raise Refusal(str(fault)) from None
    print_result(told, as_json)


@token_app.command("create")
def create(
    folder: Folder,
    ministry: Annotated[str, typer.Option("--ministry", help="Whose token it is, such as defence.")],
    scopes: Annotated[str, typer.Option("--scopes", help="What it may do, separated by commas: send,read.")],
    measures: Annotated[
        str, typer.Option("--measures", help="For which measures: 2.1.1.b, 2.1.*, 1.5:RECORD-TYPE, or *.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File for the token (0600); must not exist.")],
    as_json: JsonFlag = False,
) -> None:
    """Make a token and write it to a file: it cannot be shown again."""
    from exchange.cli.ceremony_files import refuse_existing
    from exchange.process import write_durably
    from exchange.wiring.node import create_token

    refuse_existing(out)
    text = create_token(folder, ministry, tuple(scopes.split(",")), tuple(measures.split(",")))
    write_durably(out, f"{text}\n".encode("ascii"), 0o600)
    print_result({"token": text.split("_")[1], "ministry": ministry, "file": str(out)}, as_json)


@token_app.command("list")
def list_(folder: Folder, as_json: JsonFlag = False) -> None:
    """List the tokens."""
    from exchange.cli.output import print_json
    from exchange.wiring.node import list_tokens

    rows = [
        {
            "token": token.id,
            "ministry": token.ministry,
            "scopes": list(token.scopes),
            "measures": list(token.measures),
            "created": utc(token.created),
            "revoked": utc(token.revoked) if token.revoked is not None else None,
        }
        for token in list_tokens(folder)
    ]
    if as_json:
        print_json(rows)
    else:
        cells = [[str(value) if not isinstance(value, list) else ",".join(value) for value in r.values()] for r in rows]
        print_table(["token", "ministry", "scopes", "measures", "created", "revoked"], cells)


@token_app.command("revoke")
def revoke(
    folder: Folder, token: Annotated[str, typer.Argument(help="The token's id.")], as_json: JsonFlag = False
) -> None:
    """Revoke a token at once."""
    from exchange.wiring.node import revoke_token

    if not revoke_token(folder, token):
        raise Refusal(f"there is no token {token} in force: see `cbm node token list`")
    print_result({"revoked": token}, as_json)
