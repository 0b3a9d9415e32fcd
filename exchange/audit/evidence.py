"""What an evidence file proves to whoever has the charter: one sentence for each claim. Pure; asked by `cbm evidence`.

Every claim rests on what relays, nodes and roots have signed, judged under the directory in the file, which a quorum of
the charter's members cosigned. More evidence never takes a claim away, but for those that say what is not in the file.
"""

from dataclasses import dataclass
from typing import Final

from exchange.audit.claims import Broken, Claim, Finding
from exchange.audit.evidence_consent import judge_consent
from exchange.audit.evidence_envelope import EnvelopeFacts, judge_envelope
from exchange.audit.evidence_logged import Logged
from exchange.audit.evidence_streams import judge_streams
from exchange.audit.evidence_view import view_of
from exchange.errors import Invalid
from keys.digests import provision_digest
from schemas.errors import DecodeError
from schemas.evidence import Evidence, read_evidence
from schemas.ids import Digest, MemberId

_NO_EVIDENCE: Final = "no-evidence"


class NoEvidence(Invalid):
    """A file that is no evidence file, or is about a directory of another charter: nothing can be judged."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a file comes to.

    Attributes:
        member, time: whose node wrote it out, and when (Unix seconds), as the file says: no claim rests on it.
        subject: what it is about.
        findings: the claims that hold, in the order in which they were judged.
        broken: the first claim that does not; nothing was judged after it.
    """

    member: MemberId
    time: int
    subject: str
    findings: tuple[Finding, ...]
    broken: Broken | None


def judge_evidence(data: bytes, charter: Digest) -> Judgement:
    """Judge an evidence file by the charter version with this digest; raises NoEvidence, and nothing else."""
    try:
        evidence, entries = read_evidence(data)
    except DecodeError as fault:
        raise NoEvidence(_NO_EVIDENCE, f"this is no evidence file, or it was altered: {fault}") from None
    found: list[Finding] = []
    broken = None
    try:
        _judge(evidence, entries, charter, found)
    except Broken as fault:
        broken = fault
    return Judgement(evidence.member, evidence.time, subject_of(evidence), tuple(found), broken)


def subject_of(evidence: Evidence) -> str:
    """What the file is about, in words."""
    if evidence.provision is not None:
        return f"what stands under Provision {evidence.provision.hex()}"
    return f"the streams between {evidence.member} and {evidence.partner}"


def _judge(evidence: Evidence, entries: tuple[bytes, ...], charter: Digest, found: list[Finding]) -> None:
    view = view_of(evidence, entries, charter, found)
    if view is None:
        raise NoEvidence(_NO_EVIDENCE, "this file is about a directory of another charter")
    logged = Logged(evidence.entries, view, found)
    envelopes: list[EnvelopeFacts] = []
    for listed in (evidence.envelopes, evidence.heads):
        if len({item.header for item in listed}) < len(listed):
            raise Broken(
                Claim.SENT, "an envelope stands twice in the file, so that its answers may be kept apart from it"
            )
    for item in evidence.envelopes:
        facts = judge_envelope(item, view, logged, found)
        _must_belong(evidence, facts)
        envelopes.append(facts)
    judge_consent(evidence, envelopes, view, logged, found)
    judge_streams(evidence.heads, envelopes, view, logged, found)


def _must_belong(evidence: Evidence, facts: EnvelopeFacts) -> None:
    """An envelope of a message carries the Provision that the file is about. Raises Broken."""
    if evidence.provision is None:
        return
    carried = {provision_digest(signed.body) for signed in facts.header.core.provisions}
    if evidence.provision not in carried:
        name = facts.header.core.id.hex()
        raise Broken(Claim.SENT, f"envelope {name} carries another Provision than the file is about")
