"""One line of the benchmark, and how a figure is measured: medians of alternating rounds."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from exchange.errors import Json

_ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Result:
    """A ratio and its goal.

    Attributes:
        value: ours divided by the limit measured beside it (times: smaller is better; rates: larger is).
        limit: the goal for that ratio.
        reason: what was divided by what, with both figures.
    """

    id: str
    value: float
    limit: float
    met: bool
    reason: str

    def as_json(self) -> dict[str, Json]:
        """One object of `bench.json`."""
        return asdict(self)


def at_most(name: str, ours: float, base: float, goal: float, unit: str, what: str) -> Result:
    """A time that should be at most `goal` times the base."""
    ratio = ours / base
    return Result(name, round(ratio, 3), goal, ratio <= goal, f"{ours:.0f} {unit} / {base:.0f} {unit}: {what}")


def at_least(name: str, ours: float, base: float, goal: float, unit: str, what: str) -> Result:
    """A rate that should be at least `goal` times the base."""
    ratio = ours / base
    return Result(name, round(ratio, 3), goal, ratio >= goal, f"{ours:.0f} {unit} / {base:.0f} {unit}: {what}")


def medians(actions: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Microseconds per call of each action; the actions take turns, so that drift meets all of them alike."""
    taken: list[list[float]] = [[] for _ in actions]
    for _ in range(_ROUNDS):
        for action, times in zip(actions, taken, strict=True):
            start = time.perf_counter()
            for _ in range(repeats):
                action()
            times.append((time.perf_counter() - start) / repeats * 1e6)
    return [statistics.median(times) for times in taken]


def table(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows for a terminal."""
    rows = [[r.id, f"{r.value:.2f}", f"{r.limit:.2f}", "yes" if r.met else "no", r.reason] for r in results]
    return ["what", "ratio", "goal", "met", "measured"], rows
