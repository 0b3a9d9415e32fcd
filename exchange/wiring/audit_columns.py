"""Lets a second process compare the columns of a long audit log with its leaves, while the first computes hashes.

Either takes about as long as the other, and neither needs what the other finds.
"""

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from exchange.audit.fault import Broken, Fault
from exchange.audit.verify import Told, Verifier, first_column_fault, silent
from exchange.errors import StoreFault
from exchange.storage.audit_reading import audit_reading
from keys.merkle import Frontier

# Below that a process takes longer to start than to do this.
MANY: Final = 200_000


def run_both(verifier: Verifier, database: Path, told: Told = silent, many: int = MANY) -> Frontier:
    """As `Verifier.run`; in two processes from `many` entries on. Raises Broken, or StoreFault."""
    first = verifier.frontier.size
    if verifier.source.end - first < many:
        return verifier.run(told)
    verifier.columns = False
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        beside = pool.submit(_columns, database, first, verifier.source.end)
        try:
            found: Frontier | Fault = verifier.run(told)
        except Broken as broken:
            found = broken.fault
        try:
            fault = beside.result()
        except BrokenProcessPool:
            raise StoreFault("store-failed", "the process that compares the columns was stopped: try again") from None
    if fault is not None and (isinstance(found, Frontier) or fault.index < found.index):
        found = fault
    if isinstance(found, Fault):
        raise Broken(found)
    return found


def _columns(database: Path, first: int, end: int) -> Fault | None:
    with audit_reading(database) as reading:
        # What stands at a place farther than there are entries has a gap in front of it.
        return first_column_fault(reading, first, min(end, reading.count))
