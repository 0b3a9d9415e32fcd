"""What is passed on: for how long it may be under way, and for which purpose."""

import pytest

from exchange.errors import Forbidden
from exchange.node.access import Caller
from schemas.limits import DAY, OUTBOX_LIMIT
from schemas.terms import Purpose
from tests.support.attacks import delivered
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of, ministry
from tests.support.world import World


async def passed_on(
    kaz: TestNode, world: World, relay: HostileRelay, request: dict[str, object], **terms: object
) -> dict[str, object]:
    """KAZ passes MNG's record on to UZB, which is in its audience; the row of the forward."""
    manifest = manifest_of(world, "MNG")
    provision = world.signed_provision(manifest, ("MNG",), ["KAZ", "UZB"], **terms)
    sealed = world.envelope(["KAZ"], "MNG", manifest=manifest, provisions=[provision])
    source = await kaz.parts.stores.views.message(await delivered(kaz, relay, sealed))
    assert source is not None
    ident = (await kaz.composer.forward(source, {"to": ["UZB"], **request}, caller(), None)).message
    (row,) = [row for row in kaz.rows("messages") if row["id"] == ident]
    return row


def caller() -> Caller:
    return ministry()


@pytest.mark.parametrize(
    ("asked", "until", "expected"),
    [
        ("1d", None, DAY),
        ("400d", None, OUTBOX_LIMIT),
        ("20d", 5 * DAY, 5 * DAY),
        ("2d", 5 * DAY, 2 * DAY),
    ],
)
async def test_it_expires_no_later_than_an_outbox_may_hold_it_and_its_terms_last(
    kaz: TestNode, world: World, relay: HostileRelay, asked: str, until: int | None, expected: int
) -> None:
    terms = {} if until is None else {"until": world.now + until}
    row = await passed_on(kaz, world, relay, {"expires": asked}, **terms)
    assert row["expires"] == world.now + expected


async def test_its_purpose_is_that_of_the_provision(kaz: TestNode, world: World, relay: HostileRelay) -> None:
    row = await passed_on(kaz, world, relay, {}, purpose=Purpose.STATISTICS)
    assert row["purpose"] == Purpose.STATISTICS


async def test_another_purpose_is_refused_where_no_grant_is_for_it(
    kaz: TestNode, world: World, relay: HostileRelay
) -> None:
    with pytest.raises(Forbidden) as refused:
        await passed_on(kaz, world, relay, {"purpose": "law-enforcement"})
    assert refused.value.code == "purpose-not-allowed"
    assert [row["box"] for row in kaz.rows("messages")] == ["inbox"]


async def test_a_grant_for_another_purpose_covers_a_forward_for_it(
    kaz: TestNode, world: World, relay: HostileRelay
) -> None:
    manifest = manifest_of(world, "MNG")
    provision = world.signed_provision(manifest, ("MNG",), ["KAZ"])
    grant = world.grant(provision.provision, "MNG", "KAZ", ["UZB"], purpose=Purpose.LAW_ENFORCEMENT)
    sealed = world.envelope(["KAZ"], "MNG", manifest=manifest, provisions=[provision], grants=[grant])
    source = await kaz.parts.stores.views.message(await delivered(kaz, relay, sealed))
    assert source is not None
    with pytest.raises(Forbidden):
        await kaz.composer.forward(source, {"to": ["UZB"]}, caller(), None)
    taken = await kaz.composer.forward(source, {"to": ["UZB"], "purpose": "law-enforcement"}, caller(), None)
    (row,) = [row for row in kaz.rows("messages") if row["id"] == taken.message]
    assert row["purpose"] == Purpose.LAW_ENFORCEMENT
