"""Who records traffic and later takes everything of a node opens nothing whose epoch is past its grace."""

import shutil
from pathlib import Path

import pytest

from exchange.wiring.epochs import loss_at
from exchange.wiring.node import open_parts
from keys.epochs import EPOCH_GRACE, EPOCH_TERM, EPOCHS_AHEAD
from keys.errors import KeystoreFault
from keys.keystore import Keystore
from keys.mortal import ends
from schemas.ids import MemberId
from schemas.limits import DAY, EXPIRY_MARGIN
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.thief import files_with, halves_in, plaintext
from tests.support.world import NOW, Sealed, World

WEEKS = 10
STOLEN_WEEK = 6
MNG = MemberId("MNG")


@pytest.fixture
async def recorded(kaz: TestNode, mng: TestNode, relay: HostileRelay) -> list[Sealed]:
    """A message a week from KAZ to MNG, both nodes running and rotating by themselves; the relay records all of it."""
    for week in range(WEEKS):
        await pass_time(relay, NOW + week * EPOCH_TERM, kaz, mng)
        if week == STOLEN_WEEK:
            shutil.copytree(mng.folder, mng.folder.with_name("stolen"))
        await kaz.write(["MNG"])
        await kaz.send()
        await mng.pull()
        relay.waiting.clear()
    assert len(mng.inbox()) == WEEKS
    return list(relay.posted)


async def pass_time(relay: HostileRelay, now: int, *nodes: TestNode) -> None:
    """Each node's clock is put forward and its housekeeping has its turn; then the others learn what it published."""
    for one in nodes:
        one.clock.time = now
        await one.housekeeper.tick()
    for one in (*nodes, *nodes):
        one.parts.wakes.directory.set()
        await one.housekeeper.look()


def settings(mng: TestNode, charter: bytes) -> None:
    """What a command needs to know of the folder."""
    text = f'member = "MNG"\nrelay_url = "https://127.0.0.1:1"\ncharter_digest = "{charter.hex()}"\n'
    (mng.folder / "node.toml").write_text(text)


def epoch_of(mng: TestNode, sealed: Sealed) -> int:
    """When the half that opens an envelope is destroyed."""
    wrap = sealed.header.wrap_for(MNG)
    assert wrap is not None
    return mng.parts.directory.current.epoch(MNG, wrap.key_id).destroy_at


async def test_every_file_and_passphrase_opens_only_what_is_inside_its_grace(
    mng: TestNode, recorded: list[Sealed]
) -> None:
    now = mng.clock.now()
    halves = halves_in(mng.folder, Keystore(mng.folder / "keys", bytes(32)))
    opened = {sealed.digest for sealed in recorded if plaintext(sealed, "MNG", halves)}
    inside = {sealed.digest for sealed in recorded if epoch_of(mng, sealed) > now}
    assert opened == inside
    assert {epoch_of(mng, sealed) > now for sealed in recorded} == {True, False}


async def test_a_thief_who_comes_in_time_opens_it(
    mng: TestNode, kaz: TestNode, relay: HostileRelay, recorded: list[Sealed]
) -> None:
    """Control: the same thief, a second before the half is destroyed, and at that second."""
    last = recorded[-1]
    end = epoch_of(mng, last)
    for now, opens in ((end - 1, True), (end, False)):
        await pass_time(relay, now, mng)
        halves = halves_in(mng.folder, Keystore(mng.folder / "keys", bytes(32)))
        assert (plaintext(last, "MNG", halves) is not None) is opens


async def test_nothing_of_a_destroyed_half_is_left_in_any_file(
    mng: TestNode, relay: HostileRelay, world: World, recorded: list[Sealed]
) -> None:
    """The bytes on the disk: seed, sealed file and veil of every epoch, looked for before and after its end."""
    keys = mng.folder / "keys"
    living = {
        name: ((keys / "epochs" / f"{name}.key").read_bytes(), (keys / "veils" / f"{name}.veil").read_bytes()[:32])
        for name in ends(keys)
    }
    assert len(living) == EPOCHS_AHEAD + 1 + EPOCH_GRACE // EPOCH_TERM
    assert all(files_with(mng.folder, piece) for pieces in living.values() for piece in pieces)
    await pass_time(relay, max(ends(keys).values()), mng)
    assert set(ends(keys)).isdisjoint(living)
    assert not any(files_with(mng.folder, piece) for pieces in living.values() for piece in pieces)
    seeds = [bytes(epoch.seed) for epoch in world.epochs["MNG"]]
    assert not any(files_with(mng.folder, part) for seed in seeds for part in (seed, seed[:64], seed[64:]))


