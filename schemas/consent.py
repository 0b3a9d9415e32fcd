"""What states tell each other about consent, each inside an encrypted envelope (provision 1.7; docs/protocol.md).

A consent message is one kind byte and one object, and the whole body of a content of kind CONSENT. Who says it is the
envelope's sender; what others must be able to check later is signed on its own.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from schemas import limits
from schemas.canon import Choice, Field, Seq, Struct, Text, Uint, decode
from schemas.endings import WithdrawalTarget
from schemas.errors import DecodeError, Reason
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.ids import DIGEST, ID16, MEMBER, TIME, Digest, EnvelopeId, MemberId, nested
from schemas.kinds import Kinds
from schemas.opening import OPENINGS, Openings
from schemas.provision import SIGNED_PROVISION, SignedProvision
from schemas.refused import REFUSED_TRANSFER, RefusedTransfer
from schemas.signed import SIGNATURE, Signature
from schemas.terms import Purpose


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """The sender, who holds a Provision, asks its providers to let it pass it on; times are Unix seconds.

    Attributes:
        id: random; named in every answer.
        provision: the exact signed Provision, so that a provider that lost its own copy can check it.
        until, uses: what the Grant is asked to allow; `uses` None: no limit.
        answer_by: when the sender takes no answer for a refusal.

    Raises DecodeError (contradiction) when it ends before it begins.
    """

    id: bytes
    provision: SignedProvision
    recipients: tuple[MemberId, ...]
    purpose: Purpose
    until: int
    uses: int | None
    reason: str
    created: int
    answer_by: int

    def __post_init__(self) -> None:
        """Refuse a request that is over when it is made."""
        if self.answer_by <= self.created or self.until < self.created:
            raise DecodeError(Reason.CONTRADICTION, "ConsentRequest.answer_by")


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """A provider's Grant for its holder; `request`: what it answers, None when it was not asked."""

    grant: SignedGrant
    request: bytes | None


@dataclass(frozen=True, slots=True)
class ConsentRefused:
    """A provider's answer that it does not consent."""

    request: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn:
    """A provider tells a holder what it has withdrawn. The directory says that it counts; this says what is meant.

    Attributes:
        provision: digest of the Provision that is concerned; None when a Grant for a class is withdrawn.
    """

    target: WithdrawalTarget
    id: bytes
    provision: Digest | None
    reason: str
    created: int


class Conduct(IntEnum):
    """What a holder has done after a withdrawal."""

    CEASED = 1
    DESTROYED = 2
    NOT_HELD = 3


@dataclass(frozen=True, slots=True)
class PassedOn:
    """A transfer that was accepted before the withdrawal: to whom, in which envelope, when (Unix seconds)."""

    recipient: MemberId
    envelope: EnvelopeId
    time: int


@dataclass(frozen=True, slots=True)
class HolderStatement:
    """A holder's statement about a provider's withdrawal: what it has done, and to whom it had passed the matter on."""

    holder: MemberId
    provider: MemberId
    target: WithdrawalTarget
    id: bytes
    conduct: Conduct
    passed_on: tuple[PassedOn, ...]
    created: int


@dataclass(frozen=True, slots=True)
class JointSigned:
    """A provider's signature under a joint Provision, named by its digest."""

    provision: Digest
    signature: Signature


@dataclass(frozen=True, slots=True)
class JointRefused:
    """A provider will not sign a joint Provision. Final."""

    provision: Digest
    reason: str


@dataclass(frozen=True, slots=True)
class JointDraft:
    """A joint Provision that its providers are asked to sign: the body of a content of kind DRAFT.

    Attributes:
        provision: the exact bytes that every provider signs.
        manifest: the exact bytes of the content's manifest; its attachments are those of the draft's own manifest.
        signature: of the provider who collects, and sends when all have signed.
        sign_by: when it is given up (Unix seconds).
    """

    provision: bytes
    manifest: bytes
    signature: Signature
    sign_by: int


