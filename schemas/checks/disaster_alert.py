"""Rules of `disaster-alert`: the projection equals the enclosed CAP file, and the record agrees with the alert."""

from collections.abc import Iterator
from typing import Final

from schemas.cap import cap_bytes, read_alert
from schemas.cap_rules import prose_warnings, referred
from schemas.checks.common import Json, place_faults
from schemas.checks.numbers import cas_faults
from schemas.record_errors import Fault, RecordError, shorten

# A first record of the exchange may carry an update of an alert that was published before.
_MESSAGE_TYPES: Final = {
    "new": ("Alert", "Update"),
    "update": ("Update",),
    "correction": ("Update",),
    "cancel": ("Cancel",),
    "ack": ("Ack",),
    "error": ("Error",),
}


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    try:
        alert = read_alert(cap_bytes(body))
    except RecordError as error:
        for fault in error.faults:
            yield Fault("/body/cap", fault.found, f"a CAP 1.2 alert, and at {fault.path or '/'} {fault.expected}")
        return
    yield from _differences("/body/alert", body["alert"], alert)
    yield from prose_warnings("/body/alert", alert)
    yield from _agreement(record, alert)
    if "industrial" in body:
        yield from place_faults("/body/industrial/facility", body["industrial"]["facility"])
        yield from cas_faults("/body/industrial/cas", body["industrial"].get("cas"))


def _agreement(record: Json, alert: Json) -> Iterator[Fault]:
    """An exercise must not pass as an actual alert, nor a cancellation as a new one."""
    if alert["status"].lower() != record["mode"]:
        yield Fault("/mode", shorten(record["mode"]), f"{alert['status'].lower()}, the status of the enclosed alert")
    allowed = _MESSAGE_TYPES[record["action"]]
    if alert["msgType"] in allowed:
        return
    if record["action"] == "new" and not referred(alert):
        # It breaks no rule of the schema, and a record that acts on another has to name it.
        expected = f"the alert that this {alert['msgType']} is about: it names none, so this record acts on none"
        yield Fault("/body/alert/references", "nothing", expected, warning=True)
    else:
        expected = f"{' or '.join(allowed)}, since the record's action is {record['action']}"
        yield Fault("/body/alert/msgType", alert["msgType"], expected)


def _differences(path: str, stated: object, actual: object) -> Iterator[Fault]:
    if stated == actual:
        return
    if isinstance(stated, dict) and isinstance(actual, dict):
        for name in sorted(stated.keys() | actual.keys()):
            if name not in actual:
                yield Fault(f"{path}/{name}", shorten(stated[name]), "nothing: the enclosed alert has no such element")
            elif name not in stated:
                yield Fault(f"{path}/{name}", "nothing", "the value that the enclosed alert has")
            else:
                yield from _differences(f"{path}/{name}", stated[name], actual[name])
    elif isinstance(stated, list) and isinstance(actual, list) and len(stated) == len(actual):
        for index, (left, right) in enumerate(zip(stated, actual, strict=True)):
            yield from _differences(f"{path}/{index}", left, right)
    else:
        yield Fault(path, shorten(stated), "the value that the enclosed alert has")
