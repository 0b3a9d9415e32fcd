"""Errors of the JSON Schema engine as faults that say what was found and what is expected."""

from collections.abc import Iterable
from typing import Any, Final

from jsonschema_rs import ValidationError

from schemas.record_errors import Fault, pointer, shorten
from schemas.record_limits import MAX_CHOICES_SHOWN, MAX_FAULTS

_FORMATS: Final = {
    "nfc": "text in Unicode normalisation form C",
    "date-time": "a real date and time such as 2026-03-31T12:00:00+05:00",
    "date": "a real date such as 2026-03-31",
    "email": "an e-mail address",
}
_TYPES: Final = {
    "object": "an object",
    "array": "an array",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def faults_of(errors: Iterable[ValidationError]) -> list[Fault]:
    """Faults of one validation, in the order of the record, without repetition, at most `MAX_FAULTS`."""
    found: dict[tuple[str, str], Fault] = {}
    for error in errors:
        for fault in _faults(error):
            found.setdefault((fault.path, fault.expected), fault)
        if len(found) >= MAX_FAULTS:
            break
    return list(found.values())


def _faults(error: ValidationError) -> list[Fault]:
    path, details = pointer(error.instance_path), error.kind.as_dict()
    match error.kind.name:
        case "required":
            return [Fault(f"{path}{pointer([details['property']])}", "nothing", "this member, which is required")]
        case "additionalProperties" | "unevaluatedProperties":
            return [Fault(path, f"a member {shorten(name)}", "no such member") for name in details["unexpected"]]
        case "anyOf" | "oneOf":
            return [Fault(path, shorten(error.instance), _alternatives(details["context"]))]
        case _:
            return [Fault(path, shorten(error.instance), _expected(error))]


def _alternatives(context: list[list[ValidationError]]) -> str:
    if not all(context):
        return "only one of the alternatives that exclude each other"
    wanted = []
    for branch in context:
        fault = _faults(branch[0])[0]
        wanted.append(f"{fault.path.rsplit('/', 1)[-1]!r} to be given" if fault.found == "nothing" else fault.expected)
    return ", or ".join(dict.fromkeys(wanted))


def _choices(options: list[Any]) -> str:
    shown = ", ".join(str(option) for option in options[:MAX_CHOICES_SHOWN])
    more = len(options) - MAX_CHOICES_SHOWN
    return f"one of {shown}" + (f" and {more} more" if more > 0 else "")


def _expected(error: ValidationError) -> str:  # noqa: PLR0911 - a table of keywords, one line each
    details = error.kind.as_dict()
    limit = details.get("limit")
    match error.kind.name:
        case "type":
            return " or ".join(_TYPES.get(name, name) for name in details["types"])
        case "enum":
            return _choices(details["options"])
        case "const":
            return str(details["expected_value"])
        case "pattern":
            return f"a text of the form {details['pattern']}"
        case "format":
            return _FORMATS.get(details["format"], f"a {details['format']}")
        case "falseSchema":
            return "nothing here, given the other members"
        case "minimum":
            return f"at least {limit}"
        case "maximum":
            return f"at most {limit}"
        case "minLength" | "minItems" | "minProperties":
            return f"a length of at least {limit}"
        case "maxLength" | "maxItems" | "maxProperties":
            return f"a length of at most {limit}"
        case "uniqueItems":
            return "items that all differ"
        case keyword:
            return f"what the schema's {keyword} at {pointer(error.schema_path)} says"
