"""`cbm audit mirror`: a member's copy of the relay's audit log."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import JsonFlag, PassphraseFile
from exchange.cli.output import print_result, utc
from exchange.cli.passphrase import read_passphrase

Node = Annotated[Path, typer.Option("--dir", metavar="DIR", exists=True, file_okay=False, help="The node's folder.")]
Mirror = Annotated[
    Path, typer.Option("--out", metavar="FILE", dir_okay=False, help="The copy; it is brought up to date.")
]


def mirror(folder: Node, out: Mirror, passphrase_file: PassphraseFile = None, as_json: JsonFlag = False) -> None:
    """Take the relay's audit log: its cosigned checkpoint, and the hash of every entry.

    It has to continue what the file had; if it does not, both are kept, and the exit code is 1. With the file,
    `cbm audit verify --relay DIR --anchors FILE` finds what was changed in the relay's folder or in any copy of it.
    What entries say is for those whom they concern; the operator has them all (`cbm audit export --relay DIR`).
    """
    import asyncio

    from exchange.clock import SystemClock
    from exchange.wiring.mirroring import mirror as bring_up

    passphrase = read_passphrase(passphrase_file, new=False, what=f"the node in {folder}")
    made = asyncio.run(bring_up(folder, passphrase, out, SystemClock()))
    facts = {"file": str(out), "entries": made.size, "before": made.before, "cosigned": utc(made.cosigned)}
    print_result(facts, as_json)
