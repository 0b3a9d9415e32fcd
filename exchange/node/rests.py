"""Things that were tried in vain: each rests twice as long after each try. In memory: a restart tries at once."""

from typing import Final

_MOST: Final = 4096


class Rests:
    """What rests, by its id, until when. Times are Unix seconds."""

    def __init__(self, longest: int) -> None:
        """`longest`: the longest rest, in seconds."""
        self._longest = longest
        self._until: dict[bytes, tuple[int, int]] = {}

    def resting(self, name: bytes, now: int) -> bool:
        """Whether it is too early for the next try."""
        return name in self._until and now < self._until[name][0]

    def names(self, now: int) -> tuple[bytes, ...]:
        """All that rests."""
        return tuple(name for name, (until, _) in self._until.items() if now < until)

    def failed(self, name: bytes, now: int) -> None:
        """A try was in vain."""
        pause = min(2 * self._until.pop(name, (0, 1))[1], self._longest)
        self._until[name] = (now + pause, pause)
        if len(self._until) > _MOST:
            del self._until[next(iter(self._until))]

    def done(self, name: bytes) -> None:
        """It needs no further try."""
        self._until.pop(name, None)
