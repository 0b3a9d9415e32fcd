"""What the rules of `exchange.records` say of a record that goes or comes, by all that this node holds.

What goes is refused. What came was signed and sent: it is shown for what it is, and told as an alarm.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from exchange.errors import Conflict, TooLarge
from exchange.node.access import Caller
from exchange.node.editions import is_adopted
from exchange.node.parts import Parts
from exchange.node.shelf import Shelf
from exchange.records.chain import Entry, State, build, judge
from exchange.records.facts import RecordFact
from exchange.records.links import key_of
from exchange.records.procedure import MODALITIES, Bodies, judge_step
from exchange.records.threads import refers_to
from exchange.records.verdict import Refused, Verdict
from exchange.storage.node_values import Alarm
from keys.directory import Directory
from keys.errors import KeyFault
from schemas.ids import MemberId
from schemas.limits import DAY

RECORD_REFUSED: Final = "record-refused"
STEP_REFUSED: Final = "step-refused"
# Records opened in a day to judge what one member sends: about a minute. It chooses what its records name, and what
# comes from the others waits meanwhile.
MOST_OPENED: Final = 100_000
_HIDDEN: Final = "it does not fit to a record that this token is not for: ask your node's operator, or give it a new id"


def bodies_of(directory: Directory) -> Bodies:
    """Who is who in the procedures of section 3; every Chairmanship, so that the steps of earlier ones stay valid."""
    return Bodies(frozenset(directory.charter.voters()), directory.chairs)


class Judge:
    """Judges over the node's shelf."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._shelf = Shelf(parts)
        self._opened: dict[MemberId, tuple[int, int]] = {}

    async def intended(self, fact: RecordFact, caller: Caller) -> tuple[str, ...]:
        """What is doubtful about a record of this state that is about to be sent.

        Raises Conflict (record-refused, step-refused) with the reason.
        """
        try:
            return (*await self._chain(fact, caller), *await self._step(fact))
        except TooLarge as fault:
            # Others can name a record as often as they like; that must not keep its originator from correcting it.
            return (f"it was not judged by the records that it belongs to: {fault.detail}",)

    async def received(self, fact: RecordFact, now: int) -> tuple[Alarm, ...]:
        """What is wrong with a record that came, as alarms; whatever is held, the record is to be delivered."""
        ident, stores = bytes.fromhex(fact.message), self._parts.stores
        if await stores.views.message(ident) or await stores.destroyed.destroyed(ident):
            # Another envelope for it: judged when it came first.
            return ()
        shelf = Shelf(self._parts, lambda cost: self._spend(fact.sender, now, cost))
        alarms = (
            [] if is_adopted(fact.catalogue_id, self._parts.directory.current.charter) else [_edition_alarm(fact, now)]
        )
        try:
            # Before the index is asked, which a flood makes slow as well.
            self._spend(fact.sender, now, 1)
            held = await shelf.around((fact.record_id, *refers_to(fact)))
            found = await asyncio.to_thread(_refused, held, fact) if held else ()
            alarms.extend(_record_alarm(entry, now) for entry in found)
            alarms.extend(_shared(fact, held, now))
            if fact.measure in MODALITIES and not any(entry.fact.message == fact.message for entry in found):
                alarms.extend(await self._step_alarms(fact, now, shelf))
        except (TooLarge, KeyFault) as fault:
            detail = f"message {fact.message} of {fact.sender} was not judged by the records it belongs to: {fault}"
            alarms.append(Alarm(f"not-judged:{fact.sender}:{now // DAY}", "not-judged", fact.sender, detail, now))
        return tuple(alarms)

    async def _chain(self, fact: RecordFact, caller: Caller) -> tuple[str, ...]:
        ids = (fact.record_id, *refers_to(fact))
        held = await self._shelf.around(ids)
        seen = await self._shelf.around(ids, caller) if held else ()
        now = self._parts.clock.now()
        verdict = await asyncio.to_thread(judge, held, fact, now)
        hidden = len(seen) < len(held)
        if isinstance(verdict, Refused):
            raise Conflict(RECORD_REFUSED, _HIDDEN if hidden else verdict.reason)
        if hidden:
            verdict = await asyncio.to_thread(judge, seen, fact, now)
        return () if isinstance(verdict, Refused) else verdict.warnings

    async def _step(self, fact: RecordFact) -> tuple[str, ...]:
        """A procedure is the state's, not one ministry's: it is judged, and told, by the whole thread."""
        if fact.measure not in MODALITIES:
            return ()
        verdict = await self._judge_step(fact, self._shelf)
        if isinstance(verdict, Refused):
            raise Conflict(STEP_REFUSED, verdict.reason)
        return verdict.warnings

    async def _judge_step(self, fact: RecordFact, shelf: Shelf) -> Verdict:
        thread = await shelf.thread(fact)
        bodies = bodies_of(self._parts.directory.current)
        return await asyncio.to_thread(judge_step, thread, fact, bodies, self._parts.clock.now())

    async def _step_alarms(self, fact: RecordFact, now: int, shelf: Shelf) -> tuple[Alarm, ...]:
        verdict = await self._judge_step(fact, shelf)
        if not isinstance(verdict, Refused):
            return ()
        detail = f"record {fact.record_id} of {_names(fact)} is no valid step, message {fact.message}: {verdict.reason}"
        return (Alarm(f"{STEP_REFUSED}:{fact.message}", STEP_REFUSED, fact.sender, detail, now),)

    def _spend(self, sender: MemberId, now: int, cost: int) -> None:
        """Raises TooLarge once a member's day is used up."""
        day, spent = self._opened.get(sender, (now // DAY, 0))
        spent = cost + (spent if day == now // DAY else 0)
        self._opened[sender] = (now // DAY, spent)
        if spent > MOST_OPENED:
            raise TooLarge("too-many-records", f"today's records of {sender} name more than {MOST_OPENED} to be read")


def _refused(held: Sequence[RecordFact], fact: RecordFact) -> tuple[Entry, ...]:
    """What is refused of a new record and of all that waited for it."""
    chains = build((*held, fact))
    key = key_of(fact)
    entries = (entry for entry in chains.entries.values() if key in (key_of(entry.fact), *entry.targets))
    reused = (entry for entry in chains.reused if key_of(entry.fact) == key)
    return tuple(entry for entry in (*entries, *reused) if entry.state is State.REFUSED)


def _record_alarm(entry: Entry, now: int) -> Alarm:
    fact = entry.fact
    detail = f"record {fact.record_id} of {_names(fact)} is refused, message {fact.message}: {entry.reason}"
    return Alarm(f"{RECORD_REFUSED}:{fact.message}", RECORD_REFUSED, fact.sender, detail, now)


def _shared(fact: RecordFact, held: Sequence[RecordFact], now: int) -> Iterator[Alarm]:
    """Two states that use one id have two records; one of the two may want to be taken for the other."""
    others = {key_of(row): row for row in held if row.record_id == fact.record_id and key_of(row) != key_of(fact)}
    if others:
        owners = ", ".join(sorted({_names(row) for row in others.values()}))
        detail = f"record {fact.record_id} of {_names(fact)} has the id of another of {owners}, message {fact.message}"
        yield Alarm(f"record-id-shared:{fact.message}", "record-id-shared", fact.sender, detail, now)


def _edition_alarm(fact: RecordFact, now: int) -> Alarm:
    """Once a day: the sender could do it with every record."""
    detail = f"message {fact.message} of {fact.sender} names edition {fact.catalogue_id}, which the charter does not"
    return Alarm(f"edition-not-adopted:{fact.sender}:{now // DAY}", "edition-not-adopted", fact.sender, detail, now)


def _names(fact: RecordFact) -> str:
    return " and ".join(fact.originators)
