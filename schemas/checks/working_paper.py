"""Rules of `working-paper`: the paper is attached (Catalogue, section 3.B)."""

from collections.abc import Iterator

from schemas.checks.common import Json, file_faults
from schemas.record_errors import Fault


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    yield from file_faults(record, "/body/paper", record["body"]["paper"])
