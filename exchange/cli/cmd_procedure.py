"""`cbm procedure`: the modalities of section 3, step by step."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from exchange.cli import cmd_send, options
from exchange.cli.ceremony_files import read_bytes
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import Refusal, WrongUse, print_result, print_rows
from exchange.client import Attachment, NodeClient, Queued
from schemas import catalogue
from schemas.edition import Step
from schemas.record_limits import MAX_RECORD_BYTES
from schemas.registry import versions
from schemas.validate import load_json

procedure_app = typer.Typer(help="Procedures A and B of section 3: who did what, who may go on.", add_completion=False)

NEW: Final = "new"
Thread = Annotated[str, typer.Argument(metavar="THREAD", help="Id of any record or message of it.")]


@procedure_app.command("list")
def list_procedures(
    node: NodeUrl,
    token_file: TokenFile,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most, the newest.")] = 50,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """List the threads that began last, the newest first, with the steps taken."""
    rows = with_node(node, token_file, ca_file, as_json, lambda client: client.procedures(limit))
    columns = ("THREAD", "MODALITY", "AREA", "BY", "BEGUN", "STATE", "STEPS", "TITLE")
    print_rows(rows, as_json, columns, _cells)


@procedure_app.command("show")
def show(
    thread: Thread,
    node: NodeUrl,
    token_file: TokenFile,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a thread: steps done, records that were no valid step and why, open steps and who may take them now."""
    print_result(with_node(node, token_file, ca_file, as_json, lambda client: client.procedure(thread)), as_json)


@procedure_app.command("advance")
def advance(  # noqa: PLR0913  # options of a command
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="Id of any record or message of it; new begins one.")],
    *,
    step: Annotated[str, typer.Option("--step", metavar="STEP", help="Such as A1: see cbm catalogue show 3.A.")],
    body: Annotated[
        Path, typer.Option("--body", metavar="FILE", exists=True, dir_okay=False, help="Body of the record, JSON.")
    ],
    to: cmd_send.To,
    node: NodeUrl,
    token_file: TokenFile,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Else the words of the step.")] = None,
    language: Annotated[str, typer.Option("--language", metavar="TAG", help="Of title and record: en or ru.")] = "en",
    attach: cmd_send.Attachments = None,
    onward: cmd_send.Onward = None,
    tlp: cmd_send.Tlp = None,
    key: options.IdempotencyKey = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a step: make its record of a body, and send it. The node refuses a step that is not this state's to take.

    The body is as cbm schema show says of the step's record type. What tells the step from others of that type, such
    as decision_kind, may be left out. A file that the body names by {"filename": "paper.pdf"} alone is completed from
    the attachment of that name.
    """
    wanted, codes = _step(step), options.members(to)
    files = [Attachment.of(path) for path in attach or []]
    record = _record(wanted, _body(body, wanted, files), _title(title, language, wanted), language)
    terms = cmd_send.stated(onward=onward, tlp=tlp)
    measure = f"3.{wanted.step[0]}"

    async def work(client: NodeClient) -> Queued:
        if thread != NEW:
            found = await client.procedure(thread)
            if found["measure"] != measure:
                raise WrongUse(f"that thread is of modality {found['measure']}, step {step} is of {measure}")
            record.update(references=[found["id"]], mode=found["mode"])
        return await client.send(codes, measure, record, attachments=files, idempotency_key=key, **terms)

    cmd_send.print_queued(with_node(node, token_file, ca_file, as_json, work), as_json)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    titles = row["title"] or {}
    return (
        row["id"],
        row["measure"],
        row["priority_area"] or "-",
        ", ".join(row["by"]),
        row["begun"] or "-",
        row["state"],
        " ".join(taken["step"] for taken in row["done"]) or "-",
        titles.get("en") or titles.get("ru") or "-",
    )


def _step(name: str) -> Step:
    known = {step.step: step for step in catalogue.steps()}
    if name not in known:
        raise WrongUse(f"there is no step {name}: they are {', '.join(known)}")
    return known[name]


def _title(title: str | None, language: str, step: Step) -> str:
    if title is None and language != "en":
        raise WrongUse(f"give a title in {language}: the words of the step are English")
    return title or f"{step.step}: {step.act}"


def _record(step: Step, body: dict[str, Any], title: str, language: str) -> dict[str, Any]:
    return {
        "record_type": step.record_type,
        "schema_version": versions(step.record_type)[-1],
        "language": language,
        "title": {language: title},
        "body": body,
    }


def _body(path: Path, step: Step, files: Sequence[Attachment]) -> dict[str, Any]:
    """The body in a file, with the codes of its step."""
    body = load_json(read_bytes(path, MAX_RECORD_BYTES))
    if not isinstance(body, dict):
        raise Refusal(f"{path} holds no JSON object: a body is one")
    for name, code in step.where:
        if body.setdefault(name, code) != code:
            raise WrongUse(f"{path}: {name} is {code} in step {step.step}: correct it, or leave it out")
    completed: dict[str, Any] = _with_files(body, {file.filename: file for file in files})
    return completed


def _with_files(value: Any, files: dict[str, Attachment]) -> Any:  # noqa: ANN401  # any part of a body
    """The same, where each file that is named and nothing more is described as the record describes attachments."""
    if isinstance(value, list):
        return [_with_files(item, files) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() != {"filename"} or value["filename"] not in files:
        return {name: _with_files(item, files) for name, item in value.items()}
    file = files[value["filename"]]
    with file.path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    size = file.path.stat().st_size
    return {"filename": file.filename, "media_type": file.media_type, "size": size, "sha256": digest}
