"""`authorise`: the one rule of who may send what to whom (provision 1.7), for sender's node, relay and receiver's node.

A transfer is allowed when, for every Provision in the envelope, its providers' signatures hold, its terms hold at the
moment of decision, the sender holds the information lawfully, and every recipient is one of its providers, in its
audience, admitted by its onward terms, or covered by a valid Grant of every provider. The audience is a ground only for
as long as the providers allow a first sending: later it takes open terms or a Grant. Whoever was removed from the
charter neither sends nor receives; what it provided stays bound by its terms.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Final

from exchange.consent.decision import (
    Bar,
    Barred,
    Decision,
    Ground,
    Ledger,
    Permission,
    Refusal,
    Rule,
    Transfer,
    entry_text,
    utc,
)
from exchange.consent.grants import Entry, GrantBook, bundle
from keys.directory import Directory
from keys.verify import Moment, VerifiedHeader, provision_fault
from schemas.ids import MemberId
from schemas.limits import MAX_CLOCK_AHEAD
from schemas.provision import Provision
from schemas.terms import Onward

_NOBODY: Final[frozenset[MemberId]] = frozenset()


def authorise(header: VerifiedHeader, directory: Directory, ledger: Ledger, now: int) -> Decision:
    """Judge one envelope at `now` (Unix seconds), the moment of decision: the relay's acceptance, or before it now.

    A later judge passes the receipt's time, and the directory as of the receipt's size: what was withdrawn, revoked or
    removed at a higher index does not count. Pure: the same facts give the same answer on every side. Never raises for
    a well-formed header.
    """
    return authorise_transfer(transfer_of(header), directory, ledger, now)


def transfer_of(header: VerifiedHeader) -> Transfer:
    """What a signed header states of consent."""
    core = header.core
    return Transfer(core.sender, header.recipients, core.provisions, core.grants, core.purpose, core.precedence)


def authorise_transfer(transfer: Transfer, directory: Directory, ledger: Ledger, now: int) -> Decision:
    """The same rule for a transfer that a node intends and has not sealed yet."""
    return _Judgement(transfer, directory, ledger, now).decide()


class _Circle:
    """Who may hold what one Provision is about without any Grant, and the Grants that match it."""

    __slots__ = ("_book", "_found", "matching", "members", "named", "providers", "provision")

    def __init__(self, provision: Provision, members: Container[MemberId], book: GrantBook) -> None:
        self.provision = provision
        self.providers = dict.fromkeys(provision.providers, Ground.PROVIDER)
        self.named = {**dict.fromkeys(provision.audience, Ground.AUDIENCE), **self.providers}
        self.members = members
        self.matching = book.matching(provision)
        self._book = book
        self._found: Mapping[MemberId, tuple[Barred, ...]] | None = None

    def ground(self, member: MemberId, named: Mapping[MemberId, Ground]) -> Ground | None:
        """On which ground `member` may hold or receive it; None: only on consent. `named`: who is named for it."""
        return named.get(member) or (Ground.TERMS if member in self.members else None)

    def barred(self, provider: MemberId) -> tuple[Barred, ...]:
        """The provider's Grants that do not match; looked for only when one is missing."""
        if self._found is None:
            self._found = self._book.barred(self.provision)
        return self._found[provider]


