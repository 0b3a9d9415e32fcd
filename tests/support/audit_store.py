"""A node's stored audit log whose operator has the disk and the signing key, and what the relay holds of it.

`tamper` rewrites rows by hand; `again` makes tiles and checkpoints anew over what stands there then.
"""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from exchange.audit.pruned import Terms
from exchange.audit.tree import Tree
from exchange.storage.audit_port import AuditCheckpoint, AuditFact
from exchange.storage.audit_sqlite import SqliteAudit
from exchange.storage.engine import Database
from exchange.storage.node_audit_heads import SqliteAuditHeads
from exchange.tile_files import TileFiles
from exchange.wiring.auditing import TILES, Verified, verify_node_log
from keys.identity import SigningIdentity
from keys.logsigner import sign_node_checkpoint
from keys.merkle import Frontier, leaf_hash
from keys.nodelog import node_log_keys
from schemas.audit import AuditKind
from schemas.ids import Digest, MemberId
from schemas.limits import DAY, MIN_KEPT_DAYS
from tests.support.world import World

MEMBER = MemberId("KAZ")
KINDS = (AuditKind.SUBMITTED, AuditKind.SEALED, AuditKind.RECEIVED, AuditKind.OPENED, AuditKind.FORWARDED)
T0 = 1_800_000_000
LATER = T0 + 1000 * DAY


def fact(number: int) -> AuditFact:
    """One of many entries."""
    return AuditFact(
        KINDS[number % len(KINDS)],
        T0 + number // 3,
        actor=f"defence/desk-{number % 4}",
        member=("MNG", "UZB")[number % 2],
        envelope=number.to_bytes(16, "big"),
        subject=(number * 7).to_bytes(16, "big") if number % 3 else None,
        reason="by-rule" if number % 5 == 0 else None,
    )


class AuditStore:
    """The folder of a node with so many entries, all of them in tiles and under a signed checkpoint."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        self.world = world

    async def grow(self, first: int, count: int) -> None:
        """More entries, as the node writes them."""
        database = Database.open(self.folder / "node.db", "node")
        try:
            await SqliteAudit(database).add(tuple(fact(number) for number in range(first, first + count)))
        finally:
            await database.close()

    def tamper(self, *statements: str, values: Sequence[object] = ()) -> None:
        """Rewrite the database by hand."""
        with closing(sqlite3.connect(self.folder / "node.db")) as connection, connection:
            connection.execute("PRAGMA ignore_check_constraints = 1")
            for statement in statements:
                connection.execute(statement, values if "?" in statement else ())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What stands in the database."""
        with closing(sqlite3.connect(self.folder / "node.db")) as connection:
            return connection.execute(query).fetchall()

    def hashes(self) -> list[Digest]:
        """Of all leaves, in their order."""
        rows = self.rows("SELECT leaf, hash FROM audit ORDER BY position")
        return [Digest(digest) if leaf is None else leaf_hash(leaf) for leaf, digest in rows]

    async def again(self, signer: SigningIdentity | None = None) -> None:
        """Tiles anew, every stored checkpoint anew, signed with the node's own key."""
        shutil.rmtree(self.folder / TILES, ignore_errors=True)
        hashes = self.hashes()

        async def pages() -> AsyncIterator[Sequence[Digest]]:
            yield hashes

        await Tree.load_hashes(TileFiles(self.folder / TILES), pages())
        old = [size for (size,) in self.rows("SELECT size FROM audit_checkpoints")]
        self.tamper("DELETE FROM audit_checkpoints")
        for size in sorted({*old, len(hashes)}):
            if int(size) <= len(hashes):
                await self.sign(int(size), signer=signer)

    async def sign(self, size: int, root: Digest | None = None, signer: SigningIdentity | None = None) -> None:
        """Store a checkpoint."""
        stated = root or Frontier().extend(self.hashes()[:size]).root
        note = sign_node_checkpoint(signer or self.world.nodes[MEMBER], size, stated).encode()
        self.tamper("DELETE FROM audit_checkpoints WHERE size = ?", values=(size,))
        database = Database.open(self.folder / "node.db", "node")
        try:
            await SqliteAuditHeads(database).save(AuditCheckpoint(size, stated, note, T0, T0))
        finally:
            await database.close()

    def anchor(self, name: str, size: int | None = None, bare: bool = False) -> Path:
        """What the relay holds by now, as a file; `bare`: as a partner has it, without hashes."""
        hashes = self.hashes()[:size]
        identity = self.world.nodes[MEMBER]
        signed = sign_node_checkpoint(identity, len(hashes), Frontier().extend(hashes).root)
        if bare:
            signed = signed.only(node_log_keys(MEMBER, identity.public).ed25519)
        path = self.folder.parent / name
        path.write_bytes(signed.encode() + (b"" if bare else b"".join(hashes)))
        return path

    def verify(
        self, *anchors: Path, start: Frontier | None = None, days: int = MIN_KEPT_DAYS, now: int = LATER
    ) -> Verified:
        """As `cbm audit verify`."""
        directory = self.world.directory
        return verify_node_log(self.folder, MEMBER, directory, Terms(now, days), anchors, start or Frontier())
