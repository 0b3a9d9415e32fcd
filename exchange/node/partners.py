"""What partners show of their own audit logs inside their envelopes, and what this node shows of its own.

Each may only grow. A node shows no more than the relay has: what it loses with its disk was never shown to anybody.
"""

from exchange.node.alarms import Alarms
from exchange.node.parts import Parts
from exchange.storage.audit_port import HeardAnchor
from keys.checkpoint import Checkpoint, parse_signed
from keys.errors import KeyFault, Untrusted
from keys.nodelog import node_log_keys
from keys.view import Directory
from schemas.errors import DecodeError
from schemas.ids import MemberId


class Partners:
    """Verifies, keeps, tells."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._alarms = Alarms(parts.stores.inbox, parts.clock)

    async def heard(self, member: MemberId, note: bytes | None) -> None:
        """Take what an envelope of a member carried; None: it carried none."""
        if note is None:
            return
        parts = self._parts
        try:
            checkpoint = _verified(member, note, parts.directory.current)
        except (DecodeError, KeyFault) as fault:
            detail = f"{member} shows a checkpoint of its audit log that cannot be used: {fault}"
            await self._alarms.tell_daily(f"bad-anchor:{member}", "bad-anchor", member, detail)
            return
        said = HeardAnchor(member, checkpoint.origin, checkpoint.size, checkpoint.root, note, parts.clock.now())
        if await parts.stores.audit_heads.hear(said) is not None:
            detail = f"{member} has signed two audit logs of {checkpoint.size} entries: both checkpoints are kept"
            await self._alarms.tell_daily(f"audit-split:{member}", "audit-split", member, detail)


async def own_anchor(parts: Parts) -> bytes | None:
    """The newest of this node's checkpoints that the relay has, with the Ed25519 line; None when there is none yet."""
    kept = await parts.stores.audit_heads.newest(anchored=True)
    if kept is None:
        return None
    try:
        signing = parts.keyring.signing
        return parse_signed(kept.note).only(node_log_keys(signing.owner, signing.public).ed25519).encode()
    except DecodeError:
        # Signed by the key before this one: the next is not long in coming.
        return None


def _verified(member: MemberId, note: bytes, directory: Directory) -> Checkpoint:
    """By the Ed25519 line of a key that is in force. Raises Untrusted, BadSignature, DecodeError."""
    signed = parse_signed(note)
    for record in directory.signing.values():
        if record.member != member:
            continue
        keys = node_log_keys(member, record.keys)
        if any(line.by(keys.ed25519) for line in signed.signatures) and directory.in_force(record):
            return keys.verify_short(signed)
    raise Untrusted(f"no signing key of {member} that is in force has signed it")
