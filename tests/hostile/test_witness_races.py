"""Attacks on a node as a witness: two checkpoints at once, forks, a log that begins anew, a clock that is behind.

Nothing contradictory is cosigned, and what the relay tried is proved by a file.
"""

import asyncio

import pytest

from exchange.errors import ExchangeError
from keys.merkle import MemoryTree, consistency_proof
from keys.origin import AUDIT_LOG
from keys.tiles import entry_hash
from keys.witness import AddCheckpoint
from schemas.relayapi import WitnessAnswer, WitnessRequest, WitnessStatus
from tests.support.cosigners import signed_checkpoint
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.proofs import another_epoch, findings, note_of
from tests.support.world import World


def asked(world: World, entries: list[bytes], old: int, log: str = "directory") -> WitnessRequest:
    """What the relay asks to cosign, without a proof: none is needed between equal sizes, or from 0."""
    return WitnessRequest(AddCheckpoint(old, (), signed_checkpoint(world, log, entries)).encode())


async def test_two_checkpoints_of_one_size_at_the_same_time(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """In two sessions, or one: at most one is cosigned, and the two requests prove what the relay tried."""
    leaves = [[b"one"], [b"other"]]
    requests = [asked(world, entries, 0, AUDIT_LOG) for entries in leaves]
    witnesses = [kaz.link._witness, kaz.housekeeper._witness]
    answers = await asyncio.gather(*(w.answer(r) for w, r in zip(witnesses, requests, strict=True)))
    cosigned = [answer for answer in answers if answer.status is WitnessStatus.COSIGNED]
    assert len(cosigned) == 1
    (row,) = kaz.rows("witnessed")
    assert row["size"] == 1
    again = await asyncio.gather(*(kaz.link._witness.answer(request) for request in requests))
    assert {answer.status for answer in again} == {WitnessStatus.OTHER_SIZE}
    assert kaz.alarms() == ["split-view"]
    (finding,) = findings(kaz)
    assert finding.stated == ()


async def test_a_fork_that_a_witness_is_asked_to_cosign(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """It has cosigned one directory and is asked for another of the same size."""
    first = [*relay.entries, another_epoch(world, seed="one")]
    second = [*relay.entries, another_epoch(world, seed="other")]
    size = len(relay.entries)
    witness = kaz.link._witness
    answers: list[WitnessAnswer] = []
    for entries in (first, second):
        request = asked_after(world, entries, size)
        answers.append(await witness.answer(request))
    assert [answer.status for answer in answers] == [WitnessStatus.COSIGNED, WitnessStatus.OTHER_SIZE]
    assert kaz.alarms() == ["split-view"]
    (finding,) = findings(kaz)
    assert finding.stated == ()
    # What the relay publishes against the node's own cosignature is not used either.
    relay.entries = second
    relay.notes["KAZ"] = note_of(world, second, ["MNG", "UZB", "XAA"])
    with pytest.raises(ExchangeError) as caught:
        await kaz.update()
    assert caught.value.code == "split-view"
    assert kaz.parts.directory.current is world.directory


def asked_after(world: World, entries: list[bytes], old: int) -> WitnessRequest:
    """A request with the proof from the size that the witness has."""
    tree = MemoryTree(entry_hash(entry) for entry in entries)
    signed = signed_checkpoint(world, "directory", entries)
    return WitnessRequest(AddCheckpoint(old, consistency_proof(old, len(entries), tree), signed).encode())


async def test_a_directory_that_does_not_begin_with_what_the_witness_has(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    """A new witness has cosigned nothing yet; what it has adopted counts as if it had."""
    other = [*relay.entries[:-1], another_epoch(world)]
    answer = await kaz.link._witness.answer(asked(world, other, 0))
    assert (answer.status, answer.size) == (WitnessStatus.OTHER_SIZE, len(relay.entries))
    assert kaz.rows("witnessed") == []
    assert kaz.alarms() == ["split-view"]
    assert len(findings(kaz)) == 1


async def test_nothing_is_cosigned_that_could_not_be_kept(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    full = "CREATE TRIGGER full BEFORE INSERT ON witnessed BEGIN SELECT RAISE(ABORT, 'full'); END"
    await kaz.database.write(lambda c: c.execute(full))
    answer = await kaz.link._witness.answer(asked(world, [b"one"], 0, AUDIT_LOG))
    assert answer.status is WitnessStatus.NOT_NOW
    assert (answer.lines, kaz.rows("witnessed")) == (None, [])


async def test_a_node_whose_clock_is_behind_cosigns_nothing(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    relay.entries.append(another_epoch(world))
    relay.notes["KAZ"] = note_of(world, relay.entries, time=world.now + 121)
    await kaz.update()
    await kaz.housekeeper.tick()
    assert kaz.alarms() == ["clock"]
    request = asked(world, [b"one"], 0, AUDIT_LOG)
    assert (await kaz.link._witness.answer(request)).status is WitnessStatus.NOT_NOW
    kaz.clock.time += 1
    assert (await kaz.link._witness.answer(request)).status is WitnessStatus.COSIGNED
