"""After a loss: asks partners to send again, and seals anew what a partner lost or could not read.

A new envelope for one recipient, with an id, key and number of its own, that names the one it replaces. A recipient
that has the message already takes it for another path to it: a Provision is delivered once.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from exchange.errors import ExchangeError, Forbidden
from exchange.logs import get_logger
from exchange.node.matter import Matter, matter_of, parcel_of
from exchange.node.obeying import require_draft_stands
from exchange.node.outbound import Parcel
from exchange.node.parts import Parts
from exchange.node.rests import Rests
from exchange.node.service import service_parcel
from exchange.storage.node_values import Ask, OutboxEnvelope, Place, Resent
from keys.errors import KeyFault, Untrusted
from schemas.canon import encode
from schemas.content import RESEND, ContentKind, Resend
from schemas.envelope import decode_header
from schemas.errors import DecodeError
from schemas.ids import EnvelopeId, MemberId
from schemas.limits import DAY

MESSAGES: Final = 1
HEADS: Final = 2
_BATCH: Final = 32
_LONGEST_REST: Final = 600
# A refusal that a new epoch does not explain by then was not for want of a key.
_WAITS: Final = DAY

Save = Callable[[OutboxEnvelope, tuple[Place, ...]], Awaitable[None]]


class Seal(Protocol):
    """How the sealer makes and stores an envelope."""

    def __call__(
        self, parcel: Parcel, kind: int, recipients: tuple[MemberId, ...], matter: Matter, *, save: Save
    ) -> Awaitable[None]:
        """Seal, check, and store by `save`."""
        ...


class Resender:
    """One turn at a time, after what is new."""

    def __init__(self, parts: Parts, seal: Seal) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._seal = seal
        self._rests = Rests(_LONGEST_REST)
        self._log = get_logger("resender")

    async def turn(self, now: int) -> int:
        """Ask who is to be asked, seal what is wanted; gives how many envelopes were sealed."""
        parts = self._parts
        sealed = 0
        # What comes is sealed to the epochs that partners see: the requests follow those.
        if parts.keyring.receives(parts.directory.current, now):
            for ask in await parts.stores.resends.asks(self._partners()):
                sealed += await self._ask(ask, now)
        for resent in await parts.stores.resends.due(_BATCH):
            sealed += await self._again(resent, now)
        return sealed

    def _partners(self) -> tuple[str, ...]:
        directory = self._parts.directory.current
        codes = (member.code for member in directory.charter.members if directory.may_send(member.code))
        return tuple(code for code in codes if code != self._parts.member)

    async def _ask(self, ask: Ask, now: int) -> int:
        parts, member = self._parts, MemberId(ask.member)
        if self._rests.resting(member.encode(), now):
            return 0
        try:
            body = encode(RESEND, Resend(ask.since))
            parcel, raw = service_parcel(parts, member, ContentKind.RESEND, body, now)
            await self._seal(parcel, HEADS, (member,), Matter(raw), save=parts.stores.outbox.save_sealed)
        except (KeyFault, ExchangeError, DecodeError) as fault:
            self._rests.failed(member.encode(), now)
            self._log.warning("ask.waits", member=member, why=str(fault))
            return 0
        await parts.stores.resends.save_asked(member, now)
        self._log.info("partner.asked", member=member, since=ask.since)
        return 1

    async def _again(self, resent: Resent, now: int) -> int:
        """1 when it was sealed anew. What can never be is given up, and says why."""
        parts, member = self._parts, MemberId(resent.member)
        name = resent.message.id + member.encode()
        if self._rests.resting(name, now):
            return 0
        if resent.waits and not self._has_another_epoch(resent, member, now):
            if now - resent.asked > _WAITS:
                await parts.stores.resends.save_not_resent(resent, "the recipient's key is still in force", now)
            else:
                self._rests.failed(name, now)
            return 0
        if resent.message.expires <= now:
            await parts.stores.resends.save_not_resent(resent, "it has expired", now)
            return 0

        async def save(envelope: OutboxEnvelope, places: tuple[Place, ...]) -> None:
            await parts.stores.resends.save_resent(resent, envelope, places)

        try:
            await require_draft_stands(parts, resent.message)
            parcel = parcel_of(parts, resent.message, (member,), now, EnvelopeId(resent.replaces))
            await self._seal(parcel, MESSAGES, (member,), matter_of(parts, resent.message), save=save)
        except Forbidden as fault:
            # The terms that the provider set do not allow it any more, such as the last time of first sending.
            await parts.stores.resends.save_not_resent(resent, fault.detail, now)
            self._log.warning("resend.refused", message=resent.message.id.hex(), member=member, code=fault.code)
            return 0
        except (KeyFault, ExchangeError, DecodeError, OSError) as fault:
            self._rests.failed(name, now)
            self._log.warning("resend.waits", message=resent.message.id.hex(), member=member, why=str(fault))
            return 0
        self._rests.done(name)
        self._log.info("message.resent", message=resent.message.id.hex(), member=member)
        return 1

    def _has_another_epoch(self, resent: Resent, member: MemberId, now: int) -> bool:
        wrap = decode_header(resent.replaced).wrap_for(member)
        try:
            newest = self._parts.directory.current.epoch_at(member, now)
        except Untrusted:
            return False
        return wrap is not None and newest.key_id != wrap.key_id
