"""`cbm keys epoch`: a node's encryption epochs, and what a theft of its keys exposed. Needs no passphrase."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exchange.cli.options import JsonFlag, moment
from exchange.cli.output import Refusal, print_json, print_result, print_table, utc
from exchange.clock import SystemClock
from keys.digests import fingerprint

if TYPE_CHECKING:
    from exchange.wiring.epochs import EpochRow

epoch_app = typer.Typer(help="Encryption epochs of a node, and what a theft exposed.", add_completion=False)

Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", file_okay=False, help="The node's folder.")]


@epoch_app.command("list")
def list_(folder: Folder, as_json: JsonFlag = False) -> None:
    """List the epochs: validity, when the private half is destroyed, and whether it is here."""
    from exchange.wiring.epochs import list_epochs

    now = SystemClock().now()
    published, others = list_epochs(folder)
    rows = [_row(row, now) for row in published]
    rows += [
        {
            "number": None,
            "name": other.name,
            "state": "unpublished",
            "destroy_at": utc(other.destroy_at),
            "half": "here",
        }
        for other in others
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["number", "state", "valid_from", "valid_until", "destroy_at", "half"]
    print_table(columns, [[str(row.get(name) or "-") for name in columns] for row in rows])


@epoch_app.command("show")
def show(
    folder: Folder, number: Annotated[int, typer.Argument(help="The epoch's number.")], as_json: JsonFlag = False
) -> None:
    """Show one epoch with its fingerprint."""
    from exchange.wiring.epochs import list_epochs

    now = SystemClock().now()
    found = [_row(row, now) for row in list_epochs(folder)[0] if row.record.number == number]
    if not found:
        raise Refusal(f"this node has published no epoch {number}: see `cbm keys epoch list`")
    # Numbers begin anew with each signing key: the newest epoch is the one that partners use.
    print_result(found[-1], as_json)


@epoch_app.command("exposed")
def exposed(
    folder: Folder,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="When everything was stolen: 2026-11-24T09:00Z.")],
    as_json: JsonFlag = False,
) -> None:
    """Tell what whoever stole every file and passphrase of the node at a time can read, and what not."""
    from exchange.wiring.epochs import loss_at

    stolen_at = moment(at)
    loss = loss_at(folder, stolen_at)
    told = {
        "stolen_at": utc(stolen_at),
        "signing_key": "exposed, unless it is in a token: revoke it with the root (`cbm keys revoke`)",
        "stored_messages_exposed": loss.stored,
        "recorded_envelopes_exposed": [
            {"sender": item.sender, "envelope": item.envelope.hex(), "received": utc(item.time)} for item in loss.opened
        ],
        "recorded_envelopes_not_exposed": loss.closed,
        "epochs": [
            {
                "number": item.record.number,
                "valid_from": utc(item.record.valid_from),
                "destroy_at": utc(item.record.destroy_at),
                "exposed": item.exposed,
            }
            for item in loss.exposures
        ],
    }
    print_result(told, as_json)


def _row(row: "EpochRow", now: int) -> dict[str, Any]:
    record = row.record
    if not row.in_force:
        state = "ended"
    elif now < record.valid_from:
        state = "ahead"
    elif now <= record.valid_until:
        state = "valid"
    else:
        state = "grace" if now < record.destroy_at else "over"
    # A half that is missing before its time is lost, as after a restore: what was sealed to it cannot be opened.
    missing = "destroyed" if now >= record.destroy_at else "not here"
    return {
        "number": record.number,
        "fingerprint": fingerprint(record.key_id),
        "index": record.index,
        "state": state,
        "valid_from": utc(record.valid_from),
        "valid_until": utc(record.valid_until),
        "destroy_at": utc(record.destroy_at),
        "half": "here" if row.held else missing,
    }
