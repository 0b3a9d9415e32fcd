"""After a loss nothing is missing and nothing is twice; and nobody makes a partner send without end."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exchange.node.matter import Matter
from exchange.node.resender import HEADS
from exchange.node.service import service_parcel
from exchange.storage import node_resends
from exchange.storage.engine import Database
from exchange.storage.node_backup import begin_again, copy_store
from exchange.storage.node_values import Token
from schemas.canon import encode
from schemas.content import RESEND, ContentKind, Resend
from schemas.ids import MemberId
from schemas.limits import DAY, HOUR
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, node, sealed_by
from tests.support.world import NOW, World

OPERATOR = Token("t" * 16, b"h" * 32, "operator", ("admin",), ("*",), NOW, None)


async def turn(relay: HostileRelay, *nodes: TestNode, rounds: int = 4) -> None:
    """Everything that these nodes have to say and to take, until nothing more comes."""
    for _ in range(rounds):
        for one in nodes:
            one.parts.wakes.directory.set()
            await one.housekeeper.look()
            await one.housekeeper.tick()
            await one.send()
        for one in nodes:
            await one.pull()
        relay.waiting.clear()
        relay.notices.clear()
        relay.pass_on_answers()
        relay.acknowledged.clear()


@asynccontextmanager
async def restored(
    tmp_path: Path, world: World, relay: HostileRelay, lost: TestNode, backup: Path, taken: int
) -> AsyncIterator[TestNode]:
    """The node of MNG from a copy of its store, without any private half."""
    (tmp_path / "anew").mkdir()
    home = tmp_path / "anew" / "node-MNG"
    home.mkdir()
    shutil.copyfile(backup, home / "node.db")
    shutil.copytree(lost.folder / "content", home / "content")
    database = Database.open(home / "node.db", "node")
    await begin_again(database, taken, lost.clock.now(), OPERATOR)
    await database.close()
    shutil.copyfile(tmp_path / "empty-node.db", tmp_path / "anew" / "empty-node.db")
    async with node(tmp_path / "anew", world, "MNG", relay) as again:
        for _, identity in again.parts.keyring._epochs.values():
            assert identity.seed
        again.parts.keyring._epochs.clear()
        again.clock.time = lost.clock.time
        yield again


@pytest.fixture
async def again(
    tmp_path: Path, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> AsyncIterator[TestNode]:
    """KAZ has sent three messages: one before MNG's backup, one after it, one that MNG had not fetched when it died."""
    await turn(relay, kaz, mng)
    await kaz.write(["MNG"])
    await turn(relay, kaz, mng)
    assert len(mng.inbox()) == 1
    backup = tmp_path / "backup.db"
    for one in (kaz, mng):
        one.clock.time += HOUR
    copy_store(mng.folder, backup)
    taken = mng.clock.now()
    for one in (kaz, mng):
        one.clock.time += HOUR
    await kaz.write(["MNG"])
    await turn(relay, kaz, mng)
    assert len(mng.inbox()) == 2
    assert kaz.recipients() == {"MNG": "delivered"}
    await kaz.write(["MNG"])
    await kaz.send()
    async with restored(tmp_path, world, relay, mng, backup, taken) as opened:
        yield opened


async def test_what_came_after_the_backup_comes_again_once(
    relay: HostileRelay, kaz: TestNode, mng: TestNode, again: TestNode
) -> None:
    assert len(again.inbox()) == 1
    await turn(relay, again, kaz, rounds=6)
    assert sorted(again.inbox()) == sorted(row["id"] for row in kaz.rows("messages"))
    assert set(kaz.recipients().values()) == {"delivered"}
    assert [row["state"] for row in kaz.rows("messages")] == ["delivered"] * 3
    # Each of the two lost ones was sealed anew, in place of the one before; nothing was sealed a third time.
    assert len(kaz.rows("resends")) == 2
    assert all(row["envelope"] and row["fault"] is None for row in kaz.rows("resends"))
    before = len(relay.posted)
    await turn(relay, again, kaz, rounds=3)
    assert len(relay.posted) == before


