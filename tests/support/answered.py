"""Acknowledgements in the log of a world's relay.

logged = logged_answer_of(world, ack, size)             # a LoggedEntry, cosigned by all voters at the world's time
"""

from collections.abc import Iterable
from typing import Any

from keys.digests import sha256
from keys.merkle import MemoryTree, inclusion_proof
from keys.tiles import entry_hash
from schemas.audit import AuditEntry, AuditKind, write_entry
from schemas.canon import encode
from schemas.evidence import LoggedEntry
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SignedAcknowledgement
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.parties import replaced
from tests.support.world import World


def logged_answer_of(
    world: World,
    signed: SignedAcknowledgement,
    size: int,
    time: int | None = None,
    by: Iterable[str] | None = None,
    **fields: object,
) -> LoggedEntry:
    """The second of three entries, taken by a directory of `size`; `fields` replace attributes of AuditEntry."""
    ack = signed.acknowledgement
    values: dict[str, Any] = {
        "kind": AuditKind.ACKNOWLEDGED,
        "salt": b"s" * 32,
        "time": world.now if time is None else time,
        "member": ack.recipient,
        "envelope": ack.envelope,
        "header_digest": ack.header_digest,
        "evidence": sha256(encode(SIGNED_ACKNOWLEDGEMENT, signed)),
        "directory_size": size,
    }
    leaf = write_entry(AuditEntry(**replaced(values, fields)))
    leaves = [b"before", leaf, b"after"]
    note = cosigned(world, signed_checkpoint(world, "audit", leaves), by, time).encode()
    path = inclusion_proof(1, 3, MemoryTree(entry_hash(item) for item in leaves))
    return LoggedEntry(leaf, 1, path, note)
