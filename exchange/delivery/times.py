"""The time and key rules of one envelope (docs/protocol.md, "Times"), for sender's node, relay and receiver's node."""

from dataclasses import dataclass
from enum import StrEnum

from keys.directory import Directory
from keys.errors import Untrusted
from keys.verify import VerifiedHeader
from schemas.envelope import Header
from schemas.ids import MemberId
from schemas.limits import DAY, EXPIRY_MARGIN, MAX_CLOCK_AHEAD, MAX_LIFE, OUTBOX_LIMIT


class TimeRule(StrEnum):
    """Which rule an envelope breaks. Stable: problem types and logs carry it."""

    AHEAD = "created-ahead"
    STALE = "envelope-stale"
    EXPIRED = "envelope-expired"
    TOO_LONG = "expires-beyond-limit"
    EPOCH_UNKNOWN = "epoch-unknown"
    EPOCH_NOT_VALID = "epoch-not-valid"
    EPOCH_ENDED = "epoch-ended"
    EXPIRES_LATE = "expires-after-key"


@dataclass(frozen=True, slots=True)
class TimeFault:
    """The rule and a sentence; `recipient` when it is about that recipient's key."""

    rule: TimeRule
    detail: str
    recipient: MemberId | None = None


def time_fault(header: VerifiedHeader, directory: Directory, now: int) -> TimeFault | None:
    """The first rule that the envelope breaks at `now`, the moment of acceptance; None when it breaks none."""
    core = header.core
    if core.created > now + MAX_CLOCK_AHEAD:
        return TimeFault(TimeRule.AHEAD, f"created {core.created - now} s ahead of the clock: check both clocks")
    if core.created < now - OUTBOX_LIMIT:
        return TimeFault(TimeRule.STALE, "created longer ago than an outbox may hold it: send it anew")
    if core.expires <= now:
        return TimeFault(TimeRule.EXPIRED, "it has expired: send it anew if it still matters")
    if core.expires > core.created + MAX_LIFE:
        return TimeFault(TimeRule.TOO_LONG, f"expires more than {MAX_LIFE // DAY} days after it was created")
    for wrap in header.header.wraps:
        fault = _wrap_fault(header, directory, wrap.recipient)
        if fault is not None:
            return fault
    return None


def has_ended_epoch(header: Header, directory: Directory) -> bool:
    """Whether a revocation or a removal ended an epoch that it is sealed to: then it has to be sealed anew."""
    return any(
        wrap.key_id == epoch.key_id and not directory.in_force(epoch)
        for wrap in header.wraps
        for epoch in directory.epochs.get(wrap.recipient, ())
    )


def _wrap_fault(header: VerifiedHeader, directory: Directory, recipient: MemberId) -> TimeFault | None:
    core = header.core
    wrap = header.header.wrap_for(recipient)
    if wrap is None:
        return TimeFault(TimeRule.EPOCH_UNKNOWN, f"there is no wrap for {recipient}", recipient)
    try:
        epoch = directory.epoch(recipient, wrap.key_id)
    except Untrusted as fault:
        return TimeFault(TimeRule.EPOCH_UNKNOWN, str(fault), recipient)
    if not directory.in_force(epoch):
        detail = f"sealed to an epoch of {recipient} that a revocation or a removal ended: it has to be sealed anew"
        return TimeFault(TimeRule.EPOCH_ENDED, detail, recipient)
    # Judged when it was sealed: a retry sends the same bytes, also after the epoch has ended.
    if not epoch.valid_from <= core.created <= epoch.valid_until:
        return TimeFault(TimeRule.EPOCH_NOT_VALID, f"sealed to an epoch of {recipient} outside its term", recipient)
    if core.expires > epoch.destroy_at - EXPIRY_MARGIN:
        detail = f"expires later than an hour before {recipient} destroys the key"
        return TimeFault(TimeRule.EXPIRES_LATE, detail, recipient)
    return None
