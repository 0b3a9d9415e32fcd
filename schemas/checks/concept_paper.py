"""Rules of `concept-paper`: a coordinator provides it, and its files are attached (Catalogue, section 3.A)."""

from collections.abc import Iterator
from typing import Final

from schemas.checks.common import Json, file_faults
from schemas.ids import SECRETARIAT
from schemas.record_errors import Fault

_SECTIONS: Final = ("background", "objectives", "activities", "timeline", "financing")


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    for section in _SECTIONS:
        yield from file_faults(record, f"/body/{section}/file", body[section].get("file"))
    # The Secretariat circulates what a coordinator wrote (step A5).
    if not {*body["coordinator"], SECRETARIAT} & {*record["originators"]}:
        yield Fault(
            "/originators", "none of them", "a coordinating country, or the Secretariat that circulates", warning=True
        )
