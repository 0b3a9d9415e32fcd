"""Rows of the decision table of consent, and the transfer, directory, ledger and facts that each describes.

case = Table().case(Row(sender="audience", recipients=("outsider",), grants=(("valid",),)))
authorise_transfer(case.transfer, case.directory, case.ledger, NOW)
judge(case.facts)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from exchange.consent.decision import Ledger, Transfer, Use
from keys.amendment import Changes
from keys.directory import Directory, extend
from schemas.endings import WithdrawalTarget
from schemas.grant import SignedGrant
from schemas.ids import ClassTag, GrantId, MemberId, ProvisionId
from schemas.limits import DAY
from schemas.provision import Provision, SignedProvision
from schemas.statement import DirectoryEntry
from schemas.terms import Onward, Precedence, Purpose
from tests.support.changes import ChangingWorld, identity, party, withdrawal
from tests.support.consent_model import Facts
from tests.support.parties import members
from tests.support.world import NOW

PROVIDERS: Final = ("KAZ", "TJK", "UZB")
AUDIENCE: Final = ("MNG", "XAA")
# Who else there is. XAD came with version 2 of the charter, XAE left with it, XAZ is in none.
CODES: Final[Mapping[str, str]] = {
    "provider": "KAZ",
    "audience": "MNG",
    "audience-too": "XAA",
    "outsider": "XAB",
    "outsider-too": "XAF",
    "observer": "XAC",
    "newcomer": "XAD",
    "removed": "XAE",
    "stranger": "XAZ",
    "secretariat": "CICA",
}
TAG, OTHER_TAG = ClassTag(b"t" * 16), ClassTag(b"o" * 16)
ELSEWHERE: Final = MemberId("XAF")

DIMENSIONS: Final[Mapping[str, tuple[Any, ...]]] = {
    "providers": (1, 2, 3),
    "sender": ("provider", "audience", "outsider", "secretariat", "newcomer", "observer", "removed", "stranger"),
    "recipient": tuple(CODES),
    "onward": tuple(Onward),
    "grant": (
        "none",
        "valid",
        "class",
        "last-second",
        "just-given",
        "last-use",
        "class-once",
        "retry",
        "foreign",
        "withdrawn-later",
        "ended",
        "ahead",
        "other-purpose",
        "other-provision",
        "other-class",
        "other-holder",
        "other-recipient",
        "spent",
        "spent-unlisted",
        "forged",
        "withdrawn",
    ),
    "embargo": ("none", "over", "lasts"),
    "until": ("none", "last-second", "passed"),
    "send_by": ("later", "last-second", "passed"),
    "created": ("before", "just-ahead", "ahead"),
    "charter": (1, 2, 9),
    "withdrawn": ("nothing", "later", "by-the-first", "by-the-last"),
    "signature": ("genuine", "forged"),
    "purpose": ("same", "other"),
    "precedence": ("allowed", "most-urgent", "too-urgent"),
    "second": ("none", "of-the-first", "public", "forged"),
}


@dataclass(frozen=True)
class Row:
    """One row: a value of each of `DIMENSIONS`; recipients and the Grants of each provider are several."""

    providers: int = 1
    sender: str = "audience"
    recipients: tuple[str, ...] = ("outsider",)
    onward: Onward = Onward.NONE
    grants: tuple[tuple[str, ...], ...] = (("valid",), ("valid",), ("valid",))
    embargo: str = "none"
    until: str = "none"
    send_by: str = "later"
    created: str = "before"
    charter: int = 1
    withdrawn: str = "nothing"
    signature: str = "genuine"
    purpose: str = "same"
    precedence: str = "allowed"
    second: str = "none"

    def __post_init__(self) -> None:
        """A Provision cannot contradict itself: of two terms that do, the one that ends it gives way."""
        begins_later = self.embargo == "lasts" or self.created != "before"
        if self.until == "passed" and self.embargo == "over":
            object.__setattr__(self, "embargo", "none")
        if self.until != "none" and begins_later:
            object.__setattr__(self, "until", "none")
        if self.created != "before":
            object.__setattr__(self, "send_by", "later")

    def values(self) -> set[tuple[str, object]]:
        """Which value of which dimension occurs in it; of providers that are not there, nothing does."""
        plain = [name for name in DIMENSIONS if name not in ("recipient", "grant")]
        given = {("grant", kind) for kinds in self.grants[: self.providers] for kind in kinds or ("none",)}
        return {(name, getattr(self, name)) for name in plain} | {("recipient", r) for r in self.recipients} | given


@dataclass(frozen=True)
class Case:
    """A row, built."""

    transfer: Transfer
    directory: Directory
    ledger: Ledger
    facts: Facts


class Table:
    """A world with two versions of the charter, in which rows are built."""

    def __init__(self) -> None:
        codes = [
            code for role, code in CODES.items() if role not in ("observer", "newcomer", "stranger", "secretariat")
        ]
        self.world = ChangingWorld(sorted({*codes, *PROVIDERS}), observers=("XAC",), secretariat=True, epochs=1)
        changes = Changes(removed=(MemberId("XAE"),), admitted=(party("XAD"),))
        voters = [voter for voter in self.world.charter.voters() if voter != "XAE"]
        self.versions = [list(self.world.charter.voters())]
        self.world.amend(changes, voters, {"XAD": identity("root", "XAD")})
        self.versions.append(list(self.world.charter.voters()))

    def case(self, row: Row) -> Case:
        """Build it."""
        return _Builder(self, row).case()


class _Builder:
    """One row's objects, as they are made."""

    def __init__(self, table: Table, row: Row) -> None:
        self.world, self.versions, self.row = table.world, table.versions, row
        self.sender = CODES[row.sender]
        self.recipients = members({CODES[role] for role in row.recipients})
        self.purpose = Purpose.CONFIDENCE_BUILDING if row.purpose == "same" else Purpose.STATISTICS
        self.forged: list[SignedGrant] = []
        self.forgers: dict[ProvisionId, list[str]] = {}
        self.uses: list[Use] = []
        self.others: dict[tuple[MemberId, GrantId], int] = {}
        self.ended: list[tuple[str, WithdrawalTarget, bytes, bool]] = []

    def case(self) -> Case:
        row = self.row
        providers = PROVIDERS[: row.providers]
        first = self._provision(providers, row.onward, row.signature == "forged", **self._times())
        provisions = [first, *self._second()]
        grants = [
            grant
            for provider, kinds in zip(providers, row.grants, strict=False)
            for kind in kinds
            for grant in self._grant(provider, kind, first.provision)
        ]
        if row.withdrawn != "nothing":
            who = providers[0] if row.withdrawn == "by-the-first" else providers[-1]
            self.ended.append((who, WithdrawalTarget.PROVISION, first.provision.id, row.withdrawn == "later"))
        urgency = {
            "allowed": Precedence.ROUTINE,
            "most-urgent": Precedence.PRIORITY,
            "too-urgent": Precedence.IMMEDIATE,
        }
        transfer = Transfer(
            MemberId(self.sender),
            self.recipients,
            tuple(sorted(provisions, key=lambda one: one.provision.id)),
            tuple(sorted(grants, key=lambda one: one.grant.id)),
            self.purpose,
            urgency[row.precedence],
        )
        others = frozenset((provider, grant, count) for (provider, grant), count in self.others.items())
        directory, withdrawals = self._directory()
        return Case(
            transfer, directory, Ledger(frozenset(self.uses), others), self._facts(transfer, directory, withdrawals)
        )

    def _times(self) -> dict[str, Any]:
        row = self.row
        created = {"before": NOW - 10, "just-ahead": NOW + 120, "ahead": NOW + 121}[row.created]
        not_before = {"none": None, "over": NOW, "lasts": NOW + 1}[row.embargo]
        until = {"none": None, "last-second": NOW, "passed": NOW - 1}[row.until]
        send_by = {"later": NOW + DAY, "last-second": NOW, "passed": NOW - 1}[row.send_by]
        return {"created": created, "not_before": not_before, "until": until, "send_by": max(send_by, created)}

    def _provision(self, providers: tuple[str, ...], onward: Onward, forged: bool, **terms: Any) -> SignedProvision:  # noqa: ANN401  # as of `World.provision`
        given = {"charter": self.row.charter, "class_tags": (TAG,), "max_precedence": Precedence.PRIORITY, **terms}
        made = self.world.provision(self.world.manifest(providers), providers, AUDIENCE, onward=onward, **given)
        false = {providers[-1]: self.world.nodes["XAF"]} if forged else {}
        self.forgers[made.id] = sorted(false)
        return self.world.sign_provision(made, false)

    def _second(self) -> list[SignedProvision]:
        """The envelope may be a compilation, whose other source KAZ alone provided."""
        if self.row.second == "none":
            return []
        onward = Onward.PUBLIC if self.row.second == "public" else Onward.ON_CONSENT
        return [self._provision(("KAZ",), onward, self.row.second == "forged", created=NOW - 10)]

    def _grant(self, provider: str, kind: str, provision: Provision) -> list[SignedGrant]:
        if kind == "none":
            return []
        fields: dict[str, Any] = {"created": NOW - 5, "until": NOW + DAY, "purpose": self.purpose}
        changes: dict[str, dict[str, Any]] = {
            "class": {"provision": None, "class_tag": TAG},
            "other-class": {"provision": None, "class_tag": OTHER_TAG},
            "other-provision": {"provision": ProvisionId(b"another provisio")},
            "other-purpose": {"purpose": Purpose.VERIFICATION},
            "last-second": {"until": NOW},
            "ended": {"until": NOW - 1},
            "just-given": {"created": NOW + 120},
            "ahead": {"created": NOW + 121},
            "class-once": {"provision": None, "class_tag": TAG, "uses": 1},
            "last-use": {"uses": 1},
            "retry": {"uses": 1},
            "spent": {"uses": 1},
            "spent-unlisted": {"uses": 3},
        }
        fields |= changes.get(kind, {})
        holder = "XAF" if kind == "other-holder" and self.sender != "XAF" else self.sender
        holder = "XAB" if kind == "other-holder" and holder == self.sender else holder
        to = ("TKM",) if kind == "other-recipient" else self.recipients
        by = "XAF" if kind == "foreign" else provider
        signer = self.world.nodes["XAF" if provider != "XAF" else "KAZ"] if kind == "forged" else None
        made = self.world.grant(provision, by, holder, to, signer, **fields)
        self._events(kind, made, provision)
        return [made]

    def _events(self, kind: str, made: SignedGrant, provision: Provision) -> None:
        """What happened to it by now."""
        grant = made.grant
        match kind:
            case "forged":
                self.forged.append(made)
            case "retry":
                self.uses.append(Use(grant.provider, grant.id, self.recipients[0], provision.id))
            case "spent":
                self.uses.append(Use(grant.provider, grant.id, MemberId("TKM"), provision.id))
            case "spent-unlisted":
                self.uses.append(Use(grant.provider, grant.id, MemberId("TKM"), provision.id))
                self.others[grant.provider, grant.id] = 2
            case "withdrawn" | "withdrawn-later":
                self.ended.append((grant.provider, WithdrawalTarget.GRANT, grant.id, kind == "withdrawn-later"))

    def _directory(self) -> tuple[Directory, list[tuple[str, bytes, int]]]:
        """As of the size at which the relay decides: what is withdrawn later has entries beyond it."""
        ordered = sorted(self.ended, key=lambda one: one[3])
        base = self.world.directory
        entries = [self._entry(who, target, name) for who, target, name, _ in ordered]
        size = base.size + sum(not later for *_, later in ordered)
        withdrawals = [(who, name, base.size + n) for n, (who, _, name, _) in enumerate(ordered)]
        return extend(base, entries).as_of(size), withdrawals

    def _entry(self, who: str, target: WithdrawalTarget, name: bytes) -> DirectoryEntry:
        return withdrawal(self.world.nodes[who], target, name, NOW)

    def _facts(self, transfer: Transfer, directory: Directory, withdrawals: list[tuple[str, bytes, int]]) -> Facts:
        return Facts(
            sender=self.sender,
            recipients=list(self.recipients),
            provisions=[signed.provision for signed in transfer.provisions],
            grants=[signed.grant for signed in transfer.grants],
            purpose=int(self.purpose),
            precedence=int(transfer.precedence),
            now=NOW,
            size=directory.size,
            forgers=[self.forgers[signed.provision.id] for signed in transfer.provisions],
            forged=[n for n, signed in enumerate(transfer.grants) if signed in self.forged],
            states=self.versions[-1],
            observers=["XAC"],
            secretariat=["CICA"],
            versions=self.versions,
            withdrawals=withdrawals,
            counted=[(use.provider, use.grant, use.recipient, use.provision) for use in self.uses],
            others={(provider, grant): count for (provider, grant), count in self.others.items()},
        )
