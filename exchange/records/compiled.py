"""The list that accompanies an edition of the database: read back, and held against its record and its envelope.

The Secretariat reads it for the next edition. Whoever receives an edition learns from it which Provisions it stands on,
and refuses one whose envelope lacks any of them: then `authorise` was not asked about that source (1.7).
"""

import json
from collections.abc import Mapping
from typing import Final

from exchange.errors import Invalid
from exchange.records.database import MAX_SOURCES, MAX_TRACES, Compilation, Row, Topic, Trace, compilation_json
from exchange.records.facts import Action, RecordFact
from exchange.records.reader import Reader
from schemas.ids import MemberId
from schemas.record_errors import RecordError
from schemas.validate import load_json

RECORD_TYPE: Final = "database-entry"
LIST_FILE: Final = "compilation.json"
LIST_TYPE: Final = "application/json"
# 63 rows with eight consents each are about 80 KB, a thousand traces about 350 KB.
MAX_LIST: Final = 1024 * 1024

_CODE: Final = "bad-compilation"
_TEXTS: Final = frozenset({Action.NEW, Action.UPDATE, Action.CORRECTION})
_HEX64: Final = r"[0-9a-f]{64}"
_HEX32: Final = r"[0-9a-f]{32}"
_AREA: Final = r"[a-z0-9-]{1,64}"


def write_compilation(compilation: Compilation) -> bytes:
    """The list as it is attached."""
    return json.dumps(compilation_json(compilation), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def read_compilation(data: bytes) -> Compilation:
    """The reverse of `write_compilation`. Raises Invalid (bad-compilation)."""
    if len(data) > MAX_LIST:
        raise Invalid(_CODE, f"the list of an edition has at most {MAX_LIST} bytes")
    try:
        table = Reader(load_json(data), "", _CODE)
    except RecordError:
        raise Invalid(_CODE, "the list of an edition is no JSON text") from None
    area = table.text("priority_area", _AREA, "a priority area") if table.has("priority_area") else None
    compilation = Compilation(
        topic=Topic(table.text("measure"), area),
        edition=table.count("edition", 10_000),
        audience=table.members("audience"),
        rows=tuple(_row(row) for row in table.tables("rows", MAX_SOURCES)),
        traces=tuple(_trace(trace) for trace in table.tables("void", MAX_TRACES)),
    )
    if table.texts("provisions") != compilation.provisions:
        raise table.fault("provisions", "the Provisions of the rows, ascending, each once")
    table.done()
    return compilation


def carries_list(fact: RecordFact) -> bool:
    """Whether a file named `LIST_FILE` beside this record is the list of an edition."""
    return fact.record_type == RECORD_TYPE and fact.action in _TEXTS


def list_fault(compilation: Compilation, fact: RecordFact, sources: Mapping[str, tuple[MemberId, ...]]) -> str | None:
    """What does not fit between an edition's list, its record and its envelope; None if all does.

    Args:
        compilation: what the list says.
        fact: the record that it accompanies.
        sources: the providers of every other Provision in the envelope, by its digest in hexadecimal.
    """
    if (compilation.topic.measure, compilation.edition) != (fact.measure, fact.body["edition"]):
        return "its list is of another database or edition than its record"
    if [row.record_id for row in compilation.rows] != list(fact.body["entry_of"]):
        return "its list names other sources than its record"
    if compilation.audience != fact.recipients:
        return "its list is for another audience than its Provision"
    for row in compilation.rows:
        if row.provision not in sources:
            return f"the envelope lacks the Provision of its source {row.record_id}"
        if row.originators != sources[row.provision]:
            return f"the Provision of its source {row.record_id} is of other states"
    return None


def _row(row: Reader) -> Row:
    found = Row(
        record_id=row.text("record_id"),
        message=row.text("message", _HEX32, "a message's id"),
        provision=row.text("provision", _HEX64, "a Provision's digest"),
        digest=row.text("sha256", _HEX64, "SHA-256, hexadecimal"),
        originators=row.members("originators"),
        measure=row.text("measure"),
        consents=tuple(_consent(consent) for consent in row.tables("consents")),
    )
    row.done()
    return found


def _consent(consent: Reader) -> tuple[MemberId, str]:
    found = consent.member("originator"), consent.text("ground")
    consent.done()
    return found


def _trace(trace: Reader) -> Trace:
    found = Trace(
        record_id=trace.text("record_id"),
        message=trace.text("message", _HEX32, "a message's id"),
        provision=trace.text("provision", _HEX64, "a Provision's digest"),
        reason=trace.text("reason"),
        edition=trace.count("since_edition", 10_000),
    )
    trace.done()
    return found
