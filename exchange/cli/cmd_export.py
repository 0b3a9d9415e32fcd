"""`cbm export`: a message's record as a file of a standard."""

from typing import Annotated, Final, get_args

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
    out: OutFile = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a message's record as a file, for those who may read it; an alert comes out as its issuer's own bytes."""
    wanted, chosen = message_id(ident), export_form(form)
    if out is not None:
        refuse_existing(out)

    async def work(client: NodeClient) -> Exported:
        return await client.export(wanted, chosen)

    found = with_node(node, token_file, ca_file, as_json, work)
    if found.note is not None and not as_json:
        note(f"note: {found.note}")
    write_content(found.content, out, {"media_type": found.media_type, "note": found.note}, as_json)
