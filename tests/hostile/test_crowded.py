"""Who passes something on and fills the envelope, so that the next holder has no room for its own consent."""

from schemas.consent import ConsentGiven
from schemas.limits import MAX_GRANTS
from tests.support.consents import forward, saying
from tests.support.desk import heard
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, sealed_by
from tests.support.world import World


async def test_a_holder_who_adds_grants_of_its_own_to_what_it_passes_on(
    world: World, relay: HostileRelay, uzb: TestNode
) -> None:
    """KAZ lets MNG pass its text to UZB, and UZB to XAA; MNG signs as many Grants about nothing as there is room."""
    original = sealed_by(world, "KAZ", ("MNG",))
    text = original.header.core.provisions[0].provision
    other = world.signed_provision(world.manifest(("MNG",)), ["MNG"], ["UZB"]).provision
    crowd = [world.grant(other, "MNG", "MNG", ["XAA"]) for _ in range(MAX_GRANTS - 1)]
    lawful, own = world.grant(text, "KAZ", "MNG", ["UZB"]), world.grant(text, "KAZ", "UZB", ["XAA"])
    grants = sorted([*crowd, lawful], key=lambda signed: (signed.grant.id, signed.grant.provider))
    await heard(uzb, relay, world.forward(original, "MNG", ["UZB"], grants=grants))
    await heard(uzb, relay, saying(world, "KAZ", "UZB", ConsentGiven(own, None)))
    (message,) = (row["id"] for row in uzb.rows("messages") if row["kind"] == 1)
    await forward(uzb, message, ["XAA"])
    await uzb.send()
    assert [grant.grant.id for grant in relay.posted[-1].header.core.grants] == sorted([lawful.grant.id, own.grant.id])
