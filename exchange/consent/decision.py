"""The answer of `authorise`, as values: what was refused by which rule, or on which ground each may receive."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

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
    """Why a member may hold or receive a Provision's content."""

    PROVIDER = "provider"
    AUDIENCE = "audience"
    TERMS = "terms"
    GRANT = "grant"


class Bar(StrEnum):
    """Why a Grant that the envelope carries is no consent to one transfer. Stable, as rules are."""

    SIGNATURE = "signature"
    HOLDER = "other-holder"
    PURPOSE = "other-purpose"
    AHEAD = "not-yet-given"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"
    PROVISION = "other-provision"
    RECIPIENT = "other-recipient"
    SPENT = "spent"


# These are made for every recipient of every envelope, within the time that its signatures take: as named tuples they
# cost half of what frozen dataclasses do.


class Barred(NamedTuple):
    """A Grant that does not help, and why."""

    grant: SignedGrant
    bar: Bar


class Permission(NamedTuple):
    """One recipient's ground for one Provision, or the sender's for holding it; on consent, a Grant of each provider.

    The Grants are in the order of the Provision's providers.
    """

    recipient: MemberId
    provision: ProvisionId
    ground: Ground
    grants: tuple[SignedGrant, ...] = ()


class Use(NamedTuple):
    """One use of a Grant, counted once however often the envelope is retried.

    A Grant is named by its provider and id: another provider may choose the same id.
    """

    provider: MemberId
    grant: GrantId
    recipient: MemberId
    provision: ProvisionId


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason against a transfer: the rule, whom it concerns, and a sentence that says what is missing.

    Attributes:
        provision, recipient: the one that it is about; None: all of them.
        provider: whose consent is missing, ended or does not hold; None where no single provider's does.
        ask: the providers who can give what is missing; empty when nobody can.
        barred: the provider's Grants in the envelope, each with why it does not help.
    """

    rule: Rule
    detail: str
    provision: ProvisionId | None = None
    recipient: MemberId | None = None
    provider: MemberId | None = None
    ask: tuple[MemberId, ...] = ()
    barred: tuple[Barred, ...] = ()

    def concerns(self, provision: ProvisionId, recipient: MemberId) -> bool:
        """Whether it stands in the way of this recipient's receiving this Provision's content."""
        return self.provision in (None, provision) and self.recipient in (None, recipient)


@dataclass(frozen=True, slots=True)
class Decision:
    """All refusals, and all grounds that were found: they permit nothing unless there is no refusal at all.

    Attributes:
        grounds: of each recipient that has one, for each Provision whose signatures hold.
        holders: the sender's ground for each such Provision, if it has one.
        left: provider and id of each Grant with a limit that is in force, and how many uses this transfer leaves of it.
    """

    refusals: tuple[Refusal, ...]
    grounds: tuple[Permission, ...]
    holders: tuple[Permission, ...]
    left: tuple[tuple[MemberId, GrantId, int], ...] = ()

    @property
    def allowed(self) -> bool:
        """True when nothing refuses the transfer."""
        return not self.refusals

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """On which ground each recipient receives; none when anything refuses the transfer."""
        return () if self.refusals else self.grounds

    @property
    def uses(self) -> tuple[Use, ...]:
        """The uses of Grants that the transfer takes; none when anything refuses it."""
        return tuple(
            Use(signed.grant.provider, signed.grant.id, permission.recipient, permission.provision)
            for permission in self.permissions
            for signed in permission.grants
        )

    @property
    def ask(self) -> tuple[MemberId, ...]:
        """Every provider who can give something that is missing, in the order of the refusals."""
        return tuple(dict.fromkeys(provider for refusal in self.refusals for provider in refusal.ask))


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


def utc(time: int) -> str:
    """Unix seconds as answers write them: RFC 3339 in UTC, as the node's API does."""
    return datetime.fromtimestamp(time, UTC).isoformat()


def entry_text(index: int, size: int) -> str:
    """Where a withdrawal stands; a node obeys its own before a directory of that size has it."""
    return f"in entry {index} of the directory" if index < size else "but not in the directory yet"
