"""The Grants of one transfer: which of them are in force, what each is consent to, and what is left of its uses.

A part of `authorise`, and of nothing else: the rule of one Grant (docs/protocol.md, "Consent": matches, is spent).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from exchange.consent.decision import Bar, Barred, Ledger, Transfer
from keys.errors import KeyFault
from keys.verify import Moment, grant_fault
from schemas.grant import SignedGrant
from schemas.ids import GrantId, MemberId, ProvisionId
from schemas.limits import MAX_CLOCK_AHEAD
from schemas.provision import Provision
from schemas.terms import Purpose


@dataclass(slots=True, eq=False)
class Entry:
    """A Grant that is in force for the sender and its purpose; `used`: recipient and Provision of each counted use."""

    signed: SignedGrant
    recipients: frozenset[MemberId]
    uses: int | None
    others: int = 0
    used: set[tuple[MemberId, ProvisionId]] = field(default_factory=set)

    def has_room(self, recipient: MemberId, provision: ProvisionId) -> bool:
        """Whether this use was counted before, or one more may be."""
        return self.uses is None or (recipient, provision) in self.used or len(self.used) + self.others < self.uses

    def has_room_for(self, count: int) -> bool:
        """Whether so many more uses may be counted, whichever they are."""
        return self.uses is None or len(self.used) + self.others + count <= self.uses

    def take(self, recipient: MemberId, provision: ProvisionId) -> None:
        """Count a use by this envelope."""
        if self.uses is not None:
            self.used.add((recipient, provision))

    def bar(self, recipient: MemberId) -> Bar:
        """Why it does not cover a recipient, once it is known not to."""
        return Bar.SPENT if recipient in self.recipients else Bar.RECIPIENT


Matching = Sequence[tuple[MemberId, Sequence[Entry]]]
"""Of each provider of a Provision, in its order, the Grants that match it, in the envelope's order."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The first matching Grant of every provider, and the recipients that all of these cover.

    Each has room for all of the envelope's recipients, so that none can be spent by one of them for another.
    """

    entries: tuple[Entry, ...]
    grants: tuple[SignedGrant, ...]
    recipients: frozenset[MemberId]

    def take(self, recipients: Collection[MemberId], provision: ProvisionId) -> None:
        """Count a use of each for each of these recipients."""
        uses = [(recipient, provision) for recipient in recipients]
        for entry in self.entries:
            if entry.uses is not None:
                entry.used.update(uses)


def bundle(matching: Matching, count: int) -> Bundle | None:
    """What a forward to `count` recipients mostly takes, at once for all; None where each has to be looked at."""
    first = tuple([found[0] for _, found in matching if found])
    if len(first) < len(matching) or not all(entry.has_room_for(count) for entry in first):
        return None
    covered = frozenset.intersection(*[entry.recipients for entry in first])
    return Bundle(first, tuple([entry.signed for entry in first]), covered)


class GrantBook:
    """The envelope's Grants, each verified and read once."""

    def __init__(self, transfer: Transfer, moment: Moment, ledger: Ledger) -> None:
        """Verify each Grant, and find those that are in force."""
        self._directory = moment.directory
        self._sender = transfer.sender
        self._purpose: Purpose = transfer.purpose
        self._now = moment.at
        self._entries: dict[MemberId, list[Entry]] = {}
        self._barred: dict[MemberId, list[Barred]] = {}
        self.faults: list[tuple[SignedGrant, KeyFault]] = []
        for signed in transfer.grants:
            self._read(signed, moment)
        self._limited = {
            (entry.signed.grant.provider, entry.signed.grant.id): entry
            for entries in self._entries.values()
            for entry in entries
            if entry.uses is not None
        }
        if self._limited:
            self._count(ledger)

    def _read(self, signed: SignedGrant, moment: Moment) -> None:
        grant = signed.grant
        fault = grant_fault(signed, moment)
        if fault is not None:
            self.faults.append((signed, fault))
        bar = self._bar(signed) if fault is None else Bar.SIGNATURE
        if bar is None:
            entry = Entry(signed, frozenset(grant.recipients), grant.uses)
            self._entries.setdefault(grant.provider, []).append(entry)
        else:
            self._barred.setdefault(grant.provider, []).append(Barred(signed, bar))

    def _bar(self, signed: SignedGrant) -> Bar | None:
        """Why it is not in force for this sender as its holder and this purpose, now; None when it is."""
        grant = signed.grant
        if grant.holder != self._sender:
            return Bar.HOLDER
        if grant.purpose != self._purpose:
            return Bar.PURPOSE
        if grant.created > self._now + MAX_CLOCK_AHEAD:
            return Bar.AHEAD
        if self._now > grant.until:
            return Bar.ENDED
        return Bar.WITHDRAWN if (grant.provider, grant.id) in self._directory.withdrawn else None

    def _count(self, ledger: Ledger) -> None:
        for use in ledger.uses:
            entry = self._limited.get((use.provider, use.grant))
            if entry is not None:
                entry.used.add((use.recipient, use.provision))
        for provider, grant, count in ledger.others:
            entry = self._limited.get((provider, grant))
            if entry is not None:
                entry.others = count

    def matching(self, provision: Provision) -> Matching:
        """The Grants that are in force for this Provision."""
        entries = self._entries
        return [
            (provider, [entry for entry in entries.get(provider, ()) if entry.signed.grant.is_about(provision)])
            for provider in provision.providers
        ]

    def barred(self, provision: Provision) -> Mapping[MemberId, tuple[Barred, ...]]:
        """Of each provider, its Grants that do not match the Provision, whoever the recipient is."""
        found = {}
        for provider in provision.providers:
            about_other = (
                Barred(entry.signed, Bar.PROVISION)
                for entry in self._entries.get(provider, ())
                if not entry.signed.grant.is_about(provision)
            )
            found[provider] = (*self._barred.get(provider, ()), *about_other)
        return found

    def left(self) -> Iterator[tuple[MemberId, GrantId, int]]:
        """Provider and id of each Grant with a limit that is in force, and how many uses are left of it."""
        for (provider, grant), entry in self._limited.items():
            yield provider, grant, max((entry.uses or 0) - len(entry.used) - entry.others, 0)
