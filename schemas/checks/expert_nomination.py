"""Rules of `expert-nomination`: a state nominates its own, for a term, and data are not kept beyond their last day."""

from collections.abc import Iterator

from schemas.checks.common import Json, day_faults, issue_day, period_faults
from schemas.record_errors import Fault


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from period_faults("/body/term", body["term"])
    yield from day_faults("/body/retention_until", issue_day(record), body["retention_until"], "issued_at")
    yield from day_faults("/body/retention_until", body["term"]["end"], body["retention_until"], "the end of the term")
    if body["expert"]["country"] not in record["originators"]:
        expected = "one of the originators, unless a state nominates another's national"
        yield Fault("/body/expert/country", body["expert"]["country"], expected, warning=True)
