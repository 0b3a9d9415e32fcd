"""What an import gives: a valid record, made of a file and of what the file cannot say."""

import json
from dataclasses import dataclass
from typing import Any

from exchange.convert.errors import refuse
from schemas.record_errors import Fault
from schemas.record_limits import MAX_RECORD_BYTES
from schemas.validate import validate_record

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Imported:
    """A record that `validate_record` accepted.

    Attributes:
        record: the record.
        warnings: what is doubtful in it, and what an import had to pass over.
        original: the file itself when the body does not hold it; it travels as the attachment that the record names.
    """

    record: Json
    warnings: tuple[Fault, ...] = ()
    original: bytes | None = None


def complete(form: str, template: Json, derived: Json, body: Json) -> Imported:
    """A record out of three parts; what the template says of the record wins over what was derived from the file.

    Args:
        form: the format, for the error.
        template: members of a record that the file cannot say: at least `record_id`, `catalogue_id`, `measure`,
            `originators`, `recipients`, `issued_at` and `handling`. Its `body` adds members to the body.
        derived: members of the record that the file says or implies.
        body: members of the body that the file says.

    Raises:
        ConversionError: the template contradicts the file, or the record would be too large.
        RecordError: the record is not valid, for example because the template lacks a member.
    """
    added = template.get("body", {})
    if not isinstance(added, dict):
        raise refuse(form, "/body", "no object", "an object as the template's body")
    if twice := added.keys() & body.keys():
        raise refuse(form, f"/body/{min(twice)}", "a value in the template", "no such member: the file says it")
    record = derived | template | {"body": body | added}
    for member in ("record_type", "schema_version", "action", "mode"):
        if member in derived and record[member] != derived[member]:
            raise refuse(form, f"/{member}", "another value in the template", f"{derived[member]}, as in the file")
    report = validate_record(record)
    size = len(json.dumps(record, ensure_ascii=False).encode("utf-8"))
    if size > MAX_RECORD_BYTES:
        expected = f"at most {MAX_RECORD_BYTES} bytes; attach the file instead"
        raise refuse(form, "", f"a record of {size} bytes", expected)
    return Imported(record, report.warnings)
