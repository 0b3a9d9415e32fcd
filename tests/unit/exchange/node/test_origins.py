"""Proofs of acceptance: fetched when they are due, kept, and carried where a key has ended."""

import pytest

from exchange.errors import Forbidden
from exchange.node.origins import OriginKeeper
from exchange.node.transport import RelayRefused
from keys.origin import Origin
from schemas.canon import encode
from schemas.envelope import decode_header
from schemas.limits import DAY, HOUR, LOG_BY, MAX_CLOCK_AHEAD
from schemas.origin import Origins
from schemas.statement import DIRECTORY_ENTRY
from schemas.terms import Onward
from tests.support.changes import revocation
from tests.support.hostile_relay import HostileRelay, Line
from tests.support.node import TestNode, manifest_of, ministry
from tests.support.world import Sealed, World

LOGGED = LOG_BY + MAX_CLOCK_AHEAD


@pytest.fixture
def keeper(kaz: TestNode) -> OriginKeeper:
    return OriginKeeper(kaz.parts)


def open_to_members(world: World) -> Sealed:
    """MNG to KAZ, to be passed on to any member."""
    manifest = manifest_of(world, "MNG", onward="members")
    provision = world.signed_provision(manifest, ("MNG",), ["KAZ"], onward=Onward.MEMBERS)
    return world.envelope(["KAZ"], "MNG", manifest=manifest, provisions=[provision])


async def received(world: World, relay: HostileRelay, kaz: TestNode) -> Sealed:
    sealed = open_to_members(world)
    relay.accept(sealed)
    await kaz.pull()
    relay.waiting.clear()
    return sealed


