"""Provision: consent metadata, signed by every provider (provision 1.7; docs/protocol.md, "Provision").

It is clear, so that the relay can judge a transfer, and says nothing of the content: no measure, type or text.
"""

from dataclasses import dataclass, field
from typing import Final

from schemas import limits
from schemas.canon import Choice, Field, Seq, Struct, Uint, decode
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, ID16, MEMBER, TIME, ClassTag, Digest, MemberId, ProvisionId, nested
from schemas.signed import SIGNATURE, Signature
from schemas.terms import Onward, Precedence, Purpose, Tlp


@dataclass(frozen=True, slots=True)
class Provision:
    """Who provides what to whom on which terms; times are Unix seconds.

    Attributes:
        audience: the first recipients; it never changes on a forward.
        onward: whether a recipient may pass the information on; `charter` is the version whose members `MEMBERS` means.
        until: end date: no transfer is accepted later. None: no end.
        not_before: embargo: no transfer is accepted earlier. None: none.
        send_by: last time at which a provider may send it for the first time.
        max_precedence: the most urgent precedence that an envelope with this Provision may have.
        commitment: salted digest of the content (docs/protocol.md, "Content").

    Raises DecodeError (contradiction) for terms that contradict each other.
    """

    id: ProvisionId
    providers: tuple[MemberId, ...]
    audience: tuple[MemberId, ...]
    onward: Onward
    charter: int
    purpose: Purpose
    until: int | None
    not_before: int | None
    tlp: Tlp
    created: int
    send_by: int
    max_precedence: Precedence
    class_tags: tuple[ClassTag, ...]
    commitment: Digest

    def __post_init__(self) -> None:
        """Refuse terms that contradict each other."""
        # TLP:RED is for the named recipients only, so it cannot be open to all members or to the public.
        open_terms = self.onward in (Onward.MEMBERS, Onward.PUBLIC)
        if self.tlp is Tlp.RED and open_terms:
            raise DecodeError(Reason.CONTRADICTION, "Provision.tlp")
        if not self.created <= self.send_by <= self.created + limits.OUTBOX_LIMIT:
            raise DecodeError(Reason.CONTRADICTION, "Provision.send_by")
        if self.until is not None and self.until < max(self.created, self.not_before or 0):
            raise DecodeError(Reason.CONTRADICTION, "Provision.until")


def _itself(item: object) -> object:
    return item


PROVISION: Final = Struct(
    Provision,
    Field(1, "id", ID16),
    Field(2, "providers", Seq(MEMBER, 1, limits.MAX_PROVIDERS, _itself)),
    Field(3, "audience", Seq(MEMBER, 1, limits.MAX_RECIPIENTS, _itself)),
    Field(4, "onward", Choice(Onward)),
    Field(5, "charter", Uint(1, 2**32)),
    Field(6, "purpose", Choice(Purpose)),
    Field(7, "until", TIME, optional=True),
    Field(8, "not_before", TIME, optional=True),
    Field(9, "tlp", Choice(Tlp)),
    Field(10, "created", TIME),
    Field(11, "send_by", TIME),
    Field(12, "max_precedence", Choice(Precedence)),
    Field(13, "class_tags", Seq(ID16, 0, limits.MAX_CLASS_TAGS, _itself)),
    Field(14, "commitment", DIGEST),
)


@dataclass(frozen=True, slots=True)
class SignedProvision:
    """The exact bytes of a Provision and one signature of each provider, in the providers' order.

    The signatures are not verified by decoding: `keys.verify` does that. Raises DecodeError when the signers are not
    exactly the providers.
    """

    body: bytes
    signatures: tuple[Signature, ...]
    provision: Provision = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the signed bytes once, so that what is judged is what was signed."""
        provision = decode(PROVISION, self.body, limits.MAX_PROVISION)
        if tuple(s.signer for s in self.signatures) != provision.providers:
            raise DecodeError(Reason.CONTRADICTION, "SignedProvision.signatures")
        object.__setattr__(self, "provision", provision)


SIGNED_PROVISION: Final = Struct(
    SignedProvision,
    Field(1, "body", nested(limits.MAX_PROVISION)),
    Field(2, "signatures", Seq(SIGNATURE, 1, limits.MAX_PROVIDERS, lambda s: s.signer)),
)
