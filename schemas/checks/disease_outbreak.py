"""Rules of `disease-outbreak`: counts that can be, and what Annex 2 of the International Health Regulations asks.

Whether WHO is notified is decided by the state under the Regulations, so what is missing there is a warning.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from schemas.checks.common import Json, known, past_day_faults, past_faults, places_faults, timestamp
from schemas.record_errors import Fault

_QUESTIONS: Final = ("q1_serious_impact", "q2_unusual", "q3_spread_risk", "q4_restriction_risk")
_YES_TO_NOTIFY: Final = 2
_HOURS: Final = 24


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from past_faults(record, "/body/assessed_at", body["assessed_at"])
    yield from past_faults(record, "/body/who_notified_at", body.get("who_notified_at"))
    yield from past_faults(record, "/body/cases/as_of", body["cases"]["as_of"])
    yield from past_day_faults(record, "/body/onset_first", body.get("onset_first"))
    yield from _counts(body["cases"])
    yield from _notification(body)
    yield from places_faults("/body/location", body.get("location", ()))


def _counts(cases: Json) -> Iterator[Fault]:
    """No part of the cases may exceed their total."""
    total = known(cases["total"])
    if total is None:
        return
    for member in ("suspected", "probable", "confirmed", "deaths", "hospitalised"):
        part = known(cases.get(member))
        if part is not None and part > total:
            yield Fault(f"/body/cases/{member}/count", str(part), f"at most the total, {total}")
    classes = [known(cases.get(member)) for member in ("suspected", "probable", "confirmed")]
    added = sum(part for part in classes if part is not None)
    if added > total:
        yield Fault(
            "/body/cases/total/count", str(total), f"at least {added}, suspected, probable and confirmed together"
        )


def _notification(body: Json) -> Iterator[Fault]:
    """Annex 2: always-notifiable diseases, and events with two answers of yes, within 24 hours of the assessment."""
    yes = sum(body[question] == "yes" for question in _QUESTIONS)
    due = body["annex2_path"] == "always-notifiable" or yes >= _YES_TO_NOTIFY
    path, notified = "/body/who_notified_at", body.get("who_notified_at")
    if not due:
        return
    if notified is None:
        yield Fault(path, "nothing", "a time, since Annex 2 asks to notify WHO of such an event", warning=True)
    elif timestamp(notified) - timestamp(body["assessed_at"]) > timedelta(hours=_HOURS):
        yield Fault(path, "a later time", f"a time within {_HOURS} hours of the assessment", warning=True)
