"""Rules of `wmd-proliferation-information`: check digits of substances."""

from collections.abc import Iterator

from schemas.checks.common import Json
from schemas.checks.numbers import cas_faults
from schemas.record_errors import Fault


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    for index, item in enumerate(record["body"].get("items", ())):
        yield from cas_faults(f"/body/items/{index}/cas", item.get("cas"))
