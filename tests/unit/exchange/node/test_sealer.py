"""From the outbox to sealed envelopes: what cannot be sealed yet says why, waits, and keeps nobody else from going."""

from dataclasses import replace
from typing import Any

import pytest

from exchange.errors import Forbidden, Unavailable
from keys.directory import Directory, extend
from keys.identity import EpochIdentity
from schemas.ids import MemberId
from schemas.limits import DAY, EXPIRY_MARGIN, HOUR
from schemas.statement import EpochKey, read_entry
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, ministry, node, request_of
from tests.support.realm import epoch_entry, epoch_statement
from tests.support.uploads import upload
from tests.support.world import NOW, World

MNG, UZB = MemberId("MNG"), MemberId("UZB")


def without_epochs(directory: Directory, member: MemberId) -> Directory:
    """As if a member's node had published nothing."""
    epochs = {code: records for code, records in directory.epochs.items() if code != member}
    return replace(directory, epochs=epochs)


def states(tested: TestNode) -> list[tuple[str, str | None]]:
    return [(row["state"], row["waits"]) for row in tested.rows("messages")]


async def test_a_message_to_a_member_without_an_epoch_waits_and_says_so(kaz: TestNode, world: World) -> None:
    kaz.parts.directory.current = without_epochs(world.directory, MNG)
    await kaz.write(["MNG"])
    assert await kaz.sealer.seal_due() == 0
    ((state, waits),) = states(kaz)
    assert state == "queued"
    assert waits is not None
    assert "MNG has no valid encryption epoch" in waits
    assert kaz.rows("outbox") == []
    kaz.parts.directory.current = world.directory
    assert await kaz.sealer.seal_due() == 1
    assert states(kaz) == [("sealed", None)]


async def test_many_that_wait_keep_nobody_else_from_going(kaz: TestNode, world: World) -> None:
    """A member whose node publishes nothing must not stop the traffic to the others."""
    kaz.parts.directory.current = without_epochs(without_epochs(world.directory, MNG), UZB)
    for _ in range(65):
        await kaz.write(["MNG"])
    await kaz.write(["UZB"])
    for _ in range(2):
        await kaz.sealer.seal_due()
    assert {state for state, _ in states(kaz)} == {"queued"}
    await kaz.write(["XAA"])
    assert await kaz.sealer.seal_due() == 1
    assert states(kaz)[-1] == ("sealed", None)
    # And of those that wait, each has its turn.
    kaz.parts.directory.current = without_epochs(world.directory, MNG)
    for _ in range(2):
        await kaz.sealer.seal_due()
    assert states(kaz)[65] == ("sealed", None)


async def test_an_epoch_that_leaves_no_time_is_not_the_end_of_the_node(kaz: TestNode, world: World) -> None:
    """A hostile recipient publishes an epoch in whose last second no envelope can expire in time."""
    start = NOW - HOUR
    lawful = epoch_statement("MNG", 9, EpochIdentity(b"e" * 96), NOW)
    tight = EpochKey(lawful.member, 9, lawful.keys, start, NOW, NOW + EXPIRY_MARGIN, NOW - DAY)
    entry = read_entry(epoch_entry(tight, world.nodes["MNG"]))
    kaz.parts.directory.current = extend(world.directory, [entry])
    await kaz.write(["MNG"])
    await kaz.write(["UZB"])
    assert await kaz.sealer.seal_due() == 1
    assert [state for state, _ in states(kaz)] == ["queued", "sealed"]
    kaz.clock.time += 1
    assert await kaz.sealer.seal_due() == 1


async def test_what_has_expired_is_not_sealed(kaz: TestNode) -> None:
    await kaz.write(["MNG"], expires="60s")
    kaz.clock.time += 60
    assert await kaz.sealer.seal_due() == 0
    await kaz.housekeeper._expiry(kaz.clock.now())
    assert [state for state, _ in states(kaz)] == ["expired"]
    assert kaz.recipients() == {"MNG": "expired"}


async def test_an_attachment_lost_from_the_disk_stops_its_message_only(kaz: TestNode) -> None:
    lost = upload(kaz, b"x" * 100_000)
    await kaz.composer.send(request_of(["MNG"]), (lost,), ministry(), None)
    await kaz.write(["MNG"])
    kaz.parts.files.remove_content([lost.file])
    assert await kaz.sealer.seal_due() == 1
    (first, waits), second = states(kaz)
    assert (first, second) == ("queued", ("sealed", None))
    assert waits is not None
    assert "cannot read" in waits
    assert kaz.files() == []


async def test_the_embargo_keeps_it_in_the_outbox(kaz: TestNode, relay: HostileRelay) -> None:
    await kaz.write(["MNG"], not_before="2027-01-16T00:00:00Z")
    assert await kaz.sealer.seal_due() == 0
    kaz.clock.time += DAY
    await kaz.send()
    assert [state for state, _ in states(kaz)] == ["accepted"]


