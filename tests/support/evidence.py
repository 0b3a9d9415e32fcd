"""Evidence files by hand: a sender, a relay and recipients of a test world put together what they have of an envelope.

case = Case(world)
sent = case.send("KAZ", ["MNG", "UZB"])                  # accepted, and in the relay's log
case.answer(sent, "MNG")
judged = judge(case.world, case.file(sent))
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exchange.audit.claims import Claim, Finding
from exchange.audit.evidence import Judgement, judge_evidence
from keys.digests import provision_digest, sha256
from keys.merkle import MemoryTree, inclusion_proof
from keys.tiles import entry_hash
from schemas.audit import AuditEntry, AuditKind, write_entry
from schemas.canon import encode
from schemas.evidence import EnvelopeEvidence, Evidence, LoggedEntry, encode_evidence
from schemas.ids import Digest, MemberId
from schemas.limits import DAY
from schemas.origin import Origins
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.origins import AuditLog
from tests.support.parties import replaced
from tests.support.proofs import note_of
from tests.support.world import Sealed, World


@dataclass(slots=True)
class Kept:
    """An envelope, and what its parties have of it; a test may replace any of it."""

    sealed: Sealed
    receipt: bytes | None
    index: int | None
    answers: list[bytes] = field(default_factory=list)
    manifest: bytes | None = None
    logged: Origins | None = None


class Case:
    """Envelopes of a world, with the relay's log."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = AuditLog(world)

    def send(self, sender: str, to: Iterable[str], **steps: Any) -> Kept:  # noqa: ANN401  # as of `World.envelope`
        """Sealed, accepted, logged."""
        return self.accept(self.world.envelope(to, sender, **steps))

    def accept(self, sealed: Sealed) -> Kept:
        """What the relay gives for an envelope."""
        return Kept(sealed, encode(SIGNED_RECEIPT, self.world.receipt(sealed)), self.log.accept(sealed))

    def head(self, sender: str, recipient: str, **fields: object) -> Kept:
        """How far the sender's stream is, as the recipient is told; accepted a second after all else."""
        manifest = self.world.head_manifest(sender, recipient, **fields)
        sealed = self.world.envelope([recipient], sender, manifest=manifest)
        receipt = self.world.receipt(sealed, time=self.world.now + 1)
        return Kept(sealed, encode(SIGNED_RECEIPT, receipt), None, manifest=manifest)

    def answer(self, kept: Kept, recipient: str, **fields: Any) -> None:  # noqa: ANN401
        """A recipient's acknowledgement."""
        signed = self.world.acknowledgement(kept.sealed, recipient, **fields)
        kept.answers.append(encode(SIGNED_ACKNOWLEDGEMENT, signed))

    def logged(
        self, kept: Kept, recipient: str, by: Iterable[str] | None = None, after: int = 0, **fields: object
    ) -> LoggedEntry:
        """The relay's entry about the first answer, in a log of its own; `fields` replace those of the entry.

        `after`: how many seconds later it was cosigned.
        """
        w = self.world
        values: dict[str, Any] = {
            "kind": AuditKind.ACKNOWLEDGED,
            "salt": w.random(32),
            "time": w.now,
            "member": MemberId(recipient),
            "envelope": kept.sealed.header.core.id,
            "header_digest": kept.sealed.digest,
            "evidence": sha256(kept.answers[0]),
            "directory_size": w.directory.size,
        }
        leaf = write_entry(AuditEntry(**replaced(values, fields)))
        leaves = [b"before", leaf, b"after"]
        note = cosigned(w, signed_checkpoint(w, "audit", leaves), by, w.now + after).encode()
        path = inclusion_proof(1, len(leaves), MemoryTree(entry_hash(item) for item in leaves))
        return LoggedEntry(leaf, 1, path, note)

    def item(self, kept: Kept) -> EnvelopeEvidence:
        """As it stands in a file."""
        logged = kept.logged if kept.index is None else self.log.proof(kept.index)
        return EnvelopeEvidence(
            kept.sealed.header_bytes, kept.receipt, logged, tuple(sorted(kept.answers)), kept.manifest
        )

    def file(
        self,
        *kept: Kept,
        heads: Sequence[Kept] = (),
        entries: Sequence[bytes] | None = None,
        note: bytes | None = None,
        logged_entries: Sequence[LoggedEntry] = (),
        earlier: Iterable[bytes] = (),
        **fields: object,
    ) -> bytes:
        """An evidence file about the first of these; about a partner's streams when there is none.

        `earlier`: checkpoints of the directory beside the newest.
        """
        w = self.world
        given = w.entries if entries is None else entries
        values: dict[str, Any] = {
            "member": MemberId("KAZ"),
            "time": w.now + DAY,
            "provision": None,
            "partner": None,
            "checkpoint": note or note_of(w, given, time=w.now),
            "envelopes": tuple(self.item(one) for one in kept),
            "heads": tuple(self.item(one) for one in heads),
            "entries": tuple(logged_entries),
            "earlier": tuple(sorted(earlier)),
        }
        if kept:
            values["provision"] = subject(kept[0].sealed)
        else:
            values["partner"] = MemberId("MNG")
        return encode_evidence(Evidence(**replaced(values, fields)), given)


def subject(sealed: Sealed) -> Digest:
    """Digest of an envelope's first Provision."""
    return provision_digest(sealed.header.core.provisions[0].body)


def judge(world: World, data: bytes) -> Judgement:
    """With nothing but the charter."""
    return judge_evidence(data, world.charter_digest)


def of(judged: Judgement, claim: Claim) -> tuple[Finding, ...]:
    """The findings of a claim; the file has to hold."""
    assert judged.broken is None, judged.broken
    return tuple(finding for finding in judged.findings if finding.claim is claim)


def members(judged: Judgement, claim: Claim) -> list[str]:
    """Whom a claim is found of."""
    return [str(finding.member) for finding in of(judged, claim)]


def claims(judged: Judgement) -> Mapping[str, int]:
    """How many findings there are of each claim."""
    names = [finding.claim.value for finding in judged.findings]
    return {name: names.count(name) for name in dict.fromkeys(names)}
