"""Attacks on the directory: a relay that serves forged, foreign, shortened or endless entries."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from exchange.errors import ExchangeError
from exchange.node.books import Books
from exchange.node.directory import DirectoryView
from keys.amendment import Changes, amend_charter
from keys.errors import KeyFault
from keys.identity import EpochIdentity, SigningIdentity
from schemas.canon import encode
from schemas.charter import Charter
from schemas.contexts import Context
from schemas.endings import WithdrawalTarget
from schemas.ids import Digest, MemberId
from schemas.signed import HybridSignature
from schemas.statement import (
    DIRECTORY_ENTRY,
    EPOCH_KEY,
    DirectoryEntry,
    EntryKind,
    SigningKey,
    read_entry,
)
from tests.support.attacks import relay_facts
from tests.support.changes import revocation, version, withdrawal
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, sealed_by
from tests.support.realm import epoch_entry, epoch_statement, signing_entry, signing_statement
from tests.support.relay import Server
from tests.support.world import World

THIEF = SigningIdentity.from_entropy(MemberId("MNG"), b"t" * 96)
EPOCH = EpochIdentity(b"e" * 96)


def half_forged(world: World, ed25519: SigningIdentity, mldsa65: SigningIdentity) -> bytes:
    """An epoch of MNG whose two signature halves are by these."""
    body = encode(EPOCH_KEY, epoch_statement("MNG", 9, EPOCH, world.now))
    classical = ed25519.sign_hybrid(Context.EPOCH_KEY, body).ed25519
    lattice = mldsa65.sign_hybrid(Context.EPOCH_KEY, body).mldsa65
    signature = HybridSignature(MemberId("MNG"), world.nodes["MNG"].key_id, classical, lattice)
    return encode(DIRECTORY_ENTRY, DirectoryEntry(EntryKind.EPOCH_KEY, body, (signature,)))


def statement(world: World, key: SigningIdentity = THIEF) -> SigningKey:
    return replace(signing_statement("MNG", key, world.now), created=world.now)


def next_version(world: World) -> Charter:
    """A version that only gives the Chairmanship to MNG."""
    chair = replace(world.charter.chairmanship, member=MemberId("MNG"))
    return amend_charter(world.charter, Changes(chairmanship=chair), world.now)


FORGED: dict[str, Callable[[World], bytes]] = {
    "a-signing-key-certified-by-itself": lambda w: signing_entry(statement(w), THIEF),
    "a-signing-key-certified-by-the-relay": lambda w: signing_entry(statement(w), w.relay),
    "a-signing-key-certified-by-another-root": lambda w: signing_entry(statement(w), w.roots["KAZ"]),
    "a-signing-key-certified-by-the-node-instead-of-the-root": lambda w: signing_entry(statement(w), w.nodes["MNG"]),
    "the-root-key-as-a-signing-key": lambda w: signing_entry(statement(w, w.roots["MNG"]), w.roots["MNG"]),
    "an-epoch-certified-by-the-relay": lambda w: epoch_entry(epoch_statement("MNG", 9, EPOCH, w.now), w.relay),
    "an-epoch-certified-by-another-member": lambda w: epoch_entry(
        epoch_statement("MNG", 9, EPOCH, w.now), w.nodes["KAZ"]
    ),
    "an-epoch-certified-by-the-root": lambda w: epoch_entry(epoch_statement("MNG", 9, EPOCH, w.now), w.roots["MNG"]),
    "an-epoch-with-a-forged-ml-dsa-half": lambda w: half_forged(w, w.nodes["MNG"], THIEF),
    "an-epoch-with-a-forged-ed25519-half": lambda w: half_forged(w, THIEF, w.nodes["MNG"]),
    "an-epoch-number-again": lambda w: epoch_entry(epoch_statement("MNG", 3, EPOCH, w.now), w.nodes["MNG"]),
    "a-revocation-by-the-relay": lambda w: encode(
        DIRECTORY_ENTRY, revocation(w.relay, w.nodes["MNG"].key_id, w.now, member="MNG")
    ),
    "a-revocation-of-anothers-key": lambda w: encode(
        DIRECTORY_ENTRY, revocation(w.roots["KAZ"], w.nodes["MNG"].key_id, w.now, member="MNG")
    ),
    "a-withdrawal-in-anothers-name": lambda w: encode(
        DIRECTORY_ENTRY, withdrawal(w.nodes["KAZ"], WithdrawalTarget.PROVISION, bytes(16), w.now, member="MNG")
    ),
    "a-charter-version-by-the-relay": lambda w: encode(DIRECTORY_ENTRY, version(next_version(w), [w.relay])),
    "a-charter-version-by-a-minority": lambda w: encode(
        DIRECTORY_ENTRY, version(next_version(w), [w.roots["KAZ"], w.roots["MNG"]])
    ),
    "an-entry-that-is-there-already": lambda w: w.entries[1],
    "another-charter": lambda w: World(seed="another charter").entries[0],
    "a-signing-key-of-a-member-of-no-charter": lambda w: World(codes=("KAZ", "XAZ"), seed="other").entries[2],
    "garbage": lambda w: b"\xc1" * 40,
    "nothing": lambda w: b"",
}
TRUE: dict[str, Callable[[World], bytes]] = {
    "epoch": lambda w: epoch_entry(epoch_statement("MNG", 9, EPOCH, w.now), w.nodes["MNG"]),
    "signing-key": lambda w: signing_entry(statement(w), w.roots["MNG"]),
    "revocation": lambda w: encode(DIRECTORY_ENTRY, revocation(w.roots["MNG"], w.nodes["MNG"].key_id, w.now)),
    "withdrawal": lambda w: encode(
        DIRECTORY_ENTRY, withdrawal(w.nodes["MNG"], WithdrawalTarget.PROVISION, bytes(16), w.now)
    ),
    "charter-version": lambda w: encode(
        DIRECTORY_ENTRY, version(next_version(w), [w.roots[code] for code in ("KAZ", "MNG", "UZB")])
    ),
}


async def loaded_from(tested: TestNode, pinned: Digest) -> DirectoryView:
    """The directory of a node's store, as at its start."""
    stores = tested.parts.stores
    return await DirectoryView.load(
        Books(stores.access, stores.trust, stores.hand, stores.withdrawals), pinned, tested.parts.guard
    )


