"""`cbm node rekey`, `publish`, `relay` and `directory export`: what a node's operator does in the ceremonies."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.ceremony_files import load, load_any, refuse_existing
from exchange.cli.describe import Description, describe
from exchange.cli.options import InFile, JsonFlag, PassphraseFile
from exchange.cli.output import Refusal, print_result
from exchange.cli.passphrase import read_passphrase
from keys.digests import fingerprint
from schemas.files import SIGNED_CHARTER
from schemas.statement import DirectoryEntry

directory_app = typer.Typer(help="The node's verified copy of the directory.", add_completion=False)

Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", file_okay=False, help="The node's folder.")]
DirectoryFile = Annotated[
    Path | None, typer.Option(metavar="FILE", exists=True, dir_okay=False, help="The directory of the former relay.")
]


@directory_app.callback()
def _directory() -> None:
    """The node's verified copy of the directory."""


@directory_app.command("export")
def export(
    folder: Folder,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; it must not exist.")],
    as_json: JsonFlag = False,
) -> None:
    """Write the directory as this node has verified it into a new file; size and root hash can be compared."""
    from exchange.wiring.node_directory import export_directory
    from keys.directory import handover_of

    refuse_existing(out)
    end = handover_of(export_directory(folder, out))
    print_result({"size": end.size, "root_hash": fingerprint(end.root_hash), "file": str(out)}, as_json)


def rekey(
    folder: Folder,
    token_key: Annotated[str | None, typer.Option(metavar="LABEL", help="Label of the new key in the token.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Make the node's next signing key; the root then certifies DIR/signing-request.cbm, also while the node runs.

    The node uses the present key until it finds the next one in the directory. Done again, it makes another next key.
    """
    from exchange.wiring.rekey import make_next
    from exchange.wiring.statements import REQUEST

    passphrase = read_passphrase(passphrase_file, new=False, what=f"the node in {folder}")
    print_result({"signing_key": make_next(folder, passphrase, token_key), "request": str(folder / REQUEST)}, as_json)


def publish(
    folder: Folder,
    file: InFile,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait until the running node has verified it.")
    ] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Publish a statement in the directory: a charter version, a certified key, a revocation, by whomever it was made.

    It counts from its place in the directory on, for each node once a quorum has cosigned a checkpoint that covers it.
    """
    from exchange.wiring import publishing

    kind, entry = load_any(file)
    if not isinstance(entry, DirectoryEntry):
        raise Refusal(f"{file} is a {kind.name}: the directory holds charters and statements about keys")
    publishing.publish(folder, entry)
    index = publishing.index_of(folder, entry, wait)
    told = describe(kind, entry)
    shown: Description = {
        name: told[name] for name in ("statement", "member", "fingerprint", "version") if name in told
    }
    print_result({"kind": kind.name, **shown, "index": index}, as_json)
    if wait and index is None:
        raise Refusal(f"it is published, and this node has not verified it within {wait:g} s: see `cbm node status`")


def relay(
    folder: Folder,
    url: Annotated[str, typer.Argument(metavar="URL", help="The relay's address, https://.")],
    charter: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="The version of the charter that names it."),
    ] = None,
    directory: DirectoryFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Use the relay at URL from the next start on; stop the node first.

    A relay that replaces another begins with exactly the other's directory. --directory brings this node's up to its
    end, and --charter is the version that states that end; a node that has seen anything else refuses both.
    """
    from exchange.wiring.node_directory import switch_relay

    entry = None if charter is None else load(charter, SIGNED_CHARTER)
    view = switch_relay(folder, url, entry, directory)
    told = {"relay": url, "charter": fingerprint(view.charter_digest), "version": view.charter.version}
    print_result({**told, "directory_size": view.size}, as_json)
