"""Refused transfers of what this state provides, as the relay or a receiving node tells of them: judged, then kept.

A notice states that a transfer was refused, not what its sender meant. What it proves is the forwarder's signature;
whether consent was missing this node judges again by its own directory. A false one is told against who sent it.
"""

import asyncio
import json
from typing import ClassVar, Final

from exchange.consent.refused import JudgedRefusal, judge_refused, receipt_of
from exchange.errors import ExchangeError, Invalid, Unavailable
from exchange.logs import get_logger
from exchange.node.alarms import Alarms
from exchange.node.desk import Letter
from exchange.node.parts import Parts
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Alarm
from exchange.storage.refused_port import RefusedBounds, Saved, StoredRefusal
from keys.digests import header_digest, provision_digest
from keys.errors import KeyFault, Untrusted
from keys.verify import verify_receipt
from schemas.canon import decode
from schemas.envelope import Header, decode_header
from schemas.errors import DecodeError
from schemas.ids import Digest, MemberId
from schemas.limits import MAX_SMALL_OBJECT, MIB
from schemas.receipt import SIGNED_RECEIPT, Receipt
from schemas.refused import RefusedTransfer

RELAY: Final = "relay"
AGREES: Final = "agrees"
CANNOT_TELL: Final = "cannot-tell"
# As many as the relay passes on in a day of one sender, and room for what receiving nodes tell beside it; and bytes of
# one forwarder's headers in all, at least 220 of the largest. Who forwards more is told of once a day.
BOUNDS: Final = RefusedBounds(daily=128, sender_bytes=256 * MIB)
# Seconds for which the relay is waited for, and for which it is not asked again after that was in vain.
_PATIENCE: Final = 15
_REST: Final = 30
# Recipients that an alarm spells out.
_NAMED: Final = 8


