"""The Secretariat's request for an edition, and the request to send that is made of it. Pure, but for the parser."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from exchange.errors import Invalid
from exchange.node import request as requests
from exchange.records.compiled import RECORD_TYPE
from exchange.records.database import COMMON_DATABASE, MAX_SOURCES, Compilation, entry_body
from schemas import limits
from schemas.provision import SignedProvision
from schemas.registry import default_tlp, versions
from schemas.terms import Onward, Precedence, Purpose, Tlp

_TERMS: Final = ("onward", "purpose", "until", "not_before", "precedence", "expires")


class CompileRequest(BaseModel):
    """Body of `POST /v1/compilations`.

    `content` and `title` by language; `sources`: the records to choose from, all that are held if it is left out; the
    other members are the edition's own terms, as in a request to send.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    measure: str = Field(max_length=20)
    to: list[str] = Field(min_length=1, max_length=limits.MAX_RECIPIENTS)
    content: dict[str, str] = Field(min_length=1, max_length=32)
    priority_area: str | None = Field(None, max_length=64)
    title: dict[str, str] | None = None
    language: str | None = Field(None, max_length=20)
    sources: list[str] | None = Field(None, min_length=1, max_length=MAX_SOURCES)
    onward: str = Onward.NONE.label
    purpose: str = Purpose.CONFIDENCE_BUILDING.label
    until: str | None = None
    not_before: str | None = None
    tlp: str | None = None
    precedence: str = Precedence.ROUTINE.label
    expires: str | int = "30d"


def edition_request(
    request: CompileRequest, compilation: Compilation, replaces: str | None, tlp: str
) -> dict[str, Any]:
    """The edition as a request to send; `replaces`: the record of the edition before, which this one updates."""
    languages = [*(code for code in ("en", "ru") if code in request.content), *sorted(request.content)]
    record: dict[str, Any] = {
        "record_type": RECORD_TYPE,
        "schema_version": versions(RECORD_TYPE)[-1],
        "action": "new" if replaces is None else "update",
        "language": request.language or languages[0],
        "title": request.title or {"en": _title(compilation)},
        "body": entry_body(compilation, request.content),
    }
    if replaces is not None:
        record["references"] = [replaces]
    terms = request.model_dump(include=set(_TERMS))
    return {"to": request.to, "measure": request.measure, "record": record, "tlp": tlp, **terms}


def marking_of(request: CompileRequest, sources: Iterable[SignedProvision]) -> str:
    """The edition's TLP label: at least that of each source. Raises Invalid for a lower one."""
    strictest = max(signed.provision.tlp for signed in sources)
    if request.tlp is None:
        usual = requests.code(Tlp, default_tlp(RECORD_TYPE), "tlp")
        return max(usual, strictest).label
    asked = requests.code(Tlp, request.tlp, "tlp")
    if asked < strictest:
        detail = f"/tlp: a source is marked TLP:{strictest.label}: mark the edition no lower, or choose other sources"
        raise Invalid("marking-too-low", detail, {"path": "/tlp"})
    return asked.label


def _title(compilation: Compilation) -> str:
    if compilation.topic.measure == COMMON_DATABASE:
        return f"Common database on trade and economic areas (2.3.14), edition {compilation.edition}"
    area = (compilation.topic.priority_area or "").replace("-", " ")
    return f"Compiled views on {area} (3.B), edition {compilation.edition}"
