"""When a request is sent again, and after how long."""

import random
from dataclasses import dataclass
from typing import Final

# 408, 425, 429 and 503: the node did nothing and says so; 502 and 504 come from a proxy that did not reach it.
RETRIED_STATUS: Final = frozenset({408, 425, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently; the defaults bridge a restart of the node of some twenty seconds.

    Attributes:
        attempts: how many times a request is sent at most, the first included.
        first_wait: seconds before the second attempt; each further wait is twice as long.
        longest_wait: upper bound of a wait, also for what the node's Retry-After asks.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 15.0

    def wait(self, failures: int, asked: float | None = None) -> float:
        """Seconds to wait after so many failures (from 1), at least what the node `asked`, with half as much jitter."""
        backoff = self.first_wait * 2.0 ** min(failures - 1, 30)
        # Jitter only keeps clients from coming back all at once: it protects nothing.
        return min(self.longest_wait, max(asked or 0.0, backoff * random.uniform(0.5, 1.0)))  # noqa: S311


def asked_wait(header: str | None) -> float | None:
    """Seconds of a Retry-After header; None when it is absent or a date."""
    return float(header) if header is not None and header.isascii() and header.isdigit() and len(header) < 7 else None
