"""Worlds in which a key ends, and what a relay logs late: hours afterwards, as if decided before.

late = before("MNG")
kept, entry = answered(late)                    # MNG's key ends, and a thief answers
late.file(kept, logged_entries=(entry,), earlier=[late.earlier()])
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keys.merkle import MemoryTree, inclusion_proof
from keys.tiles import entry_hash
from schemas.canon import encode
from schemas.evidence import LoggedEntry
from schemas.limits import HOUR
from schemas.origin import Origins, one_origin
from schemas.receipt import SIGNED_RECEIPT
from tests.support.changes import ChangingWorld, revocation
from tests.support.cosigners import cosigned, signed_checkpoint, voters
from tests.support.evidence import Case, Kept
from tests.support.origins import leaf
from tests.support.proofs import note_of


@dataclass
class Late:
    """A world in which the key of `thief` ends at `size`; what is logged is cosigned by the others."""

    case: Case
    world: ChangingWorld
    size: int
    thief: str

    @property
    def others(self) -> list[str]:
        """The nodes of all who have their keys."""
        return [code for code in voters(self.world) if code != self.thief]

    def end(self) -> None:
        """The key is revoked."""
        w = self.world
        w.publish(revocation(w.roots[self.thief], w.nodes[self.thief].key_id, w.now))

    def earlier(self, size: int | None = None, after: int = 0, by: Sequence[str] = ()) -> bytes:
        """A checkpoint of the directory that a file may show, by default of all before the ending."""
        entries = self.world.entries[: self.size if size is None else size]
        return note_of(self.world, entries, by or self.others, self.world.now + after)

    def file(self, *kept: Kept, **fields: Any) -> bytes:  # noqa: ANN401  # as of Case.file
        """By a directory of three hours later."""
        later = self.world.now + 3 * HOUR
        return self.case.file(*kept, **{"note": note_of(self.world, self.world.entries, self.others, later), **fields})

    def logged(self, kept: Kept, after: int, size: int | None = None, **fields: Any) -> Origins:  # noqa: ANN401
        """The proof of its acceptance, as if decided by the directory at `size`, cosigned so many seconds later."""
        stated = self.size if size is None else size
        leaves = [leaf(self.world, kept.sealed, directory_size=stated, **fields)]
        signed = signed_checkpoint(self.world, "audit", leaves)
        note = cosigned(self.world, signed, self.others, self.world.now + after).encode()
        tree = MemoryTree(entry_hash(one) for one in leaves)
        return one_origin(note, leaves[0], 0, inclusion_proof(0, 1, tree))


def before(thief: str = "MNG", **world: Any) -> Late:  # noqa: ANN401  # as of World
    """Nothing has ended yet; what a test publishes then stands at `size`."""
    made = ChangingWorld(**world)
    return Late(Case(made), made, made.directory.size, thief)


def accepted(late: Late, kept: Kept, proof: Origins | None) -> Kept:
    """With the relay's receipt of before the ending, and this proof of it."""
    kept.receipt = encode(SIGNED_RECEIPT, late.world.receipt(kept.sealed, directory_size=late.size))
    kept.index, kept.logged = None, proof
    return kept


def answered(late: Late, after: int = HOUR) -> tuple[Kept, LoggedEntry]:
    """MNG's key is revoked; a thief acknowledges an envelope with it, and the relay logs that later, dated back."""
    kept = late.case.send("KAZ", ["MNG"])
    late.end()
    late.case.answer(kept, "MNG")
    return kept, late.case.logged(kept, "MNG", by=late.others, after=after, directory_size=late.size)
