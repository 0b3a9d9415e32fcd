"""Entries of audit logs in an evidence file, and signatures that stood there before their keys were over.

Whoever signs an answer and later revokes the key does not undo the answer: the relay's log says that it stood there
while members had not seen the revocation yet.
"""

from dataclasses import dataclass

from exchange.audit.claims import Broken, Claim, Finding, date, short
from exchange.audit.evidence_view import FileView
from keys.digests import sha256
from keys.errors import KeyFault
from keys.merkle import verify_inclusion
from keys.origin import Cosigned, Origin, cosigned_audit
from keys.primitives import ed25519_verify
from keys.tiles import entry_hash
from schemas.audit import AuditEntry, read_entry
from schemas.contexts import Context, framed
from schemas.errors import DecodeError
from schemas.evidence import LoggedEntry
from schemas.ids import KeyId, MemberId


@dataclass(frozen=True, slots=True)
class Signed:
    """Bytes that a member's node signed with Ed25519 at `time`, as they say themselves (Unix seconds).

    `exact`: the object of bytes and signature, by which a log names it.
    """

    member: MemberId
    key_id: KeyId
    time: int
    context: Context
    body: bytes
    signature: bytes
    exact: bytes


class Logged:
    """The entries of a file, each verified."""

    def __init__(self, entries: tuple[LoggedEntry, ...], view: FileView, found: list[Finding]) -> None:
        """Judge each; raises Broken."""
        self._view = view
        self._found = found
        self._origins: set[Origin] = set()
        for item in entries:
            entry, time = self._judge(item)
            if entry.evidence is not None and entry.directory_size is not None:
                self._origins.add(Origin(entry.evidence, time, entry.directory_size))
            name = None if entry.envelope is None else entry.envelope.hex()
            said = f"entry {item.index} of the relay's log states {entry.kind.label} at {date(entry.time)}"
            said += "" if name is None else f" of envelope {name}"
            size = entry.directory_size
            said += "" if size is None else f", by the directory of {size} entries as the relay says"
            said += f"; a quorum had cosigned it by {date(time)}"
            found.append(Finding(Claim.LOGGED, said, entry.member, name))

    def holds(self, claim: Claim, what: str, signed: Signed) -> bool:
        """Whether a signature holds, now or as it stood in the log; when not, that it is undated is found.

        A key that is over may have signed before or after. Raises Broken for what its key never signed.
        """
        record = self._view.current.signing.get((signed.member, signed.key_id))
        why = None
        if record is None:
            why = f"the root of {signed.member} certified no key {short(signed.key_id)} of its node"
        elif not ed25519_verify(record.keys.ed25519, framed(signed.context, signed.body), signed.signature):
            why = f"the signature of {signed.member} does not verify"
        elif not record.valid_from <= signed.time <= record.valid_until:
            why = f"the key of {signed.member} was not valid at {date(signed.time)}"
        if record is None or why is not None:
            raise Broken(claim, f"{what} does not hold: {why}", signed.member)
        if self._view.holds(self._origins, sha256(signed.exact), signed.member, signed.key_id):
            return True
        said = f"{what} is signed by a key that is over, and the file does not show that it stood in a log before"
        self._found.append(Finding(Claim.UNDATED, said, signed.member))
        return False

    def _judge(self, item: LoggedEntry) -> tuple[AuditEntry, int]:
        """An entry, and by when a quorum had cosigned it."""
        try:
            entry = read_entry(item.leaf)
            size = entry.directory_size
            cosigned = self._cosigned(item.note, size)
            verify_inclusion(entry_hash(item.leaf), item.index, cosigned.size, item.path, cosigned.root)
        except (KeyFault, DecodeError) as fault:
            raise Broken(Claim.LOGGED, f"entry {item.index} is not in the relay's log: {fault}") from None
        if size is not None and size < self._view.least_size(cosigned.time):
            raise Broken(Claim.LOGGED, f"entry {item.index} of the relay's log was dated back")
        return entry, cosigned.time

    def _cosigned(self, note: bytes, size: int | None) -> Cosigned:
        """Who may have cosigned is judged by the directory of the entry, or by the newest."""
        if size is not None and 1 <= size < self._view.current.size:
            try:
                return cosigned_audit(note, self._view.as_of(size))
            except (KeyFault, DecodeError):
                pass
        return cosigned_audit(note, self._view.current)
