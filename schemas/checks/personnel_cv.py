"""Rules of `personnel-cv`: days in order, the photograph attached, and data not kept beyond their last day."""

from collections.abc import Iterator

from schemas.checks.common import Json, day_faults, file_faults, issue_day
from schemas.record_errors import Fault


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    for index, position in enumerate(body.get("career", ())):
        yield from day_faults(f"/body/career/{index}/to", position["from"], position.get("to"), "from")
    photo = body.get("photo")
    yield from file_faults(record, "/body/photo", photo)
    if photo is not None and not photo["media_type"].startswith("image/"):
        yield Fault("/body/photo/media_type", photo["media_type"], "an image, such as image/jpeg")
    yield from day_faults("/body/retention_until", issue_day(record), body["retention_until"], "issued_at")
