"""What is under way to one member: so many places, and those of the urgent are not taken by others. Pure.

A routine envelope that the node puts off, or a large body that takes an hour to fetch, must not keep a flash message
waiting. So the places open to each precedence end before those open to the next more urgent one, large bodies have
places of their own, and an envelope that is not acknowledged in time gives up its place.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from exchange.relay.limits import LARGE_PLACES, MAX_LATE, SEND_AGAIN, SMALL_PLACES, UNANSWERED
from exchange.storage.port import EnvelopeKey, Lane, Waiting


@dataclass(frozen=True, slots=True)
class _Sent:
    """An envelope on its way; times are Unix seconds, `place` is the store's."""

    place: int
    precedence: int
    large: bool
    expires: int
    time: int


class Window:
    """The envelopes that were sent and are not acknowledged yet."""

    def __init__(self) -> None:
        """Nothing."""
        self._sent: dict[EnvelopeKey, _Sent] = {}
        # Those without a place any more, by the time at which they were sent.
        self._late: dict[EnvelopeKey, _Sent] = {}
        # By size, then by precedence: how many of this and of less urgent ones have a place.
        self._taken = {large: [0] * len(SMALL_PLACES) for large in (False, True)}

    def pass_time(self, now: int) -> None:
        """Forget what has expired; take their places from those that are not answered; have the late sent again."""
        for key in [key for key, item in self._sent.items() if item.expires <= now]:
            self._give_back(key)
        for key in [key for key, item in self._late.items() if min(item.time + SEND_AGAIN, item.expires) <= now]:
            del self._late[key]
        # A large body may well take longer to be fetched.
        slow = [key for key, item in self._sent.items() if not item.large and now - item.time >= UNANSWERED]
        for key in slow[: max(0, MAX_LATE - len(self._late))]:
            self._late[key] = self._give_back(key)

    def lanes(self) -> tuple[Lane, ...]:
        """Of which envelopes how many have a place."""
        return tuple(
            Lane(precedence, large, room)
            for precedence in range(len(SMALL_PLACES))
            for large in (False, True)
            if (room := self._room(precedence, large)) > 0
        )

    def skip(self) -> frozenset[int]:
        """The store's places of what is not to be sent now."""
        return frozenset(item.place for held in (self._sent, self._late) for item in held.values())

    def take(self, items: tuple[Waiting, ...], now: int) -> Iterator[Waiting]:
        """Those of the items that have a place, most urgent first as they come; each has it from now on."""
        for item in items:
            large = item.body is None
            if self._room(item.precedence, large) > 0:
                self._sent[item.key] = _Sent(item.place, item.precedence, large, item.expires, now)
                self._count(item.precedence, large, 1)
                yield item

    def answered(self, key: EnvelopeKey) -> bool:
        """The member has acknowledged it; True when that frees a place."""
        self._late.pop(key, None)
        if key not in self._sent:
            return False
        self._give_back(key)
        return True

    def _give_back(self, key: EnvelopeKey) -> _Sent:
        item = self._sent.pop(key)
        self._count(item.precedence, item.large, -1)
        return item

    def _count(self, precedence: int, large: bool, change: int) -> None:
        for level in range(precedence + 1):
            self._taken[large][level] += change

    def _room(self, precedence: int, large: bool) -> int:
        """Of this precedence: what is left of its own places and of those of everything more urgent."""
        places, taken = LARGE_PLACES if large else SMALL_PLACES, self._taken[large]
        return min(places[level] - taken[level] for level in range(precedence + 1))
