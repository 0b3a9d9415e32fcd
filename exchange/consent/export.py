"""Whether a record may be written out for a third party, beyond the reach of the system (provision 1.7).

Whoever has the file can give it to anybody, and nothing here could refuse that. So an export is lawful for the sole
provider of all that is in it, and for others only on open terms `public` that are in force, by the rule of `authorise`.
A Grant names states; the consent that a file needs names nobody, so no Grant is enough: the providers provide the
information anew, on open terms.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from exchange.consent.authorise import authorise_transfer
from exchange.consent.decision import Decision, Ledger, Refusal, Rule, Transfer
from keys.directory import Directory
from schemas.ids import MemberId
from schemas.provision import SignedProvision
from schemas.terms import Onward, Precedence

# An export is no sending: an observer state may make one, and the last time for first sending does not bound it.
_OF_SENDING: Final = frozenset({Rule.SENDER, Rule.SEND_BY})


def authorise_export(
    member: MemberId, provisions: Sequence[SignedProvision], directory: Directory, ledger: Ledger, now: int
) -> Decision:
    """Judge an export by `member` of what stands under these Provisions, at `now` (Unix seconds).

    A refusal names the Provision, a provider whose consent is missing, and whom to ask.
    """
    foreign = [signed for signed in provisions if signed.provision.providers != (member,)]
    refusals = list(_closed(member, foreign))
    for signed in foreign:
        held = Transfer(member, (), (signed,), (), signed.provision.purpose, Precedence.ROUTINE)
        decision = authorise_transfer(held, directory, ledger, now)
        refusals += [refusal for refusal in decision.refusals if refusal.rule not in _OF_SENDING]
    return Decision(tuple(refusals), (), ())


def _closed(member: MemberId, provisions: Iterable[SignedProvision]) -> Iterable[Refusal]:
    for signed in provisions:
        provision = signed.provision
        if provision.onward is Onward.PUBLIC:
            continue
        for provider in provision.providers:
            if provider == member:
                continue
            detail = (
                f"{provider} did not provide this for the public (onward {provision.onward.label}): ask {provider} to"
                " provide it on open terms, or export it for use inside this state only"
            )
            yield Refusal(Rule.NO_CONSENT, detail, provision.id, None, provider, (provider,))
