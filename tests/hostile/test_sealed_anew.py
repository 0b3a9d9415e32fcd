"""A recipient's key is revoked while an envelope is on its way: nothing is lost, nothing goes to the thief's epoch.

And a relay that only says so gets the same bytes again, and nothing else.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.canon import encode
from schemas.content import VoidReason
from schemas.ids import MemberId
from schemas.limits import DAY
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry
from tests.support.changes import ChangingWorld, certificate, epoch_of, identity, revocation, term
from tests.support.hostile_relay import HostileRelay, posted_digest
from tests.support.node import TestNode, node
from tests.support.world import NOW, Sealed

MNG = MemberId("MNG")
NEW = identity("node", "MNG")
ENDED = "epoch-ended"
VOID = VoidReason.SUPERSEDED + 1


class Killed(BaseException):
    """The end of a process, as far as a test can have it."""


@pytest.fixture
def world() -> ChangingWorld:
    return ChangingWorld()


@pytest.fixture
async def waiting(world: ChangingWorld, relay: HostileRelay, kaz: TestNode) -> bytes:
    """KAZ has sealed a message to MNG and UZB, and the relay did not answer; its id."""
    relay.down = True
    message = await kaz.write(["MNG", "UZB"])
    await kaz.send()
    relay.down = False
    kaz.clock.time += 10
    return message


def publish(world: ChangingWorld, relay: HostileRelay, *entries: DirectoryEntry) -> None:
    world.publish(*entries)
    relay.entries += [encode(DIRECTORY_ENTRY, entry) for entry in entries]


async def follow(kaz: TestNode) -> None:
    """Its directory, without publishing anything of its own."""
    kaz.parts.wakes.directory.clear()
    await kaz.parts.directory.update(kaz.parts.relay, kaz.clock.now())


def revoke(world: ChangingWorld, relay: HostileRelay) -> None:
    publish(world, relay, revocation(world.roots["MNG"], world.nodes["MNG"].key_id, NOW))


def certify(world: ChangingWorld, relay: HostileRelay) -> None:
    publish(world, relay, certificate(term(NEW, NOW, NOW + 90 * DAY), world.roots["MNG"]), epoch_of(NEW, 9, NOW))


def states(kaz: TestNode) -> tuple[list[str], list[str]]:
    """Of the message, and of its envelopes as they were sealed."""
    return [row["state"] for row in kaz.rows("messages")], [row["state"] for row in of_message(kaz)]


def of_message(kaz: TestNode) -> list[dict[str, Any]]:
    """Its envelopes; heads, which tell what became void, are sealed too."""
    rows = [row for row in kaz.rows("outbox") if row["message"] is not None]
    return sorted(rows, key=lambda row: row["created"])


def posted(relay: HostileRelay, kaz: TestNode) -> list[Sealed]:
    """What was handed to the relay of the message."""
    own = {row["envelope"] for row in of_message(kaz)}
    return [sealed for sealed in relay.posted if sealed.header.core.id in own]


def numbers(kaz: TestNode) -> list[tuple[str, int, int]]:
    """Recipient, number and settlement in the streams of messages."""
    own = {row["envelope"] for row in of_message(kaz)}
    rows = [row for row in kaz.rows("numbers_out") if row["envelope"] in own]
    return sorted((row["recipient"], row["number"], row["settled"]) for row in rows)


async def refused(relay: HostileRelay, kaz: TestNode) -> None:
    relay.refuse = ENDED
    await kaz.send()
    relay.refuse = None


@pytest.mark.usefixtures("waiting")
async def test_an_envelope_to_an_epoch_that_was_ended_on_its_way_is_sealed_anew(
    world: ChangingWorld, relay: HostileRelay, kaz: TestNode
) -> None:
    revoke(world, relay)
    await follow(kaz)
    await refused(relay, kaz)
    (first,) = posted(relay, kaz)
    assert states(kaz) == (["queued"], ["superseded"])
    assert numbers(kaz) == [("MNG", 1, VOID), ("UZB", 1, VOID)]
    # MNG has no epoch in force yet: nothing is sent to the one that was ended.
    await kaz.send()
    assert (len(posted(relay, kaz)), states(kaz)) == (1, (["queued"], ["superseded"]))
    certify(world, relay)
    await follow(kaz)
    kaz.clock.time += 10
    await kaz.send()
    second = posted(relay, kaz)[1]
    assert second.header.core.replaces == first.header.core.id
    assert second.header.core.id != first.header.core.id
    assert second.header.core.key_commitment != first.header.core.key_commitment
    assert second.header.core.provisions == first.header.core.provisions
    wrap = second.header.wrap_for(MNG)
    assert wrap is not None
    assert wrap.key_id == world.directory.epoch_at(MNG, NOW).key_id
    assert numbers(kaz) == [("MNG", 1, VOID), ("MNG", 2, 1), ("UZB", 1, VOID), ("UZB", 2, 1)]
    assert states(kaz) == (["accepted"], ["superseded", "accepted"])
    assert kaz.alarms() == []


@pytest.mark.usefixtures("waiting")
async def test_a_recipient_that_has_both_envelopes_delivers_once_and_misses_nothing(
    tmp_path: Path, world: ChangingWorld, relay: HostileRelay, kaz: TestNode, uzb: TestNode
) -> None:
    """The relay delivers to UZB what it said it refused, as accepted before the revocation."""
    size = world.directory.size
    revoke(world, relay)
    certify(world, relay)
    await follow(kaz)
    await follow(uzb)
    await refused(relay, kaz)
    relay.accept(relay.posted[0], ("UZB",), directory_size=size)
    kaz.clock.time += 10
    await kaz.send()
    await uzb.pull()
    assert len(uzb.inbox()) == 1
    relay.pass_on_answers()
    await kaz.pull()
    kaz.clock.time += 10
    uzb.clock.time = kaz.clock.time
    await kaz.send()
    await uzb.pull()
    assert kaz.recipients() == {"MNG": "accepted", "UZB": "delivered"}
    assert (len(uzb.inbox()), uzb.alarms(), kaz.alarms()) == (1, [], [])


@pytest.fixture
async def crashed(
    tmp_path: Path, world: ChangingWorld, relay: HostileRelay, kaz: TestNode, waiting: bytes
) -> AsyncIterator[TestNode]:
    """KAZ's node opened again, after it gave the envelope up and before it sealed another."""
    revoke(world, relay)
    await follow(kaz)
    await refused(relay, kaz)
    assert [row["id"] for row in kaz.rows("messages")] == [waiting]
    await kaz.database.close()
    async with node(tmp_path, world, "KAZ", relay) as again:
        again.clock.time = kaz.clock.time
        certify(world, relay)
        yield again