async def test_nothing_is_missing_afterwards(relay: HostileRelay, kaz: TestNode, again: TestNode) -> None:
    """The old numbers are void by the sender's word: no gap stays open, so that a real one would show."""
    await turn(relay, again, kaz, rounds=6)
    for one in (again, kaz):
        one.clock.time += 2 * HOUR
    await turn(relay, again, kaz, rounds=3)
    for one in (again, kaz):
        one.clock.time += HOUR
    await turn(relay, again, kaz, rounds=2)
    told = set(again.alarms()) | set(kaz.alarms())
    assert not told & {"missing", "number-reused", "chain-broken", "equivocation", "stream-jump", "bad-notice", "lost"}


async def test_a_restored_node_receives_only_after_its_new_epochs_are_out(
    relay: HostileRelay, kaz: TestNode, again: TestNode
) -> None:
    keyring, directory = again.parts.keyring, again.parts.directory
    assert not keyring.receives(directory.current, again.clock.now())
    assert again.link._keyless()
    await again.sealer.seal_due()
    assert again.rows("asks") == []
    again.parts.wakes.directory.set()
    await again.housekeeper.look()
    assert keyring.receives(directory.current, again.clock.now())
    assert not again.link._keyless()
    await again.sealer.seal_due()
    assert {row["member"] for row in again.rows("asks") if row["sent"]} == {"KAZ", "UZB", "XAA"}