async def ended(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """MNG's root ends the key with which it provided."""
    relay.entries.append(encode(DIRECTORY_ENTRY, revocation(world.roots["MNG"], world.nodes["MNG"].key_id, world.now)))
    await kaz.parts.directory.update(kaz.parts.relay, kaz.clock.now())


async def test_a_proof_is_fetched_when_it_has_to_be_there(
    world: World, relay: HostileRelay, kaz: TestNode, keeper: OriginKeeper
) -> None:
    await kaz.write(["MNG"])
    await kaz.send()
    await received(world, relay, kaz)
    kaz.clock.time += LOGGED - 1
    await keeper.turn()
    assert (len(kaz.rows("origins_due")), kaz.rows("origins")) == (2, [])
    kaz.clock.time += 1
    await keeper.turn()
    assert kaz.rows("origins_due") == []
    assert sorted(row["sender"] for row in kaz.rows("origins")) == ["", "MNG"]
    assert {row["leaf"] for row in kaz.rows("origins")} == set(relay.audit.leaves)


async def test_one_that_does_not_come_is_asked_for_less_often_and_told(
    world: World, relay: HostileRelay, kaz: TestNode, keeper: OriginKeeper
) -> None:
    sealed = await received(world, relay, kaz)
    del relay.logged["MNG", sealed.header.core.id]
    kaz.clock.time += LOGGED
    pauses = []
    for _ in range(4):
        await keeper.turn()
        (row,) = kaz.rows("origins_due")
        pauses.append(row["due"] - kaz.clock.now())
        kaz.clock.time = row["due"]
    assert pauses == [60, 120, 240, 480]
    assert kaz.alarms() == []
    kaz.clock.time += HOUR
    await keeper.turn()
    assert kaz.alarms() == ["not-logged"]
    await kaz.database.write(lambda c: c.execute("UPDATE origins_due SET due = 0, tries = 30"))
    await keeper.turn()
    assert kaz.rows("origins_due") == []


async def test_a_relay_that_does_not_know_the_envelope_stops_nothing(
    world: World, relay: HostileRelay, kaz: TestNode, keeper: OriginKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a relay has been replaced."""

    async def unknown(line: Line, sender: str, envelope: bytes) -> bytes | None:
        raise RelayRefused("envelope-unknown", "never heard of it")

    await received(world, relay, kaz)
    monkeypatch.setattr(Line, "origin", unknown)
    kaz.clock.time += LOGGED
    assert not await keeper.turn()
    assert kaz.rows("origins_due")[0]["tries"] == 1


class TestCarried:
    async def test_nothing_while_all_keys_hold(
        self, world: World, relay: HostileRelay, kaz: TestNode, keeper: OriginKeeper
    ) -> None:
        core = (await received(world, relay, kaz)).header.core
        assert await keeper.carried(core.provisions, core.grants, world.now) is None

    async def test_a_forward_under_a_key_that_has_ended_carries_its_proof(
        self, world: World, relay: HostileRelay, kaz: TestNode, keeper: OriginKeeper
    ) -> None:
        """What was consented while the key was in force is passed on; the recipient judges by the proof."""
        await received(world, relay, kaz)
        kaz.clock.time += LOGGED
        await keeper.turn()
        await ended(world, relay, kaz)
        (name,) = kaz.inbox()
        source = await kaz.parts.stores.views.message(name)
        assert source is not None
        await kaz.composer.forward(source, {"to": ["UZB"]}, ministry(), None)
        await kaz.send()
        assert kaz.recipients() == {"UZB": "accepted"}
        header = decode_header(relay.posted[-1].header_bytes)
        assert header.core.origins is not None
        assert [proof.leaf for proof in header.core.origins.proofs] == relay.audit.leaves[:1]

    async def test_a_forward_without_a_proof_is_refused_at_once(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        await received(world, relay, kaz)
        await ended(world, relay, kaz)
        (name,) = kaz.inbox()
        source = await kaz.parts.stores.views.message(name)
        assert source is not None
        with pytest.raises(Forbidden) as caught:
            await kaz.composer.forward(source, {"to": ["UZB"]}, ministry(), None)
        assert caught.value.code == "provision-signature"

    async def test_a_provision_in_envelopes_without_end_makes_no_forward_slow(
        self, world: World, relay: HostileRelay, kaz: TestNode, keeper: OriginKeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """UZB sends what it has from MNG again and again, each time with a proof that has to be verified."""
        manifest = manifest_of(world, "MNG", onward="members")
        provision = world.signed_provision(manifest, ("MNG",), ["UZB"], onward=Onward.MEMBERS)
        first = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[provision])
        relay.accept(first, ())
        for number in range(12):
            core = {"origins": relay.audit.proof(0), "id": bytes([number]) * 16}
            relay.accept(world.forward(first, "UZB", ["KAZ"], core=core))
        await kaz.pull()
        assert len(kaz.rows("received")) == 12
        await ended(world, relay, kaz)
        judged: list[Origins] = []

        def proved(origins: Origins) -> frozenset[Origin]:
            judged.append(origins)
            return frozenset()

        monkeypatch.setattr(keeper, "_proved", proved)
        assert await keeper.carried(first.header.core.provisions, (), kaz.clock.now()) is None
        assert 1 <= len(judged) <= 16
        monkeypatch.undo()
        assert await keeper.carried(first.header.core.provisions, (), kaz.clock.now()) is not None

    async def test_a_proof_that_came_with_a_forward_is_passed_on(
        self, world: World, relay: HostileRelay, kaz: TestNode, keeper: OriginKeeper
    ) -> None:
        """KAZ has it from UZB, which has it from MNG: only the first acceptance was before MNG's key ended."""
        manifest = manifest_of(world, "MNG", onward="members")
        provision = world.signed_provision(manifest, ("MNG",), ["UZB"], onward=Onward.MEMBERS)
        first = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[provision])
        relay.accept(first, ())
        proof = relay.audit.proof(0)
        await ended(world, relay, kaz)
        sealed = world.forward(first, "UZB", ["KAZ"], core={"origins": proof})
        relay.accept(sealed, directory_size=len(relay.entries))
        await kaz.pull()
        assert len(kaz.inbox()) == 1
        core = sealed.header.core
        carried = await keeper.carried(core.provisions, core.grants, kaz.clock.now())
        assert carried is not None
        assert [item.leaf for item in carried.proofs] == [proof.proofs[0].leaf]

    async def test_a_proof_of_after_the_end_is_not_carried(
        self, world: World, relay: HostileRelay, kaz: TestNode, keeper: OriginKeeper
    ) -> None:
        sealed = await received(world, relay, kaz)
        core = sealed.header.core
        late = world.now + 500 * DAY
        # From now on all cosign at that time.
        world.now = late
        kaz.clock.time = late
        await keeper.turn()
        assert await keeper.carried(core.provisions, core.grants, late) is None
