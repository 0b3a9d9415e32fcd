"""A relay that hides a revocation, and a root that sends it another way: `cbm node obey`. And who tries the same.

What is given by hand takes power away and gives none; a hold is released by an operator only.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.cli import main
from exchange.node.books import Books
from exchange.node.directory import DirectoryView
from schemas.endings import WithdrawalTarget
from schemas.files import ENTRY, SIGNED_CHARTER, encode_file
from schemas.statement import DirectoryEntry, read_entry
from tests.support.attacks import put_off_by_receiver
from tests.support.changes import revocation, withdrawal
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, sealed_by
from tests.support.proofs import another_epoch
from tests.support.world import World


@pytest.fixture
def folder(kaz: TestNode, world: World) -> Path:
    """The folder of KAZ's node, which runs, with its settings."""
    settings = {"member": "KAZ", "relay_url": "http://127.0.0.1:1", "charter_digest": world.charter_digest.hex()}
    text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    (kaz.folder / "node.toml").write_text(text)
    return kaz.folder


def cut(world: World) -> DirectoryEntry:
    return revocation(world.roots["MNG"], world.nodes["MNG"].key_id, world.now)


async def cbm(*arguments: str | Path) -> int:
    return await asyncio.to_thread(main.run, [str(argument) for argument in arguments])


async def obey(folder: Path, entry: DirectoryEntry) -> int:
    file = folder / "given.cbm"
    file.write_bytes(encode_file(ENTRY, entry))
    return await cbm("node", "obey", file, "--dir", folder, "--json")


async def test_a_revocation_that_the_relay_hides_is_obeyed_at_once(
    world: World, relay: HostileRelay, kaz: TestNode, folder: Path
) -> None:
    assert await obey(folder, cut(world)) == 0
    await kaz.housekeeper.tick()
    await put_off_by_receiver(kaz, relay, sealed_by(world, "MNG", ("KAZ",)), "header-signature")
    await kaz.write(["MNG"])
    await kaz.write(["UZB"])
    await kaz.send()
    assert kaz.recipients() == {"MNG": "pending", "UZB": "accepted"}


async def test_it_is_obeyed_after_a_restart_and_as_the_directory_grows(
    world: World, relay: HostileRelay, kaz: TestNode, folder: Path
) -> None:
    assert await obey(folder, cut(world)) == 0
    name = ("MNG", world.nodes["MNG"].key_id)
    stores = kaz.parts.stores
    books = Books(stores.access, stores.trust, stores.hand, stores.withdrawals)
    loaded = await DirectoryView.load(books, world.charter_digest, kaz.parts.guard)
    assert name in loaded.current.obeyed
    relay.entries.append(another_epoch(world))
    await loaded.update(kaz.parts.relay, world.now)
    assert loaded.current.size == len(relay.entries)
    assert name in loaded.current.obeyed
    assert name in loaded.as_of(5).obeyed


FALSE: dict[str, Callable[[World], DirectoryEntry]] = {
    "by-the-relay": lambda w: revocation(w.relay, w.nodes["MNG"].key_id, w.now, member="MNG"),
    "by-another-root": lambda w: revocation(w.roots["UZB"], w.nodes["MNG"].key_id, w.now, member="MNG"),
    "by-the-node-itself": lambda w: revocation(w.nodes["MNG"], w.nodes["MNG"].key_id, w.now),
    "a-withdrawal": lambda w: withdrawal(w.nodes["MNG"], WithdrawalTarget.PROVISION, bytes(16), w.now),
    "a-signing-key": lambda w: read_entry(w.entries[2]),
    "an-epoch": lambda w: read_entry(another_epoch(w)),
}


@pytest.mark.parametrize("name", FALSE)
async def test_nothing_else_is_obeyed(
    world: World, kaz: TestNode, folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kaz.facts()
    assert await obey(folder, FALSE[name](world)) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    await kaz.housekeeper.tick()
    assert (kaz.facts(), kaz.rows("obeyed")) == (before, [])


async def test_a_charter_is_not_obeyed(world: World, kaz: TestNode, folder: Path) -> None:
    file = folder / "charter.cbm"
    file.write_bytes(encode_file(SIGNED_CHARTER, read_entry(world.entries[0])))
    assert await cbm("node", "obey", file, "--dir", folder) == 1
    assert kaz.rows("obeyed") == []


async def test_a_hold_is_released_once(
    world: World, relay: HostileRelay, kaz: TestNode, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await kaz.database.write(
        lambda c: c.execute("INSERT INTO holds (member, since, kind, detail) VALUES ('MNG', 1, 'split-view', 'seen')")
    )
    await kaz.write(["MNG"])
    await kaz.send()
    assert kaz.recipients() == {"MNG": "pending"}
    capsys.readouterr()
    assert await cbm("node", "release-hold", "MNG", "--dir", folder, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"released": "MNG"}
    await kaz.send()
    assert kaz.recipients() == {"MNG": "accepted"}
    assert await cbm("node", "release-hold", "MNG", "--dir", folder) == 1
    assert "nothing is held back" in capsys.readouterr().err


async def test_what_was_sealed_before_a_hold_does_not_leave_either(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    await kaz.write(["MNG"])
    await kaz.sealer.seal_due()
    await kaz.database.write(
        lambda c: c.execute("INSERT INTO holds (member, since, kind, detail) VALUES ('MNG', 1, 'split-view', 'seen')")
    )
    await kaz.send()
    assert (relay.posted, kaz.recipients()) == ([], {"MNG": "pending"})
    (row,) = kaz.rows("outbox")
    assert "held" in row["fault"]
    assert await kaz.parts.stores.hand.release("MNG", kaz.parts.clock.now())
    kaz.clock.time += 60
    await kaz.send()
    assert kaz.recipients() == {"MNG": "accepted"}
