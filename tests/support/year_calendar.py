"""What happens in the year, and when: who is away, whose key ends, who joins, when another relay takes over.

A day has a morning, a noon and an evening; an event comes before what everybody does at that time.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, ParamSpec

from keys.identity import SigningIdentity
from schemas.endings import RevocationReason
from schemas.limits import DAY, HOUR
from tests.support.year import Year
from tests.support.year_book import BEGIN
from tests.support.year_ceremonies import admit, found, renew, replace_relay, revoke
from tests.support.year_post import Letter
from tests.support.year_thief import Thief

FOUNDERS: Final = tuple(f"XA{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
NEWCOMERS: Final = {77: "XBA", 210: "XBB"}
RELAY_REPLACED: Final = 182
OFF: Final = {"XAC": (20, 58), "XAD": (70, 147), "XAE": (35, 71)}
"""Switched off in the first morning, on again in the last. All miss epochs' ends; the epochs that XAD published ahead
run out; XAE comes back hours before a letter for it expires."""
CUT: Final = {"XAF": (92, 113), "XAG": (215, 285), "XAK": (297, 303)}
"""They run and do not reach the relay, from the first morning to the last."""
OUTAGE: Final = (120, 122)
"""Nobody reaches the relay."""

LETTERS: Final = {
    "to who comes back in the last hours": (41, "XAB", "XAE"),
    "to who has no epoch, its key being revoked": (56, "XAB", "XAH"),
    "by who is cut off, by a directory that is new enough": (95, "XAF", "XAB"),
    "by who is cut off, by a directory that is too old": (105, "XAF", "XAB"),
    "to who has no epoch, being off for too long": (130, "XAB", "XAD"),
    "to who has no epoch, being cut off for too long": (280, "XAB", "XAG"),
    "sealed to an epoch that a revocation ends": (298, "XAK", "XAJ"),
}
"""By name: day, sender, recipient."""

P = ParamSpec("P")
_HOURS: Final = {"morning": 0, "noon": 6, "evening": 12}


class Calendar:
    """The events of a year by day and time of day."""

    def __init__(self, year: Year) -> None:
        self._year = year
        self.letters: dict[str, Letter] = {}
        self._thieves: dict[str, Thief] = {}
        self._events: defaultdict[tuple[int, str], list[Callable[[], Awaitable[None]]]] = defaultdict(list)
        for code, (first, last) in OFF.items():
            self._at(first, "morning", self._off, code)
            self._at(last, "morning", self._on, code)
        for code, (first, last) in CUT.items():
            self._at(first, "morning", self._cut, code)
            self._at(last, "morning", self._reconnect, code)
        for day, down in zip(OUTAGE, (True, False), strict=True):
            self._at(day, "morning", self._down, down)
        for day, code in NEWCOMERS.items():
            self._at(day, "morning", admit, year, code)
        self._at(RELAY_REPLACED, "morning", replace_relay, year)
        self._revocations()
        self._letters()

    def _revocations(self) -> None:
        """One that is renewed two days later, one that was renewed before, one with letters under way."""
        year = self._year
        self._at(56, "noon", self._stolen, "XAH")
        self._at(58, "morning", renew, year, "XAH")
        self._at(154, "morning", self._replaced, "XAI")
        self._at(300, "morning", self._stolen, "XAJ")
        self._at(300, "noon", renew, year, "XAJ")
        self._at(330, "noon", self._thieves_come_back)

    def _letters(self) -> None:
        """Letters that chance could not be trusted to write."""
        for name, (day, sender, recipient) in LETTERS.items():
            self._at(day, "noon", self._written, name, sender, recipient)

    def _at(self, day: int, time: str, event: Callable[P, Awaitable[None]], *args: P.args, **_: P.kwargs) -> None:
        self._events[day, time].append(partial(event, *args))

    async def live(self) -> None:
        """The whole year."""
        year = self._year
        await found(year, FOUNDERS)
        for day in range(year.plan.days):
            year.day = day
            for time, hours in _HOURS.items():
                year.clock.time = BEGIN + day * DAY + hours * HOUR
                for event in self._events[day, time]:
                    await event()
                await getattr(year, time)()
        await year.settle()

    async def _off(self, code: str) -> None:
        await self._year.nodes[code].stop()

    async def _on(self, code: str) -> None:
        await self._year.switch_on(self._year.nodes[code])

    async def _cut(self, code: str) -> None:
        self._year.nodes[code].cut_off()

    async def _reconnect(self, code: str) -> None:
        self._year.nodes[code].reconnect()

    async def _down(self, down: bool) -> None:
        self._year.relay.down = down

    async def _written(self, name: str, sender: str, recipient: str) -> None:
        self.letters[name] = await self._year.post.write(self._year.nodes[sender], [recipient], "30d", self._year.now)

    async def _stolen(self, code: str) -> None:
        """The key was stolen yesterday; the root ends it, and the thief tries at once."""
        year, key = self._year, self._year.nodes[code].key
        self._thieves[code] = Thief(year, key)
        await revoke(year, code, key.key_id, RevocationReason.COMPROMISED, year.now - DAY)
        await self._thieves[code].try_all()
        await year.look()

    async def _replaced(self, code: str) -> None:
        """The next key is in use before the root ends the one before it."""
        year = self._year
        before: SigningIdentity = year.nodes[code].key
        self._thieves[code] = Thief(year, before)
        await renew(year, code)
        await revoke(year, code, before.key_id, RevocationReason.REPLACED, None)
        await self._thieves[code].try_all()
        await year.look()

    async def _thieves_come_back(self) -> None:
        """Also to the relay that has taken over."""
        for thief in self._thieves.values():
            await thief.try_all()
