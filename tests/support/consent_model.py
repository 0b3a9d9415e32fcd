"""Provision 1.7 as a lawyer would state it: plain loops over facts that shares no code with `authorise`.

    verdict = judge(facts)
    verdict.refused      # {("no-consent", "UZB", "KAZ"), ...}; None where a rule names no recipient or provider

A Provision and a Grant are read here as lists of what they say; whether their signatures are genuine is a fact, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.grant import Grant
from schemas.provision import Provision

Reason = tuple[str, str | None, str | None]
Counted = tuple[str, bytes, str, bytes]
"""A use: provider and id of the Grant, recipient, id of the Provision."""

AHEAD = 120


@dataclass(frozen=True)
class Facts:
    """All that the law looks at.

    Attributes:
        forgers: of each Provision, the providers in whose name somebody else signed it.
        forged: positions of the Grants that somebody else signed.
        states, observers, secretariat: who is in the charter now, as what.
        versions: the Member States of each version of the charter, the oldest first.
        withdrawals: provider and id of what was withdrawn, and the index of that; `size` is the judge's directory.
        counted: uses that are listed; `others`: how many more, by provider and id of the Grant.
    """

    sender: str
    recipients: Sequence[str]
    provisions: list[Provision]
    grants: list[Grant]
    purpose: int
    precedence: int
    now: int
    size: int
    forgers: Sequence[Sequence[str]]
    forged: list[int]
    states: Sequence[str]
    observers: Sequence[str]
    secretariat: Sequence[str]
    versions: Sequence[Sequence[str]]
    withdrawals: list[tuple[str, bytes, int]]
    counted: list[Counted]
    others: dict[tuple[str, bytes], int]


@dataclass
class Verdict:
    """Why not, and on which ground who may: by position of the Provision and recipient."""

    refused: set[Reason] = field(default_factory=set)
    grounds: dict[tuple[int, str], str] = field(default_factory=dict)
    by_pair: dict[tuple[int, str], set[Reason]] = field(default_factory=dict)


def judge(facts: Facts) -> Verdict:
    """What the provision says of these facts."""
    verdict = Verdict()
    counted = list(facts.counted)
    everywhere: set[Reason] = set()
    if facts.sender not in facts.states and facts.sender not in facts.secretariat:
        everywhere.add(("sender-not-entitled", None, None))
    for position, grant in enumerate(facts.grants):
        if position in facts.forged:
            everywhere.add(("grant-signature", None, grant.provider))
    for number, provision in enumerate(facts.provisions):
        whole = set(everywhere)
        genuine = not facts.forgers[number]
        if genuine:
            whole |= set(against_the_terms(facts, provision))
            whole |= set(against_the_sender(facts, provision))
        else:
            whole.add(("provision-signature", None, facts.forgers[number][0]))
        for recipient in facts.recipients:
            own = set(whole)
            if recipient not in in_charter(facts):
                own.add(("recipient-unknown", recipient, None))
            if genuine:
                own |= set(against_the_recipient(facts, provision, recipient, counted, verdict.grounds, number))
            verdict.by_pair[number, recipient] = own
            verdict.refused |= own
    return verdict


def in_charter(facts: Facts) -> list[str]:
    return [*facts.states, *facts.observers, *facts.secretariat]


def against_the_terms(facts: Facts, provision: Provision) -> list[Reason]:
    """The providers' conditions, which bind everybody."""
    found: list[Reason] = []
    for provider in provision.providers:
        for who, what, index in facts.withdrawals:
            if who == provider and what == provision.id and index < facts.size:
                found.append(("consent-withdrawn", None, provider))
    if provision.created - facts.now > AHEAD:
        found.append(("provision-ahead", None, None))
    if provision.not_before is not None and provision.not_before > facts.now:
        found.append(("embargo", None, None))
    if provision.until is not None and provision.until < facts.now:
        found.append(("provision-ended", None, None))
    if facts.sender in provision.providers and provision.send_by < facts.now:
        found.append(("first-sending-over", None, None))
    # 0 is the most urgent.
    if facts.precedence < provision.max_precedence:
        found.append(("precedence-above-terms", None, None))
    return found