async def test_new_streams_begin_with_the_last_header_that_is_known(
    tmp_path: Path, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    """MNG sent two messages and knows of one: KAZ is told so, and takes what comes under new numbers."""
    await turn(relay, kaz, mng)
    await mng.write(["KAZ"])
    await turn(relay, kaz, mng)
    backup = tmp_path / "backup.db"
    copy_store(mng.folder, backup)
    await mng.write(["KAZ"])
    await turn(relay, kaz, mng)
    (old,) = [row for row in mng.rows("streams_out") if row["kind"] == 1]
    async with restored(tmp_path, world, relay, mng, backup, mng.clock.now()) as anew:
        await turn(relay, anew, kaz)
        await anew.write(["KAZ"])
        await turn(relay, anew, kaz)
        (new,) = [row for row in anew.rows("streams_out") if row["kind"] == 1]
        (ended,) = [row for row in anew.rows("streams_out") if row["kind"] == 3]
        assert new["stream"] != old["stream"] == ended["stream"]
        assert (old["last"], ended["last"], new["last"]) == (2, 1, 1)
        assert len(kaz.inbox()) == 3
        assert "sender-restored" in kaz.alarms()
        (detail,) = [row["detail"] for row in kaz.rows("alarms") if row["kind"] == "sender-restored"]
        assert "number 1" in detail
        assert "1 later" in detail
        # The answer to what MNG has forgotten is taken for what it is.
        assert not {"bad-notice", "missing"} & {*kaz.alarms(), *anew.alarms()}


async def ask(node: TestNode, to: str, since: int) -> None:
    """A request to send again, made by hand."""
    body = encode(RESEND, Resend(since))
    parcel, raw = service_parcel(node.parts, MemberId(to), ContentKind.RESEND, body, node.clock.now())
    await node.sealer._seal(parcel, HEADS, (MemberId(to),), Matter(raw))


async def test_a_partner_that_asks_without_end_gets_each_message_once_a_day(
    relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    await turn(relay, kaz, mng)
    await kaz.write(["MNG"])
    await turn(relay, kaz, mng)
    for _ in range(5):
        await ask(mng, "KAZ", 0)
        await turn(relay, mng, kaz, rounds=2)
    assert len(kaz.rows("resends")) == 1
    for one in (kaz, mng):
        one.clock.time += DAY
    await ask(mng, "KAZ", 0)
    await turn(relay, mng, kaz, rounds=2)
    assert len(kaz.rows("resends")) == 2
    assert len(mng.inbox()) == 1
    assert sorted(row["outcome"] for row in mng.rows("received") if row["outcome"] != "head") == [
        "delivered",
        "repeated",
        "repeated",
    ]


async def test_a_day_has_a_bound_for_all_requests_and_the_next_day_goes_on_with_the_rest(
    relay: HostileRelay, kaz: TestNode, mng: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_resends, "_MOST", 2)
    await turn(relay, kaz, mng)
    for _ in range(3):
        await kaz.write(["MNG"])
    await turn(relay, kaz, mng)
    for _ in range(3):
        await ask(mng, "KAZ", 0)
        await turn(relay, mng, kaz, rounds=2)
    assert len(kaz.rows("resends")) == 2
    for one in (kaz, mng):
        one.clock.time += DAY
    await ask(mng, "KAZ", 0)
    await turn(relay, mng, kaz, rounds=2)
    rows = kaz.rows("resends")
    assert (len(rows), len({row["message"] for row in rows})) == (4, 3)


async def test_a_request_gets_only_what_was_for_who_asks(
    relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
) -> None:
    await turn(relay, kaz, mng, uzb)
    await kaz.write(["MNG"])
    await turn(relay, kaz, mng, uzb)
    before = len(relay.posted)
    await ask(uzb, "KAZ", 0)
    await turn(relay, uzb, kaz, rounds=2)
    assert kaz.rows("resends") == []
    assert len(relay.posted) == before + 1
    assert uzb.inbox() == []


async def test_a_request_in_another_s_name_is_refused(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    """UZB sends KAZ a request that MNG is said to have made."""
    await turn(relay, kaz, mng)
    await kaz.write(["MNG"])
    await turn(relay, kaz, mng)
    manifest = world.manifest(("MNG",), encode(RESEND, Resend(0)), kind=ContentKind.RESEND)
    provisions = [world.signed_provision(manifest, ("MNG",), ["KAZ", "UZB"])]
    relay.accept(sealed_by(world, "UZB", ("KAZ",), manifest=manifest, provisions=provisions))
    await kaz.pull()
    assert kaz.outcomes()[-1] == ("refused", "unreadable")
    assert kaz.rows("resends") == []


async def test_a_plain_refusal_brings_nothing_again(relay: HostileRelay, kaz: TestNode, mng: TestNode) -> None:
    """The recipient's key is still in force: what it refused was not for want of it."""
    await turn(relay, kaz, mng)
    await kaz.write(["MNG"])
    await kaz.send()
    halves = dict(mng.parts.keyring._epochs)
    mng.parts.keyring._epochs.clear()
    await mng.pull()
    mng.parts.keyring._epochs.update(halves)
    relay.waiting.clear()
    relay.pass_on_answers()
    await kaz.pull()
    assert kaz.recipients() == {"MNG": "refused"}
    before = len(relay.posted)
    await kaz.send()
    kaz.clock.time += DAY + HOUR
    await kaz.sealer.seal_due()
    (row,) = kaz.rows("resends")
    assert row["envelope"] is None
    assert row["fault"]
    assert len([one for one in relay.posted[before:] if one.header.core.replaces]) == 0


async def test_what_has_expired_is_told_to_be_lost(relay: HostileRelay, kaz: TestNode, mng: TestNode) -> None:
    await turn(relay, kaz, mng)
    await kaz.write(["MNG"], expires="1d")
    await turn(relay, kaz, mng)
    for one in (kaz, mng):
        one.clock.time += 2 * DAY
    await ask(mng, "KAZ", 0)
    await turn(relay, mng, kaz, rounds=4)
    (row,) = kaz.rows("resends")
    assert row["envelope"] is None
    assert "lost" in mng.alarms()
