"""`authorise`: the one rule of who may send what to whom (provision 1.7), for sender's node, relay and receiver's node.

A transfer is allowed when, for every Provision in the envelope, its providers' signatures hold, its terms hold at the
moment of decision, the sender holds the information lawfully, and every recipient is one of its providers, in its
audience, admitted by its onward terms, or covered by a valid Grant of every provider. The audience is a ground only for
as long as the providers allow a first sending: later it takes open terms or a Grant. Whoever was removed from the
charter neither sends nor receives; what it provided stays bound by its terms.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from exchange.consent.decision import (
    Decision,
    Ground,
    Ledger,
    Permission,
    Refusal,
    Rule,
    Transfer,
    Use,
)
from keys.directory import Directory
from keys.verify import Moment, VerifiedHeader, grant_fault, provision_fault
from schemas.grant import Grant
from schemas.ids import GrantId, MemberId
from schemas.limits import MAX_CLOCK_AHEAD
from schemas.provision import Provision
from schemas.terms import Onward

Matching = Mapping[MemberId, Sequence[Grant]]
_LATE: Final = "the time for sending to the audience has passed: it takes open terms or a Grant of every provider"


def authorise(header: VerifiedHeader, directory: Directory, ledger: Ledger, now: int) -> Decision:
    """Judge one envelope at `now` (Unix seconds), the moment of decision: the relay's acceptance, or before it now.

    A later judge passes the receipt's time, and the directory as of the receipt's size: what was withdrawn, revoked or
    removed at a higher index does not count. Pure: the same facts give the same answer on every side. Never raises for
    a well-formed header.
    """
    core = header.core
    transfer = Transfer(core.sender, header.recipients, core.provisions, core.grants, core.purpose, core.precedence)
    return authorise_transfer(transfer, directory, ledger, now)


def authorise_transfer(transfer: Transfer, directory: Directory, ledger: Ledger, now: int) -> Decision:
    """The same rule for a transfer that a node intends and has not sealed yet."""
    return _Judgement(transfer, directory, ledger, now).decide()


class _Judgement:
    """The facts of one call, so that each rule can be a method of its own."""

    def __init__(self, transfer: Transfer, directory: Directory, ledger: Ledger, now: int) -> None:
        self._transfer = transfer
        self._recipients = transfer.recipients
        self._directory = directory
        self._moment = Moment(directory, now, ledger.origins)
        self._now = now
        # Of each provider, those that are in force for this sender and purpose, in the envelope's order.
        self._grants: dict[MemberId, list[Grant]] = defaultdict(list)
        # Uses of each Grant that are listed one by one, this envelope's included, and the number of the others.
        self._listed: dict[tuple[MemberId, GrantId], set[Use]] = defaultdict(set)
        self._others = {(provider, grant): count for provider, grant, count in ledger.others}
        for use in ledger.uses:
            self._listed[use.provider, use.grant].add(use)
        self._members: dict[int, frozenset[MemberId]] = {}
        self._refusals: list[Refusal] = []
        self._permissions: list[Permission] = []
        self._uses: dict[Use, None] = {}

    def decide(self) -> Decision:
        self._check_parties()
        self._check_grants()
        for signed in self._transfer.provisions:
            provision = signed.provision
            fault = provision_fault(signed, self._moment)
            if fault is not None:
                self._refuse(Rule.PROVISION_SIGNATURE, str(fault[1]), provision, provider=fault[0])
                continue
            self._check_terms(provision)
            matching = {p: self._matching(provision, p) for p in provision.providers}
            self._check_holder(provision, matching)
            for recipient in self._recipients:
                self._check_recipient(provision, recipient, matching)
        if self._refusals:
            return Decision(tuple(self._refusals), (), ())
        return Decision((), tuple(self._permissions), tuple(self._uses))

    def _refuse(
        self,
        rule: Rule,
        detail: str,
        provision: Provision | None = None,
        recipient: MemberId | None = None,
        provider: MemberId | None = None,
    ) -> None:
        self._refusals.append(Refusal(rule, detail, provision.id if provision else None, recipient, provider))

    def _check_parties(self) -> None:
        if not self._directory.may_send(self._transfer.sender):
            self._refuse(
                Rule.SENDER, f"{self._transfer.sender} may not send: it is no Member State and not the Secretariat"
            )
        for recipient in self._recipients:
            if recipient not in self._directory.members:
                self._refuse(Rule.RECIPIENT, f"{recipient} is not in the charter", recipient=recipient)

    def _check_grants(self) -> None:
        """Any Grant that does not verify refuses the envelope: an honest node carries none."""
        for signed in self._transfer.grants:
            fault = grant_fault(signed, self._moment)
            if fault is not None:
                self._refuse(Rule.GRANT_SIGNATURE, str(fault), provider=signed.grant.provider)
            elif self._in_force(signed.grant):
                self._grants[signed.grant.provider].append(signed.grant)

    def _check_terms(self, provision: Provision) -> None:
        transfer, now = self._transfer, self._now
        if any((provider, provision.id) in self._directory.withdrawn for provider in provision.providers):
            self._refuse(Rule.WITHDRAWN, "a provider has withdrawn its consent to any transfer", provision)
        if provision.created > now + MAX_CLOCK_AHEAD:
            self._refuse(Rule.NOT_YET_CREATED, "the Provision is dated in the future", provision)
        if provision.not_before is not None and now < provision.not_before:
            self._refuse(Rule.EMBARGO, "the providers' embargo has not ended", provision)
        if provision.until is not None and now > provision.until:
            self._refuse(Rule.ENDED, "the end date that the providers set has passed", provision)
        if transfer.sender in provision.providers and now > provision.send_by:
            self._refuse(Rule.SEND_BY, "the time for first sending has passed: make a new Provision", provision)
        if transfer.precedence < provision.max_precedence:
            detail = f"the providers allow at most {provision.max_precedence.label}"
            self._refuse(Rule.PRECEDENCE, detail, provision)

    def _check_holder(self, provision: Provision, matching: Matching) -> None:
        """The sender is a provider, one of the audience, admitted by the terms, or a holder named by every provider."""
        sender = self._transfer.sender
        if self._ground(provision, sender) is not None:
            return
        for provider in provision.providers:
            if not matching[provider]:
                detail = f"{sender} does not hold this lawfully: no valid Grant of {provider} names it as holder"
                self._refuse(Rule.NOT_HOLDER, detail, provision, provider=provider)

    def _check_recipient(self, provision: Provision, recipient: MemberId, matching: Matching) -> None:
        ground = self._recipient_ground(provision, recipient)
        if ground is not None:
            if self._transfer.purpose != provision.purpose:
                detail = f"the providers gave it for {provision.purpose.label} only"
                self._refuse(Rule.PURPOSE, detail, provision, recipient)
            self._permissions.append(Permission(recipient, provision.id, ground))
            return
        uses = []
        for provider in provision.providers:
            use = self._covering_use(provision, provider, recipient, matching[provider])
            if use is None and recipient in provision.audience:
                self._refuse(Rule.SEND_BY, _LATE, provision, recipient, provider)
            elif use is None:
                detail = f"no valid Grant of {provider} lets {self._transfer.sender} pass this to {recipient}"
                detail += f": ask {provider} for consent"
                self._refuse(Rule.NO_CONSENT, detail, provision, recipient, provider)
            else:
                uses.append(use)
        for use in uses:
            self._uses[use] = None
            self._listed[use.provider, use.grant].add(use)
        self._permissions.append(Permission(recipient, provision.id, Ground.GRANT))

    def _recipient_ground(self, provision: Provision, recipient: MemberId) -> Ground | None:
        """Why the recipient may receive this without any Grant.

        A late sending by one of the audience would make an old text look new: the audience is no ground for it then.
        A provider's own is refused as a whole.
        """
        ground = self._ground(provision, recipient)
        late = self._now > provision.send_by and self._transfer.sender not in provision.providers
        return self._ground_of_terms(provision, recipient) if ground is Ground.AUDIENCE and late else ground

    def _ground(self, provision: Provision, member: MemberId) -> Ground | None:
        """Why `member` may hold this without any Grant."""
        if member in provision.providers:
            return Ground.PROVIDER
        if member in provision.audience:
            return Ground.AUDIENCE
        return self._ground_of_terms(provision, member)

    def _ground_of_terms(self, provision: Provision, member: MemberId) -> Ground | None:
        if provision.onward is Onward.PUBLIC:
            admitted = member in self._directory.members
        else:
            admitted = provision.onward is Onward.MEMBERS and member in self._voters(provision.charter)
        return Ground.TERMS if admitted else None

    def _voters(self, version: int) -> frozenset[MemberId]:
        """Who "members" are: the Member States of the named charter version, less those that were removed since."""
        if version not in self._members:
            self._members[version] = self._directory.voters_since(version)
        return self._members[version]

    def _in_force(self, grant: Grant) -> bool:
        """For this sender as its holder and this purpose, now, and not withdrawn."""
        return (
            grant.holder == self._transfer.sender
            and grant.purpose == self._transfer.purpose
            and grant.created <= self._now + MAX_CLOCK_AHEAD
            and self._now <= grant.until
            and (grant.provider, grant.id) not in self._directory.withdrawn
        )

    def _matching(self, provision: Provision, provider: MemberId) -> list[Grant]:
        """The provider's Grants that are in force for this Provision."""
        return [grant for grant in self._grants.get(provider, ()) if grant.is_about(provision)]

    def _covering_use(
        self, provision: Provision, provider: MemberId, recipient: MemberId, grants: Sequence[Grant]
    ) -> Use | None:
        """The use of the first of the provider's Grants that covers the recipient and is not spent."""
        for grant in grants:
            if recipient not in grant.recipients:
                continue
            use = Use(provider, grant.id, recipient, provision.id)
            name = (provider, grant.id)
            listed = self._listed[name]
            if grant.uses is None or use in listed or len(listed) + self._others.get(name, 0) < grant.uses:
                return use
        return None
