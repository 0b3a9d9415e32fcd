"""Rules of `implementation-review`: a state reports for itself, on measures of one edition, each count once (1.8)."""

from collections.abc import Iterator
from itertools import pairwise

from schemas import catalogue
from schemas.checks.common import Json, day_faults, issue_day
from schemas.record_errors import Fault


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    if record["originators"] != [body["reporter"]]:
        yield Fault("/body/reporter", body["reporter"], "the one originator: a state reports for itself only")
    yield from day_faults("/body/end", body["start"], body["end"], "start")
    if body["end"] >= issue_day(record):
        yield Fault("/body/end", "a day that is not over", "a day before issued_at", warning=True)
    if not catalogue.knows(body["catalogue"]):
        known = ", ".join(edition.catalogue_id for edition in catalogue.editions())
        yield Fault("/body/catalogue", body["catalogue"], f"an edition known here: {known}")
        return
    numbers = frozenset(catalogue.numbers(body["catalogue"]))
    for index, row in enumerate(body["counts"]):
        if row["measure"] not in numbers:
            yield Fault(f"/body/counts/{index}/measure", row["measure"], "a measure of that edition")
        if row["nil"] > row["records"]:
            yield Fault(f"/body/counts/{index}/nil", str(row["nil"]), "at most as many as records")
    for index, (one, other) in enumerate(pairwise((row["measure"], row["state"]) for row in body["counts"]), 1):
        if one >= other:
            yield Fault(f"/body/counts/{index}", " ".join(other), "each measure and state once, ascending")
