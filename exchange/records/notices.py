"""What a state's own record departs from, seen from its declaration: told to who sends it, never a refusal.

Provisions 1.3 and 2.1.1: measures are voluntary and modalities are agreed by the states concerned, so sending more,
less or something else than was agreed is the sender's to decide, knowingly.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from exchange.records.facts import ACTUAL, Action, day_of, seconds
from exchange.records.pairing import REPLACES
from exchange.records.participation import EQUIPMENT, UNDECLARED, Agreement, Declaration
from schemas.checks.common import known
from schemas.ids import SECRETARIAT, MemberId
from schemas.limits import DAY

Record = Mapping[str, Any]

_GIVES: Final = REPLACES | {Action.NEW}
_LANDINGS: Final = frozenset({"amphibious-landing", "parachute-assault", "heliborne-landing"})
_UNPLANNED: Final = "alert-without-notice"
_NOTIFICATION: Final = "military-activity-notification"
_OBSERVERS: Final = "2.1.2"


@dataclass(frozen=True, slots=True)
class Notice:
    """One departure.

    Attributes:
        code: stable, in kebab case.
        detail: one sentence for who sends the record.
        partner: whom the agreement is with; None if it is about no one partner.
    """

    code: str
    detail: str
    partner: MemberId | None = None


def warnings(record: Record, declaration: Declaration) -> tuple[Notice, ...]:
    """What of a valid record, about to be sent, differs from what this state declared and agreed.

    Judged for the day that the record states as its own. Answers, endings and what is no actual record are not judged.
    """
    if Action(record["action"]) not in _GIVES or record["mode"] != ACTUAL or record["measure"] in UNDECLARED:
        return ()
    day = day_of(seconds(record["issued_at"]))
    agreements = declaration.about(record["measure"], day)
    if not agreements:
        detail = f"the declaration has no agreement on measure {record['measure']} on {day}: it is sent all the same"
        return (Notice("measure-not-declared", detail),)
    found: list[Notice] = []
    for code in sorted(set(record["recipients"]) - {SECRETARIAT}):
        partner = MemberId(code)
        agreement = next((row for row in agreements if partner in row.partners), None)
        if agreement is None:
            detail = f"measure {record['measure']} is not agreed with {partner}"
            found.append(Notice("partner-not-agreed", detail, partner))
            continue
        found.extend(Notice(*pair, partner) for pair in _departures(record, agreement))
        found.extend(Notice(*pair, partner) for pair in _observers(record, declaration, partner, day))
    return tuple(found)


def quantities(body: Record) -> dict[str, int]:
    """What a notification says of its size, by the names that thresholds use; what it does not say is left out."""
    found: dict[str, int] = {}
    for name, member in (("troops", "total_troops"), ("air-sorties", "air_sorties"), ("naval-ships", "naval_ships")):
        number = known(body.get(member))
        if number is not None:
            found[name] = number
    if "troops" in found:
        found["landing-troops"] = found["troops"] if body["activity_type"] in _LANDINGS else 0
    # A list of equipment is complete: a category that it leaves out takes no part, one without a figure is not known.
    listed = body.get("equipment", ())
    unknown = {item["category"] for item in listed if known(item["quantity"]) is None}
    for category in EQUIPMENT if listed else ():
        if category not in unknown:
            found[category] = sum(known(item["quantity"]) or 0 for item in listed if item["category"] == category)
    return found


def reaches(body: Record, agreement: Agreement) -> bool | None:
    """Whether a notification reaches a threshold of an agreement; None if it says too little or none is agreed."""
    stated = quantities(body)
    compared = [stated[name] >= least for name, least in agreement.thresholds if name in stated]
    if any(compared):
        return True
    return False if len(compared) == len(agreement.thresholds) and compared else None


def _departures(record: Record, agreement: Agreement) -> Iterator[tuple[str, str]]:
    if not agreement.we_provide:
        yield "not-ours-to-provide", f"by the agreement on {agreement.measure} only the partner provides"
    if agreement.record_types and record["record_type"] not in agreement.record_types:
        yield "type-not-agreed", f"agreed types are {', '.join(agreement.record_types)}"
    body = record["body"]
    if agreement.profile is not None and body.get("profile", agreement.profile) != agreement.profile:
        yield "profile-differs", f"the agreed profile is {agreement.profile}"
    if record["record_type"] != _NOTIFICATION:
        return
    if agreement.lead_time_days is not None and body["activity_type"] != _UNPLANNED:
        days = (seconds(body["start"]) - seconds(record["issued_at"])) // DAY
        if days < agreement.lead_time_days:
            yield "lead-time-short", f"{days} days before the start, agreed are {agreement.lead_time_days}"
    if reaches(body, agreement) is False:
        yield "below-thresholds", "it reaches no agreed threshold: no notification is due, it is a voluntary one"


def _observers(record: Record, declaration: Declaration, partner: MemberId, day: date) -> Iterator[tuple[str, str]]:
    """An activity so large that observers are due (2.1.2), of which the notification says that none are invited."""
    body = record["body"]
    if record["record_type"] != _NOTIFICATION or body["observers_invited"]:
        return
    for agreement in declaration.about(_OBSERVERS, day):
        if partner in agreement.partners and agreement.we_provide and reaches(body, agreement):
            yield "observers-due", "it reaches the agreed threshold for inviting observers, and none are invited"
