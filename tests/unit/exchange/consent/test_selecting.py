"""Which of the Grants that are held a transfer takes along, and the way that is shown of it."""

import pytest

from exchange.consent.decision import Ledger, Transfer, Use
from exchange.consent.selecting import way, with_grants
from schemas.grant import SignedGrant
from schemas.ids import MemberId
from schemas.limits import DAY
from schemas.provision import SignedProvision
from schemas.terms import Precedence, Purpose
from tests.support.parties import members
from tests.support.world import World


def signed(world: World, providers: tuple[str, ...] = ("KAZ",), **terms: object) -> SignedProvision:
    """What MNG holds."""
    return world.signed_provision(world.manifest(providers), providers, ["MNG"], **terms)


def passed(provisions: tuple[SignedProvision, ...], to: tuple[str, ...], *grants: SignedGrant) -> Transfer:
    """MNG passes it on."""
    purpose = provisions[0].provision.purpose
    return Transfer(MemberId("MNG"), members(to), provisions, grants, purpose, Precedence.ROUTINE)


def chosen(
    world: World, transfer: Transfer, *held: SignedGrant, ledger: Ledger | None = None
) -> set[SignedGrant] | None:
    """The Grants of the transfer, if it is allowed with them."""
    whole, decision = with_grants(transfer, held, world.directory, ledger or Ledger(), world.now)
    order = [(grant.grant.id, grant.grant.provider) for grant in whole.grants]
    assert order == sorted(order)
    return set(whole.grants) if decision.allowed else None


def use(grant: SignedGrant, provision: SignedProvision, recipient: str) -> Use:
    return Use(grant.grant.provider, grant.grant.id, MemberId(recipient), provision.provision.id)


def test_what_needs_no_grant_takes_none(world: World) -> None:
    provision = signed(world)
    grant = world.grant(provision.provision, "KAZ", "MNG", ["UZB"])
    assert chosen(world, passed((provision,), ("KAZ",)), grant) == set()


def test_of_every_provider_and_provision_what_is_needed_and_no_more(world: World) -> None:
    joint, single = signed(world, ("KAZ", "XAA")), signed(world)
    needed = [
        world.grant(joint.provision, "KAZ", "MNG", ["UZB"]),
        world.grant(joint.provision, "XAA", "MNG", ["UZB"]),
        world.grant(single.provision, "KAZ", "MNG", ["UZB"]),
    ]
    idle = [
        world.grant(joint.provision, "KAZ", "MNG", ["UZB", "XAA"], uses=1),
        world.grant(single.provision, "KAZ", "MNG", ["XAA"]),
        world.grant(single.provision, "KAZ", "XAA", ["UZB"]),
        world.grant(single.provision, "KAZ", "MNG", ["UZB"], purpose=Purpose.STATISTICS),
        world.grant(single.provision, "KAZ", "MNG", ["UZB"], created=world.now - DAY, until=world.now - 1),
    ]
    transfer = passed((joint, single), ("UZB",))
    assert chosen(world, transfer, *idle, *needed) == set(needed)
    assert chosen(world, transfer, *idle, *needed[:2]) is None


def test_a_grant_that_would_refuse_the_envelope_is_left_out(world: World) -> None:
    provision = signed(world)
    forged = world.grant(provision.provision, "KAZ", "MNG", ["UZB"], signer=world.nodes["XAA"])
    good = world.grant(provision.provision, "KAZ", "MNG", ["UZB"], uses=1)
    assert chosen(world, passed((provision,), ("UZB",)), forged, good) == {good}
    assert chosen(world, passed((provision,), ("UZB",)), forged) is None


def test_limited_grants_are_spared_and_shared_out(world: World) -> None:
    provision = signed(world)
    limited = [world.grant(provision.provision, "KAZ", "MNG", ["UZB", "XAA"], uses=1) for _ in range(2)]
    free = world.grant(provision.provision, "KAZ", "MNG", ["UZB"])
    assert chosen(world, passed((provision,), ("UZB",)), *limited, free) == {free}
    assert chosen(world, passed((provision,), ("UZB", "XAA")), *limited) == set(limited)
    assert chosen(world, passed((provision,), ("UZB", "XAA")), limited[0]) is None


def test_a_spent_grant_is_passed_over_and_a_use_that_was_counted_is_none_more(world: World) -> None:
    provision = signed(world)
    spent = world.grant(provision.provision, "KAZ", "MNG", ["UZB", "XAA"], uses=1)
    ledger = Ledger(frozenset({use(spent, provision, "XAA")}))
    assert chosen(world, passed((provision,), ("UZB",)), spent, ledger=ledger) is None
    assert chosen(world, passed((provision,), ("XAA",)), spent, ledger=ledger) == {spent}


def test_who_holds_it_by_grants_alone_needs_one_to_send_it_back(world: World) -> None:
    provision = world.signed_provision(world.manifest(), ("KAZ",), ["XAA"])
    grant = world.grant(provision.provision, "KAZ", "MNG", ["UZB"])
    transfer = passed((provision,), ("KAZ",))
    assert chosen(world, transfer) is None
    assert chosen(world, transfer, grant) == {grant}


def test_what_came_along_stays(world: World) -> None:
    provision = signed(world)
    earlier = world.grant(provision.provision, "KAZ", "XAA", ["MNG"])
    grant = world.grant(provision.provision, "KAZ", "MNG", ["UZB"])
    assert chosen(world, passed((provision,), ("UZB",), earlier), grant) == {earlier, grant}


@pytest.mark.parametrize(
    ("sender", "hops", "expected"),
    [
        ("KAZ", [], ("KAZ",)),
        ("MNG", [], ("KAZ", "MNG")),
        ("UZB", [("MNG", "UZB")], ("KAZ", "MNG", "UZB")),
        ("XAA", [("MNG", "UZB"), ("UZB", "XAA")], ("KAZ", "MNG", "UZB", "XAA")),
        ("XAA", [("UZB", "XAA")], ("KAZ", "UZB", "XAA")),
        ("XAA", [("UZB", "XAA"), ("XAA", "UZB")], ("KAZ", "UZB", "XAA")),
        ("XAA", [], ("KAZ", "XAA")),
    ],
)
def test_the_way_is_as_far_as_grants_show_it(
    world: World, sender: str, hops: list[tuple[str, str]], expected: tuple[str, ...]
) -> None:
    provision = signed(world).provision
    grants = [world.grant(provision, "KAZ", holder, [to]).grant for holder, to in hops]
    assert way(provision, MemberId(sender), grants) == expected


def test_of_a_joint_text_its_sender_comes_last(world: World) -> None:
    provision = signed(world, ("KAZ", "UZB", "XAA")).provision
    assert way(provision, MemberId("UZB"), ()) == ("KAZ", "XAA", "UZB")
