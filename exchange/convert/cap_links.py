"""How alerts name each other, and the record ids that follow from it.

CAP names an alert by sender, identifier and time of sending (CAP 1.2, 3.2.1 `references`). A record's id can be derived
from these and from the originators, so that an update finds the record of the alert that it updates without any store.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exchange.convert.limits import MAX_REFERENCES
from schemas.cap_rules import referred
from schemas.record_errors import Fault


@dataclass(frozen=True, slots=True)
class AlertName:
    """What makes an alert unique. `sent` is as the file writes it."""

    sender: str
    identifier: str
    sent: str

    @property
    def instant(self) -> str:
        """The time of sending in UTC, since two writers may name one moment by different offsets."""
        try:
            return datetime.fromisoformat(self.sent).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            return self.sent


def name_of(alert: Mapping[str, Any]) -> AlertName:
    """The name of a projected alert."""
    return AlertName(alert["sender"], alert["identifier"], alert["sent"])


def record_id(originators: Iterable[str], name: AlertName) -> str:
    """The id of the record of one alert from these originators, a URN."""
    digest = hashlib.sha256(f"{name.sender}\0{name.identifier}\0{name.instant}".encode()).hexdigest()
    return f"urn:cbm:cap:{'-'.join(sorted(originators)).lower()}:{digest}"


def linked_records(
    alert: dict[str, Any], originators: Iterable[str], known: Mapping[AlertName, str]
) -> tuple[list[str], list[Fault]]:
    """Record ids of the alerts that an alert refers to, and a warning when there are more than a record can name.

    Args:
        alert: the projected alert.
        originators: member codes of the record.
        known: ids of records whose id was not derived from the alert's name.
    """
    members = tuple(originators)
    names = [AlertName(*names) for names in referred(alert)]
    found = list(dict.fromkeys(known.get(name) or record_id(members, name) for name in names))
    if len(found) <= MAX_REFERENCES:
        return found, []
    expected = f"at most {MAX_REFERENCES}: the last of them are linked, the alert itself keeps all"
    return found[-MAX_REFERENCES:], [Fault("/references", f"{len(found)} references", expected, warning=True)]
