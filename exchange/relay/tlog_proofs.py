"""Proofs that entries stand in the relay's audit log, under the first published checkpoint of those that are kept."""

import asyncio

from exchange.errors import NotFound
from exchange.relay.tlog import Log
from exchange.storage.log_port import AUDIT, AuditLeaf, LogStore
from keys.checkpoint import SignedCheckpoint, parse_signed
from keys.cosign import MEMBER_NAMES
from schemas.evidence import LoggedEntry
from schemas.origin import Origins, one_origin


class LogProofs:
    """Makes them."""

    def __init__(self, audit: Log, store: LogStore) -> None:
        """The log has the tree, the store the checkpoints."""
        self._audit = audit
        self._store = store

    async def origin(self, found: AuditLeaf | None) -> Origins:
        """Of an acceptance. Raises NotFound (not-logged-yet)."""
        proof = await self.entry(found)
        return one_origin(proof.note, proof.leaf, proof.index, proof.path)

    async def entry(self, found: AuditLeaf | None) -> LoggedEntry:
        """Of any entry. Raises NotFound (not-logged-yet)."""
        stored = None if found is None else await self._store.covering_checkpoint(AUDIT, found.position)
        if found is None or stored is None:
            raise NotFound("not-logged-yet", "no published checkpoint covers this yet: try again")
        signed = parse_signed(stored.note)
        checkpoint = signed.checkpoint
        prove = self._audit.tree.inclusion
        path = await asyncio.to_thread(prove, found.leaf, found.position, checkpoint.size, checkpoint.root)
        return LoggedEntry(found.leaf, found.position, path, _counting(signed).encode())


def _counting(signed: SignedCheckpoint) -> SignedCheckpoint:
    """Without the lines of witnesses that count for no quorum: an envelope may have to carry the rest."""
    own = signed.checkpoint.origin
    kept = [line for line in signed.signatures if line.name == own or line.name.startswith(MEMBER_NAMES)]
    return SignedCheckpoint(signed.checkpoint, tuple(kept))
