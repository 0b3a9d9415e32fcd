"""A state's declaration: which measures it takes part in (1.3), and with whom on which agreed modalities (2.1.1).

Taking part is voluntary, so nothing here refuses a record: what differs from what was agreed is told to who sends it.

    member = "KAZ"
    catalogue = "cica-catalogue-draft-2021-09-27"

    [[agreement]]
    measure = "2.1.1.b"
    partners = ["MNG", "UZB"]
    since = 2026-01-01             # the first day it holds; `until`, if any, the last
    reference = "Note 17"          # where it was agreed
    direction = "mutual"           # or "we-provide", "they-provide"
    record_types = ["defence-budget"]    # all that serve the measure, if absent
    due = ["12-15"]                # days of each year on which a return is due
    covers = "previous-year"       # or "same-year", "next-year", "since-last"
    year_start = "01-01"           # when the year begins that a return covers

    [[agreement]]
    measure = "2.1.1.d"
    partners = ["MNG"]
    since = 2026-01-01
    profile = "vd11"
    lead_time_days = 42            # the profile's, if absent
    thresholds = { troops = 9000, battle-tank = 250 }
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from exchange.records.reader import Reader
from schemas import catalogue
from schemas.ids import MemberId
from schemas.profiles import PROFILES

# What thresholds may count: quantities of a notification, and categories of equipment in it.
EQUIPMENT: Final = (
    "battle-tank",
    "armoured-combat-vehicle",
    "large-calibre-artillery",
    "combat-aircraft",
    "attack-helicopter",
    "warship",
    "missile-or-launcher",
    "salw",
)
QUANTITIES: Final = ("troops", "landing-troops", "air-sorties", "naval-ships", *EQUIPMENT)
# Measures that need no agreement with partners: procedures of section 3 and the review.
UNDECLARED: Final = ("3.A", "3.B", "1.8")
_CODE: Final = "bad-participation"
_LONGEST_LEAD: Final = 3660  # days; the bound of a notification's own lead time


class Direction(StrEnum):
    """Who gives returns under an agreement."""

    MUTUAL = "mutual"
    WE_PROVIDE = "we-provide"
    THEY_PROVIDE = "they-provide"


class Covers(StrEnum):
    """Which period a return covers, seen from the day on which it is due."""

    SINCE_LAST = "since-last"
    PREVIOUS_YEAR = "previous-year"
    SAME_YEAR = "same-year"
    NEXT_YEAR = "next-year"


@dataclass(frozen=True, slots=True, order=True)
class MonthDay:
    """A day of every year; 29 February is none."""

    month: int
    day: int

    def of(self, year: int) -> date:
        """That day of one year."""
        return date(year, self.month, self.day)


@dataclass(frozen=True, slots=True)
class Agreement:
    """One measure with some partners; the fields are those of the file."""

    measure: str
    partners: tuple[MemberId, ...]
    since: date
    until: date | None
    reference: str | None
    direction: Direction
    record_types: tuple[str, ...]
    due: tuple[MonthDay, ...]
    covers: Covers
    year_start: MonthDay
    profile: str | None
    lead_time_days: int | None
    thresholds: tuple[tuple[str, int], ...]

    def holds(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return self.since <= day and (self.until is None or day <= self.until)

    @property
    def we_provide(self) -> bool:
        """Whether this state gives returns under it."""
        return self.direction is not Direction.THEY_PROVIDE

    @property
    def they_provide(self) -> bool:
        """Whether the partners do."""
        return self.direction is not Direction.WE_PROVIDE


@dataclass(frozen=True, slots=True)
class Declaration:
    """All agreements of one state, in the order of the file."""

    member: MemberId
    catalogue_id: str
    agreements: tuple[Agreement, ...]

    def about(self, measure: str, day: date) -> tuple[Agreement, ...]:
        """The agreements on a measure that are in force on a day."""
        return tuple(row for row in self.agreements if row.measure == measure and row.holds(day))


def parse_declaration(value: object) -> Declaration:
    """Read `participation.toml` as `tomllib` parsed it; raises Invalid (bad-participation) with the path at fault."""
    table = Reader(value, "", _CODE)
    member = table.member("member")
    edition = table.text("catalogue")
    if not catalogue.knows(edition):
        known = ", ".join(row.catalogue_id for row in catalogue.editions())
        raise table.fault("catalogue", f"an edition of the Catalogue: {known}")
    agreements: list[Agreement] = []
    for row in table.tables("agreement"):
        agreement = _agreement(row, edition)
        if member in agreement.partners:
            raise row.fault("partners", f"other members than {member} itself")
        twice = [other for other in agreements if _overlap(other, agreement)]
        if twice:
            raise row.fault("partners", f"each partner once for {agreement.measure} at any time")
        agreements.append(agreement)
    table.done()
    return Declaration(member, edition, tuple(agreements))


def _agreement(row: Reader, edition: str) -> Agreement:
    measure = row.text("measure")
    serving = catalogue.record_types_of(measure, edition)
    found = catalogue.measure(measure, edition)
    if measure != catalogue.OUTSIDE and (found is None or found.chapeau):
        raise row.fault("measure", "a measure of section 2 or a lettered item such as 2.1.1.b, or 1.5")
    profile = row.text("profile") if row.has("profile") else None
    lead_time = row.count("lead_time_days", _LONGEST_LEAD) if row.has("lead_time_days") else None
    if lead_time is None and profile in PROFILES:
        lead_time = PROFILES[profile].lead_time_days
    since = row.day("since")
    until = row.day("until") if row.has("until") else None
    if until is not None and until < since:
        raise row.fault("until", "a day not before since")
    agreement = Agreement(
        measure=measure,
        partners=row.members("partners"),
        since=since,
        until=until,
        reference=row.text("reference") if row.has("reference") else None,
        direction=row.code("direction", Direction, Direction.MUTUAL),
        record_types=_record_types(row, serving),
        due=tuple(sorted(set(_month_days(row)))),
        covers=row.code("covers", Covers, Covers.SINCE_LAST),
        year_start=_month_day(row, "year_start", row.text("year_start")) if row.has("year_start") else MonthDay(1, 1),
        profile=profile,
        lead_time_days=lead_time,
        thresholds=row.counts("thresholds", QUANTITIES),
    )
    row.done()
    return agreement


def _record_types(row: Reader, serving: tuple[str, ...]) -> tuple[str, ...]:
    names = row.texts("record_types")
    if serving and not set(names) <= set(serving):
        raise row.fault("record_types", "types that serve the measure: " + ", ".join(serving))
    return names or serving


def _month_days(row: Reader) -> Iterator[MonthDay]:
    for index, text in enumerate(row.items("due")):
        yield _month_day(row, f"due/{index}", text)


def _month_day(row: Reader, name: str, text: object) -> MonthDay:
    """2001 had no 29 February, so that what it accepts is a day of every year."""
    try:
        day = date.fromisoformat(f"2001-{text}" if isinstance(text, str) and len(text) == 5 else "")
    except ValueError:
        raise row.fault(name, 'a month and day of every year, such as "12-15"') from None
    return MonthDay(day.month, day.day)


def _overlap(one: Agreement, other: Agreement) -> bool:
    same = one.measure == other.measure and set(one.partners) & set(other.partners)
    return bool(same) and one.since <= (other.until or date.max) and other.since <= (one.until or date.max)
