"""Options and arguments that several commands share, and how their texts become values."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from schemas.errors import DecodeError
from schemas.ids import Digest, MemberId, member_id
from schemas.terms import Onward, Precedence, Purpose, Tlp, from_label

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON value.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="File with the passphrase, mode 0600."),
]
OutFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write; it must not exist.")]
RootFile = Annotated[
    Path, typer.Option("--root", metavar="FILE", exists=True, dir_okay=False, help="The sealed root key.")
]
InFile = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]

_Label = TypeVar("_Label", Onward, Precedence, Purpose, Tlp)


def member(text: str) -> MemberId:
    """A member's code; raises BadParameter."""
    try:
        return member_id(text)
    except DecodeError:
        raise typer.BadParameter(f"{text!r} is no member code: three capital letters such as KAZ, or CICA") from None


def members(text: str) -> list[MemberId]:
    """Codes separated by commas, each once; raises BadParameter."""
    codes = [member(code.strip()) for code in text.split(",")]
    if len(set(codes)) != len(codes):
        raise typer.BadParameter(f"a member is named twice in {text!r}")
    return codes


def recipients(text: str) -> list[str]:
    """Codes and groups (`@name`) separated by commas, each once; raises BadParameter."""
    parts = [part.strip() for part in text.split(",")]
    if len(set(parts)) != len(parts):
        raise typer.BadParameter(f"a recipient is named twice in {text!r}")
    return [part if part.startswith("@") and len(part) > 1 else member(part) for part in parts]


def digest(text: str) -> Digest:
    """A fingerprint of 64 hexadecimal digits, spaces allowed; raises BadParameter."""
    try:
        value = bytes.fromhex("".join(text.split()))
    except ValueError:
        value = b""
    if len(value) != 32:
        raise typer.BadParameter("a fingerprint has 64 hexadecimal digits, with or without spaces")
    return Digest(value)


def day(text: str | None) -> str | None:
    """A day such as 2027-01-31; raises BadParameter."""
    try:
        return None if text is None else date.fromisoformat(text if len(text) == 10 else "").isoformat()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day such as 2027-01-31") from None


def moment(text: str) -> int:
    """A time of RFC 3339, or a date: its beginning in UTC; Unix seconds. Raises BadParameter."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time such as 2026-11-24T09:00:00Z") from None
    return int((value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp())


def onward(text: str | None) -> str | None:
    """A label of onward terms; raises BadParameter."""
    return _label(Onward, text)


def precedence(text: str | None) -> str | None:
    """A label of precedence; raises BadParameter."""
    return _label(Precedence, text)


def purpose(text: str | None) -> str | None:
    """A purpose code; raises BadParameter."""
    return _label(Purpose, text)


def tlp(text: str | None) -> str | None:
    """A TLP 2.0 label, with or without its prefix; raises BadParameter."""
    return _label(Tlp, None if text is None else text.removeprefix("TLP:"))


def _label(values: type[_Label], text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return from_label(values, text).label
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None


PrecedenceLabel = Annotated[
    str | None, typer.Option("--precedence", callback=precedence, help="flash, immediate, priority or routine.")
]
Expires = Annotated[str | None, typer.Option("--expires", metavar="SPAN", help="Such as 30d or 12h.")]
IdempotencyKey = Annotated[
    str | None, typer.Option("--idempotency-key", metavar="KEY", help="Repeated with the same key, it happens once.")
]
