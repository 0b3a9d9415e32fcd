"""Rules of `ict-incident`: times, the bundle's ids, and its markings (STIX 2.1, Traffic Light Protocol 2.0).

The record's marking holds for the whole of it. The strictest marking in a marked bundle has to be the same: who obeys
the record would break a stricter one, and under a looser one the next tool would pass on what the record protects.
"""

from collections.abc import Iterator

from schemas.checks.common import Json, past_faults, period_faults
from schemas.record_errors import Fault, shorten
from schemas.stix_markings import markings
from schemas.terms import Tlp, from_label


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from past_faults(record, "/body/detected_at", body["detected_at"])
    if "occurred" in body:
        yield from period_faults("/body/occurred", body["occurred"])
    if "stix_bundle" in body:
        objects = body["stix_bundle"]["objects"]
        for index, item in enumerate(objects):
            if not item["id"].startswith(f"{item['type']}--"):
                path = f"/body/stix_bundle/objects/{index}/id"
                yield Fault(path, shorten(item["id"]), "the object's type, two hyphens and a UUID")
        yield from _marking_faults(objects, from_label(Tlp, record["handling"]["tlp"]))


def _marking_faults(objects: list[Json], tlp: Tlp) -> Iterator[Fault]:
    found = list(markings(objects))
    strictest = max((level for _, level in found), default=tlp)
    if strictest > tlp:
        expected = f"no marking stricter than the record's, TLP:{tlp.label}; mark the record TLP:{strictest.label}"
    else:
        expected = f"no marking looser than the record's, TLP:{tlp.label}, which holds for the whole bundle"
    for place, level in found:
        if level == strictest != tlp:
            yield Fault(f"/body/stix_bundle/objects{place}", f"TLP:{level.label}", expected)
