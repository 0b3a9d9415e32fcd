"""Attacks that want alarms, streams or accusations without end; and terms that a co-recipient adds to another's."""

from collections.abc import Mapping

import pytest

from exchange.delivery.streams import MAX_STREAMS
from keys.digests import sha256
from schemas.ids import NO_DIGEST, Digest, KeyId, StreamId
from schemas.terms import Onward, Precedence
from schemas.wrap import WrapSecret
from tests.support.attacks import delivered, put_off_by_receiver, same_id
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of, ministry, sealed_by
from tests.support.world import Sealed, World


def at(world: World, number: int, stream: bytes | None = None, previous: Digest = NO_DIGEST) -> Sealed:
    """An envelope of KAZ at any place of any stream."""
    key = world.random(32)
    secret = WrapSecret(key, StreamId(stream or world.random(16)), number, previous)
    return sealed_by(world, "KAZ", ("MNG",), content_key=key, secrets={"MNG": secret})


async def take(mng: TestNode, relay: HostileRelay, *envelopes: Sealed) -> None:
    relay.waiting.clear()
    for sealed in envelopes:
        relay.accept(sealed)
    await mng.pull()


async def test_a_stream_of_its_own_for_every_envelope_is_bounded_and_one_alarm(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    count = MAX_STREAMS + 6
    await take(mng, relay, *(at(world, 9_999) for _ in range(count)))
    assert len(mng.inbox()) == count
    assert len(mng.rows("streams_in")) == MAX_STREAMS
    assert mng.alarms() == ["stream-jump"]
    mng.clock.time += 1000
    await mng.housekeeper.tick()
    assert mng.alarms() == ["stream-jump", "missing"]
    said = mng.rows("alarms")[1]["detail"]
    assert "and 9978 more of stream" in said
    assert f"and of {MAX_STREAMS - 4} more streams; ask KAZ" in said
    # What was told is not looked at again.
    assert await mng.parts.stores.inbox.late_streams(mng.clock.now(), 10) == ()
    before = mng.rows("alarms")
    await mng.housekeeper.tick()
    assert mng.rows("alarms") == before


async def test_another_senders_account_is_kept_all_the_same(world: World, relay: HostileRelay, mng: TestNode) -> None:
    await take(mng, relay, *(at(world, 9_999) for _ in range(MAX_STREAMS + 1)))
    _kept_back, arrived = (sealed_by(world, "UZB", ("MNG",)) for _ in range(2))
    await take(mng, relay, arrived)
    mng.clock.time += 1000
    for _ in range(2):
        await mng.housekeeper.tick()
    assert [row["member"] for row in mng.rows("alarms") if row["kind"] == "missing"] == ["KAZ", "UZB"]


async def test_what_is_missing_later_is_told_as_well(world: World, relay: HostileRelay, mng: TestNode) -> None:
    stream = b"s" * 16
    await take(mng, relay, at(world, 3, stream))
    mng.clock.time = world.now = world.now + 1000
    await mng.housekeeper.tick()
    await take(mng, relay, at(world, 6, stream))
    mng.clock.time = world.now = world.now + 1000
    await mng.housekeeper.tick()
    said = [row["detail"].partition(" of stream")[0] for row in mng.rows("alarms")]
    assert said == ["envelopes of KAZ did not arrive: number 1, 2", "envelopes of KAZ did not arrive: number 4, 5"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("stream-jump", {"number": 2**40}),
        ("number-reused", {"number": 1, "stream": b"s" * 16}),
        ("chain-broken", {"number": 2, "stream": b"s" * 16, "previous": sha256(b"another")}),
    ],
)
async def test_a_false_place_with_every_envelope_is_one_alarm_a_day(
    world: World, relay: HostileRelay, mng: TestNode, kind: str, fields: Mapping[str, int | bytes]
) -> None:
    await take(mng, relay, at(world, 1, b"s" * 16), *(at(world, **fields) for _ in range(5)))  # type: ignore[arg-type]  # as its own
    assert mng.alarms().count(kind) == 1
    assert len(mng.inbox()) == 6


async def test_false_acknowledgements_without_end_are_one_alarm_a_day(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    await kaz.write(["MNG"])
    await kaz.send()
    (sealed,) = relay.posted
    for _ in range(30):
        relay.notify("KAZ", world.acknowledgement(sealed, "MNG", time=world.now, key_id=KeyId(world.random(32))))
    await kaz.pull()
    assert kaz.alarms() == ["bad-notice"]


async def test_a_header_that_a_member_did_not_sign_does_not_accuse_it_of_equivocation(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    genuine = sealed_by(world, "KAZ", ("MNG",))
    await delivered(mng, relay, genuine)
    forged = sealed_by(world, "KAZ", ("MNG",), core=same_id(genuine), signature=bytes(64))
    relay.accept(forged)
    await mng.pull()
    assert [(row["kind"], row["member"]) for row in mng.rows("alarms")] == [("header-signature", None)]
    assert len(mng.inbox()) == 1


class TestAddedTerms:
    """UZB forwards KAZ's content to MNG before KAZ's own envelope comes, and puts a Provision of its own beside it."""

    async def test_terms_that_a_co_recipient_added_end_with_the_providers_own_copy(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        manifest = manifest_of(world, "KAZ", "AMBER", "members")
        genuine = world.signed_provision(manifest, ("KAZ",), ["MNG", "UZB"], onward=Onward.MEMBERS)
        original = world.envelope(
            ["MNG", "UZB"],
            "KAZ",
            manifest=manifest,
            provisions=[genuine],
            core={"precedence": Precedence.FLASH},
        )
        added = world.signed_provision(world.manifest(("UZB",)), ("UZB",), ["MNG"], until=world.now + 60)
        first = world.envelope(["MNG"], "UZB", manifest=manifest, provisions=[genuine, added])
        name = await delivered(mng, relay, first)
        relay.waiting.clear()
        relay.accept(original, ("MNG",))
        await mng.pull()
        assert [outcome for outcome, _ in mng.outcomes()].count("repeated") == 1
        message = await mng.parts.stores.views.message(name)
        assert message is not None
        assert (len(message.signed_provisions), message.precedence, message.path) == (1, Precedence.FLASH, ("KAZ",))
        # KAZ allows all members; UZB has no say.
        forwarded = await mng.composer.forward(message, {"to": ["XAA"]}, ministry(), None)
        assert (forwarded.new, len(forwarded.message)) == (True, 16)

    async def test_a_later_copy_of_a_co_recipient_changes_nothing(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        original = sealed_by(world, "KAZ", ("MNG", "UZB"))
        name = await delivered(mng, relay, original)
        before = await mng.parts.stores.views.message(name)
        added = world.signed_provision(world.manifest(("UZB",)), ("UZB",), ["MNG"])
        provisions = [*original.header.core.provisions, added]
        again = world.forward(original, "UZB", ["MNG"], provisions=provisions, core={"precedence": Precedence.FLASH})
        relay.waiting.clear()
        relay.accept(again)
        await mng.pull()
        assert await mng.parts.stores.views.message(name) == before


async def test_put_off_under_many_names_is_one_alarm_a_day(world: World, relay: HostileRelay, mng: TestNode) -> None:
    sealed = sealed_by(world, "KAZ", ("MNG",), signature=bytes(64))
    await put_off_by_receiver(mng, relay, sealed, "header-signature")
    for _ in range(5):
        relay.accept(sealed_by(world, "KAZ", ("MNG",), signature=bytes(64)))
    await mng.pull()
    assert mng.alarms() == ["header-signature"]
