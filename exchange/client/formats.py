"""Standards in and out at a node: files of other formats become records, messages become files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from exchange.client import answers
from exchange.client.models import Attachment, Converted, Exported
from exchange.client.transport import Transport
from exchange.client.upload import sheet_body

SourceForm = Literal["cap", "milex-csv", "milex-xlsx", "stix"]
ExportForm = Literal["json", "cap", "csv", "geojson", "ical", "stix", "vcard", "xlsx"]


class Formats:
    """The part of `NodeClient` that converts."""

    _transport: Transport

    async def convert(
        self, form: SourceForm, source: Attachment | Path | str, template: Mapping[str, Any], *, cap_1_1: bool = False
    ) -> Converted:
        """Make a record of a file; nothing is sent or stored.

        `template`: members of the record that the file cannot say: at least `measure`, `recipients` and `handling`. A
        Problem of status 422 has in `extra` every fault with its row, column or path. Raises OSError when the file
        cannot be read.
        """
        file = Attachment.of(source)
        file.path.stat()
        answer = await self._transport.json(
            "POST",
            f"v1/convert/{form}",
            params={"cap_1_1": "true"} if cap_1_1 else None,
            body=lambda: sheet_body(template, file),
        )
        return answers.converted(answer)

    async def export(self, message_id: str, form: ExportForm = "json", *, internal: bool = False) -> Exported:
        """A message's record as a file, with its proof; `json` is the record's own bytes, `cap` the issuer's.

        A file may be given to anybody, so a Problem of status 403 names the provider who did not allow that.
        `internal`: for use inside this state only, for whoever may read the message.
        """
        if not message_id.isalnum() or not message_id.isascii():
            raise ValueError("a message's id has letters and digits only: take it from `inbox` or `send`")
        params = {"as": form, "internal": "true" if internal else "false", "proof": "true"}
        return answers.exported(await self._transport.json("GET", f"v1/messages/{message_id}/export", params=params))