async def refused_update(target: TestNode, world: World) -> None:
    before, rows = target.facts(), target.rows("directory")
    with pytest.raises((KeyFault, ExchangeError)):
        await target.parts.directory.update(target.parts.relay, world.now)
    assert target.facts() == before
    assert target.rows("directory") == rows


@pytest.mark.parametrize("name", FORGED)
async def test_of_a_directory_with_a_forged_entry_nothing_is_used(
    world: World, relay: HostileRelay, kaz: TestNode, name: str
) -> None:
    """Not even the true entry that stands before it on the same page."""
    relay.entries += [TRUE["epoch"](world), FORGED[name](world)]
    await refused_update(kaz, world)


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_entry_is_refused_by_the_relay(world: World, server: Server, name: str) -> None:
    before = relay_facts(server)
    answer = await server.request("POST", "/v1/directory", FORGED[name](world))
    if name == "an-entry-that-is-there-already":
        assert answer.status == 200
    else:
        assert 400 <= answer.status < 500
    assert relay_facts(server) == before


@pytest.mark.parametrize("name", TRUE)
async def test_a_true_entry_is_taken(world: World, relay: HostileRelay, kaz: TestNode, name: str) -> None:
    """The control."""
    relay.entries.append(TRUE[name](world))
    await kaz.parts.directory.update(kaz.parts.relay, world.now)
    assert kaz.parts.directory.current.size == world.directory.size + 1
    assert kaz.rows("directory")[-1]["entry"] == relay.entries[-1]


async def test_a_forged_key_delivered_with_its_first_use_is_not_believed(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    """The relay puts a thief's key into the directory and delivers what the thief signed as MNG."""
    relay.entries.append(FORGED["a-signing-key-certified-by-the-relay"](world))
    attacked = sealed_by(world, "MNG", ("KAZ",), signer=THIEF, core={"key_id": THIEF.key_id})
    before = kaz.facts()
    relay.accept(attacked, directory_size=world.directory.size + 1)
    await kaz.pull()
    assert kaz.facts() == before
    assert (kaz.rows("received"), relay.acknowledged) == ([], [])


async def test_a_directory_that_was_rolled_back_changes_nothing(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    relay.entries = relay.entries[:3]
    await refused_update(kaz, world)
    assert kaz.alarms() == ["rollback"]


async def test_a_directory_without_end_ends(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """A relay that answers every question with the same true entry once more."""
    entry = read_entry(relay.entries[1])
    relay.entries += [encode(DIRECTORY_ENTRY, entry)] * 3
    await refused_update(kaz, world)


async def test_housekeeping_says_what_is_wrong_and_goes_on(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    relay.entries.append(FORGED["an-epoch-certified-by-the-relay"](world))
    await kaz.housekeeper.look()
    assert kaz.housekeeper.directory_fault is not None
    assert "nothing of it is used" in kaz.housekeeper.directory_fault
    assert kaz.parts.directory.current is world.directory
    assert kaz.alarms() == ["invalid-entry"]
    await kaz.write(["UZB"])
    await kaz.write(["MNG"])
    await kaz.send()
    assert kaz.recipients() == {"UZB": "accepted", "MNG": "pending"}


async def test_a_stored_directory_that_was_altered_on_the_disk_does_not_load(world: World, kaz: TestNode) -> None:

    loaded = await loaded_from(kaz, world.charter_digest)
    assert loaded.current.size == world.directory.size
    forged = FORGED["an-epoch-certified-by-the-relay"](world)
    await kaz.database.write(lambda c: c.execute("UPDATE directory SET entry = ? WHERE position = 9", (forged,)))
    with pytest.raises(KeyFault):
        await loaded_from(kaz, world.charter_digest)


async def test_another_charter_than_the_pinned_one_does_not_load(world: World, kaz: TestNode) -> None:

    with pytest.raises(KeyFault):
        await loaded_from(kaz, World(seed="another charter").charter_digest)
