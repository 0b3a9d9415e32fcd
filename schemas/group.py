"""Group: a list of states under a name, signed by the node of the state that made it (docs/protocol.md, "Groups").

It never leaves that node: a message to a group names the states that it had when the message was composed.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from schemas import limits
from schemas.canon import Field, Seq, Struct, Text, Uint, decode
from schemas.errors import DecodeError, Reason
from schemas.ids import MEMBER, TIME, MemberId, nested
from schemas.signed import SIGNATURE, Signature

GROUP_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Group:
    """The states that `owner` means by `name`. `version` grows with every change; `created` in Unix seconds."""

    owner: MemberId
    name: str
    version: int
    members: tuple[MemberId, ...]
    created: int


GROUP: Final = Struct(
    Group,
    Field(1, "owner", MEMBER),
    Field(2, "name", Text(limits.MAX_GROUP_NAME, GROUP_NAME)),
    Field(3, "version", Uint(1, 2**32)),
    Field(4, "members", Seq(MEMBER, 1, limits.MAX_RECIPIENTS, lambda m: m)),
    Field(5, "created", TIME),
)


@dataclass(frozen=True, slots=True)
class SignedGroup:
    """The exact bytes of a Group and its owner's signature, not yet verified.

    Raises DecodeError when the signer is not the owner.
    """

    body: bytes
    signature: Signature
    group: Group = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the signed bytes once."""
        group = decode(GROUP, self.body, limits.MAX_SMALL_OBJECT)
        if self.signature.signer != group.owner:
            raise DecodeError(Reason.CONTRADICTION, "SignedGroup.signature")
        object.__setattr__(self, "group", group)


SIGNED_GROUP: Final = Struct(
    SignedGroup,
    Field(1, "body", nested(limits.MAX_SMALL_OBJECT)),
    Field(2, "signature", SIGNATURE),
)
