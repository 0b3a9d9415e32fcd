"""What became of a request that a node took: its message, or the act that waits for other officials."""

from dataclasses import dataclass
from typing import Final

from exchange.consent.four_eyes import ActState
from exchange.errors import Json
from exchange.node.parts import Parts
from exchange.storage.joint_port import COLLECTING

AWAITING: Final = "awaiting-release"
UNSIGNED: Final = "awaiting-signatures"


@dataclass(frozen=True, slots=True)
class Warned:
    """What is unusual about a message that was taken: a stable code, and one sentence for who sent it."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that is stored, and whether it is new; what was taken before is not warned of again.

    `message`: the id of the message, which it becomes when all providers have signed, or of the act that makes it when
    it is released.
    """

    message: bytes
    new: bool
    warnings: tuple[Warned, ...] = ()


async def taken_json(parts: Parts, taken: Taken) -> dict[str, Json]:
    """The answer to who handed it in."""
    warnings: list[Json] = [{"code": warned.code, "detail": warned.detail} for warned in taken.warnings]
    told: dict[str, Json] = {"id": taken.message.hex(), "state": "queued", "warnings": warnings}
    act = draft = None
    message = await parts.stores.views.message(taken.message)
    if message is None:
        act = await parts.stores.acts.act(taken.message)
        draft = await parts.stores.joint.draft(taken.message)
    if message is not None:
        told["state"] = message.state
    elif draft is not None:
        told["state"] = UNSIGNED if draft.state == COLLECTING else draft.state
    elif act is not None:
        told["state"] = AWAITING if act.state is ActState.PENDING else act.state.value
        told["needed"] = act.needed
        told["message"] = None if act.result is None else act.result.hex()
    return told
