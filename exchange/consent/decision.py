"""The answer of `authorise`, as values: what was refused by which rule, or on which ground each may receive."""

from dataclasses import dataclass
from enum import StrEnum

from keys.origin import Origin
from schemas.grant import SignedGrant
from schemas.ids import GrantId, MemberId, ProvisionId
from schemas.provision import SignedProvision
from schemas.terms import Precedence, Purpose


@dataclass(frozen=True, slots=True)
class Transfer:
    """What consent judges of an envelope: a signed header states it, and before sealing a node intends it."""

    sender: MemberId
    recipients: tuple[MemberId, ...]
    provisions: tuple[SignedProvision, ...]
    grants: tuple[SignedGrant, ...]
    purpose: Purpose
    precedence: Precedence


class Rule(StrEnum):
    """The rule that refuses a transfer. Stable: problem types and logs carry it."""

    SENDER = "sender-not-entitled"
    RECIPIENT = "recipient-unknown"
    PROVISION_SIGNATURE = "provision-signature"
    GRANT_SIGNATURE = "grant-signature"
    NOT_YET_CREATED = "provision-ahead"
    EMBARGO = "embargo"
    ENDED = "provision-ended"
    SEND_BY = "first-sending-over"
    PRECEDENCE = "precedence-above-terms"
    PURPOSE = "purpose-not-allowed"
    WITHDRAWN = "consent-withdrawn"
    NOT_HOLDER = "sender-not-holder"
    NO_CONSENT = "no-consent"


class Ground(StrEnum):
    """Why a recipient may receive a Provision's content."""

    PROVIDER = "provider"
    AUDIENCE = "audience"
    TERMS = "terms"
    GRANT = "grant"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason against a transfer: the rule, whom it concerns, and a sentence that says what is missing."""

    rule: Rule
    detail: str
    provision: ProvisionId | None = None
    recipient: MemberId | None = None
    provider: MemberId | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """One recipient's ground for one Provision."""

    recipient: MemberId
    provision: ProvisionId
    ground: Ground


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a Grant, counted once however often the envelope is retried.

    A Grant is named by its provider and id: another provider may choose the same id.
    """

    provider: MemberId
    grant: GrantId
    recipient: MemberId
    provision: ProvisionId


@dataclass(frozen=True, slots=True)
class Decision:
    """All refusals, or all permissions and the uses of Grants that they take."""

    refusals: tuple[Refusal, ...]
    permissions: tuple[Permission, ...]
    uses: tuple[Use, ...]

    @property
    def allowed(self) -> bool:
        """True when nothing refuses the transfer."""
        return not self.refusals


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the directory does not say: uses as they were counted, and what is proved of the relays' logs.

    Attributes:
        uses: the uses that were counted, at least those of the Provisions that are judged.
        others: how many more uses were counted of a Grant (provider, id), which `uses` does not list.
        origins: which signed Provisions and Grants stood in a log before their keys ended, by the header's proofs.
    """

    uses: frozenset[Use] = frozenset()
    others: frozenset[tuple[MemberId, GrantId, int]] = frozenset()
    origins: frozenset[Origin] = frozenset()
