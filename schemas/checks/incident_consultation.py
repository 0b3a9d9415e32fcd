"""Rules of `incident-consultation`: the order of times, and when an answer is due (Vienna Document 2011, ch. III)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from schemas.checks.common import Json, fit_warnings, order_faults, past_faults, place_faults, timestamp
from schemas.profiles import PROFILES
from schemas.record_errors import Fault

_FITTING: Final = {"2.2.8": ("ict-incident",), "2.2.9": ("ict-incident",)}


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from past_faults(record, "/body/occurred_at", body["occurred_at"])
    yield from fit_warnings(record, "/body/incident_type", body["incident_type"], _FITTING)
    if "location" in body:
        yield from place_faults("/body/location", body["location"])
    if "reply_due" not in body:
        return
    yield from order_faults("/body/reply_due", record["issued_at"], body["reply_due"], "issued_at")
    profile = PROFILES.get(body.get("profile", ""))
    if profile is not None:
        # A difference always is in range, a sum at the end of the calendar is not.
        given = timestamp(body["reply_due"]) - timestamp(record["issued_at"])
        if given > timedelta(hours=profile.consultation_reply_hours):
            expected = f"within {profile.consultation_reply_hours} hours, by the profile"
            yield Fault("/body/reply_due", "a later time", expected, warning=True)
