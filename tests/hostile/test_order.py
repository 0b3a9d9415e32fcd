"""Attacks by a relay on what arrives: drop, delay, reorder, withhold the newest; and senders that lie about numbers."""

import random

import pytest

from keys.digests import sha256
from schemas.content import ContentKind, Void, VoidReason, read_manifest
from schemas.ids import StreamId
from schemas.receipt import Outcome
from schemas.wrap import WrapSecret
from tests.support.attacks import refused_by_receiver
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, sealed_by
from tests.support.world import Sealed, World

DEADLINE = 300


def some(world: World, count: int) -> list[Sealed]:
    return [sealed_by(world, "KAZ", ("MNG",)) for _ in range(count)]


def head(world: World, **fields: object) -> Sealed:
    """KAZ's head of its stream to MNG; it travels in a stream of its own."""
    stream = WrapSecret(b"k" * 32, StreamId(b"h" * 16), 1, world.place("KAZ", "MNG").digest)
    manifest = world.head_manifest("KAZ", "MNG", **fields)
    place = world.place("KAZ", "MNG")
    sealed = world.envelope(["MNG"], "KAZ", manifest=manifest, content_key=b"k" * 32, secrets={"MNG": stream})
    world.places["KAZ", "MNG"] = place
    return sealed


async def take(mng: TestNode, relay: HostileRelay, *envelopes: Sealed) -> None:
    relay.waiting.clear()
    for sealed in envelopes:
        relay.accept(sealed, time=mng.clock.now())
    await mng.pull()


async def tick(mng: TestNode, seconds: int) -> None:
    mng.clock.time += seconds
    await mng.housekeeper._gaps(mng.clock.now())


def missing(mng: TestNode) -> list[str]:
    """What the alarms about missing numbers say."""
    assert set(mng.alarms()) <= {"missing"}
    return [row["detail"] for row in mng.rows("alarms")]


@pytest.mark.parametrize("seed", range(4))
async def test_reordering_is_delivered_at_once_and_raises_no_false_alarm(
    world: World, relay: HostileRelay, mng: TestNode, seed: int
) -> None:
    envelopes = some(world, 6)
    random.Random(seed).shuffle(envelopes)
    for count, sealed in enumerate(envelopes, 1):
        await take(mng, relay, sealed)
        assert len(mng.inbox()) == count
        await tick(mng, 40)
    await tick(mng, 10 * DEADLINE)
    assert mng.alarms() == []


