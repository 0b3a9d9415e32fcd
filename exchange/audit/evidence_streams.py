"""Heads in an evidence file: how far a stream was, what the relay kept back, and when nothing was sent.

A head is what the sender's node signed for one recipient: the last number that it has used, and which headers have it
and those before it.
A recipient that has acknowledged a head knows of that header; when it has acknowledged no such envelope, the relay
has accepted it and not handed it over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from exchange.audit.claims import Broken, Claim, Finding, date, read, short
from exchange.audit.evidence_envelope import EnvelopeFacts, judge_envelope
from exchange.audit.evidence_logged import Logged
from exchange.audit.evidence_view import FileView
from schemas.content import HEAD, ContentKind, Head
from schemas.evidence import EnvelopeEvidence
from schemas.ids import MemberId
from schemas.limits import MAX_SERVICE


@dataclass(frozen=True, slots=True)
class _Told:
    """A head, and its one recipient."""

    facts: EnvelopeFacts
    head: Head
    sender: MemberId
    recipient: MemberId

    @property
    def made(self) -> int:
        """The moment that it speaks of, by its sender's clock; a relay may accept it days later (Unix seconds)."""
        return self.facts.header.core.created

    @property
    def place(self) -> tuple[int, int]:
        """Its place among others: when the relay accepted it, or else when it was made."""
        receipt = self.facts.receipt
        return self.made if receipt is None else receipt.time, self.made

    @property
    def until(self) -> int:
        """Until when it says something for certain: its sender's clock may have been ahead of the relay's."""
        return min(self.place)


def judge_streams(
    items: Sequence[EnvelopeEvidence],
    envelopes: Sequence[EnvelopeFacts],
    view: FileView,
    logged: Logged,
    found: list[Finding],
) -> None:
    """Judge the heads, with the envelopes that the file is about. Raises Broken."""
    heads = [_head(item, view, logged) for item in items]
    found.extend(_undated(one) for one in heads if one.facts.undated)
    told = sorted((one for one in heads if not one.facts.undated), key=lambda one: one.place)
    found.extend(_numbered(one) for one in told)
    for one in told:
        found += [_withheld(one, facts) for facts in envelopes if _is_withheld(one, facts)]
    for first, second in _neighbours(told):
        same = (first.head.last, first.head.digest) == (second.head.last, second.head.digest)
        if same and first.made < second.until:
            found.append(_nothing(first, second))


def _head(item: EnvelopeEvidence, view: FileView, logged: Logged) -> _Told:
    # What holds of it as an envelope is not told: one sentence says what it is for.
    facts = judge_envelope(item, view, logged, [])
    core = facts.header.core
    if facts.manifest is None or facts.manifest.kind is not ContentKind.HEAD or len(facts.header.recipients) != 1:
        raise Broken(Claim.NUMBERED, f"envelope {core.id.hex()} is no head of a stream", core.sender)
    if facts.manifest.providers != (core.sender,):
        raise Broken(Claim.NUMBERED, f"envelope {core.id.hex()} is a head of another's stream", core.sender)
    head = read(Claim.NUMBERED, "head", HEAD, facts.manifest.body, MAX_SERVICE)
    return _Told(facts, head, core.sender, facts.header.recipients[0])


def _undated(one: _Told) -> Finding:
    core = one.facts.header.core
    said = (
        f"the head {core.id.hex()} of {one.sender} is signed by a key that is over, and the file does not show that it"
        " stood in a log before"
    )
    return Finding(Claim.UNDATED, said, one.sender, core.id.hex())


def _numbered(one: _Told) -> Finding:
    head, to = one.head, one.recipient
    voids = ", ".join(str(void.number) for void in head.voids)
    said = (
        f"{one.sender} signed a head at {date(one.made)}, by its own clock: the last number that it used in stream"
        f" {short(head.stream)} to {to} is {head.last}, which header {short(head.digest)} has"
    )
    if head.recent:
        said += f", and names the {len(head.recent)} headers before it"
    said += f"; without an envelope are {voids}" if voids else ""
    if to in one.facts.delivered:
        said += f"; {to} had this head at {date(one.facts.delivered[to])}, by its own clock"
    return Finding(Claim.NUMBERED, said, one.sender, one.facts.header.core.id.hex())


def _is_withheld(one: _Told, facts: EnvelopeFacts) -> bool:
    """The relay accepted the envelope, then the head that names it; its recipient has answered the head alone.

    A head that was accepted first, or in the same second, says nothing of the relay: its sender knows a header before
    it offers the envelope.
    """
    return (
        facts.receipt is not None
        and one.facts.receipt is not None
        and facts.receipt.time < one.facts.receipt.time
        and one.head.number_of(facts.digest) is not None
        and one.recipient in one.facts.delivered
        and one.recipient not in facts.answered
        and one.recipient in facts.header.recipients
    )


def _withheld(one: _Told, facts: EnvelopeFacts) -> Finding:
    name, receipt = facts.header.core.id.hex(), facts.receipt
    accepted = "" if receipt is None else f" at {date(receipt.time)}"
    number = one.head.number_of(facts.digest)
    said = (
        f"the relay accepted envelope {name}{accepted} and handed over to {one.recipient} a later head that names it as"
        f" number {number}; no acknowledgement of {one.recipient} for it is in this file: either the relay kept it"
        f" back, or {one.recipient} has it and does not say so, or there is one, which whoever has it can show"
    )
    return Finding(Claim.WITHHELD, said, one.recipient, name)


def _neighbours(told: Sequence[_Told]) -> list[tuple[_Told, _Told]]:
    """Each head with the next one of the same stream."""
    streams: dict[tuple[MemberId, MemberId, bytes], list[_Told]] = {}
    for one in told:
        streams.setdefault((one.sender, one.recipient, one.head.stream), []).append(one)
    return [pair for stream in streams.values() for pair in pairwise(stream)]


def _nothing(first: _Told, second: _Told) -> Finding:
    said = (
        f"{first.sender} states by two heads that it used no number in stream {short(first.head.stream)} to"
        f" {first.recipient} between {date(first.made)} and {date(second.until)}, by its own clock: nothing new was"
        " sent in it"
    )
    return Finding(Claim.NOTHING_SENT, said, first.sender)
