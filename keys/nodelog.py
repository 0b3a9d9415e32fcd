"""The audit log of a member's node: its origin, and who signed a checkpoint of it (docs/protocol.md, "Audit logs")."""

from keys.checkpoint import Checkpoint, LogKeys, SignedCheckpoint
from keys.errors import Untrusted
from keys.view import Directory
from schemas.charter import HybridPublic
from schemas.ids import MemberId


def node_origin(member: MemberId) -> str:
    """The origin of the audit log of a member's node; it stays while keys come and go."""
    return f"cbm.exchange/audit/{member}"


def node_log_keys(member: MemberId, keys: HybridPublic) -> LogKeys:
    """The two keys under which a node with this signing key signs the checkpoints of its log."""
    return LogKeys.of(node_origin(member), keys)


def verify_node_checkpoint(signed: SignedCheckpoint, member: MemberId, directory: Directory, at: int) -> Checkpoint:
    """A checkpoint of a member's log by a signing key that is in force and valid at `at` (Unix seconds).

    Raises Untrusted when no such key signed it, or BadSignature.
    """
    present = {(line.name, line.key_hash) for line in signed.signatures}
    for record in directory.signing.values():
        if record.member != member or not record.valid_from <= at <= record.valid_until:
            continue
        keys = node_log_keys(member, record.keys)
        if (keys.ed25519.name, keys.ed25519.key_hash) in present and directory.in_force(record):
            return keys.verify(signed)
    raise Untrusted(f"no signing key of {member} that is valid now has signed this checkpoint of its log")
