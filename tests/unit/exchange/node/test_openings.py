"""Openings: noted once, told late, collected and encrypted; kept by who sent it; and not believed from anybody else."""

from dataclasses import replace

import pytest

from exchange.audit.claims import Claim
from exchange.node.courier import consent_message
from exchange.node.desk import Desk
from exchange.node.openings import Readings
from schemas.canon import decode, encode
from schemas.contexts import Context
from schemas.ids import Digest, EnvelopeId, MemberId
from schemas.limits import DAY, HOUR, MAX_OPENINGS
from schemas.opening import OPENING, OPENINGS, SIGNED_OPENING, Opening, Openings, SignedOpening
from tests.support.consents import source
from tests.support.evidence import judge, members
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, api_of
from tests.support.wire import pack, refusal
from tests.support.world import World


async def turn(tested: TestNode) -> None:
    await Desk(tested.parts, (Readings(tested.parts),)).turn()


async def sent(kaz: TestNode, mng: TestNode, relay: HostileRelay, count: int = 1) -> list[bytes]:
    """Messages of KAZ that MNG has."""
    messages = [await kaz.write(["MNG"]) for _ in range(count)]
    await kaz.send()
    await mng.pull()
    relay.waiting.clear()
    return messages


async def read(tested: TestNode, message: bytes) -> None:
    """An official looks at it."""
    async with api_of(tested) as api:
        token = await tested.token("defence", ("read",))
        assert (await api.ask("GET", f"/v1/messages/{message.hex()}", token)).status == 200


async def told(kaz: TestNode, mng: TestNode) -> None:
    """What is due goes out and is taken."""
    await turn(mng)
    await mng.send()
    kaz.clock.time = max(kaz.clock.time, mng.clock.time)
    await kaz.pull()
    await turn(kaz)


async def test_an_opening_is_told_late_and_is_evidence(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    (message,) = await sent(kaz, mng, relay)
    await read(mng, message)
    mng.clock.time += 599
    await told(kaz, mng)
    assert (relay.posted[1:], kaz.rows("openings")) == ([], [])
    mng.clock.time += HOUR
    await told(kaz, mng)
    (row,) = kaz.rows("openings")
    opening = decode(SIGNED_OPENING, row["signed"], 1024).opening
    assert (row["reader"], opening.time % HOUR, opening.time <= world.now) == ("MNG", 0, True)
    async with api_of(kaz) as api:
        reply = await api.ask("GET", f"/v1/evidence/{message.hex()}", await kaz.token("audit", ("audit",)))
    assert members(judge(world, reply.body), Claim.OPENED) == ["MNG"]


async def test_only_the_first_reading_counts_and_a_list_is_none(
    relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    (message,) = await sent(kaz, mng, relay)
    async with api_of(mng) as api:
        assert (await api.ask("GET", "/v1/messages", await mng.token("defence", ("read",)))).status == 200
    assert mng.rows("openings_due") == []
    await read(mng, message)
    (first,) = mng.rows("openings_due")
    mng.clock.time += DAY
    await read(mng, message)
    assert mng.rows("openings_due") == [first]


async def test_who_sent_a_message_does_not_open_it(relay: HostileRelay, kaz: TestNode, mng: TestNode) -> None:
    (message,) = await sent(kaz, mng, relay)
    await read(kaz, message)
    assert kaz.rows("openings_due") == []


async def test_several_are_told_in_one_message(relay: HostileRelay, kaz: TestNode, mng: TestNode) -> None:
    for message in await sent(kaz, mng, relay, 3):
        await read(mng, message)
    mng.clock.time += 2 * HOUR
    await told(kaz, mng)
    assert (len(relay.posted) - 3, len(kaz.rows("openings"))) == (1, 3)


async def test_a_node_can_keep_silent(relay: HostileRelay, kaz: TestNode, mng: TestNode) -> None:
    delivery = mng.parts.config.delivery.model_copy(update={"tell_openings": False})
    mng.parts = replace(mng.parts, config=mng.parts.config.model_copy(update={"delivery": delivery}))
    (message,) = await sent(kaz, mng, relay)
    await Readings(mng.parts).opened(await source(mng, message))
    assert mng.rows("openings_due") == []


async def test_it_is_told_once_also_after_a_crash(relay: HostileRelay, kaz: TestNode, mng: TestNode) -> None:
    (message,) = await sent(kaz, mng, relay)
    await read(mng, message)
    mng.clock.time += 2 * HOUR
    for _ in range(2):
        await told(kaz, mng)
    assert len(relay.posted) == 2


class TestForgeries:
    """What a node says of openings that are not its own, or of nothing."""

    @pytest.mark.parametrize(
        "defect", ["another-reader", "another-key", "another-header", "not-sent", "ahead", "early"]
    )
    async def test_a_false_opening_has_no_effect(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, defect: str
    ) -> None:
        await sent(kaz, mng, relay)
        (row,) = kaz.rows("outbox")
        reader = MemberId("UZB" if defect == "another-reader" else "MNG")
        opening = Opening(
            reader,
            MemberId("KAZ"),
            EnvelopeId(bytes(16) if defect == "not-sent" else row["envelope"]),
            Digest(bytes(32) if defect == "another-header" else row["header_digest"]),
            world.now + {"ahead": DAY, "early": -2 * HOUR}.get(defect, 0),
        )
        body = encode(OPENING, opening)
        signer = world.nodes["UZB" if defect in ("another-reader", "another-key") else "MNG"]
        signature = replace(signer.sign(Context.OPENING, body), signer=reader)
        said = Openings((encode(SIGNED_OPENING, SignedOpening(body, signature)),))
        outgoing = consent_message(mng.parts, (MemberId("KAZ"),), said, world.now)
        await mng.parts.stores.outbox.add_message(outgoing, None)
        await mng.send()
        await kaz.pull()
        await turn(kaz)
        assert (kaz.rows("openings"), kaz.rows("consent_due")) == ([], [])
        assert kaz.alarms() == ["consent-rejected"]


def test_a_signer_that_is_not_the_reader_is_refused(world: World) -> None:
    opening = Opening(MemberId("MNG"), MemberId("KAZ"), EnvelopeId(bytes(16)), Digest(bytes(32)), 0)
    body = encode(OPENING, opening)
    signature = world.nodes["KAZ"].sign(Context.OPENING, body)
    data = pack({1: body, 2: {1: "KAZ", 2: signature.key_id, 3: signature.value}})
    assert refusal(decode, SIGNED_OPENING, data, 1024).value == "contradiction"


def test_the_largest_message_of_openings_is_one() -> None:
    items = tuple(number.to_bytes(2, "big") + bytes(1022) for number in range(MAX_OPENINGS))
    data = encode(OPENINGS, Openings(items))
    assert decode(OPENINGS, data, 2**20).items == items
