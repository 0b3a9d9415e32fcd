"""Attacks by a relay that wants a recipient to refuse a lawful envelope, which is final: nothing of it is answered."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.receipt import Outcome, SignedReceipt
from tests.support.attacks import delivered, evidence_of, put_off_by_receiver
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of, sealed_by
from tests.support.world import Sealed, World

Make = Callable[[World], Sealed]
False_ = Callable[[World, Sealed], SignedReceipt]


def plain(world: World) -> Sealed:
    return sealed_by(world, "KAZ", ("MNG",))


def under(**terms: object) -> Make:
    """Lawful when it is made, under terms of which a date is near."""

    def make(world: World) -> Sealed:
        manifest = manifest_of(world)
        dated = {name: world.now + value for name, value in terms.items() if isinstance(value, int)}
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG"], **dated)
        return world.envelope(["MNG"], manifest=manifest, provisions=[provision])

    return make


DATED: dict[str, tuple[Make, False_, str]] = {
    "before-it-was-made": (plain, lambda w, s: w.receipt(s, time=w.now - 121), "receipt-date"),
    "after-its-expiry": (
        lambda w: sealed_by(w, "KAZ", ("MNG",), core={"expires": w.now + 60}),
        lambda w, s: w.receipt(s, time=w.now + 60),
        "receipt-date",
    ),
    "before-the-embargo-ended": (under(not_before=-5), lambda w, s: w.receipt(s, time=w.now - 10), "embargo"),
    "after-the-providers-end-date": (under(until=5), lambda w, s: w.receipt(s, time=w.now + 10), "provision-ended"),
    "after-the-time-for-first-sending": (
        under(send_by=5),
        lambda w, s: w.receipt(s, time=w.now + 10),
        "first-sending-over",
    ),
    "before-the-provision-was-made": (
        under(created=115),
        lambda w, s: w.receipt(s, time=w.now - 10),
        "provision-ahead",
    ),
}


@pytest.mark.parametrize("name", DATED)
async def test_a_receipt_dated_so_that_a_lawful_envelope_breaks_a_rule(
    world: World, relay: HostileRelay, mng: TestNode, name: str
) -> None:
    make, receipt, code = DATED[name]
    sealed = make(world)
    await put_off_by_receiver(mng, relay, sealed, code, receipt(world, sealed))
    await delivered(mng, relay, sealed)


@pytest.mark.parametrize("place", [0, 20, -1])
async def test_one_bit_of_the_body_flipped_under_the_true_header_and_receipt(
    world: World, relay: HostileRelay, mng: TestNode, place: int
) -> None:
    sealed = plain(world)
    body = bytearray(sealed.body)
    body[place] ^= 1
    await put_off_by_receiver(mng, relay, replace(sealed, body=bytes(body)), "body-differs", world.receipt(sealed))
    await delivered(mng, relay, sealed)


async def test_one_bit_of_a_large_body_flipped(world: World, relay: HostileRelay, mng: TestNode) -> None:
    data = b"m" * 200_000
    manifest = manifest_of(world, attachments=(world.attachment(data),))
    sealed = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, attachments=data)
    attacked = replace(sealed, body=sealed.body[:-1] + bytes([sealed.body[-1] ^ 1]))
    await put_off_by_receiver(mng, relay, attacked, "body-differs", world.receipt(sealed))
    await delivered(mng, relay, sealed)


async def test_a_node_whose_clock_is_ahead_for_a_moment(world: World, relay: HostileRelay, mng: TestNode) -> None:
    sealed = plain(world)
    mng.clock.time = world.now + 2 * 86_400
    await put_off_by_receiver(mng, relay, sealed, "envelope-expired")
    mng.clock.time = world.now
    await delivered(mng, relay, sealed)


async def test_a_signing_key_kept_back_from_the_recipient(world: World, relay: HostileRelay, mng: TestNode) -> None:
    """UZB forwards what KAZ signed; the relay hides KAZ's key from MNG and states a directory without it."""
    original = sealed_by(world, "KAZ", ("MNG", "UZB"))
    forward = world.forward(original, "UZB", ["MNG"])
    whole = mng.parts.directory.current
    key = ("KAZ", world.nodes["KAZ"].key_id)
    mng.parts.directory.current = replace(whole, signing={k: v for k, v in whole.signing.items() if k != key})
    await put_off_by_receiver(mng, relay, forward, "provision-signature")
    mng.parts.directory.current = whole
    await delivered(mng, relay, forward)


class TestPoison:
    """What a sender puts inside meets a fault of the program, every time."""

    async def test_an_undeclared_fault_inside_is_answered_once_and_blocks_nobody(
        self, world: World, relay: HostileRelay, mng: TestNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("the secret text of the record")

        with monkeypatch.context() as patched:
            patched.setattr("exchange.node.opening.validated", fail)
            poison = plain(world)
            relay.accept(poison)
            await mng.pull()
        assert mng.outcomes() == [("refused", "unreadable")]
        assert [answer.outcome for answer in relay.answers()] == [Outcome.REFUSED]
        assert (mng.alarms(), mng.inbox(), mng.files()) == (["unreadable"], [], [])
        assert "RuntimeError at" in mng.rows("alarms")[0]["detail"]
        assert "secret" not in mng.rows("alarms")[0]["detail"]
        await delivered(mng, relay, plain(world))

    @pytest.mark.parametrize("fault", [OSError("the disk"), MemoryError()])
    async def test_trouble_of_the_node_itself_is_no_refusal(
        self, world: World, relay: HostileRelay, mng: TestNode, monkeypatch: pytest.MonkeyPatch, fault: Exception
    ) -> None:
        def fail(*_: object) -> None:
            raise fault

        sealed = plain(world)
        with monkeypatch.context() as patched:
            patched.setattr("exchange.node.opening.validated", fail)
            relay.accept(sealed)
            await mng.pull()
        assert (evidence_of(mng, sealed), relay.acknowledged, mng.inbox()) == (None, [], [])
        relay.waiting.clear()
        await delivered(mng, relay, sealed)

    async def test_what_is_put_off_does_not_block_what_comes_after_it(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        false = world.receipt(plain(world))
        for _ in range(20):
            relay.put(plain(world), false)
        relay.accept(plain(world))
        await mng.pull()
        assert (len(mng.inbox()), len(relay.acknowledged)) == (1, 1)
        assert mng.alarms() == ["receipt-differs"]
