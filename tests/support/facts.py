"""Facts about records, built directly: what a node would know of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from itertools import permutations
from typing import Any

from exchange.records.facts import Action, Box, RecordFact, TextRef
from schemas.ids import MemberId

XAA, XAB, XAC, XAD, CICA = (MemberId(code) for code in ("XAA", "XAB", "XAC", "XAD", "CICA"))
EDITION = "cica-catalogue-draft-2021-09-27"
START = 1_767_225_600  # 2026-01-01T00:00:00Z


def at(day: str, hour: int = 12) -> int:
    """Unix seconds of an hour of a day, UTC."""
    return int(datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC).timestamp())


def fact(
    record_id: str,
    action: str = "new",
    on: str | tuple[str, ...] = (),
    by: str | tuple[str, ...] = "XAA",
    to: str | tuple[str, ...] = ("XAB", "XAC"),
    when: int | None = START,
    *,
    text: str = "",
    record_type: str = "defence-budget",
    measure: str = "2.1.1.b",
    mode: str = "actual",
    language: str = "en",
    translates: RecordFact | None = None,
    body: Mapping[str, Any] | None = None,
    box: Box = Box.INBOX,
    delivered: tuple[tuple[MemberId, int], ...] = (),
    message: str = "",
    issued_at: int = START,
) -> RecordFact:
    """One fact; `on` are its references, `when` its evidence, `text` stands for the bytes that its digest is of."""
    originators, recipients = _codes(by), _codes(to)
    return RecordFact(
        message=message or sha256(f"{record_id}{by}".encode()).hexdigest()[:32],
        box=box,
        record_id=record_id,
        record_type=record_type,
        catalogue_id=EDITION,
        measure=measure,
        action=Action(action),
        references=(on,) if isinstance(on, str) else on,
        originators=originators,
        sender=originators[0],
        recipients=recipients,
        issued_at=issued_at,
        evidenced_at=when,
        delivered=delivered,
        mode=mode,
        language=language,
        digest=sha256(f"{record_id}{text}".encode()).hexdigest(),
        translation_of=None if translates is None else TextRef(translates.record_id, translates.digest),
        title={"en": record_id},
        body=body or {},
    )


def orders(facts: list[RecordFact]) -> list[tuple[RecordFact, ...]]:
    """Every order in which a few facts can arrive."""
    assert 1 < len(facts) <= 5
    return list(permutations(facts))


def _codes(codes: str | tuple[str, ...]) -> tuple[MemberId, ...]:
    return tuple(sorted(MemberId(code) for code in ((codes,) if isinstance(codes, str) else codes)))
