"""The consent desk: takes what other states say about consent, and sees to what time brings about.

What arrived is stored and acknowledged already. Each message is opened and handed to the one that takes its kind, which
commits the effect together with the mark that it was taken: after a crash it is taken again, and has an effect once.
What cannot be judged yet rests, and holds up nothing else.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from exchange.errors import ExchangeError, StoreFault, Unavailable
from exchange.logs import get_logger, place_of
from exchange.node.alarms import Alarms
from exchange.node.parts import Parts
from exchange.node.rests import Rests
from exchange.node.stored import open_manifest
from exchange.node.wake import wait_for
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Message
from keys.errors import KeyFault
from schemas.canon import decode
from schemas.consent import JOINT_DRAFT, ConsentMessage, JointDraft, decode_consent
from schemas.content import ContentKind, Manifest
from schemas.errors import DecodeError
from schemas.ids import MemberId
from schemas.limits import DAY, MAX_RECORD

_PAUSE: Final = 5.0
_BATCH: Final = 32
# What cannot be judged is tried again this often at least, and given up after a while: a relay may keep for ever back
# what it takes to judge.
_LONGEST_REST: Final = 600
_GIVE_UP: Final = 7 * DAY


@dataclass(frozen=True, slots=True)
class Letter:
    """A received message about consent: who says it, and what; `message` is its row."""

    message: Message
    sender: MemberId
    said: ConsentMessage | JointDraft
    manifest: Manifest


class Taker(Protocol):
    """Takes some kinds of messages. Each take and each step of a turn is one transaction."""

    takes: ClassVar[tuple[type, ...]]

    async def take(self, letter: Letter, now: int) -> None:
        """Commit the effect and the mark that the message was taken (`take_due`).

        Raises ExchangeError, KeyFault or DecodeError for what its sender may not say: it is written down, and has no
        effect. Raises Unavailable for what cannot be judged yet: it is taken later.
        """
        ...

    async def turn(self, now: int) -> None:
        """What is due by now: deadlines, reminders, what waits for the directory."""
        ...


class Desk:
    """One loop over everything that the takers do."""

    def __init__(self, parts: Parts, takers: Sequence[Taker]) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._takers = takers
        self._by_kind = {kind: taker for taker in takers for kind in taker.takes}
        self._rests = Rests(_LONGEST_REST)
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._log = get_logger("desk")

    async def run(self) -> None:
        """Take until cancelled."""
        wakes = self._parts.wakes
        while True:
            wakes.to_desk.clear()
            try:
                more = await self.turn()
            except ExchangeError as fault:
                self._log.error("desk.fault", code=fault.code, why=fault.detail)
                more = False
            if not more:
                await wait_for(wakes.to_desk, _PAUSE)

    async def turn(self) -> bool:
        """One batch, then what is due; whether there may be more."""
        now = self._parts.clock.now()
        due = await self._parts.stores.consent.due(_BATCH, self._rests.names(now))
        for message in due:
            await self._take(message, now)
        for taker in self._takers:
            await self._have_its_turn(taker, now)
        if due:
            self._parts.wakes.to_seal.set()
            self._parts.wakes.tell_news()
        return len(due) == _BATCH

    async def _take(self, message: Message, now: int) -> None:
        sender = MemberId(message.path[-1])
        try:
            letter = await asyncio.to_thread(self._open, message, sender)
            await self._by_kind[type(letter.said)].take(letter, now)
            self._rests.done(message.id)
        except StoreFault:
            # This node's own trouble: it comes again.
            raise
        except Unavailable as fault:
            await self._put_off(message, sender, fault, now)
        except (ExchangeError, KeyFault, DecodeError) as fault:
            await self._reject(message, sender, str(fault), now)
        except Exception as fault:  # noqa: BLE001  # what one state says must not keep the others from being heard
            await self._reject(message, sender, f"it meets a fault of this program: {place_of(fault)}", now)

    async def _have_its_turn(self, taker: Taker, now: int) -> None:
        """A fault of one must not keep the others from theirs."""
        try:
            await taker.turn(now)
        except ExchangeError as fault:
            self._log.error("desk.fault", taker=type(taker).__name__, code=fault.code, why=fault.detail)
        except Exception as fault:  # noqa: BLE001  # what makes it fail may come from one state
            where = f"{type(taker).__name__}: {place_of(fault)}"
            self._log.critical("desk.fault", fault=where)
            told = f"a part of the consent desk meets a fault of this program ({where}): report the log"
            await self._alarms.tell_daily(f"desk:{where}", "fault", None, told)

    async def _put_off(self, message: Message, sender: MemberId, fault: Unavailable, now: int) -> None:
        if now - message.due > _GIVE_UP:
            await self._reject(message, sender, str(fault), now)
            return
        self._rests.failed(message.id, now)
        self._log.warning("consent.put-off", message=message.id.hex(), sender=sender, why=fault.detail)

    def _open(self, message: Message, sender: MemberId) -> Letter:
        manifest = open_manifest(self._parts.keyring.vault, message)
        if manifest.kind is ContentKind.DRAFT:
            return Letter(message, sender, decode(JOINT_DRAFT, manifest.body, MAX_RECORD), manifest)
        return Letter(message, sender, decode_consent(manifest.body), manifest)

    async def _reject(self, message: Message, sender: MemberId, why: str, now: int) -> None:
        """It has no effect; written down, and told once a day for each state."""
        subject, detail = message.id.hex(), json.dumps({"why": why})
        event = ConsentEvent(now, "message.without-effect", subject, sender, None, detail)
        await self._parts.stores.consent.done(message.id, event)
        self._log.warning("consent.rejected", message=subject, sender=sender, why=why)
        told = f"a message of {sender} about consent has no effect: {why}"
        await self._alarms.tell_daily(f"consent-rejected:{sender}", "consent-rejected", sender, told)
