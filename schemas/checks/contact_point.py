"""Rules of `contact-point`: numbers that can be dialled, a hotline that answers, a coordination body only in 2.4.4."""

from collections.abc import Iterator
from typing import Final

from schemas.catalogue import OUTSIDE
from schemas.checks.common import Json, past_day_faults
from schemas.checks.numbers import phone_warnings
from schemas.record_errors import Fault

_COORDINATION: Final = "2.4.4"


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    for index, number in enumerate(body["phone"]):
        yield from phone_warnings(f"/body/phone/{index}", number)
    if body["function"] == "crisis-hotline" and body["hours"]["kind"] != "24x7":
        yield Fault("/body/hours/kind", body["hours"]["kind"], "24x7 for a crisis hotline", warning=True)
    if body.get("coordination_body") and record["measure"] not in {_COORDINATION, OUTSIDE}:
        yield Fault("/body/coordination_body", "true", f"false, or measure {_COORDINATION}, which knows such a body")
    yield from past_day_faults(record, "/body/last_tested", body.get("last_tested"))
