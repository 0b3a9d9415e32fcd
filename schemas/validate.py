"""Strict reading and validation of records: before signing, and again after decryption.

Two halves: the JSON Schema of the record's type and version, and the checks in `checks/` that a schema cannot express.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jsonschema_rs import Draft202012Validator, ValidationError

from schemas.checks.table import check_providers, check_record
from schemas.record_errors import Fault, RecordError, refuse, shorten
from schemas.record_limits import (
    MAX_DEPTH,
    MAX_EXPLAINED_CHARS,
    MAX_EXPLAINED_VALUES,
    MAX_FAULTS,
    MAX_INTEGER,
    MAX_NUMBER_CHARS,
    MAX_RECORD_BYTES,
)
from schemas.registry import list_schemas, parse_version, self_contained, versions
from schemas.schema_faults import faults_of


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """A valid record.

    Attributes:
        record_type: its type.
        schema_version: version of the schema that it was validated against, which may be newer than the one it states.
        warnings: what is doubtful and yet no reason to refuse; at most `MAX_FAULTS`.
    """

    record_type: str
    schema_version: str
    warnings: tuple[Fault, ...]


def load_json(data: bytes) -> object:
    """Read one JSON text (RFC 8259) strictly.

    Refused: more than `MAX_RECORD_BYTES`, anything but UTF-8 without a byte order mark, a member given twice, NaN and
    the infinities, integers beyond 2^53 - 1, unpaired surrogates, and nesting deeper than `MAX_DEPTH`.

    Raises:
        RecordError: saying what is wrong; the text is not quoted in its message.
    """
    if len(data) > MAX_RECORD_BYTES:
        raise refuse("", f"{len(data)} bytes", f"at most {MAX_RECORD_BYTES} bytes; send larger matter as an attachment")
    try:
        text = data.decode("utf-8")
        value: object = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise refuse("", f"another encoding at byte {error.start}", "JSON in UTF-8") from None
    except json.JSONDecodeError as error:
        raise refuse("", f"{error.msg} at line {error.lineno} column {error.colno}", "one JSON text") from None
    except RecursionError:
        raise refuse("", "deeper nesting", f"at most {MAX_DEPTH} levels") from None
    _refuse_deep(value)
    if "\\u" in text:
        _refuse_surrogates(value)
    return value


def validate_record(record: object) -> ValidationReport:
    """Validate one record, as `load_json` or a program made it; nested no deeper than `load_json` lets pass.

    Raises:
        RecordError: with every fault that one pass finds; with the first alone for a record that is too large to be
            explained. If the schema is broken, the checks in code do not run.
    """
    if not isinstance(record, dict):
        raise refuse("", shorten(record), "an object")
    record_type, version, newer = _choose_schema(record)
    validator = _validator(record_type, version)
    try:
        faults = [] if validator.is_valid(record) else faults_of(_errors(validator, record))
    except (ValueError, RecursionError):
        # The engine refuses what no JSON text can hold: keys that are not text, bytes, cycles, unpaired surrogates.
        raise refuse(
            "", "a value that JSON cannot hold", "objects, arrays, texts, numbers, true, false and null"
        ) from None
    if not faults:
        faults = check_record(record_type, record)
    if refusals := [fault for fault in faults if not fault.warning]:
        raise RecordError(refusals)
    return ValidationReport(record_type, version, (*newer, *faults)[:MAX_FAULTS])


def matches_terms(record: dict[str, Any], *, providers: Iterable[str], tlp: str, onward: str) -> tuple[Fault, ...]:
    """Where a valid record contradicts the Provision that it travels under; empty if nowhere (provision 1.7).

    Of some types, the states that it is about have to be among the providers.

    Args:
        record: a record that `validate_record` accepted.
        providers: member codes of the Provision's providers, in any order.
        tlp: the Provision's marking as records write it, such as `AMBER+STRICT`.
        onward: the Provision's onward terms as records write them, such as `on-consent`.
    """
    wanted = sorted(providers)
    handling = record["handling"]
    compared = (
        ("/originators", sorted(record["originators"]), wanted, " and ".join(wanted)),
        ("/handling/tlp", handling["tlp"], tlp, tlp),
        ("/handling/onward", handling["onward"], onward, onward),
    )
    differing = (
        Fault(path, found if isinstance(found, str) else ", ".join(found), f"{expected}, as in the Provision")
        for path, found, want, expected in compared
        if found != want
    )
    return (*differing, *check_providers(record, wanted))


def _choose_schema(record: dict[str, Any]) -> tuple[str, str, list[Fault]]:
    """Type and version of the schema to use, and a warning if the record states a minor version not yet known here."""
    record_type, stated = record.get("record_type"), record.get("schema_version")
    if not isinstance(record_type, str) or not versions(record_type):
        known = ", ".join(dict.fromkeys(name for name, _ in list_schemas()))
        raise refuse("/record_type", shorten(record_type), f"a record type of this release: {known}")
    known_versions = versions(record_type)
    if not isinstance(stated, str):
        raise refuse("/schema_version", shorten(stated), f"a version such as {known_versions[-1]}")
    if stated in known_versions:
        return record_type, stated, []
    wanted = parse_version(stated)
    same_major = [version for version in known_versions if parse_version(version)[0] == wanted[0]]
    if not same_major:
        remedy = f"{', '.join(known_versions)}: convert the record, or update this program if the version is newer"
        raise refuse("/schema_version", shorten(stated), f"one of the versions known here, {remedy}")
    newest = same_major[-1]
    if wanted < parse_version(newest):
        return record_type, newest, []
    expected = f"at most {newest}; the record is valid under that, but update this program"
    return record_type, newest, [Fault("/schema_version", shorten(stated), expected, warning=True)]


@cache
def _validator(record_type: str, version: str) -> Draft202012Validator:
    return Draft202012Validator(
        self_contained(record_type, version), formats={"nfc": _is_nfc}, validate_formats=True, offline=True
    )


def _errors(validator: Draft202012Validator, record: object) -> Iterable[ValidationError]:
    """What the engine finds in a record that is not valid. Raises what the engine raises for values of no JSON."""
    if _is_explained(record):
        return validator.iter_errors(record)
    try:
        validator.validate(record)
    except ValidationError as first:
        return [first]
    return []


def _is_explained(record: object) -> bool:
    values, chars = MAX_EXPLAINED_VALUES, MAX_EXPLAINED_CHARS
    waiting = [record]
    while waiting and values >= len(waiting) and chars >= 0:
        node = waiting.pop()
        values -= 1
        if isinstance(node, str):
            chars -= len(node)
        elif isinstance(node, list) and len(node) <= values:
            waiting.extend(node)
        elif isinstance(node, dict) and len(node) <= values:
            waiting.extend(node.values())
            chars -= sum(map(len, node))
        elif isinstance(node, list | dict):
            return False
    return not waiting and chars >= 0


def _is_nfc(text: str) -> bool:
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= MAX_NUMBER_CHARS else MAX_INTEGER + 1
    if abs(value) > MAX_INTEGER:
        raise refuse("", "a larger integer", f"integers of at most {MAX_INTEGER} in size")
    return value


def _float(digits: str) -> float:
    value = float(digits) if len(digits) <= MAX_NUMBER_CHARS else float("inf")
    if value in {float("inf"), float("-inf")}:
        raise refuse("", "a longer or larger number", f"numbers of at most {MAX_NUMBER_CHARS} characters, in range")
    return value


def _constant(name: str) -> float:
    raise refuse("", name, "numbers that JSON has")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise refuse("", f"the member {shorten(twice)} twice in one object", "every member once")
    return members


def _refuse_deep(value: object) -> None:
    level, depth = [value], 0
    while level := [node for node in level if isinstance(node, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise refuse("", "deeper nesting", f"at most {MAX_DEPTH} levels")
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]


def _refuse_surrogates(value: object) -> None:
    """A surrogate without its partner stands for no character, and the text could not be written as UTF-8 again."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise refuse("", "an unpaired surrogate escape", "characters of Unicode") from None


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
