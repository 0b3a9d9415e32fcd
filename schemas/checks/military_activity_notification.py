"""Rules of `military-activity-notification`: times, phases, contingents and strength (Vienna Document 2011, chapter V).

The lead time that is due belongs to the agreed profile (Catalogue, 2.1.1.d). Thresholds do too, and are not judged: who
notifies an activity below them builds confidence all the same.
"""

from collections.abc import Iterator
from typing import Any

from schemas.checks.common import Json, order_faults, place_faults, timestamp
from schemas.profiles import PROFILES
from schemas.record_errors import Fault

_DAY = 86_400


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from order_faults("/body/end", body["start"], body["end"], "start")
    yield from place_faults("/body/area", body["area"])
    yield from _phases(body)
    yield from _lead_time(record["issued_at"], body)
    for index, participant in enumerate(body["participants"]):
        if participant["foreign_contingent"] != (participant["country"] != body["area"]["country"]):
            path = f"/body/participants/{index}/foreign_contingent"
            yield Fault(
                path, "the opposite", "true exactly for a state other than the one whose territory the area is on"
            )
    strengths = [participant["personnel"] for participant in body["participants"]]
    yield from _strength(body["total_troops"], strengths, "participants")
    yield from _strength(body["total_troops"], list(body["troops_by_service"].values()), "troops_by_service")


def _phases(body: Json) -> Iterator[Fault]:
    phases: list[Json] = body.get("phases", [])
    if phases and body.get("number_of_phases", len(phases)) != len(phases):
        yield Fault("/body/number_of_phases", "another number", f"{len(phases)}, the number of phases given")
    start, end = timestamp(body["start"]), timestamp(body["end"])
    for index, phase in enumerate(phases):
        path = f"/body/phases/{index}"
        yield from order_faults(f"{path}/end", phase["start"], phase["end"], "start")
        if timestamp(phase["start"]) < start or timestamp(phase["end"]) > end:
            yield Fault(path, "a phase outside it", "times within start and end of the activity")
        if "area" in phase:
            yield from place_faults(f"{path}/area", phase["area"])


def _lead_time(issued_at: str, body: Json) -> Iterator[Fault]:
    seconds = (timestamp(body["start"]) - timestamp(issued_at)).total_seconds()
    days = int(seconds // _DAY)
    if body["lead_time_days"] != days:
        yield Fault(
            "/body/lead_time_days", str(body["lead_time_days"]), f"{days}, the whole days from issued_at to start"
        )
    if seconds < 0 and body["activity_type"] != "alert-without-notice" and "late_reason" not in body:
        yield Fault("/body/late_reason", "nothing", "a reason, since the activity began before this notification")
    elif body["activity_type"] != "alert-without-notice" and "late_reason" not in body:
        profile = PROFILES.get(body["profile"])
        if profile is not None and days < profile.lead_time_days:
            expected = f"a reason, since the profile asks for {profile.lead_time_days} days"
            yield Fault("/body/late_reason", "nothing", expected, warning=True)


def _strength(total: Json, parts: list[dict[str, Any]], what: str) -> Iterator[Fault]:
    """A warning if the parts are all known and do not add up to the total."""
    if total["amount_state"] != "reported" or any(
        part["amount_state"] in {"not-available", "withheld"} for part in parts
    ):
        return
    added = sum(part.get("count", 0) for part in parts)
    if added != total["count"]:
        yield Fault("/body/total_troops/count", f"{total['count']}, sum {added}", f"the sum of {what}", warning=True)
