"""Rules of `observer-invitation`: times, the invitee, and what the profile asks (Vienna Document 2011, chapter VI)."""

from collections.abc import Iterator
from datetime import timedelta

from schemas.checks.common import Json, order_faults, place_faults, programme_faults, timestamp
from schemas.profiles import PROFILES
from schemas.record_errors import Fault


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    if record["action"] == "reply":
        return
    if body["invitee"] not in record["recipients"]:
        yield Fault("/body/invitee", body["invitee"], "one of the recipients")
    for member in ("arrival_point", "departure_point"):
        yield from place_faults(f"/body/{member}", body[member])
    yield from programme_faults("/body/programme", body["programme"])
    yield from order_faults("/body/reply_by", record["issued_at"], body["reply_by"], "issued_at")
    first = min(timestamp(item["start"]) for item in body["programme"])
    if timestamp(body["reply_by"]) > first:
        yield Fault("/body/reply_by", "a later time", "a time before the programme starts")
    profile = PROFILES.get(body.get("profile", ""))
    if profile is None:
        return
    if first - timestamp(body["reply_by"]) < timedelta(days=profile.invitation_reply_days):
        expected = f"{profile.invitation_reply_days} days before the programme or more, by the profile"
        yield Fault("/body/reply_by", "fewer days", expected, warning=True)
    if body["places"] < profile.observers_per_state:
        expected = f"at least {profile.observers_per_state}, by the profile"
        yield Fault("/body/places", str(body["places"]), expected, warning=True)
