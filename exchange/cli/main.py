"""Entry point of `cbm`: finds the command, runs it, turns every fault into one line and an exit code.

0 success, 1 a refusal or a failed verification, 2 wrong use. Each command is imported only when it is called, so that
offline ceremonies start quickly and do not depend on the parts that talk to a network.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from exchange.cli.output import Refusal, note
from exchange.errors import ExchangeError
from keys.errors import KeyFault
from schemas.errors import DecodeError
from schemas.record_errors import RecordError

FAULT_LOG: Final = "CBM_FAULT_LOG"


@dataclass(frozen=True, slots=True)
class Command:
    """A command or a group of commands: where it is, and its line in the help."""

    module: str
    attribute: str
    help: str


COMMANDS: Final[dict[str, Command]] = {
    "demo": Command("cmd_demo", "demo", "Run the worked exchange: one relay and four nodes on this machine."),
    "relay": Command("cmd_relay", "relay_app", "Set up, run and inspect a relay."),
    "node": Command("cmd_node", "node_app", "Set up, run and inspect a member's node."),
    "keys": Command("cmd_keys", "keys_app", "Root and signing keys (offline)."),
    "charter": Command("cmd_charter", "charter_app", "Draft, sign, assemble and verify a charter (offline)."),
    "send": Command("cmd_send", "send", "Send a record."),
    "inbox": Command("cmd_messages", "inbox", "List the messages received."),
    "show": Command("cmd_messages", "show", "Show a message with its record, terms and state."),
    "export": Command(
        "cmd_export", "export", "Write a message's record as a file with its proof: CAP, GeoJSON, iCalendar and others."
    ),
    "forward": Command("cmd_messages", "forward", "Pass a received message on."),
    "consent": Command(
        "consent_app", "consent_app", "Ask for consent, give, refuse and withdraw it; explain decisions."
    ),
    "joint": Command("cmd_joint", "joint_app", "Sign or refuse what several states provide together (1.7)."),
    "release": Command("cmd_release", "release_app", "What waits for other officials: look, approve, refuse, change."),
    "group": Command("cmd_group", "group_app", "Lists of states, to be sent to as @NAME."),
    "calendar": Command("cmd_calendar", "calendar", "Show which returns are due, and what became of them."),
    "procedure": Command("cmd_procedure", "procedure_app", "Procedures A and B of section 3: steps and who may go on."),
    "database": Command("cmd_database", "database_app", "Search what a node holds; compile the common database."),
    "review": Command("cmd_review", "review", "Count what was exchanged, for the review of implementation (1.8)."),
    "convert": Command("cmd_convert", "convert_app", "Standards in and out: CAP, UN MilEx, STIX, GeoJSON (offline)."),
    "evidence": Command(
        "cmd_evidence", "evidence_app", "Prove to others what happened; verify it with the charter alone."
    ),
    "audit": Command("cmd_audit", "audit_app", "Search an audit log; verify offline what happened."),
    "catalogue": Command(
        "cmd_catalogue", "catalogue_app", "The Catalogue's measures and their record types (offline)."
    ),
    "schema": Command("cmd_schema", "schema_app", "Record types and their JSON Schemas (offline)."),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `cbm` with the arguments of this process, and exit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(given))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    try:
        command = typer.main.get_command(build(arguments[0] if arguments else None))
        code = command.main(arguments, prog_name="cbm", standalone_mode=False)
        sys.stdout.flush()
    except Refusal as refusal:
        return _fail(str(refusal), refusal.code)
    except typer.TyperException as fault:
        return _fail(f"{fault.format_message()} (see --help)", fault.exit_code)
    except (ExchangeError, KeyFault, DecodeError, RecordError) as fault:
        return _fail(str(fault), 1)
    except BrokenPipeError:
        # Whoever read the output has enough; the interpreter must not try to flush the rest of it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as fault:
        place = f"{fault.filename}: " if fault.filename else ""
        return _fail(f"{place}{fault.strerror or type(fault).__name__}", 1)
    except typer.Abort:
        return _fail("stopped before it was done: nothing more was written", 1)
    except Exception as fault:  # noqa: BLE001  # a user sees a line, never a traceback
        return _fail(_unknown(fault), 1)
    return code if isinstance(code, int) else 0


def build(chosen: str | None) -> typer.Typer:
    """The whole command line; only the command `chosen` is imported, the others stand in it for the help."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.callback()(_cbm)
    for name, command in COMMANDS.items():
        if name == chosen:
            _attach(app, name, command)
        else:
            app.command(name, help=command.help)(_elsewhere)
    return app


def _cbm() -> None:
    """Exchange confidence-building measures, end-to-end encrypted, under the provider's consent."""


def _elsewhere() -> None:
    raise AssertionError("a stand-in is never called")


def _attach(app: typer.Typer, name: str, command: Command) -> None:
    found: Any = getattr(importlib.import_module(f"exchange.cli.{command.module}"), command.attribute)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name, help=command.help)
    else:
        handler: Callable[..., Any] = found
        app.command(name)(handler)


def _fail(line: str, code: int) -> int:
    note(f"cbm: {' '.join(line.split())}")
    return code


def _unknown(fault: Exception) -> str:
    """One line for a fault of this program; the traceback goes to a private file, if one is named."""
    log = os.environ.get(FAULT_LOG)
    if not log:
        return f"a fault of this program ({type(fault).__name__}): set {FAULT_LOG}=FILE, repeat, and report the file"
    with os.fdopen(os.open(Path(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
        traceback.print_exception(fault, file=file)
    return f"a fault of this program ({type(fault).__name__}): the details are in {log}"
