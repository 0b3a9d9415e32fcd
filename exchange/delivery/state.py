"""Which state may follow which, as tables. Only states, moves and the rule that reads them live here.

A state only moves forward: a move that is not in its table changes nothing, so a late or repeated message about an
earlier stage can never undo a later one. The one step back is the node's own, with the envelope that it gives up.
"""

from enum import StrEnum
from typing import Final


class MessageState(StrEnum):
    """Where a ministry's message is."""

    QUEUED = "queued"
    SEALED = "sealed"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    REFUSED = "refused"
    EXPIRED = "expired"
    RECEIVED = "received"


class RecipientState(StrEnum):
    """Where a message is on its way to one recipient."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    REFUSED = "refused"
    EXPIRED = "expired"


MESSAGE_MOVES: Final[dict[MessageState, frozenset[MessageState]]] = {
    MessageState.QUEUED: frozenset({MessageState.SEALED, MessageState.REFUSED, MessageState.EXPIRED}),
    # Queued again: its envelope cannot be accepted any more, and it is sealed anew.
    MessageState.SEALED: frozenset(
        {MessageState.QUEUED, MessageState.ACCEPTED, MessageState.REFUSED, MessageState.EXPIRED}
    ),
    MessageState.ACCEPTED: frozenset({MessageState.DELIVERED, MessageState.REFUSED, MessageState.EXPIRED}),
    MessageState.DELIVERED: frozenset(),
    # Only by its recipients' own answers: the relay may deliver what it said it refused.
    MessageState.REFUSED: frozenset({MessageState.DELIVERED}),
    MessageState.EXPIRED: frozenset(),
    MessageState.RECEIVED: frozenset(),
}
RECIPIENT_MOVES: Final[dict[RecipientState, frozenset[RecipientState]]] = {
    # An acknowledgement may overtake the relay's receipt.
    RecipientState.PENDING: frozenset(set(RecipientState) - {RecipientState.PENDING}),
    RecipientState.ACCEPTED: frozenset({RecipientState.DELIVERED, RecipientState.REFUSED, RecipientState.EXPIRED}),
    RecipientState.DELIVERED: frozenset(),
    # A recipient has taken what the relay said it refused, or took it in time and tells so late.
    RecipientState.REFUSED: frozenset({RecipientState.DELIVERED}),
    RecipientState.EXPIRED: frozenset({RecipientState.DELIVERED}),
}


def message_may_move(old: MessageState, new: MessageState) -> bool:
    """Whether a message in `old` may become `new`."""
    return new in MESSAGE_MOVES[old]


def recipient_may_move(old: RecipientState, new: RecipientState, answered: bool) -> bool:
    """Whether a recipient in `old` may become `new`; `answered`: its own signed answer is on file, which is final."""
    return not answered and new in RECIPIENT_MOVES[old]


def message_state(recipients: tuple[RecipientState, ...]) -> MessageState:
    """The state of an accepted message, from those of its recipients: settled when every one of them is."""
    open_states = (RecipientState.PENDING, RecipientState.ACCEPTED)
    if any(state in open_states for state in recipients):
        return MessageState.ACCEPTED
    if all(state is RecipientState.DELIVERED for state in recipients):
        return MessageState.DELIVERED
    if any(state is RecipientState.REFUSED for state in recipients):
        return MessageState.REFUSED
    return MessageState.EXPIRED
