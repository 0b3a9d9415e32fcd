"""Conversions in threads, a few at once; their faults become problem documents."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from exchange.convert.errors import ConversionError
from exchange.errors import Invalid, Json
from schemas.record_errors import Fault, RecordError

# The worst sheet takes 1.6 s of a core, and no conversion can be stopped half way; more at once only take longer.
_AT_ONCE: Final = 2
T = TypeVar("T")


class Conversions:
    """The places in which conversions are done."""

    def __init__(self) -> None:
        """All free."""
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def do(self, work: Callable[[], T]) -> T:
        """Do one conversion in a thread, after those that are under way. Raises Invalid."""
        async with self._places:
            try:
                return await asyncio.to_thread(work)
            except ConversionError as error:
                raise Invalid(error.code, str(error), _extra(error.faults)) from None
            except RecordError as error:
                raise Invalid("invalid-record", str(error), _extra(error.faults)) from None


def fault_json(fault: Fault) -> dict[str, Json]:
    """Where a fault is, what was found, what is expected."""
    return {"path": fault.path, "found": fault.found, "expected": fault.expected}


def _extra(faults: tuple[Fault, ...]) -> dict[str, Json]:
    """Row, column or path of the first fault, and all of them."""
    return {"path": faults[0].path, "faults": [fault_json(fault) for fault in faults]}
