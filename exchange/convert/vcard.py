"""Contact points as vCard 4.0 (RFC 6350): an organisation's card that an address book takes."""

from datetime import UTC, datetime
from typing import Any, Final

from exchange.convert.errors import refuse
from exchange.convert.limits import MAX_CONTENT_LINE

Json = dict[str, Any]

_FORM: Final = "vcard"
_RECORD_TYPE: Final = "contact-point"


def record_to_vcard(record: Json) -> bytes:
    """The card of a valid `contact-point` record, UTF-8.

    Raises:
        ConversionError: a record of another type, or one that only ends another and so has no body.
    """
    if record["record_type"] != _RECORD_TYPE or not record["body"]:
        raise refuse(_FORM, "/record_type", "another record, or one without a body", f"a {_RECORD_TYPE} with its body")
    body, authority = record["body"], record["body"]["authority"]
    name = _text(authority["name"], record)
    lines = ["BEGIN:VCARD", "VERSION:4.0", "KIND:org", f"UID:{_uid(record['record_id'])}"]
    lines.append(f"REV:{_stamp(record['issued_at'])}")
    lines.append(f"FN:{_escaped(name)}")
    lines.extend(
        f"FN;LANGUAGE={language}:{_escaped(text)}"
        for language, text in authority["name"].items()
        if language != record["language"] and text != name
    )
    lines.append(f"ORG:{_escaped(name)}")
    person = body.get("person")
    role = _text((person or authority)["role"], record)
    lines.append(f"ROLE:{_escaped(role)}")
    for position, number in enumerate(body["phone"], start=1):
        lines.append(f"TEL;VALUE=uri;PREF={position}:tel:{number}")
    for position, address in enumerate(body["email"], start=1):
        lines.append(f"EMAIL;PREF={position}:{_escaped(address)}")
    for position, language in enumerate(body["languages"], start=1):
        lines.append(f"LANG;PREF={position}:{language}")
    lines.append(f"TZ:{body['hours']['tz']}")
    lines.append(f"CATEGORIES:{_escaped(body['function'])}")
    lines.append(f"NOTE:{_escaped(_note(record, person))}")
    lines.append("END:VCARD")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line)).encode("utf-8")


def _note(record: Json, person: Json | None) -> str:
    """What a card has no property for: who answers, when, until when it holds, and how it may be passed on."""
    body, hours = record["body"], record["body"]["hours"]
    told = [f"TLP:{record['handling']['tlp']}"]
    if record["mode"] != "actual":
        told.append(f"{record['mode'].upper()}, not an actual contact")
    if person is not None:
        told.append(f"Contact: {_text(person['name'], record)}")
    told.append("24x7" if hours["kind"] == "24x7" else f"Office hours {hours['opens']}-{hours['closes']} {hours['tz']}")
    told.append(f"Valid {record['valid_from']} to {record['valid_until']}")
    if "key_id" in body:
        told.append(f"Key {body['key_id']}")
    return "\n".join(told)


def _uid(record_id: str) -> str:
    return record_id if record_id.startswith("urn:") else f"urn:uuid:{record_id}"


def _stamp(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except OverflowError:
        raise refuse(_FORM, "/issued_at", "a time beyond the year 9999 in UTC", "an earlier one") from None


def _text(texts: dict[str, str], record: Json) -> str:
    return texts.get(record["language"]) or texts.get("en") or texts["ru"]


def _escaped(text: str) -> str:
    """A text value (RFC 6350, 3.4): backslash, comma, semicolon and line break are written with a backslash."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\\", "\\\\")
    return text.replace(",", "\\,").replace(";", "\\;").replace("\n", "\\n")


def _folded(line: str) -> list[str]:
    """A line in pieces of at most 75 octets, no character cut; a further piece begins with a space (RFC 6350, 3.2)."""
    pieces, current, size = [], "", 0
    for character in line:
        width = len(character.encode("utf-8"))
        if size + width > MAX_CONTENT_LINE:
            pieces.append(current)
            current, size = " ", 1
        current += character
        size += width
    return [*pieces, current]
