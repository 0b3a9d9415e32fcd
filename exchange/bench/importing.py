"""Import of the largest alerts that are expected: a megabyte of text, and a megabyte of small elements."""

from functools import partial
from typing import Any, Final

from exchange.bench.result import Result, at_most, medians
from exchange.convert.cap import cap_to_record
from exchange.convert.cap_write import write_alert

_BYTES: Final = 1_000_000
# What a person waits for without asking what is going on; a node does other things in the meantime.
_SECOND: Final = 1e6
# One parameter as `write_alert` indents it.
_PAIR_BYTES: Final = 105
_SCRIPTS: Final = "Flood Паводок Су тасқыны فيضان 洪水 น้ำท่วม बाढ़ ភ្លៀង 🌊 "  # noqa: RUF001 - letters of other scripts
_TEMPLATE: Final = {
    "catalogue_id": "cica-catalogue-draft-2021-09-27",
    "measure": "2.4.3",
    "originators": ["XAA"],
    "recipients": ["XAB"],
    "issued_at": "2026-06-15T09:00:00+05:00",
    "handling": {"tlp": "GREEN", "onward": "none"},
}


def import_results() -> list[Result]:
    """Microseconds from the file's bytes to a valid record, against a second."""
    pair = {"valueName": "river", "value": "rising"}
    alerts = {
        "text in many scripts": _alert(description=_SCRIPTS * (_BYTES // len(_SCRIPTS.encode("utf-8")))),
        "small elements": _alert(parameter=[pair] * (_BYTES // _PAIR_BYTES)),
    }
    times = medians([partial(cap_to_record, xml, _TEMPLATE) for xml in alerts.values()], 1)
    return [
        at_most(
            f"import-{what.split()[0]}", taken, _SECOND, 1, "us", f"importing a CAP alert of {len(xml)} bytes, {what}"
        )
        for (what, xml), taken in zip(alerts.items(), times, strict=True)
    ]


def _alert(**members: object) -> bytes:
    info: dict[str, Any] = {
        "language": "en",
        "category": ["Met"],
        "event": "Flood",
        "urgency": "Expected",
        "severity": "Severe",
        "certainty": "Likely",
        **members,
    }
    return write_alert(
        {
            "identifier": "XAA-1",
            "sender": "alerts@hydromet.example",
            "sent": "2026-04-12T06:30:00+05:00",
            "status": "Test",
            "msgType": "Alert",
            "scope": "Public",
            "info": [info],
        }
    )
