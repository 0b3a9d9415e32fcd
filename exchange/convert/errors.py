"""The one error of a conversion."""

from collections.abc import Iterable

from exchange.errors import Invalid
from schemas.record_errors import Fault
from schemas.record_limits import MAX_FAULTS


class ConversionError(Invalid):
    """A file or a record cannot be converted; nothing of it was taken over.

    The message quotes nothing of the file and may be logged; `faults` may quote it and are for whoever gave the file.

    Attributes:
        faults: at least one, at most `MAX_FAULTS`. The path of a fault is a place of the format: `row 3, column 4 (D)`
            in a table, a JSON Pointer elsewhere, empty for the whole.
    """

    title = "Cannot be converted"

    def __init__(self, form: str, faults: Iterable[Fault]) -> None:
        """`form` names the format, in lower case with hyphens."""
        self.faults = tuple(faults)[:MAX_FAULTS]
        first = self.faults[0]
        place = f" at {first.path}" if first.path else ""
        more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
        super().__init__(f"not-{form}", f"{form} refused{place}: expected {first.expected}{more}; correct it")


def refuse(form: str, path: str, found: str, expected: str) -> ConversionError:
    """The error for one fault."""
    return ConversionError(form, [Fault(path, found, expected)])
