"""Proof files of a node, judged with nothing but the charter; and directories that a hostile relay signs and shows.

shown(relay, "MNG", entries, by=["KAZ", "MNG"])      # from now on MNG's node sees these, cosigned by these
(finding,) = findings(mng)
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from exchange.audit.observed import Finding, examine
from keys.digests import charter_digest
from keys.identity import EpochIdentity
from schemas.observation import read_proof
from schemas.statement import read_entry
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.entropy import derived
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.realm import epoch_entry, epoch_statement
from tests.support.world import World


def proof_files(tested: TestNode) -> list[Path]:
    """The proof files of a node, by name."""
    return sorted((tested.folder / "proofs").glob("*.cbm"))


def findings(tested: TestNode) -> list[Finding]:
    """What each proof file of a node comes to; raises ProvesNothing."""
    charter = charter_digest(read_entry(tested.rows("directory")[0]["entry"]).body)
    return [examine(*read_proof(path.read_bytes()), charter) for path in proof_files(tested)]


def another_epoch(world: World, member: str = "XAA", number: int = 9, seed: str = "") -> bytes:
    """A lawful entry that the world's directory does not have."""
    key = EpochIdentity(derived("another epoch", member, str(number), seed, size=96))
    return epoch_entry(epoch_statement(member, number, key, world.now), world.nodes[member])


def note_of(world: World, entries: Sequence[bytes], by: Iterable[str] | None = None, time: int | None = None) -> bytes:
    """The relay's checkpoint over these entries with the cosignatures of these members, by default of all."""
    return cosigned(world, signed_checkpoint(world, "directory", entries), by, time).encode()


def shown(
    relay: HostileRelay,
    member: str,
    entries: Sequence[bytes],
    by: Iterable[str] | None = None,
    time: int | None = None,
) -> None:
    """Show a member's node a directory of its own."""
    relay.views[member] = list(entries)
    relay.notes[member] = note_of(relay.world, entries, by, time)
