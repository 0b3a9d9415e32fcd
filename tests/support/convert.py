"""What tests of conversions share: a template, the OASIS schema, the issued alerts, and alerts as long as one likes."""

# ruff: noqa: RUF001 - words in other scripts

import os
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import xmlschema

from tests.support.records import Record

TEMPLATE: Record = {
    "record_id": "019ec96f-ae00-7f5b-8166-2a88e10c64b5",
    "catalogue_id": "cica-catalogue-draft-2021-09-27",
    "measure": "2.4.3",
    "originators": ["XAA"],
    "recipients": ["XAB", "XAC"],
    "issued_at": "2026-06-15T09:00:00+05:00",
    "handling": {"tlp": "GREEN", "onward": "members"},
}
SCHEMA = Path(__file__).parents[1] / "standards" / "cap" / "CAP-v1.2.xsd"
SCHEMA_SHA256 = "b7798ef25868b068c97b268bda02d067c7d4ba9373adc5638bf37105804ee723"
# One word in each of many scripts, and right-to-left marks.
SCRIPTS = (
    "Flood",
    "Паводок",
    "Су тасқыны",
    "سیلاب",
    "שיטפון",
    "洪水",
    "홍수",
    "น้ำท่วม",
    "बाढ़",
    "বন্যা",
    "Үер",
    "🌊",
    "\u200fفيضان\u200e",
)


def template(**members: object) -> Record:
    """The template without an id of its own, and with `members`."""
    return {name: value for name, value in TEMPLATE.items() if name != "record_id"} | members


@cache
def oasis() -> xmlschema.XMLSchema:
    assert sha256(SCHEMA.read_bytes()).hexdigest() == SCHEMA_SHA256
    return xmlschema.XMLSchema(str(SCHEMA))


def oasis_errors(xml: bytes) -> list[str]:
    """Path and reason of each error that the OASIS schema finds."""
    return [f"{error.path} {error.reason}" for error in oasis().iter_errors(xml.decode("utf-8-sig"))]


def data_folder(folder: str) -> Path:
    root = os.environ.get("CBM_TEST_DATA")
    if root is None:
        pytest.skip("CBM_TEST_DATA names no folder of test data")
    return Path(root, folder)


def issued_alerts() -> Iterator[tuple[Path, str]]:
    """Each issued alert with what `SOURCES.tsv` says of its validity."""
    sources = data_folder("SOURCES.tsv").read_text("utf-8").splitlines()
    columns = sources[0].split("\t")
    for line in sources[1:]:
        row = dict(zip(columns, line.split("\t"), strict=True))
        if row["file"].startswith("cap/"):
            yield data_folder(row["file"]), row["cap12_xsd"]


def alert(size: int = 0, **members: object) -> dict[str, Any]:
    """The projection of an alert; its description has about `size` bytes of text in many scripts."""
    text = " ".join(SCRIPTS)
    return {
        "identifier": "XAA-1",
        "sender": "alerts@hydromet.example",
        "sent": "2026-04-12T06:30:00+05:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
        "info": [
            {
                "language": "en",
                "category": ["Met"],
                "event": "Flood",
                "urgency": "Expected",
                "severity": "Severe",
                "certainty": "Likely",
                "description": " ".join([text] * (1 + size // len(text.encode()))),
            }
        ],
    } | members
