"""Which record may act on which: who may correct, end, answer or translate what, and how the two must fit.

The rule is provision 1.7 turned to texts: what a state provided stays its own. Only its originators change or end it,
only those to whom it was sent answer it, and a translation is bound to the exact text that it translates.
"""

from typing import Final

from exchange.records.facts import Action, RecordFact

# Texts stand for themselves; the others only do something to a text.
TEXTS: Final = frozenset({Action.NEW, Action.UPDATE, Action.CORRECTION, Action.REPLY})
REPLACES: Final = frozenset({Action.UPDATE, Action.CORRECTION})
ENDS: Final = frozenset({Action.CANCEL, Action.WITHDRAW})
ANSWERS: Final = frozenset({Action.REPLY, Action.ACK, Action.ERROR})
OWN: Final = REPLACES | ENDS | {Action.TRANSLATION}

_VERBS: Final = {
    Action.UPDATE: "update",
    Action.CORRECTION: "correct",
    Action.CANCEL: "cancel",
    Action.WITHDRAW: "withdraw",
    Action.TRANSLATION: "translate",
    Action.REPLY: "reply to",
    Action.ACK: "acknowledge",
    Action.ERROR: "report an error in",
}
# What each action may be about.
_OBJECTS: Final = {
    **dict.fromkeys(REPLACES, TEXTS),
    Action.TRANSLATION: TEXTS,
    Action.REPLY: TEXTS,
    **dict.fromkeys(ENDS, TEXTS | {Action.TRANSLATION}),
    **dict.fromkeys((Action.ACK, Action.ERROR), frozenset(Action) - {Action.ACK, Action.ERROR}),
}


def pairing_fault(act: RecordFact, target: RecordFact) -> str | None:
    """Why `act`, which refers to `target`, may not do to it what its action says; None if it may.

    Both are judged by what they are, never by when they came. `act` has another action than new.
    """
    verb = _VERBS[act.action]
    if target.action not in _OBJECTS[act.action]:
        return f"one does not {verb} a record whose action is {target.action}"
    if act.mode != target.mode:
        return f"its mode is {act.mode}, that of what it refers to is {target.mode}: they must be the same"
    same_matter = (act.record_type, act.measure) == (target.record_type, target.measure)
    if act.action is not Action.REPLY and not same_matter:
        return "it has another record type or measure than what it refers to"
    fault = _owner_fault(act, target, verb) if act.action in OWN else _answer_fault(act, target, verb)
    if fault is None and act.action is Action.TRANSLATION:
        fault = _translation_fault(act, target)
    return fault


def _owner_fault(act: RecordFact, target: RecordFact, verb: str) -> str | None:
    """A joint text is changed by all its originators; each alone can withdraw, as with consent (1.7)."""
    by, owners = frozenset(act.originators), frozenset(target.originators)
    if act.action is Action.WITHDRAW:
        return None if by <= owners else f"only {_names(owners)} may {verb} it, not {_names(by - owners)}"
    if by == owners:
        return None
    return f"only {_names(owners)}{' together' if len(owners) > 1 else ''} may {verb} it, not {_names(by)}"


def _answer_fault(act: RecordFact, target: RecordFact, verb: str) -> str | None:
    strangers = frozenset(act.originators) - frozenset(target.recipients)
    if strangers:
        return f"{_names(strangers)} may not {verb} it: it was addressed to {_names(frozenset(target.recipients))}"
    if not frozenset(act.recipients) & frozenset(target.originators):
        return f"it is not addressed to {_names(frozenset(target.originators))}, whom it answers"
    return None


def _translation_fault(act: RecordFact, target: RecordFact) -> str | None:
    if act.references != (target.record_id,):
        return "a translation refers to the one text that it translates and to nothing else"
    stated = act.translation_of
    if stated is None or stated.record_id != target.record_id:
        return "translation_of does not name the record that it refers to"
    if stated.sha256 != target.digest:
        return "it translates another text than the one under that id: the digests differ"
    if act.language == target.language:
        return f"it is in {act.language}, the language of the authentic text"
    return None


def _names(codes: frozenset[str]) -> str:
    return " and ".join(sorted(codes))
