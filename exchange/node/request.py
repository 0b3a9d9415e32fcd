"""A ministry's request to send, and the record that is signed for it. Pure, but for the parser's library.

The record travels exactly as the ministry wrote it, completed: common fields that it leaves out are filled in from the
request, and what it states must agree with the request, so that the signed record and the signed terms never differ.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exchange.errors import Forbidden, Invalid, Json, NotFound
from keys.directory import Directory
from schemas import limits
from schemas.content import Attachment
from schemas.errors import DecodeError
from schemas.ids import SECRETARIAT, MemberId, member_id
from schemas.record_errors import RecordError, shorten
from schemas.registry import AGREED_ELSEWHERE, admits, default_tlp, list_schemas
from schemas.terms import Onward, Precedence, Purpose, Tlp, from_label
from schemas.validate import ValidationReport, matches_terms, validate_record

_SPAN: Final = re.compile(r"(\d{1,6})(s|m|h|d)?")
_UNITS: Final = {"s": 1, "m": 60, "h": limits.HOUR, "d": limits.DAY}
_DEFAULT_EXPIRES: Final = "30d"
_DEFAULT_SIGN_BY: Final = "14d"
ClassName = Annotated[str, Field(min_length=1, max_length=limits.MAX_NAME)]
M = TypeVar("M", bound=BaseModel)
L = TypeVar("L", Onward, Purpose, Tlp, Precedence)


class SendRequest(BaseModel):
    """Body of `POST /v1/messages`. `to`: codes, and groups as `@name`.

    `thread`: a record, or a message that holds it, which the record is to refer to. `classes`: what this state
    calls the classes that it belongs to; a Grant can be for a class. `joint`: the other providers, who all have to
    sign before it is sent; `sign_by`: for how long they are waited for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: list[str] = Field(min_length=1, max_length=limits.MAX_RECIPIENTS)
    measure: str = Field(max_length=20)
    record: dict[str, Any]
    onward: str = Onward.NONE.label
    purpose: str = Purpose.CONFIDENCE_BUILDING.label
    until: str | None = None
    not_before: str | None = None
    tlp: str | None = None
    copy_secretariat: bool = False
    precedence: str = Precedence.ROUTINE.label
    expires: str | int = _DEFAULT_EXPIRES
    thread: str | None = Field(None, max_length=255, pattern="^([0-9a-f]{32}|[0-9a-f-]{36}|urn:.+)$")
    classes: list[ClassName] = Field([], max_length=limits.MAX_CLASS_TAGS)
    joint: list[str] = Field([], max_length=limits.MAX_PROVIDERS - 1)
    sign_by: str | int = _DEFAULT_SIGN_BY


class ForwardRequest(BaseModel):
    """Body of `POST /v1/messages/{id}/forward`. `purpose`: by default the Provision's; another takes Grants."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: list[str] = Field(min_length=1, max_length=limits.MAX_RECIPIENTS)
    precedence: str = Precedence.ROUTINE.label
    expires: str | int = _DEFAULT_EXPIRES
    purpose: str | None = None


def parse_model(model: type[M], value: object) -> M:
    """Check a request's JSON; raises Invalid with the path of the first fault."""
    try:
        return model.model_validate(value)
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        path = "/" + "/".join(str(step) for step in first["loc"])
        raise Invalid("bad-request", f"{path}: {first['msg']}", {"path": path}) from None


def recipients(
    codes: list[str], copy_secretariat: bool, sender: MemberId, directory: Directory
) -> tuple[MemberId, ...]:
    """The recipients, sorted; raises Invalid or NotFound naming the code at fault."""
    wanted = {*codes, *([SECRETARIAT] if copy_secretariat else [])}
    for code in sorted(wanted):
        try:
            member = member_id(code)
        except DecodeError:
            raise Invalid("bad-member", f"{code[:10]!r} is no member's code: use three capital letters") from None
        if member not in directory.members:
            raise NotFound("unknown-member", f"{code} is not in the charter: see GET /v1/members", {"member": code})
    if sender in wanted:
        raise Invalid("own-member", f"{sender} is this node's own member: name other recipients")
    return tuple(sorted(MemberId(code) for code in wanted))


def providers(
    codes: list[str], to: tuple[MemberId, ...], sender: MemberId, directory: Directory
) -> tuple[MemberId, ...]:
    """The sender and those who provide it jointly, sorted; raises Invalid or NotFound naming the code at fault."""
    others = recipients(codes, False, sender, directory) if codes else ()
    for code in others:
        if not directory.may_send(code):
            raise Invalid("cannot-provide", f"{code} only receives and can provide nothing: leave it out of joint")
    if len({*to, *others}) > limits.MAX_RECIPIENTS:
        detail = f"recipients and providers are more than {limits.MAX_RECIPIENTS} states: send it to some of them later"
        raise Invalid("too-many-recipients", detail)
    return tuple(sorted((sender, *others)))


def code(values: type[L], label: str, field: str) -> L:
    """A code by its label; raises Invalid naming the choices."""
    try:
        return from_label(values, label)
    except ValueError as fault:
        raise Invalid("bad-request", f"/{field}: {fault}", {"path": f"/{field}"}) from None


