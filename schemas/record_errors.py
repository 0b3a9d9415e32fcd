"""What is wrong with a record, and the one error that reading or validating a record raises."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.record_limits import MAX_FAULTS, MAX_FOUND


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it must be.

    Attributes:
        path: JSON Pointer (RFC 6901) into the record; empty for the record as a whole.
        found: what stands there, shortened. It may quote the record: show it to whoever wrote the record, never log it.
        expected: what has to stand there; quotes nothing of the record.
        warning: true when the record is valid all the same.
    """

    path: str
    found: str
    expected: str
    warning: bool = False


class RecordError(ValueError):
    """Bytes or values that are not a valid record. The message quotes nothing of the record, so it may be logged.

    Attributes:
        faults: at least one, at most `MAX_FAULTS`, in the order of the record.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Keep the faults; the message names the first."""
        self.faults = tuple(faults)[:MAX_FAULTS]
        first = self.faults[0]
        more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
        super().__init__(f"record refused at {first.path or 'its root'}: expected {first.expected}{more}; correct it")


def refuse(path: str, found: str, expected: str) -> RecordError:
    """The error for one fault."""
    return RecordError([Fault(path, found, expected)])


def shorten(value: object) -> str:
    """A value as `Fault.found` shows it: JSON-like, on one line, at most `MAX_FOUND` characters."""
    if isinstance(value, dict):
        return f"an object of {len(value)} members"
    if isinstance(value, list):
        return f"an array of {len(value)} items"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= MAX_FOUND else text[: MAX_FOUND - 3] + "..."


def pointer(steps: Iterable[str | int]) -> str:
    """JSON Pointer (RFC 6901) of a path."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
