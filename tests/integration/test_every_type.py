"""One record of every type goes from a ministry to two others through real processes, and arrives as it was sent."""

import hashlib
import json
from pathlib import Path
from typing import Any

from exchange.client import Attachment
from exchange.records.procedure import MODALITIES
from schemas.catalogue import OUTSIDE, measures_of
from schemas.registry import examples, list_schemas
from tests.support.running import client, in_state, running

# Who sends to whom is this test's; a chain begins with what refers to nothing.
_ROUTING = ("originators", "recipients", "copy_secretariat")


def sendable(record_type: str) -> dict[str, Any] | None:
    """The first worked example of a type that begins a chain."""
    for _, text in examples(record_type):
        record: dict[str, Any] = json.loads(text)
        if record["action"] == "new":
            if record["measure"] in MODALITIES:
                # Who may take a step of section 3, and after which, is for other tests: here nothing came before.
                record |= {"measure": OUTSIDE, "agreement_ref": "Memorandum of 2024, article 3"}
            if record_type == "foreign-contingents":
                # Of its own contingent abroad: of another's, that state would have to sign (test_joint.py).
                record["body"] |= {"host": "XAD", "sending_state": "XAA"}
                record["body"]["release_permission"]["granted_by"] = "XAA"
            return {name: value for name, value in record.items() if name not in _ROUTING}
    return None


def with_files(value: Any, folder: Path) -> Any:  # noqa: ANN401  # any part of a record
    """The same, with every file that it names written into `folder` and named by what it holds."""
    if isinstance(value, list):
        return [with_files(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() != {"filename", "media_type", "size", "sha256"}:
        return {name: with_files(item, folder) for name, item in value.items()}
    file = folder / str(value["filename"])
    file.write_text(f"This stands for {file.name}.", "utf-8")
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return {**value, "size": len(data), "sha256": digest}


async def test_a_record_of_every_type_arrives(tmp_path: Path) -> None:
    types = sorted({record_type for record_type, _ in list_schemas()})
    assert len(types) == 27
    sent: dict[str, dict[str, Any]] = {}
    async with (
        running(tmp_path, ["XAA", "XAB", "XAC"]) as processes,
        client(processes, "XAA") as sender,
        client(processes, "XAB") as receiver,
    ):
        for record_type in types:
            example = sendable(record_type)
            assert example is not None, record_type
            record = with_files(example, tmp_path)
            refs = record.get("attachments", [])
            files = [Attachment(tmp_path / ref["filename"], ref["filename"], ref["media_type"]) for ref in refs]
            assert record["measure"] in measures_of(record_type)
            queued = await sender.send(
                ["XAB", "XAC"], record["measure"], record, attachments=files, **record["handling"]
            )
            sent[queued.id] = record
        for message_id, record in sent.items():
            await in_state(sender, message_id, "delivered")
            arrived = (await receiver.message(message_id)).record
            assert arrived["originators"] == ["XAA"]
            assert {name: arrived[name] for name in record} == record