class _Judgement:
    """The facts of one call, so that each rule can be a method of its own."""

    def __init__(self, transfer: Transfer, directory: Directory, ledger: Ledger, now: int) -> None:
        self._transfer = transfer
        self._directory = directory
        self._moment = Moment(directory, now, ledger.origins)
        self._now = now
        self._grants = GrantBook(transfer, self._moment, ledger)
        self._voters: dict[int, frozenset[MemberId]] = {}
        self._refusals: list[Refusal] = []
        self._grounds: list[Permission] = []
        self._holders: list[Permission] = []

    def decide(self) -> Decision:
        self._check_parties()
        self._check_grants()
        for signed in self._transfer.provisions:
            provision = signed.provision
            fault = provision_fault(signed, self._moment)
            if fault is not None:
                self._refuse(Rule.PROVISION_SIGNATURE, str(fault[1]), provision, provider=fault[0], ask=fault[:1])
                continue
            self._check_terms(provision)
            circle = _Circle(provision, self._admitted(provision), self._grants)
            self._check_holder(circle)
            self._check_recipients(circle)
        return Decision(tuple(self._refusals), tuple(self._grounds), tuple(self._holders), tuple(self._grants.left()))

    def _refuse(
        self,
        rule: Rule,
        detail: str,
        provision: Provision | None = None,
        recipient: MemberId | None = None,
        provider: MemberId | None = None,
        ask: tuple[MemberId, ...] = (),
        barred: tuple[Barred, ...] = (),
    ) -> None:
        name = None if provision is None else provision.id
        self._refusals.append(Refusal(rule, detail, name, recipient, provider, ask, barred))

    def _check_parties(self) -> None:
        if not self._directory.may_send(self._transfer.sender):
            self._refuse(
                Rule.SENDER, f"{self._transfer.sender} may not send: it is no Member State and not the Secretariat"
            )
        for recipient in self._transfer.recipients:
            if recipient not in self._directory.members:
                self._refuse(Rule.RECIPIENT, f"{recipient} is not in the charter", recipient=recipient)

    def _check_grants(self) -> None:
        """Any Grant that does not verify refuses the envelope: an honest node carries none."""
        for signed, fault in self._grants.faults:
            provider = signed.grant.provider
            detail = f"Grant {signed.grant.id.hex()[:16]} of {provider} does not hold: {fault}"
            barred = (Barred(signed, Bar.SIGNATURE),)
            self._refuse(Rule.GRANT_SIGNATURE, detail, provider=provider, ask=(provider,), barred=barred)

    def _check_terms(self, provision: Provision) -> None:
        transfer, now, providers = self._transfer, self._now, provision.providers
        for provider in providers:
            record = self._directory.withdrawn.get((provider, provision.id))
            if record is not None:
                where = entry_text(record.index, self._directory.size)
                detail = f"{provider} has withdrawn its consent to any transfer, {where}: only it can provide this anew"
                self._refuse(Rule.WITHDRAWN, detail, provision, provider=provider, ask=(provider,))
        if provision.created > now + MAX_CLOCK_AHEAD:
            detail = f"the Provision is dated in the future, {utc(provision.created)}"
            self._refuse(Rule.NOT_YET_CREATED, detail, provision)
        if provision.not_before is not None and now < provision.not_before:
            detail = f"the providers' embargo lasts until {utc(provision.not_before)}"
            self._refuse(Rule.EMBARGO, detail, provision, ask=providers)
        if provision.until is not None and now > provision.until:
            detail = f"the end date that the providers set has passed, {utc(provision.until)}"
            self._refuse(Rule.ENDED, detail, provision, ask=providers)
        if transfer.sender in providers and now > provision.send_by:
            detail = f"the time for first sending ended {utc(provision.send_by)}: make a new Provision"
            self._refuse(Rule.SEND_BY, detail, provision, ask=providers)
        if transfer.precedence < provision.max_precedence:
            detail = f"the providers allow at most {provision.max_precedence.label}"
            self._refuse(Rule.PRECEDENCE, detail, provision, ask=providers)

    def _check_holder(self, circle: _Circle) -> None:
        """The sender is a provider, one of the audience, admitted by the terms, or a holder named by every provider."""
        sender, provision = self._transfer.sender, circle.provision
        ground = circle.ground(sender, circle.named)
        if ground is not None:
            self._holders.append(Permission(sender, provision.id, ground))
            return
        # Of several Grants the one that lasts longest says how long the sender is a holder.
        lasting = [max(found, key=_end).signed for _, found in circle.matching if found]
        if len(lasting) == len(provision.providers):
            self._holders.append(Permission(sender, provision.id, Ground.GRANT, tuple(lasting)))
        for provider, found in circle.matching:
            if not found:
                detail = f"{sender} does not hold this lawfully: no valid Grant of {provider} names it as holder"
                barred = circle.barred(provider)
                self._refuse(Rule.NOT_HOLDER, detail, provision, provider=provider, ask=(provider,), barred=barred)

    def _check_recipients(self, circle: _Circle) -> None:
        """Each has a ground for the Provision's purpose, or the Grants that it takes.

        A late sending by one of the audience would make an old text look new: the audience is no ground for it then. A
        provider's own is refused as a whole.
        """
        provision, transfer = circle.provision, self._transfer
        late = self._now > provision.send_by and transfer.sender not in provision.providers
        named = circle.providers if late else circle.named
        needy = []
        for recipient in transfer.recipients:
            ground = circle.ground(recipient, named)
            if ground is None:
                needy.append(recipient)
                continue
            if transfer.purpose != provision.purpose:
                detail = f"the providers gave it for {provision.purpose.label}, not for {transfer.purpose.label}"
                self._refuse(Rule.PURPOSE, detail, provision, recipient, ask=provision.providers)
            self._grounds.append(Permission(recipient, provision.id, ground))
        if needy:
            self._check_consents(circle, needy)

    def _check_consents(self, circle: _Circle, recipients: Sequence[MemberId]) -> None:
        """Each of these is covered by a Grant of every provider."""
        name, common = circle.provision.id, bundle(circle.matching, len(recipients))
        if common is not None:
            covered = [recipient for recipient in recipients if recipient in common.recipients]
            grants, ground = common.grants, Ground.GRANT
            self._grounds += [Permission(recipient, name, ground, grants) for recipient in covered]
            common.take(covered, name)
            if len(covered) == len(recipients):
                return
            recipients = [recipient for recipient in recipients if recipient not in common.recipients]
        for recipient in recipients:
            self._check_consent(circle, recipient)

    def _check_consent(self, circle: _Circle, recipient: MemberId) -> None:
        """Of every provider, the first Grant that covers the recipient and is not spent; they are used together."""
        name = circle.provision.id
        taken: list[Entry] = []
        complete = True
        for provider, found in circle.matching:
            for entry in found:
                if recipient in entry.recipients and entry.has_room(recipient, name):
                    taken.append(entry)
                    break
            else:
                complete = False
                self._refuse_consent(circle, recipient, provider, found)
        if complete:
            for entry in taken:
                entry.take(recipient, name)
            self._grounds.append(Permission(recipient, name, Ground.GRANT, tuple([entry.signed for entry in taken])))

    def _refuse_consent(self, circle: _Circle, recipient: MemberId, provider: MemberId, found: Sequence[Entry]) -> None:
        if recipient in circle.named:
            ended = utc(circle.provision.send_by)
            rule = Rule.SEND_BY
            detail = f"the time for sending to the audience ended {ended}: it takes open terms or a Grant of {provider}"
        else:
            rule = Rule.NO_CONSENT
            detail = f"no valid Grant of {provider} lets {self._transfer.sender} pass this to {recipient}"
            detail += f": ask {provider} for consent"
        barred = circle.barred(provider)
        if found:
            barred = (*barred, *(Barred(entry.signed, entry.bar(recipient)) for entry in found))
        self._refuse(rule, detail, circle.provision, recipient, provider, (provider,), barred)

    def _admitted(self, provision: Provision) -> Container[MemberId]:
        """Whom the onward terms admit."""
        if provision.onward is Onward.PUBLIC:
            return self._directory.members
        return self._voters_since(provision.charter) if provision.onward is Onward.MEMBERS else _NOBODY

    def _voters_since(self, version: int) -> frozenset[MemberId]:
        """Who "members" are: the Member States of the named charter version, less those that were removed since."""
        if version not in self._voters:
            self._voters[version] = self._directory.voters_since(version)
        return self._voters[version]


def _end(entry: Entry) -> int:
    return entry.signed.grant.until
