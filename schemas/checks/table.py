"""Which check belongs to which record type. A type whose rules JSON Schema can say in full has no entry."""

from collections.abc import Callable, Iterator
from typing import Final

from schemas.checks import defence_budget, disaster_alert, military_activity_notification
from schemas.checks.common import Json, record_faults
from schemas.record_errors import Fault

_CHECKS: Final[dict[str, Callable[[Json], Iterator[Fault]]]] = {
    "defence-budget": defence_budget.faults,
    "disaster-alert": disaster_alert.faults,
    "military-activity-notification": military_activity_notification.faults,
}


def check_record(record_type: str, record: Json) -> list[Fault]:
    """Faults and warnings of a record that its JSON Schema accepts."""
    found = list(record_faults(record))
    # A record that only ends or acknowledges another has an empty body (see `no_body` in common.json).
    if record["body"] and record_type in _CHECKS:
        found.extend(_CHECKS[record_type](record))
    return found
