"""Rules of `foreign-contingents`: the deploying state permitted the release (Catalogue, 2.1.1.c), and figures agree."""

from collections.abc import Collection, Iterator
from typing import Final

from schemas.checks.common import Json, day_faults, known, past_faults, places_faults
from schemas.record_errors import Fault

_BANDS: Final = {
    "1-99": (1, 99),
    "100-499": (100, 499),
    "500-999": (500, 999),
    "1000-4999": (1000, 4999),
    "5000+": (5000, 10**9),
}


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    sender, permission = body["sending_state"], body["release_permission"]
    if body["host"] == sender:
        yield Fault("/body/sending_state", sender, "another state than the host")
    if permission["granted_by"] != sender:
        expected = f"{sender}: only the state that deploys the contingent can permit the release (2.1.1.c)"
        yield Fault("/body/release_permission/granted_by", permission["granted_by"], expected)
    yield from past_faults(record, "/body/release_permission/granted_at", permission["granted_at"])
    if not {body["host"], sender} & {*record["originators"]}:
        yield Fault("/originators", "neither", "the host or the sending state", warning=True)
    count, band = known(body.get("personnel")), body.get("personnel_band")
    if count is not None and band is not None and not _BANDS[band][0] <= count <= _BANDS[band][1]:
        yield Fault("/body/personnel_band", band, "the band that the number of personnel is in")
    yield from places_faults("/body/locations", body.get("locations", ()))
    yield from day_faults("/body/until", body.get("from"), body.get("until"), "from")


def provider_faults(record: Json, providers: Collection[str]) -> Iterator[Fault]:
    """A fault unless the deploying state provides the record, alone or jointly: its signature is its permission."""
    sender = record["body"]["sending_state"]
    if sender not in providers:
        expected = f"a provider: it leaves with the signature of the state that deploys (2.1.1.c); add --joint {sender}"
        yield Fault("/body/sending_state", sender, expected)
