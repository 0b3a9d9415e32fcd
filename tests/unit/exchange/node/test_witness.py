"""A node as a witness: what it cosigns counts for the quorum, and it cosigns nothing that it could not answer for."""

import pytest

from exchange.node.witness import Witness
from keys.checkpoint import parse_signed
from keys.merkle import MemoryTree, consistency_proof
from keys.note import parse_lines
from keys.origin import AUDIT_LOG
from keys.quorum import cosigner_keys, verify_cosigned
from keys.tiles import entry_hash
from keys.witness import AddCheckpoint
from schemas.ids import MemberId
from schemas.limits import DAY, MAX_CLOCK_AHEAD
from schemas.relayapi import WitnessRequest, WitnessStatus
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.proofs import another_epoch, note_of
from tests.support.world import World

LEAVES = [bytes([number]) * 3 for number in range(9)]


def asked(world: World, log: str, leaves: list[bytes], old: int) -> WitnessRequest:
    tree = MemoryTree(entry_hash(leaf) for leaf in leaves)
    signed = signed_checkpoint(world, log, leaves)
    return WitnessRequest(AddCheckpoint(old, consistency_proof(old, len(leaves), tree), signed).encode())


@pytest.fixture
def witness(kaz: TestNode) -> Witness:
    return kaz.link._witness


async def test_its_cosignature_counts(world: World, kaz: TestNode, witness: Witness) -> None:
    entries = [*world.entries, another_epoch(world)]
    answer = await witness.answer(asked(world, "directory", entries, len(world.entries)))
    assert (answer.status, answer.size) == (WitnessStatus.COSIGNED, len(entries))
    signed = cosigned(world, signed_checkpoint(world, "directory", entries), ["MNG", "UZB"])
    signed = signed.add(parse_lines(answer.lines or b""))
    _, quorum = verify_cosigned(signed, "directory", world.directory)
    assert quorum.times["KAZ"] == world.now  # type: ignore[index]  # a MemberId


async def test_it_is_on_the_disk_with_the_note(world: World, kaz: TestNode, witness: Witness) -> None:
    await witness.answer(asked(world, AUDIT_LOG, LEAVES[:3], 0))
    await witness.answer(asked(world, AUDIT_LOG, LEAVES, 3))
    (row,) = kaz.rows("witnessed")
    checkpoint = parse_signed(row["note"]).checkpoint
    assert (row["origin"], row["size"], row["root"]) == (checkpoint.origin, 9, checkpoint.root)


async def test_a_log_that_rests_is_cosigned_anew(world: World, kaz: TestNode, witness: Witness) -> None:
    times = []
    for _ in range(2):
        answer = await witness.answer(asked(world, AUDIT_LOG, LEAVES, len(kaz.rows("witnessed")) * 9))
        signed = signed_checkpoint(world, AUDIT_LOG, LEAVES).add(parse_lines(answer.lines or b""))
        record = world.directory.signing[MemberId("KAZ"), world.nodes["KAZ"].key_id]
        times.append(cosigner_keys(record).time(signed))
        kaz.clock.time += 3600
    assert times == [world.now, world.now + 3600]


async def test_it_says_where_it_is(world: World, kaz: TestNode, witness: Witness) -> None:
    """Of the directory it has at least what it has adopted."""
    answer = await witness.answer(asked(world, "directory", list(world.entries), 0))
    assert (answer.status, answer.size) == (WitnessStatus.OTHER_SIZE, len(world.entries))
    await witness.answer(asked(world, AUDIT_LOG, LEAVES[:3], 0))
    answer = await witness.answer(asked(world, AUDIT_LOG, LEAVES, 5))
    assert (answer.status, answer.size) == (WitnessStatus.OTHER_SIZE, 3)
    assert kaz.alarms() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"garbage", WitnessStatus.MALFORMED),
        (asked(World(seed="another relay"), AUDIT_LOG, LEAVES, 0).body, WitnessStatus.UNKNOWN_LOG),
        (asked(World(), AUDIT_LOG, LEAVES, 0).body.replace(b"\n9\n", b"\n8\n"), WitnessStatus.BAD_SIGNATURE),
    ],
)
async def test_what_it_does_not_cosign(kaz: TestNode, witness: Witness, body: bytes, status: WitnessStatus) -> None:
    answer = await witness.answer(WitnessRequest(body))
    assert (answer.status, answer.lines, kaz.rows("witnessed")) == (status, None, [])


async def test_a_proof_that_does_not_hold_is_told(world: World, kaz: TestNode, witness: Witness) -> None:
    await witness.answer(asked(world, AUDIT_LOG, LEAVES[:3], 0))
    other = [b"another", *LEAVES[1:]]
    answer = await witness.answer(asked(world, AUDIT_LOG, other, 3))
    assert answer.status is WitnessStatus.INCONSISTENT
    assert kaz.alarms() == ["inconsistent"]
    assert kaz.rows("witnessed")[0]["size"] == 3