async def test_a_newer_gap_is_not_late_because_an_older_one_was(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    one, two, three, four = some(world, 4)
    await take(mng, relay, two)
    await tick(mng, 250)
    await take(mng, relay, four)
    await tick(mng, 40)
    await take(mng, relay, one)
    await tick(mng, 20)
    assert mng.alarms() == []
    await take(mng, relay, three)
    await tick(mng, 10 * DEADLINE)
    assert mng.alarms() == []


async def test_a_dropped_envelope_is_noticed_and_named_after_the_deadline_only(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    one, _dropped, three = some(world, 3)
    await take(mng, relay, one, three)
    await tick(mng, DEADLINE - 1)
    assert mng.alarms() == []
    await tick(mng, 1)
    (said,) = missing(mng)
    stream = world.place("KAZ", "MNG").stream
    assert f"envelopes of KAZ did not arrive: number 2 of stream {stream.hex()}" in said
    await tick(mng, 5)
    assert len(mng.alarms()) == 1


async def test_a_delayed_envelope_is_delivered_when_it_comes(world: World, relay: HostileRelay, mng: TestNode) -> None:
    one, late, three = some(world, 3)
    await take(mng, relay, one, three)
    await tick(mng, DEADLINE)
    await take(mng, relay, late)
    assert len(mng.inbox()) == 3
    await tick(mng, 10 * DEADLINE)
    assert len(missing(mng)) == 1


async def test_the_newest_withheld_is_noticed_by_the_head(world: World, relay: HostileRelay, mng: TestNode) -> None:
    one, _withheld, _too = some(world, 3)
    await take(mng, relay, one)
    await tick(mng, 10 * DEADLINE)
    assert mng.alarms() == []
    await take(mng, relay, head(world))
    assert len(mng.inbox()) == 1
    await tick(mng, DEADLINE)
    (said,) = missing(mng)
    assert "number 2, 3 of stream" in said


async def test_a_number_that_its_sender_settled_as_void_is_no_loss(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    one, _refused, three = some(world, 3)
    await take(mng, relay, one, three)
    await tick(mng, DEADLINE - 1)
    await take(mng, relay, head(world, voids=(Void(2, VoidReason.REFUSED),)))
    await tick(mng, 10 * DEADLINE)
    assert mng.alarms() == []


async def test_a_head_by_another_member_settles_nothing(world: World, relay: HostileRelay, mng: TestNode) -> None:
    """UZB says that number 2 of KAZ's stream is void, so that nobody looks for it."""
    one, _dropped, three = some(world, 3)
    await take(mng, relay, one, three)
    lie = world.head_manifest("KAZ", "MNG", voids=(Void(2, VoidReason.EXPIRED),))
    own = world.manifest(("UZB",), read_manifest(lie).body, kind=ContentKind.HEAD)
    await take(mng, relay, world.envelope(["MNG"], "UZB", manifest=own))
    await tick(mng, DEADLINE)
    # The liar's own account is its own: what it announced and did not send is missing there.
    assert sorted(said.partition(" of stream")[0] for said in missing(mng)) == [
        "envelopes of KAZ did not arrive: number 2",
        "envelopes of UZB did not arrive: number 1, 3",
    ]


async def test_a_head_passed_on_by_another_member_is_refused(world: World, relay: HostileRelay, mng: TestNode) -> None:
    """UZB got KAZ's head about its own stream and forwards it to MNG, whom KAZ made an audience."""
    manifest = world.head_manifest("KAZ", "MNG", last=9)
    provision = world.signed_provision(manifest, ("KAZ",), ["MNG", "UZB"])
    attacked = world.envelope(["MNG"], "UZB", manifest=manifest, provisions=[provision])
    await refused_by_receiver(mng, relay, attacked, "unreadable")


async def test_a_head_with_a_file_is_refused(world: World, relay: HostileRelay, mng: TestNode) -> None:
    listed = (world.attachment(b"hidden"),)
    plain = world.head_manifest("KAZ", "MNG")
    manifest = world.manifest(("KAZ",), read_manifest(plain).body, kind=ContentKind.HEAD, attachments=listed)
    attacked = world.envelope(["MNG"], "KAZ", manifest=manifest, attachments=b"hidden")
    await refused_by_receiver(mng, relay, attacked, "unreadable")


async def test_a_head_that_names_another_envelope_than_the_one_that_arrived(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    await take(mng, relay, *some(world, 1))
    await take(mng, relay, head(world, digest=sha256(b"another header")))
    assert mng.alarms() == ["head-differs"]


async def test_a_number_used_for_two_envelopes_is_an_alarm(world: World, relay: HostileRelay, mng: TestNode) -> None:
    place = world.place("KAZ", "MNG")
    first = sealed_by(world, "KAZ", ("MNG",))
    world.places["KAZ", "MNG"] = place
    second = sealed_by(world, "KAZ", ("MNG",))
    await take(mng, relay, first, second)
    assert mng.alarms() == ["number-reused"]
    assert len(mng.inbox()) == 2


async def test_a_chain_that_does_not_fit_is_an_alarm(world: World, relay: HostileRelay, mng: TestNode) -> None:
    await take(mng, relay, *some(world, 1))
    place = world.place("KAZ", "MNG")
    secret = WrapSecret(b"k" * 32, place.stream, 2, sha256(b"another header"))
    await take(mng, relay, sealed_by(world, "KAZ", ("MNG",), content_key=b"k" * 32, secrets={"MNG": secret}))
    assert mng.alarms() == ["chain-broken"]


async def test_a_jump_of_numbers_out_of_all_proportion_is_an_alarm_and_costs_nothing(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    place = world.place("KAZ", "MNG")
    secret = WrapSecret(b"k" * 32, place.stream, 2**40, place.digest)
    await take(mng, relay, sealed_by(world, "KAZ", ("MNG",), content_key=b"k" * 32, secrets={"MNG": secret}))
    assert mng.alarms() == ["stream-jump"]
    assert (mng.rows("streams_in"), mng.rows("numbers_in")) == ([], [])
    await tick(mng, 10 * DEADLINE)
    assert mng.alarms() == ["stream-jump"]


class TestAtTheSender:
    """What the relay keeps back on its way to the sender."""

    async def test_a_recipient_that_stays_silent_is_named(self, relay: HostileRelay, kaz: TestNode) -> None:
        """Whether the relay withholds the envelope or the acknowledgement, its sender learns that something is."""
        await kaz.write(["MNG", "UZB"])
        await kaz.send()
        kaz.clock.time += 86_400
        await kaz.housekeeper._undelivered(kaz.clock.now())
        assert kaz.alarms() == []
        kaz.clock.time += 1
        await kaz.housekeeper._undelivered(kaz.clock.now())
        assert kaz.alarms() == ["undelivered", "undelivered"]
        assert {row["member"] for row in kaz.rows("alarms")} == {"MNG", "UZB"}

    async def test_a_message_that_the_relay_refuses_leaves_a_void_that_its_receiver_learns(
        self, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        await kaz.write(["MNG"])
        await kaz.send()
        relay.refuse = "no-consent"
        refused = await kaz.write(["MNG"])
        await kaz.send()
        relay.refuse = None
        await kaz.write(["MNG"])
        await kaz.send()
        await kaz.send()
        assert kaz.alarms() == ["relay-refused"]
        states = {row["id"]: row["state"] for row in kaz.rows("messages")}
        assert states.pop(refused) == "refused"
        assert set(states.values()) == {"accepted"}
        await mng.pull()
        assert len(mng.inbox()) == 2
        assert {answer.outcome for answer in relay.answers()} == {Outcome.DELIVERED}
        await tick(mng, 10 * DEADLINE)
        assert mng.alarms() == []