async def test_every_retry_sends_the_same_bytes(kaz: TestNode, relay: HostileRelay) -> None:
    relay.down = True
    await kaz.composer.send(request_of(["MNG"]), (upload(kaz, b"x" * 200_000),), ministry(), None)
    await kaz.send()
    relay.down = False
    for _ in range(2):
        relay.answer = lambda sealed: relay.world.receipt(sealed, time=0, body_size=1)
        kaz.clock.time += 600
        await kaz.send()
    relay.answer = None
    kaz.clock.time += 600
    await kaz.send()
    assert len(relay.posted) == 3
    assert len({(sent.header_bytes, sent.body) for sent in relay.posted}) == 1
    assert [state for state, _ in states(kaz)] == ["accepted"]
    assert not [name for name in kaz.files() if name.startswith("spool")]


async def test_numbers_and_chain_of_a_stream(kaz: TestNode, relay: HostileRelay, world: World) -> None:
    for _ in range(3):
        await kaz.write(["MNG"])
    await kaz.send()
    async with node(kaz.folder.parent, world, "MNG", relay) as mng:
        await mng.pull()
        assert mng.alarms() == []
        assert [row["number"] for row in mng.rows("numbers_in")] == [1, 2, 3]
        (stream,) = mng.rows("streams_in")
        assert (stream["floor"], stream["top"]) == (3, 3)


async def test_a_head_after_an_hour_then_daily(kaz: TestNode, relay: HostileRelay, world: World) -> None:
    await kaz.write(["MNG"])
    await kaz.send()
    for seconds, heads in ((HOUR - 1, 0), (1, 1), (HOUR, 1), (DAY - HOUR, 2)):
        kaz.clock.time += seconds
        await kaz.send()
        assert len(relay.posted) == 1 + heads
    async with node(kaz.folder.parent, world, "MNG", relay) as mng:
        mng.clock.time = kaz.clock.time
        await mng.pull()
        assert sorted(outcome for outcome, _ in mng.outcomes()) == ["delivered", "head", "head"]
        assert len(mng.inbox()) == 1
        assert mng.alarms() == []
    assert sorted(row["number"] for row in kaz.rows("numbers_out")) == [1, 1, 2]
    assert len(kaz.rows("messages")) == 1


async def test_a_store_that_is_busy_is_not_the_end_of_the_loop(kaz: TestNode, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    async def busy() -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise RuntimeError("the loop went on")
        raise Unavailable("store-busy", "the store has too much to write")

    monkeypatch.setattr(kaz.sealer, "seal_due", busy)
    monkeypatch.setattr("exchange.node.sealer._LOOK_AGAIN", 0.0)
    with pytest.raises(RuntimeError, match="went on"):
        await kaz.sealer.run()


async def large(kaz: TestNode, precedence: str = "routine") -> bytes:
    taken = await kaz.composer.send(
        request_of(["MNG"], precedence=precedence), (upload(kaz, b"x" * 200_000),), ministry(), None
    )
    return taken.message


async def test_a_large_message_that_fails_its_own_check_rests_longer_after_each_try(
    kaz: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def refuse(*_: object) -> None:
        tries.append(kaz.clock.time)
        raise Forbidden("no-consent", "a Grant has ended")

    with monkeypatch.context() as patched:
        patched.setattr(kaz.sealer, "_check", refuse)
        await large(kaz)
        start = kaz.clock.time
        for _ in range(20):
            await kaz.sealer.seal_due()
            kaz.clock.time += 1
    # Taken up at once as one that waits, then after 2, 4 and 8 seconds.
    assert [at - start for at in tries] == [0, 2, 6, 14]
    assert states(kaz) == [("queued", "a Grant has ended")]
    kaz.clock.time += 600
    assert await kaz.sealer.seal_due() == 1


async def test_after_a_large_message_the_sealer_looks_for_what_has_become_urgent(
    kaz: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await large(kaz)
    save = kaz.parts.stores.outbox.save_sealed
    flash: list[bytes] = []

    async def then_flash(*facts: Any) -> None:  # noqa: ANN401 - as save_sealed
        await save(*facts)
        if not flash:
            flash.append(await kaz.write(["MNG"], precedence="flash"))

    monkeypatch.setattr(kaz.parts.stores.outbox, "save_sealed", then_flash)
    assert await kaz.sealer.seal_due() == 4
    by_number = {row["number"]: row["envelope"] for row in kaz.rows("numbers_out")}
    message_of = {row["envelope"]: row["message"] for row in kaz.rows("outbox")}
    assert message_of[by_number[2]] == flash[0]


async def test_a_fault_of_the_program_over_one_message_does_not_stop_the_others(
    kaz: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kaz.write(["MNG"])
    await kaz.write(["UZB"])
    check = kaz.sealer._check
    calls: list[int] = []

    def fail_first(*facts: Any) -> None:  # noqa: ANN401 - as _check
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("something secret")
        check(*facts)

    monkeypatch.setattr(kaz.sealer, "_check", fail_first)
    await kaz.sealer.seal_due()
    assert kaz.alarms() == ["fault"]
    assert "secret" not in kaz.rows("alarms")[0]["detail"]
    await kaz.sealer.seal_due()
    assert [state for state, _ in states(kaz)] == ["sealed", "sealed"]
