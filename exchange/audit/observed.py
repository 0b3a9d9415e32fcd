"""What the proof of an alarm proves, and what is the word of the node that made it. Pure; asked by `cbm audit verify`.

A proof file holds the directory by which it is checked, from the charter on that the verifier has. What the relay or
the members' nodes signed is proved; that something was shown at a time, or not made by a node, is what the observer
states and signs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from exchange.errors import Invalid
from keys import primitives
from keys.checkpoint import Checkpoint, SignedCheckpoint, parse_signed
from keys.cosign import Quorum
from keys.digests import charter_digest
from keys.directory import begin, extend
from keys.errors import BadProof, BadSignature, KeyFault, Untrusted
from keys.merkle import Frontier, verify_consistency
from keys.origin import AUDIT_LOG
from keys.quorum import known_log, verify_cosigned
from keys.tiles import entry_hash
from keys.verify import verify_receipt
from keys.view import Directory
from schemas.canon import decode
from schemas.contexts import Context, framed
from schemas.errors import DecodeError
from schemas.ids import Digest
from schemas.limits import FRESH, MAX_SMALL_OBJECT, MERGE_DELAY
from schemas.observation import Observation, ObservationKind, SignedObservation
from schemas.receipt import SIGNED_RECEIPT
from schemas.statement import DirectoryEntry, read_entry

DIRECTORY_LOG: Final = "directory"


class ProvesNothing(Invalid):
    """A proof file that proves nothing: altered, of another charter, or of what may well be."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a proof comes to, in sentences.

    Attributes:
        proved: by signatures of the relay, of members' nodes and of roots, whoever made the file.
        stated: what beside that rests on the word of the observer.
    """

    kind: ObservationKind
    observer: str
    time: int
    proved: tuple[str, ...]
    stated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """A proof as it is judged. `directory`: that of all entries but, in a proof about an invalid one, the last."""

    seen: Observation
    entries: Sequence[bytes]
    directory: Directory
    signed: bool

    def said(self, sentence: str) -> tuple[str, ...]:
        """What the observer states. Raises ProvesNothing when nobody whom the directory knows has signed it."""
        if not self.signed:
            raise _nothing(f"what it says is signed by no key of {self.seen.member} in the directory")
        return (f"{self.seen.member} states: {sentence}",)


def examine(signed: SignedObservation, entries: Sequence[bytes], charter: Digest) -> Finding:
    """What a proof proves to whoever trusts the charter version with this digest. Raises ProvesNothing."""
    seen = signed.observation
    try:
        sound = entries[:-1] if seen.kind is ObservationKind.INVALID_ENTRY else entries
        directory = _directory(sound, charter)
        case = _Case(seen, entries, directory, _by_observer(signed, directory))
        proved, stated = _JUDGES[seen.kind](case)
    except (KeyFault, DecodeError, ValueError) as fault:
        raise _nothing(str(fault)) from None
    return Finding(seen.kind, seen.member, seen.time, proved, stated)


_Found = tuple[tuple[str, ...], tuple[str, ...]]


def _split_view(case: _Case) -> _Found:
    """Two checkpoints of the relay: two roots at one size, or a larger one that does not begin with the smaller."""
    small, large = sorted((_note(case.seen.held), _note(case.seen.shown)), key=lambda note: note.checkpoint.size)
    first, second = (_by_relay(case, note, short=True, logs=(DIRECTORY_LOG, AUDIT_LOG)) for note in (small, large))
    if first.origin != second.origin:
        raise _nothing("the two checkpoints are of two logs")
    root = second.root if first.size == second.size else case.seen.root
    if root is None:
        raise _nothing("it does not show that the two checkpoints contradict each other: the relay owes the proof")
    verify_consistency(first.size, second.size, root, second.root, case.seen.path)
    if root == first.root:
        raise _nothing("the two checkpoints may well be of one log")
    lines = (
        f"the relay signed {first.origin} of {first.size} entries with root {_short(first.root)}",
        f"the relay signed the same of {second.size} entries, whose first {first.size} have root {_short(root)}",
        "so it has shown two logs under one name: none can have both",
    )
    return lines, ()


def _rollback(case: _Case) -> _Found:
    held, quorum = _cosigned(case, case.seen.held)
    shown = _by_relay(case, _note(case.seen.shown))
    if shown.origin != held.origin or shown.size >= held.size:
        raise _nothing("the later checkpoint is not the smaller one")
    proved = (
        f"the relay signed the directory of {held.size} entries, and a quorum had cosigned it by {_date(quorum.first)}",
        f"the relay signed the directory of {shown.size} entries",
    )
    return proved, case.said(f"at {_date(case.seen.time)} the relay showed the smaller one as its newest")


def _freeze(case: _Case) -> _Found:
    shown, quorum = _cosigned(case, case.seen.shown)
    proved = [f"a quorum had cosigned the directory of {shown.size} entries last at {_date(quorum.time)}"]
    age = case.seen.time - quorum.time
    if case.seen.held is not None:
        held = _by_relay(case, _note(case.seen.held), short=True)
        if held.origin != shown.origin or held.size <= shown.size:
            raise _nothing("the checkpoint that is said to be kept back is not the larger one")
        proved.append(f"the relay signed the directory of {held.size} entries")
    elif age <= FRESH:
        raise _nothing(f"the checkpoint was {age} s old, which is no freeze")
    return tuple(proved), case.said(f"at {_date(case.seen.time)} the relay showed that of {shown.size} as its newest")


def _unwitnessed(case: _Case) -> _Found:
    shown = _note(case.seen.shown)
    checkpoint = _by_relay(case, shown)
    if checkpoint.size > case.directory.size:
        raise _nothing("the directory in it is too short to say who cosigns")
    try:
        verify_cosigned(shown, DIRECTORY_LOG, case.directory.as_of(checkpoint.size))
    except (Untrusted, BadSignature) as fault:
        why = str(fault)
    else:
        raise _nothing("the checkpoint has its quorum")
    proved = (f"the relay signed the directory of {checkpoint.size} entries, and the note lacks the quorum: {why}",)
    return proved, case.said(f"at {_date(case.seen.time)} the relay showed it as published")


def _invalid_entry(case: _Case) -> _Found:
    index = len(case.entries) - 1
    if case.seen.index != index:
        raise _nothing("it is not about the last entry that it holds")
    checkpoint = _under(case, index)
    try:
        extend(case.directory, [read_entry(case.entries[index])])
    except (KeyFault, DecodeError) as fault:
        why = str(fault)
    else:
        raise _nothing("the rules of the directory allow the entry")
    proved = (
        f"the relay signed the directory of {checkpoint.size} entries",
        f"its entry {index} breaks the rules of the directory: {why}",
    )
    return proved, ()


def _foreign_entry(case: _Case) -> _Found:
    index = case.seen.index
    if index is None or index >= len(case.entries):
        raise _nothing("it holds no such entry")
    checkpoint = _under(case, index)
    entry = read_entry(case.entries[index])
    if getattr(entry.statement, "member", None) != case.seen.member:
        raise _nothing(f"the entry is not in the name of {case.seen.member}")
    proved = (
        f"the relay signed the directory of {checkpoint.size} entries",
        f"its entry {index} is a {_kind(entry)} of {case.seen.member}, with a signature that holds",
    )
    return proved, case.said("its node did not make this entry")


def _receipt_size(case: _Case) -> _Found:
    held, quorum = _cosigned(case, case.seen.held)
    if case.seen.receipt is None:
        raise _nothing("it holds no receipt")
    receipt = verify_receipt(decode(SIGNED_RECEIPT, case.seen.receipt, 2 * MAX_SMALL_OBJECT), case.directory)
    if receipt.directory_size >= held.size or receipt.time <= quorum.first + MERGE_DELAY:
        raise _nothing("the receipt may well be in order")
    proved = (
        f"a quorum had cosigned the directory of {held.size} entries by {_date(quorum.first)}",
        f"the relay decided at {_date(receipt.time)} under one of {receipt.directory_size} entries",
        f"it was about envelope {receipt.envelope.hex()} of {receipt.sender}",
    )
    return proved, ()


_JUDGES: Final[dict[ObservationKind, Callable[[_Case], _Found]]] = {
    ObservationKind.SPLIT_VIEW: _split_view,
    ObservationKind.ROLLBACK: _rollback,
    ObservationKind.FREEZE: _freeze,
    ObservationKind.UNWITNESSED: _unwitnessed,
    ObservationKind.INVALID_ENTRY: _invalid_entry,
    ObservationKind.FOREIGN_ENTRY: _foreign_entry,
    ObservationKind.RECEIPT_SIZE: _receipt_size,
}


def _directory(entries: Sequence[bytes], charter: Digest) -> Directory:
    if not entries:
        raise _nothing("it holds no directory")
    first, *others = [read_entry(entry) for entry in entries]
    directory = extend(begin(first, charter_digest(first.body)), others)
    # Each version names the one before by its digest: who trusts one trusts those before it.
    if all(record.digest != charter for record in directory.charters):
        raise _nothing("it is about a directory of another charter")
    return directory


def _by_observer(signed: SignedObservation, directory: Directory) -> bool:
    """Whether a key of the observer that the directory knows has signed. Raises BadSignature when it has not."""
    seen = signed.observation
    record = directory.signing.get((seen.member, seen.key_id))
    if record is None:
        return False
    if not primitives.ed25519_verify(record.keys.ed25519, framed(Context.OBSERVATION, signed.body), signed.signature):
        raise BadSignature(f"the signature of {seen.member} does not verify: the file was altered")
    return record.valid_from <= seen.time <= record.valid_until


def _note(note: bytes | None) -> SignedCheckpoint:
    if note is None:
        raise _nothing("it lacks a checkpoint")
    return parse_signed(note)


def _by_relay(
    case: _Case, signed: SignedCheckpoint, *, short: bool = False, logs: Sequence[str] = (DIRECTORY_LOG,)
) -> Checkpoint:
    """A checkpoint of the directory that its relay signed. `short`: the Ed25519 line alone is enough."""
    for name in logs:
        log = known_log(signed.checkpoint.origin, name, case.directory)
        if log is not None:
            return log.keys.verify_short(signed) if short else log.keys.verify(signed)
    raise _nothing(f"{signed.checkpoint.origin} is no log of a relay of the charter")


def _cosigned(case: _Case, note: bytes | None) -> tuple[Checkpoint, Quorum]:
    signed = _note(note)
    if not 1 <= signed.checkpoint.size <= case.directory.size:
        raise _nothing("the directory in it is too short to say who cosigns")
    view = case.directory.as_of(signed.checkpoint.size)
    checkpoint, quorum = verify_cosigned(signed, DIRECTORY_LOG, view)
    return checkpoint, quorum


def _under(case: _Case, index: int) -> Checkpoint:
    """The relay's checkpoint over a log that begins with the entries up to `index`."""
    checkpoint = _by_relay(case, _note(case.seen.shown))
    begun = Frontier().extend(entry_hash(entry) for entry in case.entries[: index + 1])
    try:
        verify_consistency(begun.size, checkpoint.size, begun.root, checkpoint.root, case.seen.path)
    except BadProof:
        raise _nothing("the entry is not in the log of the checkpoint") from None
    return checkpoint


def _kind(entry: DirectoryEntry) -> str:
    return entry.kind.name.lower().replace("_", " ")


def _short(root: Digest) -> str:
    return root.hex()[:16]


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _nothing(why: str) -> ProvesNothing:
    return ProvesNothing("proves-nothing", f"this file proves nothing: {why}")
