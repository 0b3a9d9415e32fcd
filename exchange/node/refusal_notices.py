"""What this node tells the providers when it refuses, for want of their consent, what the relay had accepted.

Each provider gets the forwarder's signed header and the relay's receipt: with both, anyone can judge again. The notices
are stored with the refusal, and travel as every message about consent does.
"""

import asyncio
from dataclasses import replace
from typing import Final

from exchange.consent.decision import Rule
from exchange.consent.refused import JudgedRefusal, by_rule, concerned, judge_refused
from exchange.errors import ExchangeError
from exchange.logs import get_logger
from exchange.node.arrival import Delivered
from exchange.node.courier import consent_message
from exchange.node.parts import Parts
from exchange.storage.node_values import Message
from keys.errors import KeyFault
from schemas.errors import DecodeError
from schemas.ids import MemberId
from schemas.limits import DAY
from schemas.refused import RefusedTransfer

# Refused envelopes of one sender in a day of which providers are told: each costs a message with a header of up to a
# megabyte to every provider, and a sender that has the relay on its side can send them without end.
MOST_TOLD: Final = 64
_RULES: Final = frozenset(rule.value for rule in Rule)
_FAULTS: Final = (DecodeError, KeyFault, ExchangeError)


def refused_notices(
    judged: JudgedRefusal, refused: RefusedTransfer, member: MemberId
) -> tuple[tuple[tuple[MemberId, ...], RefusedTransfer], ...]:
    """Who is told what: every provider that is concerned but this member, grouped by the rule. Pure."""
    told = [row for row in concerned(judged.header.core, judged.decision) if row[0] != member]
    return tuple((to, replace(refused, rule=rule.value)) for rule, to in by_rule(told))


class RefusalNotices:
    """Makes the messages."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._log = get_logger("refusals")
        self._told: dict[MemberId, tuple[int, int]] = {}

    async def messages(self, delivered: Delivered, rule: str, now: int) -> tuple[Message, ...]:
        """Notices to be stored with the refusal; none for a refusal that is no rule of consent, or beyond the bound."""
        core = delivered.header.core
        if rule not in _RULES or not self._may_tell(core.sender, now):
            return ()
        refused = RefusedTransfer(delivered.header_bytes, delivered.receipt_bytes, rule, now)
        directory = self._parts.directory
        try:
            judged = await asyncio.to_thread(judge_refused, refused, directory.current, now, directory.least_size)
            return tuple(
                consent_message(self._parts, to, said, now)
                for members, said in refused_notices(judged, refused, self._parts.member)
                if (to := tuple(member for member in members if member in directory.current.members))
            )
        except _FAULTS as fault:
            # The refusal itself stands, and is on file.
            self._log.warning("refusal.not-told", envelope=core.id.hex(), sender=core.sender, why=str(fault))
            return ()

    def _may_tell(self, sender: MemberId, now: int) -> bool:
        day, told = self._told.get(sender, (now // DAY, 0))
        told = told + 1 if day == now // DAY else 1
        self._told[sender] = (now // DAY, told)
        if told > MOST_TOLD:
            self._log.warning("refusal.not-told", sender=sender, why="as many as may be told of in a day")
        return told <= MOST_TOLD