async def test_a_crash_between_giving_up_and_sealing_loses_nothing(relay: HostileRelay, crashed: TestNode) -> None:
    await follow(crashed)
    await crashed.send()
    first, second = posted(relay, crashed)
    assert second.header.core.replaces == first.header.core.id
    assert states(crashed) == (["accepted"], ["superseded", "accepted"])


async def test_a_crash_after_sealing_sends_the_same_bytes_and_seals_no_third(
    tmp_path: Path, world: ChangingWorld, relay: HostileRelay, crashed: TestNode
) -> None:
    await follow(crashed)
    relay.down = True
    await crashed.send()
    relay.down = False
    (sealed,) = [row for row in of_message(crashed) if row["state"] == "sealed"]
    await crashed.database.close()
    async with node(tmp_path, world, "KAZ", relay) as again:
        again.clock.time = crashed.clock.time + 10
        await again.send()
        assert [posted_digest(sent) for sent in posted(relay, again)[1:]] == [sealed["header_digest"]]
        assert states(again) == (["accepted"], ["superseded", "accepted"])


@pytest.mark.usefixtures("waiting")
async def test_a_crash_before_giving_up_asks_the_relay_again_with_the_same_bytes(
    tmp_path: Path, world: ChangingWorld, relay: HostileRelay, kaz: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(world, relay)
    certify(world, relay)
    await follow(kaz)

    async def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(kaz.parts.stores.outbox, "save_superseded", killed)
    with pytest.raises(Killed):
        await refused(relay, kaz)
    await kaz.database.close()
    async with node(tmp_path, world, "KAZ", relay) as again:
        again.clock.time = kaz.clock.time
        await refused(relay, again)
        assert len({posted_digest(sent) for sent in posted(relay, again)}) == 1
        again.clock.time += 10
        await again.send()
        first, _, third = posted(relay, again)
        assert third.header.core.replaces == first.header.core.id


@pytest.mark.usefixtures("waiting")
async def test_a_relay_that_says_an_epoch_was_ended_that_is_in_force(relay: HostileRelay, kaz: TestNode) -> None:
    before = numbers(kaz)
    for _ in range(5):
        await refused(relay, kaz)
        assert kaz.parts.wakes.directory.is_set()
        await follow(kaz)
        kaz.clock.time += 100
    assert len({posted_digest(sent) for sent in posted(relay, kaz)}) == 1
    assert (numbers(kaz), states(kaz)) == (before, (["sealed"], ["sealed"]))
    await kaz.send()
    assert states(kaz) == (["accepted"], ["accepted"])


@pytest.mark.usefixtures("waiting")
async def test_one_revocation_makes_a_node_seal_anew_once(
    world: ChangingWorld, relay: HostileRelay, kaz: TestNode
) -> None:
    """However often the relay says so afterwards."""
    revoke(world, relay)
    certify(world, relay)
    await follow(kaz)
    for _ in range(5):
        await refused(relay, kaz)
        kaz.clock.time += 100
    assert len({posted_digest(sent) for sent in posted(relay, kaz)}) == 2
    assert states(kaz) == (["sealed"], ["superseded", "sealed"])