class Refusals:
    """Takes notices from the relay's line, and from the desk what receiving nodes say."""

    takes: ClassVar[tuple[type, ...]] = (RefusedTransfer,)

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        # When the directory was brought up to date for a notice, and when that was tried in vain.
        self._updated = self._failed = 0
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._log = get_logger("refusals")

    async def from_relay(self, refused: RefusedTransfer) -> Digest | None:
        """Judge and keep what the relay tells; gives the header's digest once it need not come again.

        A false notice is told as an alarm and need not come again either. None when it holds no header at all. Raises
        ExchangeError for a fault of this node, or a relay that cannot be asked.
        """
        now = self._parts.clock.now()
        header = None
        try:
            header = decode_header(refused.header)
            if refused.receipt is not None:
                raise Invalid("false-refusal", "the relay says that it refused what it also accepted")
            await self._keep(refused, header, RELAY, None, (now, now))
        except (DecodeError, KeyFault, Invalid) as fault:
            if header is not None and isinstance(fault, Untrusted) and self._knows(header):
                # It was ended since: what it signed proves nothing any more, and the relay could not know.
                self._log.warning("refusal.untrusted", envelope=header.core.id.hex(), why=str(fault))
            else:
                detail = f"the relay passed on a false notice of a refused transfer: {fault}"
                await self._alarms.tell_daily(f"false-refusal:{type(fault).__name__}", "false-refusal", None, detail)
        return None if header is None else header_digest(header)

    async def take(self, letter: Letter, now: int) -> None:
        """Judge and keep what a receiving node says; see `exchange.node.desk.Taker`."""
        refused = letter.said
        if not isinstance(refused, RefusedTransfer):
            raise TypeError("the desk handed over another kind of message")
        if refused.receipt is None:
            raise Invalid("false-refusal", "a receiving node refuses only what came with the relay's receipt")
        header = decode_header(refused.header)
        if header.wrap_for(letter.sender) is None:
            raise Invalid("false-refusal", f"{letter.sender} is no recipient of what it says it refused")
        await self._keep(refused, header, letter.sender, letter.message.id, (letter.message.due, now))

    async def turn(self, now: int) -> None:
        """Nothing falls due."""

    async def _keep(
        self, refused: RefusedTransfer, header: Header, source: str, due: bytes | None, times: tuple[int, int]
    ) -> None:
        """`times`: when it came, and now."""
        came, now = times
        judged = await self._judge(refused, header, came, now)
        row = _row(self._parts.member, refused, judged, source, now)
        saved = await self._parts.stores.refused.save(row, _alarm(row, judged), _event(row), BOUNDS, due)
        core = judged.header.core
        if saved is Saved.NEW:
            self._log.error(
                "transfer.refused", envelope=core.id.hex(), sender=core.sender, rule=row.rule, source=source
            )
        elif saved is Saved.FULL:
            detail = f"more transfers of {core.sender} are refused than are kept: {row.rule} was the last"
            await self._alarms.tell_daily(f"refusals-full:{core.sender}", "refusals-full", core.sender, detail)

    async def _judge(self, refused: RefusedTransfer, header: Header, came: int, now: int) -> JudgedRefusal:
        """Raises DecodeError, KeyFault or Invalid for a notice that is false or proves nothing to this state.

        Raises Unavailable while this node cannot see the directory that it takes.
        """
        parts = self._parts
        receipt = receipt_of(refused)
        if self._is_behind(receipt) or not self._knows(header):
            await self._update(came, now)
        if refused.receipt is not None and self._is_behind(receipt):
            verify_receipt(decode(SIGNED_RECEIPT, refused.receipt, MAX_SMALL_OBJECT), parts.directory.current)
            raise Unavailable("directory-behind", "its receipt names a larger directory than this node can see")
        facts = (refused, parts.directory.current, now, parts.directory.least_size)
        judged = await asyncio.to_thread(judge_refused, *facts)
        if not judged.concerns(parts.member):
            raise Invalid("false-refusal", f"nothing in envelope {header.core.id.hex()} is provided by this state")
        if judged.lawful:
            raise Invalid("false-refusal", f"by its receipt envelope {header.core.id.hex()} was lawful")
        return judged

    def _is_behind(self, receipt: Receipt | None) -> bool:
        return receipt is not None and receipt.directory_size > self._parts.directory.current.size

    async def _update(self, came: int, now: int) -> None:
        """Have the directory as it is after `came`. What the relay does then is no fault of who told of a refusal.

        Raises Unavailable: the relay cannot be asked, or shows what must not be.
        """
        if self._updated > came:
            return
        if now < self._failed + _REST:
            raise Unavailable("directory-behind", "the directory cannot be brought up to date")
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._parts.directory.update(self._parts.relay, now)
        except (ExchangeError, KeyFault, DecodeError, TimeoutError) as fault:
            self._failed = now
            raise Unavailable("directory-behind", f"the directory cannot be brought up to date: {fault}") from None
        self._updated = now

    def _knows(self, header: Header) -> bool:
        return self._parts.directory.current.knows(header.core.sender, header.core.key_id)


def _row(member: MemberId, refused: RefusedTransfer, judged: JudgedRefusal, source: str, now: int) -> StoredRefusal:
    core = judged.header.core
    own = (signed for signed in core.provisions if member in signed.provision.providers)
    return StoredRefusal(
        digest=judged.header.digest,
        source=source,
        sender=core.sender,
        recipients=judged.header.recipients,
        provisions=tuple(provision_digest(signed.body) for signed in own),
        rule=judged.rule.value,
        header=refused.header,
        receipt=refused.receipt,
        time=refused.time,
        received=now,
        judgement=AGREES if judged.agrees else CANNOT_TELL,
    )


def _alarm(row: StoredRefusal, judged: JudgedRefusal) -> Alarm:
    """One for each header, whoever tells of it."""
    to = ", ".join(row.recipients[:_NAMED]) + (" and others" if len(row.recipients) > _NAMED else "")
    who = "the relay" if row.source == RELAY else f"the node of {row.source}"
    what = f"envelope {judged.header.core.id.hex()} of {row.sender} to {to}"
    own = "this node judges the same" if judged.agrees else "this node cannot tell whether that is so"
    detail = f"{who} refused {what}, with information of this state: {row.rule}; {own}"
    return Alarm(f"transfer-refused:{row.digest.hex()}", "transfer-refused", row.sender, detail, row.received)


def _event(row: StoredRefusal) -> ConsentEvent:
    facts = {"rule": row.rule, "source": row.source, "recipients": row.recipients, "judgement": row.judgement}
    return ConsentEvent(row.received, "transfer.refused", row.digest.hex(), row.sender, None, json.dumps(facts))
