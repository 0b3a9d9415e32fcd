"""`cbm node backup|restore` and `cbm relay backup|restore`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.cli.options import JsonFlag, PassphraseFile
from exchange.cli.output import note, print_result, utc
from exchange.cli.passphrase import read_passphrase

if TYPE_CHECKING:
    from exchange.wiring.snapshot import Backup

Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", file_okay=False, help="The folder of the node or relay.")]
BackupFile = Annotated[Path, typer.Option(metavar="FILE", exists=True, dir_okay=False)]
NewFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write; it must not exist.")]
DataDigest = Annotated[
    str | None, typer.Option("--sha256", metavar="HEX", help="Of the data's backup, as it was told when it was made.")
]
KeysFlag = Annotated[bool, typer.Option("--keys", help="Back up the keys, and not the data.")]


def node_backup(folder: Folder, out: NewFile, keys: KeysFlag = False, as_json: JsonFlag = False) -> None:
    """Back up a node's data, also while it runs; or, with --keys, the keys that open them.

    The two belong in two places: who has both and the passphrase reads everything. Neither holds an epoch's private
    key. The keys change when the node is set up or gets a new signing key, the data all the time.
    """
    from exchange.clock import SystemClock
    from exchange.wiring.backup import back_up_data, back_up_keys

    _tell((back_up_keys if keys else back_up_data)(folder, out, SystemClock().now()), as_json)


def node_restore(
    folder: Folder,
    data: BackupFile,
    keys: BackupFile,
    passphrase_file: PassphraseFile = None,
    sha256: DataDigest = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a node's folder of its two backups.

    Never while the node that was backed up still runs, and never twice from one backup: two nodes would speak for one
    member. The restored node publishes new epochs before it receives, begins new streams, and asks its partners to
    send again what came after the backup. Who could change the backup of the data could have the node trust another
    charter: give its --sha256, or compare the charter's digest that is told.
    """
    from exchange.clock import SystemClock
    from exchange.wiring.backup import restore_node

    passphrase = read_passphrase(passphrase_file, new=False, what=f"the keys in {keys}")
    made = restore_node(folder, data, keys, passphrase, SystemClock().now(), sha256)
    told = {"member": made.member, "dir": str(folder), "as_of": utc(made.taken), "charter": made.charter}
    print_result(told, as_json)
    note(
        f"restored as of {utc(made.taken)}: put back the certificate of node.toml, if it names one, and start the node"
    )


def relay_backup(folder: Folder, out: NewFile, keys: KeysFlag = False, as_json: JsonFlag = False) -> None:
    """Back up a relay's data, also while it runs; or, with --keys, its signing identity."""
    from exchange.clock import SystemClock
    from exchange.wiring.relay_backup import back_up_relay, back_up_relay_keys

    _tell((back_up_relay_keys if keys else back_up_relay)(folder, out, SystemClock().now()), as_json)


def relay_restore(
    folder: Folder,
    data: BackupFile,
    keys: BackupFile,
    passphrase_file: PassphraseFile = None,
    sha256: DataDigest = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a relay's folder of its two backups.

    Only when nothing was published after the backup: compare the sizes with what members have seen. If any of them has
    seen more, do not start it, and replace the relay by a charter version: its logs would contradict themselves.
    """
    from exchange.clock import SystemClock
    from exchange.wiring.relay_backup import restore_relay

    passphrase = read_passphrase(passphrase_file, new=False, what=f"the keys in {keys}")
    made = restore_relay(folder, data, keys, passphrase, SystemClock().now(), sha256)
    told = {"dir": str(folder), "as_of": utc(made.taken), "directory_size": made.directory, "audit_size": made.audit}
    print_result(told, as_json)
    note("before you start it: no member may have seen larger sizes; if one has, replace the relay instead")


def _tell(made: "Backup", as_json: bool) -> None:
    told = {"file": str(made.file), "sha256": made.sha256, "taken": utc(made.taken), "files": made.files}
    print_result(told, as_json)
