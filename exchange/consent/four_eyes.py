"""Four eyes: what an official asks for is done when enough others have approved it. Pure: values in, values out.

Other officials are other tokens: a token is personal. The author never counts. An approval is for the digest that its
official saw, and for no other. One refusal is final. Approvals by tokens that were revoked since are not passed in, and
so do not count.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ActState(StrEnum):
    """How far a held act is: approved is what is released and not performed yet. The last four are final."""

    PENDING = "pending"
    APPROVED = "approved"
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"


# Nothing of an act that was released can be refused or expire any more: it may have been performed already.
MOVES: Final = {
    ActState.PENDING: frozenset({ActState.APPROVED, ActState.REFUSED, ActState.EXPIRED}),
    ActState.APPROVED: frozenset({ActState.DONE, ActState.FAILED}),
}


class Obstacle(StrEnum):
    """Why an approval or a change is not taken. Stable: problem types carry it."""

    ENDED = "act-ended"
    OWN = "own-act"
    STALE = "stale-digest"
    NOT_AUTHOR = "not-the-author"


@dataclass(frozen=True, slots=True)
class Approval:
    """An official's approval: its token and ministry, the digest that it saw, when (Unix seconds)."""

    token: str
    ministry: str
    digest: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Held:
    """What the rules look at of an act; `author` is a token, `digest` of what is asked for, `expires` Unix seconds."""

    author: str
    digest: bytes
    needed: int
    state: ActState
    expires: int


def is_open(act: Held, now: int) -> bool:
    """Whether it still waits for officials."""
    return act.state is ActState.PENDING and now < act.expires


def approval_obstacle(act: Held, approval: Approval) -> Obstacle | None:
    """Why this approval is not taken; None when it is."""
    if approval.token == act.author:
        return Obstacle.OWN
    if not is_open(act, approval.time):
        return Obstacle.ENDED
    return Obstacle.STALE if approval.digest != act.digest else None


def change_obstacle(act: Held, token: str, now: int) -> Obstacle | None:
    """Why what is asked for may not be changed by this token; a change begins again without any approval."""
    if token != act.author:
        return Obstacle.NOT_AUTHOR
    return None if is_open(act, now) else Obstacle.ENDED


def counted(act: Held, approvals: Iterable[Approval]) -> frozenset[str]:
    """The tokens whose approval counts."""
    return frozenset(a.token for a in approvals if a.token != act.author and a.digest == act.digest)


def is_released(act: Held, approvals: Iterable[Approval]) -> bool:
    """Whether enough others have approved what is asked for now."""
    return len(counted(act, approvals)) >= act.needed
