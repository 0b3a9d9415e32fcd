"""Codes that rest on text which an edition shows in brackets: the sender says so, and readers are told."""

from collections.abc import Iterator

from schemas import catalogue
from schemas.checks.common import Json
from schemas.record_errors import Fault


def bracket_faults(record: Json) -> Iterator[Fault]:
    """A warning where the flag stands rightly, a fault where the record's measure has no bracketed text."""
    if "draft_bracket" not in record["body"]:
        return
    measure = catalogue.measure(record["measure"], record["catalogue_id"])
    if measure is not None and measure.brackets:
        expected = f"that no agreement be inferred: the text of {measure.number} is bracketed"
        yield Fault("/body/draft_bracket", "true", expected, warning=True)
    else:
        expected = "nothing, since the measure has no bracketed text in that edition"
        yield Fault("/body/draft_bracket", "true", expected)