async def test_a_node_that_was_away_destroys_before_it_opens_anything(
    tmp_path: Path, mng: TestNode, recorded: list[Sealed]
) -> None:
    """Also when nobody knows the passphrase any more."""
    keys = mng.folder / "keys"
    settings(mng, bytes(32))
    assert ends(keys)
    mng.clock.time = max(ends(keys).values())
    with pytest.raises(KeystoreFault):
        await open_parts(mng.folder, b"a wrong passphrase", mng.clock)
    assert ends(keys) == {}
    halves = halves_in(mng.folder, Keystore(keys, bytes(32)))
    assert not any(plaintext(sealed, "MNG", halves) for sealed in recorded)


async def test_the_report_names_exactly_what_a_theft_opens(mng: TestNode, world: World, recorded: list[Sealed]) -> None:
    """Told from the epochs' statements months later; compared with what the thief's copy does open."""
    stolen_at = NOW + STOLEN_WEEK * EPOCH_TERM
    settings(mng, world.charter_digest)
    halves = halves_in(mng.folder.with_name("stolen"), Keystore(mng.folder.with_name("stolen") / "keys", bytes(32)))
    opened = {sealed.header.core.id for sealed in recorded if plaintext(sealed, "MNG", halves)}
    loss = loss_at(mng.folder, stolen_at)
    assert {arrived.envelope for arrived in loss.opened} == opened
    assert 0 < len(opened) < len(recorded)
    assert loss.closed == len(recorded) - len(opened)
    # Of that very second one more: whether it came before the thief is not to be known.
    assert loss.stored == STOLEN_WEEK + 1
    # Epochs that were published ahead were there to be stolen too.
    exposed = {item.record.key_id for item in loss.exposures if item.exposed}
    assert exposed == {half.key_id for half in halves} & {item.record.key_id for item in loss.exposures}


async def test_no_envelope_outlives_its_key(mng: TestNode, recorded: list[Sealed]) -> None:
    for sealed in recorded:
        assert sealed.header.core.expires <= epoch_of(mng, sealed) - EXPIRY_MARGIN


async def test_an_envelope_for_a_half_that_is_gone_is_refused_and_both_sides_know(
    tmp_path: Path, kaz: TestNode, mng: TestNode, relay: HostileRelay
) -> None:
    """MNG lost its private halves, as in a restore: the sender gets a signed answer that says nothing of why."""
    await kaz.write(["MNG"])
    await kaz.send()
    mng.parts.keyring._epochs.clear()
    await mng.pull()
    assert mng.inbox() == []
    assert mng.outcomes() == [("refused", "epoch-gone")]
    assert mng.alarms() == ["epoch-gone"]
    relay.pass_on_answers()
    await kaz.pull()
    assert kaz.recipients() == {"MNG": "refused"}
    assert kaz.alarms() == ["recipient-refused"]


async def test_what_was_received_is_stored_under_the_local_key(
    kaz: TestNode, mng: TestNode, relay: HostileRelay
) -> None:
    """It is read after its epoch is gone, with the local key alone."""
    await kaz.write(["MNG"])
    await kaz.send()
    await mng.pull()
    (ident,) = mng.inbox()
    await pass_time(relay, NOW + 60 * DAY, mng)
    assert not mng.parts.keyring._epochs.keys() & {wrap.key_id for wrap in relay.posted[0].header.wraps}
    message = await mng.parts.stores.views.message(ident)
    assert message is not None
    assert b"field-exercise" not in message.sealed_manifest
    opened = mng.parts.keyring.vault.open("manifest", ident, message.sealed_manifest)
    assert b"military-activity-notification" in opened
