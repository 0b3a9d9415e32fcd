"""Which of the Grants that a holder has a transfer is to carry, and the way that a text has come. Pure.

Nothing here decides: `authorise` judges the transfer with what was selected, as relay and receiver do.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from exchange.consent.authorise import authorise_transfer
from exchange.consent.decision import Decision, Ledger, Refusal, Rule, Transfer, Use
from keys.directory import Directory
from keys.verify import Moment, grant_fault
from schemas.grant import Grant, SignedGrant
from schemas.ids import GrantId, MemberId
from schemas.limits import MAX_GRANTS
from schemas.provision import Provision

_MISSING = frozenset({Rule.NO_CONSENT, Rule.NOT_HOLDER, Rule.SEND_BY})


def with_grants(
    transfer: Transfer, held: Iterable[SignedGrant], directory: Directory, ledger: Ledger, now: int
) -> tuple[Transfer, Decision]:
    """The transfer with those of the held Grants that it lacks, in the order of the wire, and what is decided of it.

    Of several that help, one without a limit of uses is preferred, then one for fewer recipients.
    """
    decision = authorise_transfer(transfer, directory, ledger, now)
    lacking = [refusal for refusal in decision.refusals if refusal.rule in _MISSING]
    if not lacking:
        return transfer, decision
    selection = _Selection(transfer, held, directory, ledger, now)
    for refusal in lacking:
        selection.fill(refusal)
    wider = replace(transfer, grants=selection.grants)
    return wider, authorise_transfer(wider, directory, ledger, now)


class _Selection:
    """The Grants of one transfer as they grow."""

    def __init__(
        self, transfer: Transfer, held: Iterable[SignedGrant], directory: Directory, ledger: Ledger, now: int
    ) -> None:
        self._provisions = {signed.provision.id: signed.provision for signed in transfer.provisions}
        self._chosen = {_name(signed): signed for signed in transfer.grants}
        self._left: Counter[tuple[MemberId, GrantId]] = Counter()
        usable = [
            signed
            for signed in held
            if (signed.grant.holder, signed.grant.purpose) == (transfer.sender, transfer.purpose)
            and signed.grant.until >= now
            and _name(signed) not in directory.withdrawn
            and grant_fault(signed, Moment(directory, now, ledger.origins)) is None
        ]
        self._held: Sequence[SignedGrant] = sorted(usable, key=_preference)
        self._counted = ledger.uses
        used = Counter((use.provider, use.grant) for use in ledger.uses)
        for signed in (*self._held, *transfer.grants):
            if signed.grant.uses is not None:
                self._left[_name(signed)] = signed.grant.uses - used[_name(signed)]

    @property
    def grants(self) -> tuple[SignedGrant, ...]:
        return tuple(sorted(self._chosen.values(), key=lambda signed: (signed.grant.id, signed.grant.provider)))

    def fill(self, refusal: Refusal) -> None:
        """Add the best Grant for what a refusal misses, if there is one and the envelope has room for it."""
        provision = None if refusal.provision is None else self._provisions[refusal.provision]
        if provision is None:
            return
        fitting = (signed for signed in self._held if self._helps(signed, provision, refusal))
        best = next(fitting, None)
        if best is None or (_name(best) not in self._chosen and len(self._chosen) >= MAX_GRANTS):
            return
        self._chosen[_name(best)] = best
        if refusal.recipient is not None and best.grant.uses is not None:
            self._left[_name(best)] -= 1

    def _helps(self, signed: SignedGrant, provision: Provision, refusal: Refusal) -> bool:
        grant = signed.grant
        covers = refusal.recipient is None or refusal.recipient in grant.recipients
        has_room = refusal.recipient is None or self._has_room(grant, provision, refusal.recipient)
        # Under the name of one that it carries, an envelope has no other.
        same = self._chosen.get(_name(signed), signed) == signed
        return grant.provider == refusal.provider and grant.is_about(provision) and covers and has_room and same

    def _has_room(self, grant: Grant, provision: Provision, recipient: MemberId) -> bool:
        """A use that was counted before is none more."""
        counted = Use(grant.provider, grant.id, recipient, provision.id) in self._counted
        return grant.uses is None or counted or self._left[grant.provider, grant.id] > 0


def way(provision: Provision, sender: MemberId, grants: Iterable[Grant]) -> tuple[MemberId, ...]:
    """Through whose hands it came: the providers first, who sends it now last.

    Those between are taken from the Grants that came along, which show who was allowed to pass it to whom: they are
    shown to people, and judged by nobody.
    """
    if sender in provision.providers:
        return (*(provider for provider in provision.providers if provider != sender), sender)
    about = [grant for grant in grants if grant.is_about(provision)]
    hops = [sender]
    while hops[0] not in provision.audience:
        before = {grant.holder for grant in about if hops[0] in grant.recipients} - set(hops)
        if not before:
            break
        hops.insert(0, min(before))
    return (*provision.providers, *hops)


def _name(signed: SignedGrant) -> tuple[MemberId, GrantId]:
    return signed.grant.provider, signed.grant.id


def _preference(signed: SignedGrant) -> tuple[bool, int, int]:
    return signed.grant.uses is not None, len(signed.grant.recipients), signed.grant.until