def opened_to(facts: Facts, provision: Provision, who: str) -> bool:
    """By the onward terms: 2 is "members", 3 is "public"."""
    if provision.onward == 3:
        return who in in_charter(facts)
    if provision.onward != 2 or provision.charter > len(facts.versions):
        return False
    return all(who in version for version in facts.versions[provision.charter - 1 :])


def against_the_sender(facts: Facts, provision: Provision) -> list[Reason]:
    """It has to hold what it sends lawfully."""
    sender = facts.sender
    if sender in provision.providers or sender in provision.audience or opened_to(facts, provision, sender):
        return []
    return [
        ("sender-not-holder", None, provider)
        for provider in provision.providers
        if not any(is_consent(facts, position, provision, provider) for position in range(len(facts.grants)))
    ]


def against_the_recipient(
    facts: Facts,
    provision: Provision,
    recipient: str,
    counted: list[Counted],
    grounds: dict[tuple[int, str], str],
    number: int,
) -> list[Reason]:
    """It is a provider, was named by them, is admitted by their terms; or each of them consents."""
    late = provision.send_by < facts.now and facts.sender not in provision.providers
    ground = None
    if recipient in provision.providers:
        ground = "provider"
    elif recipient in provision.audience and not late:
        ground = "audience"
    elif opened_to(facts, provision, recipient):
        ground = "terms"
    if ground is not None:
        grounds[number, recipient] = ground
        return [] if facts.purpose == provision.purpose else [("purpose-not-allowed", recipient, None)]
    missing: list[Reason] = []
    uses: list[Counted] = []
    for provider in provision.providers:
        use = consent_of(facts, provision, provider, recipient, counted)
        if use is None:
            rule = "first-sending-over" if recipient in provision.audience else "no-consent"
            missing.append((rule, recipient, provider))
        else:
            uses.append(use)
    if not missing:
        grounds[number, recipient] = "grant"
        for use in uses:
            if use not in counted:
                counted.append(use)
    return missing


def consent_of(
    facts: Facts, provision: Provision, provider: str, recipient: str, counted: list[Counted]
) -> Counted | None:
    """The use of the first Grant by which this provider lets the sender pass it to the recipient."""
    for position, grant in enumerate(facts.grants):
        if is_consent(facts, position, provision, provider) and recipient in grant.recipients:
            use = (provider, grant.id, recipient, provision.id)
            if not is_spent(facts, grant, use, counted):
                return use
    return None


def is_consent(facts: Facts, position: int, provision: Provision, provider: str) -> bool:
    """Whether a Grant is this provider's word, now, that the sender passes this Provision on for this purpose."""
    return not faults(facts, position, provision, provider)


def faults(facts: Facts, position: int, provision: Provision, provider: str) -> list[str]:
    """What is wrong with it, whoever the recipient is."""
    grant, found = facts.grants[position], []
    if position in facts.forged:
        found.append("forged")
    if grant.provider != provider:
        found.append("of another")
    if grant.holder != facts.sender:
        found.append("for another holder")
    if grant.purpose != facts.purpose:
        found.append("for another purpose")
    if grant.created - facts.now > AHEAD:
        found.append("not yet given")
    if grant.until < facts.now:
        found.append("ended")
    for who, what, index in facts.withdrawals:
        if who == grant.provider and what == grant.id and index < facts.size:
            found.append("withdrawn")
    if grant.provision is not None and grant.provision != provision.id:
        found.append("for another Provision")
    if grant.class_tag is not None and grant.class_tag not in provision.class_tags:
        found.append("for another class")
    return found


def is_spent(facts: Facts, grant: Grant, use: Counted, counted: list[Counted]) -> bool:
    """Whether the uses that it allows were made, by others than this very one."""
    if grant.uses is None or use in counted:
        return False
    mine = [one for one in counted if (one[0], one[1]) == (grant.provider, grant.id)]
    return len(mine) + facts.others.get((grant.provider, grant.id), 0) >= grant.uses
