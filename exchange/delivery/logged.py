"""Whether the relay's log holds the acceptance that its receipt states (docs/protocol.md, "Origin proofs")."""

from typing import Protocol

from keys.digests import logged_grant, logged_provision
from keys.errors import KeyFault
from keys.merkle import verify_inclusion
from keys.origin import cosigned_audit
from keys.receipts import receipt_covers
from keys.tiles import entry_hash
from keys.view import Directory
from schemas.envelope import Header
from schemas.errors import DecodeError
from schemas.origin import Origins
from schemas.receipt import Receipt


def is_passed_on(header: Header) -> bool:
    """Whether the envelope brings what its sender does not provide itself: then consent decides, at its acceptance."""
    sender = header.core.sender
    return any(sender not in signed.provision.providers for signed in header.core.provisions)


class Known(Protocol):
    """What a node knows of the directory."""

    @property
    def current(self) -> Directory:
        """The newest view."""
        ...

    def as_of(self, size: int) -> Directory:
        """The view at a size."""
        ...

    def least_size(self, time: int) -> int:
        """The size that it had for sure at a time (Unix seconds)."""
        ...


def acceptance_fault(origins: Origins, header: Header, receipt: Receipt, known: Known) -> str | None:
    """Why the proof does not show that this envelope's acceptance stands in a cosigned checkpoint; None when it does.

    Who may have cosigned is judged by the directory of the receipt, or by the newest: keys change meanwhile. The size
    that the relay decided under must not have been out of date when the members cosigned: it could else log today what
    it says that it accepted before consent was withdrawn.
    """
    if len(origins.proofs) != 1 or not receipt_covers(receipt, header):
        return "it is the proof of something else"
    proof = origins.proofs[0]
    leaf, core = proof.acceptance, header.core
    states = (leaf.sender, leaf.envelope, leaf.header_digest, leaf.signature, leaf.time, leaf.directory_size)
    stated = (
        receipt.sender,
        receipt.envelope,
        receipt.header_digest,
        header.signature,
        receipt.time,
        receipt.directory_size,
    )
    consent = (
        tuple(sorted(logged_provision(signed) for signed in core.provisions)),
        tuple(sorted(logged_grant(signed) for signed in core.grants)),
    )
    if states != stated or (leaf.provisions, leaf.grants) != consent:
        return "the log states another acceptance than the receipt"
    fault = "it leads to no checkpoint"
    for view in (known.as_of(receipt.directory_size), known.current):
        try:
            cosigned = cosigned_audit(origins.checkpoints[0], view)
            verify_inclusion(entry_hash(proof.leaf), proof.index, cosigned.size, proof.path, cosigned.root)
        except (KeyFault, DecodeError) as why:
            fault = str(why)
            continue
        if leaf.directory_size < known.least_size(cosigned.time):
            return "it was logged when the directory had grown beyond the size that the relay says it decided under"
        return None
    return fault
