"""Why each recipient may receive what a Provision is about, or may not: the answer as values, as JSON and as lines."""

from collections.abc import Iterator
from dataclasses import dataclass

from exchange.consent.decision import Ground, Rule, utc
from exchange.errors import Json
from schemas.ids import GrantId, KeyId, MemberId, ProvisionId


@dataclass(frozen=True, slots=True)
class Signer:
    """A provider, and the signing key under which it signed the Provision."""

    provider: MemberId
    key_id: KeyId


@dataclass(frozen=True, slots=True)
class GrantFact:
    """A Grant that covers a recipient; `until` is Unix seconds, `left` what the transfer leaves of its uses."""

    provider: MemberId
    id: GrantId
    key_id: KeyId
    until: int
    left: int | None


@dataclass(frozen=True, slots=True)
class Missing:
    """What stands in the way: the rule, the provider whose consent it is about, and who can give what is missing."""

    rule: Rule
    what: str
    provider: MemberId | None
    ask: tuple[MemberId, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """About one Provision and one recipient.

    Attributes:
        allowed: nothing stands in the way of this recipient; what is refused to another may still refuse the envelope.
        rule: the first rule that refuses it; `ground`: on which it is allowed. Exactly one of them is there.
        sentence: the deciding fact in words.
        signed: who signed the Provision.
        grants: on the ground of consent, the Grant of each provider that covers the recipient.
        until: the last second for which this ground and these Grants serve, by their own terms; None: no end, or
            refused. What may come earlier is a withdrawal, the end of a key, and a Grant that is used up.
        missing: all that stands in the way, in the order of the rules.
    """

    provision: ProvisionId
    recipient: MemberId
    rule: Rule | None
    ground: Ground | None
    sentence: str
    signed: tuple[Signer, ...]
    grants: tuple[GrantFact, ...]
    until: int | None
    missing: tuple[Missing, ...]

    @property
    def allowed(self) -> bool:
        """Whether this recipient may receive it."""
        return self.rule is None

    @property
    def ask(self) -> tuple[MemberId, ...]:
        """Every provider who can give something that is missing."""
        return tuple(dict.fromkeys(provider for missing in self.missing for provider in missing.ask))


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answers, by Provision and then recipient in the envelope's order, and the facts under which they are given.

    `time` is the moment of decision, `directory_size` that of the directory by which it was judged. `general` refuses
    whatever the Provision and the recipient are; it stands in each answer too.
    """

    sender: MemberId
    time: int
    directory_size: int
    allowed: bool
    general: tuple[Missing, ...]
    answers: tuple[Answer, ...]

    def answer(self, provision: ProvisionId, recipient: MemberId) -> Answer:
        """The answer about one pair; raises KeyError when the transfer has no such pair."""
        for answer in self.answers:
            if (answer.provision, answer.recipient) == (provision, recipient):
                return answer
        raise KeyError(recipient)


def explanation_json(explanation: Explanation) -> dict[str, Json]:
    """The same as JSON: ids in hexadecimal, times in RFC 3339, what is not there as null or an empty list."""
    return {
        "allowed": explanation.allowed,
        "sender": explanation.sender,
        "time": utc(explanation.time),
        "directory_size": explanation.directory_size,
        "general": [_missing_json(missing) for missing in explanation.general],
        "answers": [_answer_json(answer) for answer in explanation.answers],
    }


def explanation_lines(explanation: Explanation) -> Iterator[str]:
    """The same for a terminal: a line for the whole, then for each answer one, and what it rests on or misses below."""
    verdict = "allowed" if explanation.allowed else "refused"
    yield (
        f"{verdict}: a transfer by {explanation.sender}, judged at {utc(explanation.time)} "
        f"by the directory of {explanation.directory_size} entries"
    )
    for answer in explanation.answers:
        yield ""
        yield f"{'yes' if answer.allowed else 'no'}: {answer.sentence}"
        signers = ", ".join(f"{signer.provider} (key {signer.key_id.hex()[:16]})" for signer in answer.signed)
        yield f"  Provision {answer.provision.hex()}, signed by {signers}"
        for grant in answer.grants:
            left = "without a limit of uses" if grant.left is None else f"{grant.left} uses left after this"
            yield f"  Grant {grant.id.hex()} of {grant.provider} until {utc(grant.until)}, {left}"
        if answer.until is not None:
            yield f"  until {utc(answer.until)}"
        for missing in answer.missing:
            yield f"  {missing.rule.value}: {missing.what}"
        if answer.ask:
            yield f"  ask {', '.join(answer.ask)}"


def _answer_json(answer: Answer) -> dict[str, Json]:
    return {
        "provision": answer.provision.hex(),
        "recipient": answer.recipient,
        "allowed": answer.allowed,
        "rule": None if answer.rule is None else answer.rule.value,
        "ground": None if answer.ground is None else answer.ground.value,
        "sentence": answer.sentence,
        "signed": [{"provider": signer.provider, "key_id": signer.key_id.hex()} for signer in answer.signed],
        "grants": [_grant_json(grant) for grant in answer.grants],
        "until": None if answer.until is None else utc(answer.until),
        "missing": [_missing_json(missing) for missing in answer.missing],
        "ask": list(answer.ask),
    }


def _grant_json(grant: GrantFact) -> dict[str, Json]:
    return {
        "provider": grant.provider,
        "id": grant.id.hex(),
        "key_id": grant.key_id.hex(),
        "until": utc(grant.until),
        "left": grant.left,
    }


def _missing_json(missing: Missing) -> dict[str, Json]:
    return {
        "rule": missing.rule.value,
        "what": missing.what,
        "provider": missing.provider,
        "ask": list(missing.ask),
    }