REASON: Final = Text(limits.MAX_REASON)
_PASSED_ON: Final = Struct(PassedOn, Field(1, "recipient", MEMBER), Field(2, "envelope", ID16), Field(3, "time", TIME))
_REQUEST: Final = Struct(
    ConsentRequest,
    Field(1, "id", ID16),
    Field(2, "provision", SIGNED_PROVISION),
    Field(3, "recipients", Seq(MEMBER, 1, limits.MAX_RECIPIENTS, lambda m: m)),
    Field(4, "purpose", Choice(Purpose)),
    Field(5, "until", TIME),
    Field(6, "uses", Uint(1, 2**32), optional=True),
    Field(7, "reason", REASON),
    Field(8, "created", TIME),
    Field(9, "answer_by", TIME),
)
_GIVEN: Final = Struct(ConsentGiven, Field(1, "grant", SIGNED_GRANT), Field(2, "request", ID16, optional=True))
_REFUSED: Final = Struct(ConsentRefused, Field(1, "request", ID16), Field(2, "reason", REASON))
_WITHDRAWN: Final = Struct(
    ConsentWithdrawn,
    Field(1, "target", Choice(WithdrawalTarget)),
    Field(2, "id", ID16),
    Field(3, "provision", DIGEST, optional=True),
    Field(4, "reason", REASON),
    Field(5, "created", TIME),
)
HOLDER_STATEMENT: Final = Struct(
    HolderStatement,
    Field(1, "holder", MEMBER),
    Field(2, "provider", MEMBER),
    Field(3, "target", Choice(WithdrawalTarget)),
    Field(4, "id", ID16),
    Field(5, "conduct", Choice(Conduct)),
    Field(6, "passed_on", Seq(_PASSED_ON, 0, limits.MAX_PASSED_ON, lambda p: (p.recipient, p.envelope))),
    Field(7, "created", TIME),
)
_JOINT_SIGNED: Final = Struct(JointSigned, Field(1, "provision", DIGEST), Field(2, "signature", SIGNATURE))
_JOINT_REFUSED: Final = Struct(JointRefused, Field(1, "provision", DIGEST), Field(2, "reason", REASON))
JOINT_DRAFT: Final = Struct(
    JointDraft,
    Field(1, "provision", nested(limits.MAX_PROVISION)),
    Field(2, "manifest", nested(limits.MAX_DRAFT_MANIFEST)),
    Field(3, "signature", SIGNATURE),
    Field(4, "sign_by", TIME),
)


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """The exact bytes of a holder's statement and its signature, not yet verified.

    Raises DecodeError when the signer is not the holder.
    """

    body: bytes
    signature: Signature
    statement: HolderStatement = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the signed bytes once."""
        statement = decode(HOLDER_STATEMENT, self.body, limits.MAX_SERVICE)
        if self.signature.signer != statement.holder:
            raise DecodeError(Reason.CONTRADICTION, "SignedStatement.signature")
        object.__setattr__(self, "statement", statement)


SIGNED_STATEMENT: Final = Struct(
    SignedStatement, Field(1, "body", nested(limits.MAX_SERVICE)), Field(2, "signature", SIGNATURE)
)

ConsentMessage = (
    ConsentRequest
    | ConsentGiven
    | ConsentRefused
    | ConsentWithdrawn
    | SignedStatement
    | JointSigned
    | JointRefused
    | RefusedTransfer
    | Openings
)

CONSENT_MESSAGES: Final[Kinds[ConsentMessage]] = Kinds(
    "ConsentMessage",
    limits.MAX_CONSENT,
    {
        1: _REQUEST,
        2: _GIVEN,
        3: _REFUSED,
        4: _WITHDRAWN,
        5: SIGNED_STATEMENT,
        6: _JOINT_SIGNED,
        7: _JOINT_REFUSED,
        8: REFUSED_TRANSFER,
        9: OPENINGS,
    },
)


def encode_consent(message: ConsentMessage) -> bytes:
    """Kind byte and object."""
    return CONSENT_MESSAGES.encode(message)


def decode_consent(data: bytes) -> ConsentMessage:
    """Read one consent message; raises DecodeError."""
    return CONSENT_MESSAGES.decode(data)
