"""Rules of `legal-cooperation-request`: the authorities are of sender and recipients, and the answer is due later."""

from collections.abc import Iterator

from schemas.checks.common import Json, order_faults
from schemas.record_errors import Fault


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    if record["action"] == "reply":
        return
    for member, states, role in (
        ("requesting_authority", record["originators"], "originators"),
        ("requested_authority", record["recipients"], "recipients"),
    ):
        if body[member]["country"] not in states:
            yield Fault(f"/body/{member}/country", body[member]["country"], f"one of the record's {role}")
    yield from order_faults("/body/due", record["issued_at"], body.get("due"), "issued_at")
