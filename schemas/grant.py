"""Grant: a provider's signed consent that a holder passes information on (provision 1.7; docs/protocol.md, "Grant")."""

from dataclasses import dataclass, field
from typing import Final

from schemas import limits
from schemas.canon import Choice, Field, Seq, Struct, Uint, decode
from schemas.errors import DecodeError, Reason
from schemas.ids import ID16, MEMBER, TIME, ClassTag, GrantId, MemberId, ProvisionId, nested
from schemas.provision import Provision
from schemas.signed import SIGNATURE, Signature
from schemas.terms import Purpose


@dataclass(frozen=True, slots=True)
class Grant:
    """Consent of `provider` that `holder` passes one Provision, or a class of them, to `recipients`.

    Attributes:
        provision: the Provision it is for; or None, and then
        class_tag: the tag that the provider put into its Provisions.
        until: last second at which a transfer under it is accepted.
        uses: how many uses it allows, one use being one (Grant, recipient, Provision). None: no limit.

    Raises DecodeError (contradiction) unless exactly one of `provision` and `class_tag` is given.
    """

    id: GrantId
    provider: MemberId
    holder: MemberId
    provision: ProvisionId | None
    class_tag: ClassTag | None
    recipients: tuple[MemberId, ...]
    purpose: Purpose
    created: int
    until: int
    uses: int | None

    def __post_init__(self) -> None:
        """Refuse a Grant without one object, or without duration."""
        if (self.provision is None) == (self.class_tag is None):
            raise DecodeError(Reason.CONTRADICTION, "Grant.provision")
        if self.until < self.created:
            raise DecodeError(Reason.CONTRADICTION, "Grant.until")

    def is_about(self, provision: Provision) -> bool:
        """True when it names this Provision of its provider, or one of that Provision's class tags."""
        named = self.provision == provision.id or self.class_tag in provision.class_tags
        return named and self.provider in provision.providers


GRANT: Final = Struct(
    Grant,
    Field(1, "id", ID16),
    Field(2, "provider", MEMBER),
    Field(3, "holder", MEMBER),
    Field(4, "provision", ID16, optional=True),
    Field(5, "class_tag", ID16, optional=True),
    Field(6, "recipients", Seq(MEMBER, 1, limits.MAX_RECIPIENTS, lambda m: m)),
    Field(7, "purpose", Choice(Purpose)),
    Field(8, "created", TIME),
    Field(9, "until", TIME),
    Field(10, "uses", Uint(1, 2**32), optional=True),
)


@dataclass(frozen=True, slots=True)
class SignedGrant:
    """The exact bytes of a Grant and its provider's signature, not yet verified.

    Raises DecodeError when the signer is not the provider.
    """

    body: bytes
    signature: Signature
    grant: Grant = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the signed bytes once."""
        grant = decode(GRANT, self.body, limits.MAX_GRANT)
        if self.signature.signer != grant.provider:
            raise DecodeError(Reason.CONTRADICTION, "SignedGrant.signature")
        object.__setattr__(self, "grant", grant)


SIGNED_GRANT: Final = Struct(
    SignedGrant,
    Field(1, "body", nested(limits.MAX_GRANT)),
    Field(2, "signature", SIGNATURE),
)