async def test_its_times_never_decrease(world: World, kaz: TestNode, witness: Witness) -> None:
    await witness.answer(asked(world, AUDIT_LOG, LEAVES[:3], 0))
    kaz.clock.time -= MAX_CLOCK_AHEAD
    assert (await witness.answer(asked(world, AUDIT_LOG, LEAVES, 3))).status is WitnessStatus.COSIGNED
    assert kaz.rows("witnessed")[0]["time"] == world.now
    kaz.clock.time -= 1
    assert (await witness.answer(asked(world, AUDIT_LOG, LEAVES, 9))).status is WitnessStatus.NOT_NOW


async def test_a_clock_that_somebody_sets_ahead_for_a_moment_ends_no_witness(
    world: World, kaz: TestNode, witness: Witness
) -> None:
    """The time of a cosignature stays; were it next year's, this node would cosign nothing before."""
    kaz.parts.clocks.compare(kaz.clock.now())
    await witness.answer(asked(world, AUDIT_LOG, LEAVES[:3], 0))
    kaz.clock.time += 365 * DAY
    assert (await witness.answer(asked(world, AUDIT_LOG, LEAVES[:5], 3))).status is WitnessStatus.NOT_NOW
    assert kaz.rows("witnessed")[0]["time"] == world.now
    kaz.clock.time = world.now + 5
    assert (await witness.answer(asked(world, AUDIT_LOG, LEAVES[:5], 3))).status is WitnessStatus.COSIGNED
    # A new session compares the clocks anew: also after the machine has slept.
    kaz.clock.time += 365 * DAY
    kaz.parts.clocks.compare(kaz.clock.now())
    assert (await witness.answer(asked(world, AUDIT_LOG, LEAVES, 5))).status is WitnessStatus.COSIGNED


async def restore(tested: TestNode) -> None:
    mark, values = "INSERT INTO restores (restored, taken) VALUES (?, ?)", (tested.clock.now(), tested.clock.now() - 9)
    await tested.database.write(lambda c: c.execute(mark, values))


class TestAfterARestore:
    async def test_it_waits_for_a_quorum_of_others(self, world: World, kaz: TestNode, witness: Witness) -> None:
        """It may have cosigned anything since the backup. Old cosignatures, and its own, tell nothing of that."""
        await witness.answer(asked(world, AUDIT_LOG, LEAVES[:3], 0))
        kaz.clock.time += 100
        await restore(kaz)
        for by, time in (["MNG", "UZB", "XAA"], 99), (["KAZ", "MNG", "UZB"], 500):
            await served(kaz, AUDIT_LOG, audit_note(world, by, world.now + time))
            assert (await witness.answer(asked(world, AUDIT_LOG, LEAVES, 3))).status is WitnessStatus.NOT_NOW
        await served(kaz, AUDIT_LOG, audit_note(world, ["MNG", "UZB", "XAA"], world.now + 100))
        assert (await witness.answer(asked(world, AUDIT_LOG, LEAVES, 6))).status is WitnessStatus.COSIGNED

    async def test_it_goes_on_from_what_others_show(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        witness = kaz.link._witness
        await witness.answer(asked(world, AUDIT_LOG, LEAVES[:3], 0))
        kaz.clock.time += 100
        await restore(kaz)
        relay.audit.leaves = LEAVES[:6]
        relay.entries.append(another_epoch(world))
        await kaz.parts.directory.update(kaz.parts.relay, kaz.clock.now())
        await witness.recover()
        assert {row["size"] for row in kaz.rows("witnessed")} == {6, len(relay.entries)}
        assert (await witness.answer(asked(world, AUDIT_LOG, LEAVES, 3))).size == 6
        assert (await witness.answer(asked(world, AUDIT_LOG, LEAVES, 6))).status is WitnessStatus.COSIGNED
        entries = [*relay.entries, another_epoch(world, number=10)]
        request = asked(world, "directory", entries, len(relay.entries))
        assert (await witness.answer(request)).status is WitnessStatus.COSIGNED

    async def test_a_directory_that_is_not_the_adopted_one_is_nothing_to_go_on_from(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        kaz.clock.time += 100
        await restore(kaz)
        await served(kaz, "directory", note_of(world, [*world.entries, another_epoch(world)], time=world.now + 200))
        assert kaz.rows("witnessed") == []


def audit_note(world: World, by: list[str], time: int) -> bytes:
    return cosigned(world, signed_checkpoint(world, AUDIT_LOG, LEAVES[:6]), by, time).encode()


async def served(tested: TestNode, log: str, note: bytes) -> None:
    """The relay shows this checkpoint of a log when the node recovers."""
    relay = tested.parts.relay
    honest = relay.checkpoint

    async def checkpoint(name: str) -> bytes | None:
        return note if name == log else None

    setattr(relay, "checkpoint", checkpoint)  # noqa: B010  # a method of an instance, for mypy
    try:
        await tested.link._witness.recover()
    finally:
        setattr(relay, "checkpoint", honest)  # noqa: B010
