"""Rules of `best-practice`: something is said, on the measure's topic; bracketed terminology is flagged (2.2.10)."""

from collections.abc import Iterator
from typing import Final

from schemas.checks.common import Json, fit_warnings, past_day_faults
from schemas.checks.drafts import bracket_faults
from schemas.record_errors import Fault

_TEXTS: Final = frozenset({"problem", "approach", "results", "lessons", "terms"})
_FITTING: Final = {
    "2.2.9": ("ict-security",),
    "2.2.10": ("ict-security",),
    "2.2.13": ("public-health",),
    "2.2.14": ("public-health", "pharmaceuticals"),
    "2.3.4": ("digitalization",),
    "2.3.5": ("tourism",),
    "2.3.9": ("agriculture",),
    "2.3.11": ("finance",),
    "2.4.1": ("sustainable-development",),
    "2.4.2": ("disaster-management",),
    "2.4.5": ("environment",),
    "2.5.1": ("culture",),
    "2.5.2": ("media",),
    "2.5.7": ("human-rights",),
    "2.5.8": ("human-rights", "human-rights-education", "gender"),
}


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from bracket_faults(record)
    yield from fit_warnings(record, "/body/topic", body["topic"], _FITTING)
    yield from past_day_faults(record, "/body/date", body["date"])
    if not _TEXTS & body.keys() and "attachments" not in record:
        expected = f"one of {', '.join(sorted(_TEXTS))}, or an attachment"
        yield Fault("/body", "no text", expected)
