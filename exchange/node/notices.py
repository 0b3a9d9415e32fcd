"""Acknowledgements of this node's own envelopes, as the relay passes them on: verified, then put on file."""

from typing import Final

from exchange.delivery.state import RecipientState
from exchange.node.parts import Parts
from exchange.node.receiver import Receiver
from keys.errors import BadSignature, KeyFault
from keys.verify import verify_acknowledgement
from schemas.canon import decode
from schemas.envelope import decode_header
from schemas.errors import DecodeError
from schemas.limits import MAX_CLOCK_AHEAD, MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, Outcome
from schemas.relayapi import SeenItem

_STATES: Final = {Outcome.DELIVERED: RecipientState.DELIVERED, Outcome.REFUSED: RecipientState.REFUSED}


class Notices:
    """What recipients answered."""

    def __init__(self, parts: Parts, receiver: Receiver) -> None:
        """Over the node's parts; the receiver raises the alarms."""
        self._parts = parts
        self._receiver = receiver

    async def take(self, acknowledgements: tuple[bytes, ...]) -> tuple[SeenItem, ...]:
        """Verify acknowledgements of envelopes of ours and put them on file; gives those that need not come again."""
        seen = []
        for raw in acknowledgements:
            try:
                item = await self._notice(raw)
            except (DecodeError, KeyFault) as fault:
                await self._receiver.alarm(
                    f"bad-notice:{fault}", "bad-notice", None, f"the relay passed on a false acknowledgement: {fault}"
                )
                continue
            seen.append(item)
        return tuple(seen)

    async def _notice(self, raw: bytes) -> SeenItem:
        parts = self._parts
        now = parts.clock.now()
        signed = decode(SIGNED_ACKNOWLEDGEMENT, raw, 2 * MAX_SMALL_OBJECT)
        ack = signed.acknowledgement
        if ack.key_id not in parts.directory.current.signing:
            await parts.directory.update(parts.relay, now)
        sent = await parts.stores.evidence.envelope(ack.envelope)
        if sent is None or ack.sender != parts.member or sent.header_digest != ack.header_digest:
            raise BadSignature(f"{ack.recipient} acknowledged an envelope that this node did not send")
        if not sent.created - MAX_CLOCK_AHEAD <= ack.time <= now + MAX_CLOCK_AHEAD:
            raise BadSignature(f"{ack.recipient} acknowledged an envelope at a time at which it cannot have had it")
        if decode_header(sent.header).wrap_for(ack.recipient) is None:
            raise BadSignature(f"{ack.recipient} acknowledged an envelope that was not for it")
        # The key has to be valid when it signed: the notice may come long after, when the key has been renewed.
        verify_acknowledgement(signed, parts.directory.current, ack.time)
        state = _STATES[ack.outcome]
        await parts.stores.evidence.save_acknowledgement(ack.envelope, ack.recipient, state.value, raw, now)
        if ack.outcome is Outcome.REFUSED:
            await self._receiver.alarm(
                f"recipient-refused:{ack.envelope.hex()}:{ack.recipient}",
                "recipient-refused",
                ack.recipient,
                f"the node of {ack.recipient} refused envelope {ack.envelope.hex()}",
            )
        parts.wakes.tell_news()
        return SeenItem(ack.envelope, ack.recipient)
