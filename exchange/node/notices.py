"""Acknowledgements of this node's own envelopes, as the relay passes them on: verified, then put on file."""

import asyncio
from typing import Final

from exchange.delivery.state import RecipientState
from exchange.node.alarms import Alarms
from exchange.node.parts import Parts
from exchange.node.transport import RelayRefused
from exchange.storage.node_values import OutboxEnvelope
from keys.answered import logged_answer, verify_logged_acknowledgement
from keys.errors import BadSignature, KeyFault, Untrusted
from keys.verify import verify_acknowledgement
from schemas.canon import decode
from schemas.envelope import decode_header
from schemas.errors import DecodeError
from schemas.evidence import LOGGED_ENTRY, LoggedEntry
from schemas.limits import KIB, MAX_CLOCK_AHEAD, MAX_ORIGIN_NOTE, MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, Acknowledgement, Outcome, SignedAcknowledgement
from schemas.relayapi import SeenItem

# An entry, its path, and a checkpoint with the lines of all members.
_MAX_LOGGED: Final = MAX_ORIGIN_NOTE + 16 * KIB
_STATES: Final = {Outcome.DELIVERED: RecipientState.DELIVERED, Outcome.REFUSED: RecipientState.REFUSED}


class Notices:
    """What recipients answered."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._alarms = Alarms(parts.stores.inbox, parts.clock)

    async def take(self, acknowledgements: tuple[bytes, ...]) -> tuple[SeenItem, ...]:
        """Verify acknowledgements of envelopes of ours and put them on file; gives those that need not come again."""
        seen = []
        for raw in acknowledgements:
            try:
                item = await self._notice(raw)
            except (DecodeError, KeyFault) as fault:
                detail = f"the relay passed on a false acknowledgement: {fault}"
                await self._alarms.tell_daily(f"bad-notice:{type(fault).__name__}", "bad-notice", None, detail)
                continue
            seen.append(item)
        return tuple(seen)

    async def _notice(self, raw: bytes) -> SeenItem:
        parts = self._parts
        now = parts.clock.now()
        signed = decode(SIGNED_ACKNOWLEDGEMENT, raw, 2 * MAX_SMALL_OBJECT)
        ack = signed.acknowledgement
        if not parts.directory.current.knows(ack.recipient, ack.key_id):
            await parts.directory.update(parts.relay, now)
        sent = await parts.stores.evidence.envelope(ack.envelope)
        if sent is None and await self._lost(signed):
            return SeenItem(ack.envelope, ack.recipient)
        if sent is None or ack.sender != parts.member or sent.header_digest != ack.header_digest:
            raise BadSignature(f"{ack.recipient} acknowledged an envelope that this node did not send")
        if not sent.created - MAX_CLOCK_AHEAD <= ack.time <= now + MAX_CLOCK_AHEAD:
            raise BadSignature(f"{ack.recipient} acknowledged an envelope at a time at which it cannot have had it")
        if decode_header(sent.header).wrap_for(ack.recipient) is None:
            raise BadSignature(f"{ack.recipient} acknowledged an envelope that was not for it")
        await self._verify(signed)
        state = _STATES[ack.outcome]
        await parts.stores.evidence.save_acknowledgement(ack.envelope, ack.recipient, state.value, raw, now)
        if ack.outcome is Outcome.REFUSED:
            # It may have lost its key: then a new epoch follows, and with it the message once more.
            await parts.stores.resends.want_anew(ack.envelope, ack.recipient, now)
            parts.wakes.to_seal.set()
        await self._tell(ack, sent)
        parts.wakes.tell_news()
        return SeenItem(ack.envelope, ack.recipient)

    async def _verify(self, signed: SignedAcknowledgement) -> None:
        """The key has to be valid when it signed, for the notice may come long after; or the relay's log shows it.

        A key that was ended since may have signed before or after. Raises KeyFault or RelayUnreachable.
        """
        parts, ack = self._parts, signed.acknowledgement
        directory = parts.directory.current
        try:
            verify_acknowledgement(signed, directory, ack.time)
        except Untrusted:
            if not directory.knows(ack.recipient, ack.key_id):
                raise
            logged = await self._logged(ack)
            if logged is None:
                raise
            origins = await asyncio.to_thread(logged_answer, logged, directory, parts.directory.least_size)
            verify_logged_acknowledgement(signed, directory, ack.time, origins)

    async def _logged(self, ack: Acknowledgement) -> LoggedEntry | None:
        """The entry of the relay's log about an acknowledgement, not verified; None when it shows none."""
        try:
            answer = await self._parts.relay.origin(ack.sender, ack.envelope, ack.recipient)
            return None if answer is None else decode(LOGGED_ENTRY, answer, _MAX_LOGGED)
        except (RelayRefused, DecodeError):
            return None

    async def _lost(self, signed: SignedAcknowledgement) -> bool:
        """Whether it is about an envelope that this node may have sent after the backup from which it was restored.

        Raises KeyFault when it is not the recipient's.
        """
        ack = signed.acknowledgement
        since = await self._parts.stores.resends.lost_since()
        if since is None or ack.sender != self._parts.member or ack.time < since - MAX_CLOCK_AHEAD:
            return False
        await self._verify(signed)
        detail = f"{ack.recipient} answered envelope {ack.envelope.hex()}, which this node has lost with its restore"
        await self._alarms.tell_daily(f"answer-to-lost:{ack.recipient}", "answer-to-lost", ack.recipient, detail)
        return True

    async def _tell(self, ack: Acknowledgement, sent: OutboxEnvelope) -> None:
        """What people should know of an acknowledgement."""
        envelope, recipient = ack.envelope.hex(), ack.recipient
        if ack.outcome is Outcome.REFUSED:
            detail = f"the node of {recipient} refused envelope {envelope}"
            await self._alarms.tell(f"recipient-refused:{envelope}:{recipient}", "recipient-refused", recipient, detail)
        elif sent.state == "refused":
            detail = f"the relay said that it refused envelope {envelope}, and {recipient} has it by the relay"
            await self._alarms.tell(f"relay-contradicts:{envelope}", "relay-contradicts", None, detail)
