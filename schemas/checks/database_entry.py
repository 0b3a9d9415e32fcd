"""Rules of `database-entry`: every source has its originators' consent, and none is named that is no source (1.7)."""

from collections.abc import Iterator

from schemas.checks.common import Json, past_faults
from schemas.record_errors import Fault, shorten


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    consents = body["originator_consents"]
    agreed = {consent["record"] for consent in consents}
    for index, source in enumerate(body["entry_of"]):
        if source not in agreed:
            expected = "a source for which originator_consents has the consent of each of its originators"
            yield Fault(f"/body/entry_of/{index}", shorten(source), expected)
    seen = set()
    for index, consent in enumerate(consents):
        path = f"/body/originator_consents/{index}"
        if consent["record"] not in body["entry_of"]:
            yield Fault(f"{path}/record", shorten(consent["record"]), "one of entry_of")
        key = (consent["record"], consent["originator"])
        if key in seen:
            yield Fault(path, "a consent given before", "one for each source and originator")
        seen.add(key)
        yield from past_faults(record, f"{path}/granted_at", consent.get("granted_at"))