def span(value: str | int, field: str) -> int:
    """Seconds of "30d", "12h", "15m", "90s" or a number; raises Invalid."""
    match = _SPAN.fullmatch(str(value))
    if match is None or int(match[1]) == 0:
        raise Invalid("bad-request", f"/{field}: write a time span such as 30d, 12h or 900", {"path": f"/{field}"})
    return int(match[1]) * _UNITS[match[2] or "s"]


def expiry(asked: int, now: int, ends: Iterable[int | None], least: int) -> int:
    """When an envelope expires: as asked, as an outbox may hold it, and as every end date allows; not below `least`."""
    bounds = [asked, now + limits.OUTBOX_LIMIT, *(end for end in ends if end is not None)]
    return max(min(bounds), least)


def moment(text: str | None, field: str, *, end_of_day: bool = False) -> int | None:
    """Unix seconds of an RFC 3339 time with offset, or of a date (its last second with `end_of_day`), UTC."""
    if text is None:
        return None
    fault = Invalid("bad-request", f"/{field}: write 2027-01-31 or 2027-01-31T12:00:00+00:00", {"path": f"/{field}"})
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise fault from None
    if len(text) == 10:
        seconds = int(parsed.replace(tzinfo=UTC).timestamp())
        return seconds + limits.DAY - 1 if end_of_day else seconds
    if parsed.tzinfo is None:
        raise fault
    return int(parsed.timestamp())


def complete_record(
    request: SendRequest, sender: MemberId, record_id: str, catalogue_id: str, now: int
) -> dict[str, Any]:
    """The request's record with the common fields that it leaves out."""
    common: dict[str, Any] = {
        "record_id": record_id,
        "catalogue_id": catalogue_id,
        "measure": request.measure,
        "originators": sorted({sender, *request.joint}),
        "recipients": sorted(request.to),
        "copy_secretariat": request.copy_secretariat,
        "issued_at": datetime.fromtimestamp(now, UTC).isoformat(),
        "action": "new",
        "mode": "actual",
        "handling": {"tlp": marking(request), "onward": request.onward},
    }
    return {**common, **request.record}


def marking(request: SendRequest) -> str:
    """The TLP label asked for, else the default of the record's type."""
    record_type = request.record.get("record_type")
    if request.tlp is not None:
        return request.tlp
    known = any(name == record_type for name, _ in list_schemas())
    return default_tlp(str(record_type)) if known else Tlp.AMBER_STRICT.label


def checked_record(
    record: dict[str, Any], request: SendRequest, sender: MemberId, attachments: tuple[Attachment, ...] = ()
) -> ValidationReport:
    """Validate a completed record against schema and request. Raises Invalid with all faults."""
    report = validated(record, tuple({sender, *request.joint}), marking(request), request.onward)
    for field, stated, asked in (
        ("measure", record.get("measure"), request.measure),
        ("recipients", sorted(record.get("recipients", [])), sorted(request.to)),
        ("copy_secretariat", record.get("copy_secretariat", False), request.copy_secretariat),
    ):
        if stated != asked:
            detail = f"/record/{field}: the record says {stated}, the request {asked}: make them agree"
            raise Invalid("record-differs", detail, {"path": f"/record/{field}"})
    if record.get("attachments", []) != file_refs(attachments):
        detail = "/record/attachments: the record has to name exactly the files that travel with it: attach them"
        raise Invalid("attachments-differ", detail, {"path": "/record/attachments"})
    return report


def validated(record: object, providers: tuple[str, ...], tlp: str, onward: str) -> ValidationReport:
    """Validate a record and its agreement with the Provision's terms; raises Invalid with every fault."""
    try:
        report = validate_record(record)
    except RecordError as error:
        raise invalid_record(error) from None
    faults = matches_terms(record, providers=providers, tlp=tlp, onward=onward)  # type: ignore[arg-type]
    if faults:
        raise invalid_record(RecordError(faults))
    return report


def file_refs(attachments: tuple[Attachment, ...]) -> list[dict[str, Any]]:
    """Attachments as a record names them."""
    return [
        {
            "filename": attachment.filename,
            "media_type": attachment.media_type,
            "size": attachment.size,
            "sha256": attachment.sha256.hex(),
        }
        for attachment in attachments
    ]


def invalid_record(error: RecordError) -> Invalid:
    """A record's faults as a problem: each with path, what was found, what is expected."""
    faults: list[Json] = [
        {"path": "/record" + fault.path, "found": fault.found, "expected": fault.expected} for fault in error.faults
    ]
    first = error.faults[0]
    detail = f"/record{first.path}: found {first.found}, expected {first.expected}"
    return Invalid("invalid-record", detail, {"path": "/record" + first.path, "faults": faults})


def may_use_measure(patterns: tuple[str, ...], measure: str, record_type: object) -> bool:
    """Whether a token's patterns admit a record (`schemas.registry.admits`)."""
    return admits(patterns, measure, record_type)


def require_measure(patterns: tuple[str, ...], measure: str, record_type: object) -> None:
    """Raises Forbidden when a token is not for this measure; `record_type` as the record states it."""
    if not may_use_measure(patterns, measure, record_type):
        about = f" with record type {shorten(record_type)}" if measure == AGREED_ELSEWHERE else ""
        detail = f"this token is not for measure {measure}{about}: ask your node's operator"
        raise Forbidden("measure-not-allowed", detail)
