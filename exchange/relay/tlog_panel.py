"""Who may cosign a checkpoint and whether an answer does. Pure.

A member's node counts when both of its lines hold, under a key that is in force in the view that the checkpoint is
judged by (`keys.quorum` has the rule), and are of this time. A witness of others is kept and counts for nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from exchange.relay.limits import SESSION_SKEW
from exchange.relay.tlog_core import Witness
from keys.checkpoint import Checkpoint, SignedCheckpoint
from keys.cosign import CosignerKeys, collect
from keys.errors import BadSignature, Untrusted
from keys.note import NoteKey, NoteSignature, parse_lines
from keys.quorum import cosigner_keys, member_keys
from keys.view import Directory, SigningRecord


@dataclass(frozen=True, slots=True)
class Panel:
    """The witnesses of one checkpoint under one view of the directory.

    Attributes:
        members: signing keys in force, of each member that counts.
        foreign: keys of each witness of others.
        needed: how many members have to cosign.
    """

    view: Directory
    members: Mapping[Witness, Sequence[SigningRecord]]
    foreign: Mapping[Witness, Sequence[NoteKey]]
    needed: int

    @classmethod
    def of(cls, view: Directory, foreign: Mapping[Witness, Sequence[NoteKey]]) -> Self:
        """Those that the charter in force and the keys of `view` make up, and witnesses of others."""
        members: dict[Witness, list[SigningRecord]] = {}
        for record in member_keys(view):
            members.setdefault(Witness(record.member), []).append(record)
        return cls(view, members, foreign, view.charter.quorums.witness)

    @property
    def witnesses(self) -> frozenset[Witness]:
        """Everybody who may be asked."""
        return frozenset((*self.members, *self.foreign))

    def counts(self, witness: Witness) -> bool:
        """Whether it counts for the quorum."""
        return witness in self.members

    def lines(self, witness: Witness, checkpoint: Checkpoint, answer: bytes, now: int) -> tuple[NoteSignature, ...]:
        """The witness's own lines of its answer, verified. Raises BadSignature, Untrusted or DecodeError."""
        given = parse_lines(answer)
        if witness in self.foreign:
            keys = self.foreign[witness]
            found = collect(checkpoint, given, keys)
            if not 1 <= len(found) <= len(keys):
                raise Untrusted(f"the witness {witness} answered no cosignature by its keys: check them")
            return found
        for record in self.members.get(witness, ()):
            keys_of = cosigner_keys(record)
            found = collect(checkpoint, given, (keys_of.ed25519, keys_of.mldsa44))
            if found:
                _check_member(record, keys_of, SignedCheckpoint(checkpoint, found), now)
                return found
        raise Untrusted(f"{witness} cosigned with no key that is in force in the directory")


class OtherTime(Untrusted):
    """A member's cosignature holds, and states a time that is not now."""


def _check_member(record: SigningRecord, keys: CosignerKeys, signed: SignedCheckpoint, now: int) -> None:
    """Exactly one line of each half, of this time and within the key's term."""
    times = keys.times(signed)
    if times is None or len(signed.signatures) != 2:
        raise BadSignature(f"{record.member} has to cosign in one line with each half of its key")
    if abs(min(times) - now) > SESSION_SKEW:
        raise OtherTime(f"the cosignature of {record.member} is not of this time: check both clocks")
    if not all(record.valid_from <= time <= record.valid_until for time in times):
        raise Untrusted(f"the key with which {record.member} cosigned is not valid at that time")
