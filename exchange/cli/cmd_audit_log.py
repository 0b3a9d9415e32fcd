"""`cbm audit tail|show|search|export`: what a log holds, from a running node or offline from a folder."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from exchange.cli import audit_sources as sources
from exchange.cli import options
from exchange.cli.audit_sources import NodeDir, RelayDir, Token, Url, database_of
from exchange.cli.node_access import AuthorityFile, with_node
from exchange.cli.options import JsonFlag, OutFile
from exchange.cli.output import Refusal, WrongUse, note, print_json, print_result, print_table
from exchange.client import NodeClient
from schemas.ids import MemberId

_LINES: Final = 20
_MOST: Final = 1000


def tail(
    count: Annotated[int, typer.Option("-n", min=1, max=_MOST, help="How many entries.")] = _LINES,
    node: Url = None,
    token_file: Token = None,
    folder: NodeDir = None,
    relay: RelayDir = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the last entries, the oldest of them first. Needs scope audit, or a folder."""
    rows = _rows({"newest": "true"}, count, database_of(folder, relay), _access(node, token_file, ca_file), as_json)
    _print(rows[::-1], as_json)


def search(  # noqa: PLR0913, PLR0917  # one parameter for each option
    event: sources.Kind = None,
    member: sources.MemberCode = None,
    actor: sources.Actor = None,
    reason: sources.ReasonCode = None,
    envelope: sources.Envelope = None,
    subject: sources.Subject = None,
    since: sources.Since = None,
    until: sources.Until = None,
    newest: Annotated[bool, typer.Option("--newest", help="The latest first.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many entries.")] = 100,
    node: Url = None,
    token_file: Token = None,
    folder: NodeDir = None,
    relay: RelayDir = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Find entries by time, member, envelope, event, reason or actor; what is given has to hold together."""
    query = _query(kind=event, member=member, actor=actor, reason=reason, envelope=envelope, subject=subject)
    query |= _query(since=since, until=until, newest="true" if newest else None)
    rows = _rows(query, limit, database_of(folder, relay), _access(node, token_file, ca_file), as_json)
    _print(rows, as_json)


def show(
    index: Annotated[int, typer.Argument(metavar="INDEX", min=0, help="Of the entry.")],
    node: Url = None,
    token_file: Token = None,
    folder: NodeDir = None,
    relay: RelayDir = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Show all that one entry says."""
    from exchange.audit.shown import shown
    from exchange.storage.audit_reading import audit_reading

    database = database_of(folder, relay)
    if database is None:
        url, file, authority = _access(node, token_file, ca_file)

        async def work(client: NodeClient) -> dict[str, Any]:
            return await client.audit_entry(index)

        print_result(with_node(url, file, authority, as_json, work), as_json)
        return
    with audit_reading(database) as reading:
        rows = reading.page(index, index + 1)
        lost = bool(rows) and reading.classes[rows[0][0]][3] == b"lost"
    if not rows:
        raise Refusal(f"the audit log has no entry {index}")
    _, time, _, _, leaf = rows[0]
    print_result({**shown(index, time, leaf, lost), "leaf": None if leaf is None else leaf.hex()}, as_json)


def export(  # noqa: PLR0913, PLR0917  # one parameter for each option
    out: OutFile,
    csv: Annotated[bool, typer.Option("--csv", help="CSV with a heading; otherwise JSON Lines.")] = False,
    event: sources.Kind = None,
    member: sources.MemberCode = None,
    since: sources.Since = None,
    until: sources.Until = None,
    node: Url = None,
    token_file: Token = None,
    folder: NodeDir = None,
    relay: RelayDir = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="The folder is a copy of another machine's: nothing is written into it.")
    ] = False,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write entries into a file, in the order of time. The log says who took them out, and of a folder the operator."""
    query = _query(kind=event, member=member, since=since, until=until)
    database = database_of(folder, relay)
    if out.exists():
        raise Refusal(f"{out} exists: an export is never overwritten")
    if database is not None:
        if not copy:
            sources.write_exported(database, relay is not None)
        with sources.offline(database, query, None) as rows:
            count = _write(rows, out, csv)
    else:
        query |= {"export": "true"}
        count = _write(_rows(query, None, None, _access(node, token_file, ca_file), as_json), out, csv)
    print_result({"file": str(out), "entries": count}, as_json)


def anchors(
    member: Annotated[str, typer.Argument(metavar="CODE", callback=options.member, help="Whose audit log.")],
    out: OutFile,
    folder: NodeDir = None,
    relay: RelayDir = None,
    as_json: JsonFlag = False,
) -> None:
    """Write what a relay (--relay), or a partner's node (--dir), holds of a member's audit log, for `verify --anchors`.

    A relay has the hash of every entry; a partner's node the newest checkpoint that it was shown. Checkpoints of the
    member that contradict each other go into files of their own, OUT.fork-1 and so on: of the two in front of an end
    `.held` and `.other` one is not of the log that is verified, and both are signed by the member's node.
    """
    from exchange.storage.audit_reading import audit_reading
    from exchange.wiring.auditing import write_anchor, write_heard

    database = database_of(folder, relay)
    if database is None:
        raise WrongUse("give the folder of a relay by --relay, or that of a partner's node by --dir")
    with audit_reading(database) as reading:
        parts = write_heard(reading, MemberId(member)) if relay is None else write_anchor(reading, MemberId(member))
        first = next(parts)
        with out.open("xb") as file:
            file.write(first)
            file.writelines(parts)
        forks = _write_forks(reading.contradicting(relay is not None, member), out)
    print_result({"file": str(out), "member": member, "bytes": out.stat().st_size, "forks": forks}, as_json)
    if forks:
        note(f"the node of {member} has signed checkpoints that contradict each other: somebody rewrote its log")


def _write_forks(found: Iterable[tuple[str, bytes, bytes]], out: Path) -> list[str]:
    """Both checkpoints of each contradiction, as files for `verify --anchors`; their names."""
    names = []
    for number, (_, held, other) in enumerate(found, 1):
        for end, data in (("held", held), ("other", other)):
            path = out.with_name(f"{out.name}.fork-{number}.{end}")
            path.write_bytes(data)
            names.append(str(path))
    return names


def _query(**given: str | None) -> dict[str, str]:
    return {name: value for name, value in given.items() if value is not None}


def _access(node: str | None, token_file: Path | None, authority: Path | None) -> tuple[str, Path, Path | None]:
    return node or "", token_file or Path(), authority


def _rows(
    query: dict[str, str],
    limit: int | None,
    database: Path | None,
    access: tuple[str, Path, Path | None],
    as_json: bool,
) -> list[dict[str, Any]]:
    if database is not None:
        with sources.offline(database, query, limit) as found:
            return list(found)
    url, token_file, authority = access
    if not url or token_file == Path():
        raise WrongUse("give --node and --token-file, or a folder by --dir or --relay")

    async def work(client: NodeClient) -> list[dict[str, Any]]:
        return [row async for row in client.audit(query, limit=limit)]

    return with_node(url, token_file, authority, as_json, work)


def _print(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    columns = ("index", "time", "kind", "member", "actor", "reason", "envelope", "count")
    print_table(columns, [[str(row.get(name, "")) for name in columns] for row in rows])


def _write(rows: Iterable[dict[str, Any]], out: Path, csv: bool) -> int:
    from exchange.audit.shown import csv_lines

    count = 0

    def counted() -> Iterable[dict[str, Any]]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    with out.open("x", encoding="utf-8") as file:
        out.chmod(0o600)
        for line in csv_lines(counted()) if csv else (json.dumps(row) for row in counted()):
            file.write(line + ("\r\n" if csv else "\n"))
    return count
