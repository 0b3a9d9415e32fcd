"""`cbm export`: a message's record as a file, with the proof of what it is and on which terms beside it."""

import json
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import typer

from exchange.cli.ceremony_files import refuse_existing
from exchange.cli.content import OutFile, write_content
from exchange.cli.node_access import AuthorityFile, MessageId, NodeUrl, TokenFile, message_id, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import note
from exchange.client import Exported, NodeClient
from exchange.client.formats import ExportForm

_FORMS: Final[tuple[ExportForm, ...]] = get_args(ExportForm)


def export_form(text: str) -> ExportForm:
    """A format by its name; raises BadParameter."""
    for form in _FORMS:
        if text == form:
            return form
    raise typer.BadParameter(f"{text!r} is none of {', '.join(_FORMS)}")


def export(
    ident: MessageId,
    node: NodeUrl,
    token_file: TokenFile,
    form: Annotated[
        str, typer.Option("--as", metavar="FORM", help=f"One of {', '.join(_FORMS)}; json is the record itself.")
    ] = "json",
    internal: Annotated[
        bool, typer.Option("--internal", help="For use inside this state: whoever may read it, marked so.")
    ] = False,
    out: OutFile = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a message's record as a file that may be given to anybody; refused where its providers did not allow that.

    Beside --out FILE stands FILE.proof.json: marking, terms, and the signed evidence of who provided it. An alert comes
    out as its issuer's own bytes.
    """
    wanted, chosen = message_id(ident), export_form(form)
    beside = None if out is None else Path(f"{out}.proof.json")
    for path in (out, beside):
        if path is not None:
            refuse_existing(path)

    async def work(client: NodeClient) -> Exported:
        return await client.export(wanted, chosen, internal=internal)

    found = with_node(node, token_file, ca_file, as_json, work)
    if not as_json:
        note(f"{found.marking}: {found.handling}")
        if found.note is not None:
            note(f"note: {found.note}")
    if beside is not None:
        # The proof first: no file is there without its marking.
        proof = json.dumps(found.proof, ensure_ascii=True, indent=1) + "\n"
        write_content(proof.encode("ascii"), beside, {}, as_json=False)
    told: dict[str, Any] = {
        "media_type": found.media_type,
        "note": found.note,
        "marking": found.marking,
        "handling": found.handling,
        "proof": found.proof if beside is None else str(beside),
    }
    write_content(found.content, out, told, as_json)
