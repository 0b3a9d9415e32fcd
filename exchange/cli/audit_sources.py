"""Where the audit commands read entries: from a running node over HTTP, or offline from the folder of node or relay."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.options import moment
from exchange.cli.output import WrongUse
from exchange.storage.audit_port import AuditQuery

Url = Annotated[str | None, typer.Option("--node", metavar="URL", envvar="CBM_NODE", help="Address of the node.")]
Token = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", envvar="CBM_TOKEN_FILE", help="File with the token, mode 0600."),
]
NodeDir = Annotated[
    Path | None, typer.Option("--dir", metavar="DIR", file_okay=False, exists=True, help="Offline: a node's folder.")
]
RelayDir = Annotated[
    Path | None, typer.Option("--relay", metavar="DIR", file_okay=False, exists=True, help="Offline: a relay's folder.")
]
Kind = Annotated[
    str | None, typer.Option("--event", metavar="KINDS", help="Such as opened or refused; several with commas.")
]
MemberCode = Annotated[str | None, typer.Option("--member", metavar="CODE", help="About this member.")]
Actor = Annotated[
    str | None,
    typer.Option("--actor", metavar="WHO", help="Such as defence/desk-1, operator; defence/ for a ministry."),
]
ReasonCode = Annotated[str | None, typer.Option("--reason", metavar="CODE", help="A stable code.")]
Envelope = Annotated[str | None, typer.Option("--envelope", metavar="ID", help="About this envelope.")]
Subject = Annotated[str | None, typer.Option("--subject", metavar="ID", help="About this message, request or key.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="From then on (RFC 3339, or a date).")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until then, without it.")]


def database_of(folder: Path | None, relay: Path | None) -> Path | None:
    """The store to read offline; None when neither folder is given. Raises WrongUse for both."""
    if folder is not None and relay is not None:
        raise WrongUse("give --dir or --relay, not both")
    if relay is not None:
        return relay / "relay.db"
    return None if folder is None else folder / "node.db"


def offline_query(query: dict[str, str]) -> AuditQuery:
    """A query of the node's interface as one of the store. Raises BadParameter."""
    from exchange.audit.shown import KINDS

    kinds = query.get("kind")
    try:
        return AuditQuery(
            kinds=None if kinds is None else tuple(KINDS[label] for label in kinds.split(",")),
            member=query.get("member"),
            actor=query.get("actor"),
            reason=query.get("reason"),
            envelope=_raw(query.get("envelope")),
            subject=_raw(query.get("subject")),
            since=_time(query.get("since")),
            until=_time(query.get("until")),
            newest=query.get("newest") == "true",
        )
    except KeyError as fault:
        raise typer.BadParameter(f"there is no kind {fault.args[0]!r}: one of {', '.join(KINDS)}") from None


@contextmanager
def offline(database: Path, query: dict[str, str], limit: int | None) -> Iterator[Iterator[dict[str, Any]]]:
    """Entries of a store that hold to a query. Raises StoreFault, BadParameter."""
    from exchange.audit.shown import shown
    from exchange.storage.audit_reading import audit_reading

    wanted = offline_query(query)
    with audit_reading(database) as reading:
        found = islice(reading.search(wanted, None), limit)
        yield (shown(leaf.index, leaf.time, leaf.leaf, leaf.lost) for leaf in found)


def write_exported(database: Path, of_relay: bool) -> None:
    """That the operator takes entries out of the log. Raises StoreFault."""
    from exchange.clock import SystemClock
    from exchange.storage.audit_beside import write_beside
    from exchange.storage.audit_port import AUDIT_EXPORTED, exported
    from exchange.storage.node_facts import OPERATOR, operated

    now = SystemClock().now()
    write_beside(database, operated(AUDIT_EXPORTED, now) if of_relay else exported(now, OPERATOR))


def _raw(text: str | None) -> bytes | None:
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no identifier in hexadecimal") from None


def _time(text: str | None) -> int | None:
    return None if text is None else moment(text)
