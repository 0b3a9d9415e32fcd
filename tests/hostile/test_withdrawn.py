"""Attacks on what follows a withdrawal: in others' names, by who never provided or held it, and by hiding it."""

from dataclasses import replace

import pytest

from exchange.errors import ExchangeError
from exchange.node import withdrawn
from exchange.node.withdrawals import Withdrawals
from schemas.canon import encode
from schemas.consent import (
    HOLDER_STATEMENT,
    Conduct,
    ConsentWithdrawn,
    HolderStatement,
    SignedStatement,
)
from schemas.contexts import Context
from schemas.endings import WithdrawalTarget
from schemas.ids import MemberId
from schemas.limits import DAY
from tests.support.consents import give
from tests.support.desk import post, shared, turn
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, sealed_by
from tests.support.relay import Server
from tests.support.withdrawing import in_force, official, provision_of, say, state, update, withdraw
from tests.support.world import World


def statement(world: World, holder: str, provider: str, ident: bytes, signer: str | None = None) -> SignedStatement:
    """A statement in a holder's name; `signer`: whose key signs it."""
    said = HolderStatement(
        MemberId(holder), MemberId(provider), WithdrawalTarget.PROVISION, ident, Conduct.CEASED, (), world.now
    )
    body = encode(HOLDER_STATEMENT, said)
    signature = world.nodes[signer or holder].sign(Context.HOLDER_STATEMENT, body)
    return SignedStatement(body, replace(signature, signer=MemberId(holder)))


class TestInOthersNames:
    """Who did not provide it withdraws nothing, and who does not hold it states nothing."""

    async def test_a_withdrawal_by_who_is_no_provider(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        ident, digest = await provision_of(mng, message)
        said = ConsentWithdrawn(WithdrawalTarget.PROVISION, ident, digest, "I say so", world.now)
        await say(uzb, mng, said)
        assert mng.rows("withdrawals_seen") == []
        assert mng.alarms() == ["consent-rejected"]
        assert [row["kind"] for row in mng.rows("consent_log")] == ["message.without-effect"]

    async def test_a_withdrawal_by_who_is_no_provider_that_comes_before_the_message_binds_nobody(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
    ) -> None:
        message = await kaz.write(["MNG"], onward="members", tlp="GREEN")
        ident, digest = await provision_of(kaz, message)
        await say(uzb, mng, ConsentWithdrawn(WithdrawalTarget.PROVISION, ident, digest, "I say so", world.now))
        await post(kaz, mng)
        source = await mng.parts.stores.views.message(message)
        assert source is not None
        await mng.composer.forward(source, {"to": ["XAA"]}, official(), None)
        assert "consent-withdrawn" not in mng.alarms()

    async def test_a_withdrawal_of_one_provision_that_means_another(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        first, second = await shared(kaz, mng), await shared(kaz, mng)
        ident, _ = await provision_of(mng, first)
        _, digest = await provision_of(mng, second)
        await say(kaz, mng, ConsentWithdrawn(WithdrawalTarget.PROVISION, ident, digest, "which?", world.now))
        assert mng.rows("withdrawals_seen") == []

    @pytest.mark.parametrize(
        ("holder", "signer", "why"),
        [("MNG", "UZB", "another signs"), ("MNG", "MNG", "another sends"), ("UZB", "UZB", "it was never told")],
    )
    async def test_a_statement_that_is_not_a_holders(
        self,
        world: World,
        relay: HostileRelay,
        kaz: TestNode,
        mng: TestNode,
        uzb: TestNode,
        holder: str,
        signer: str,
        why: str,
    ) -> None:
        message = await shared(kaz, mng)
        row = await withdraw(kaz, message)
        await say(uzb, kaz, statement(world, holder, "KAZ", row.id, signer))
        assert kaz.rows("holder_statements") == [], why
        assert kaz.alarms() == ["consent-rejected"]

    async def test_a_statement_that_a_holder_signs_with_anothers_key(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        row = await withdraw(kaz, message)
        await say(mng, kaz, statement(world, "MNG", "KAZ", row.id, "UZB"))
        assert kaz.rows("holder_statements") == []
        await say(mng, kaz, statement(world, "MNG", "KAZ", row.id))
        assert len(kaz.rows("holder_statements")) == 1

    async def test_a_statement_about_no_withdrawal(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        await shared(kaz, mng)
        await say(mng, kaz, statement(world, "MNG", "KAZ", bytes(16)))
        assert kaz.rows("holder_statements") == []

    async def test_a_holder_that_states_without_end(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        row = await withdraw(kaz, message)
        for later in range(18):
            mng.clock.time = kaz.clock.time = world.now + later
            said = statement(replace_time(world, later), "MNG", "KAZ", row.id)
            await say(mng, kaz, said)
        assert len(kaz.rows("holder_statements")) == 16


async def test_a_provider_that_announces_withdrawals_of_nothing_without_end(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawn, "MOST_EARLY", 2)
    for _ in range(3):
        said = ConsentWithdrawn(WithdrawalTarget.GRANT, world.random(16), None, "of nothing", world.now)
        await say(kaz, mng, said)
    assert len(mng.rows("withdrawals_seen")) == 2
    assert mng.alarms() == ["consent-rejected"]


async def test_a_grant_that_an_official_gives_after_the_own_withdrawal(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    """The directory does not show it yet."""
    message = await shared(kaz, mng)
    await withdraw(kaz, message)
    with pytest.raises(ExchangeError) as caught:
        await give(kaz, message, "MNG", ["UZB"])
    assert caught.value.code == "consent-withdrawn"
    assert kaz.rows("consent_grants") == []


def replace_time(world: World, later: int) -> World:
    """The same world, later."""
    other = World()
    other.now = world.now + later
    return other


class TestDestroyed:
    """What was destroyed does not come back."""

    async def test_a_copy_that_comes_again_is_not_delivered(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
    ) -> None:
        message = await shared(kaz, mng, uzb, onward="members", tlp="GREEN")
        source = await uzb.parts.stores.views.message(message)
        assert source is not None
        await uzb.composer.forward(source, {"to": ["MNG"]}, official(), None)
        row = await withdraw(kaz, message)
        await post(kaz, mng)
        await state(mng, "KAZ", row.id, Conduct.DESTROYED)
        before = mng.facts()
        await uzb.send()
        await mng.pull()
        after = mng.facts()
        assert {name: after[name] for name in ("messages", "attachments", "files", "events")} == {
            name: before[name] for name in ("messages", "attachments", "files", "events")
        }
        assert mng.outcomes()[-1] == ("repeated", None)

    async def test_a_holder_that_says_not_held_of_what_it_holds_is_refused_by_its_own_node(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        row = await withdraw(kaz, message)
        await post(kaz, mng)
        before = mng.facts()
        with pytest.raises(ExchangeError) as caught:
            await state(mng, "KAZ", row.id, Conduct.NOT_HELD)
        assert caught.value.code == "is-held"
        assert mng.facts() == before


async def test_what_was_sealed_before_the_own_withdrawal_is_kept_back_until_the_relay_refuses_it(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    """The relay was away: nothing that was ready may slip through before the withdrawal does."""
    message = await kaz.write(["MNG"])
    await kaz.sealer.seal_due()
    await withdraw(kaz, message)
    await kaz.send()
    (envelope,) = (row for row in kaz.rows("outbox") if row["message"] == message)
    assert ("KAZ", envelope["envelope"]) not in relay.logged
    assert (envelope["state"], envelope["receipt"]) == ("sealed", None)
    assert "KAZ has withdrawn" in envelope["fault"]
    await in_force(kaz)
    relay.refuse = "consent-withdrawn"
    kaz.clock.time += 120
    await kaz.send()
    (envelope,) = (row for row in kaz.rows("outbox") if row["message"] == message)
    assert envelope["state"] == "refused"


@pytest.mark.parametrize("whose", ["its own", "a provider's"])
async def test_a_relay_that_takes_everything_gets_no_text_that_was_sealed_before_a_withdrawal_in_force(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, whose: str
) -> None:
    """It could date the acceptance back to the sealing, and the recipient would believe it."""
    message, sender = await shared(kaz, mng, onward="members", tlp="GREEN"), mng
    if whose == "its own":
        message, sender = await kaz.write(["MNG"]), kaz
    else:
        source = await mng.parts.stores.views.message(message)
        assert source is not None
        await mng.composer.forward(source, {"to": ["UZB"]}, official(), None)
    await sender.sealer.seal_due()
    (waiting,) = (row for row in sender.rows("outbox") if row["state"] == "sealed")
    relay.down = True
    await sender.send()
    relay.down = False
    await withdraw(kaz, message)
    await in_force(kaz)
    await update(sender)
    await turn(sender)
    sender.clock.time += 120
    await sender.send()
    bodies = [one.body for one in relay.posted if one.header.core.id == waiting["envelope"]]
    assert bodies == [b""], "the header alone asks for a receipt that was lost"


async def test_a_relay_that_waits_until_a_grant_has_ended_gets_no_text(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await shared(kaz, mng)
    await give(kaz, message, "MNG", ["UZB"], until="1d")
    await kaz.send()
    await mng.pull()
    await turn(mng)
    source = await mng.parts.stores.views.message(message)
    assert source is not None
    await mng.composer.forward(source, {"to": ["UZB"]}, official(), None)
    await mng.sealer.seal_due()
    (waiting,) = (row for row in mng.rows("outbox") if row["state"] == "sealed")
    relay.down = True
    await mng.send()
    relay.down = False
    mng.clock.time += DAY + 1
    await mng.send()
    assert [one.body for one in relay.posted if one.header.core.id == waiting["envelope"]] == [b""]


async def test_an_official_of_another_measure_withdraws_and_states_nothing(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await shared(kaz, mng)
    other = official(("2.3.*",))
    with pytest.raises(ExchangeError) as caught:
        await Withdrawals(kaz.parts).own.withdraw(message, "mine now", other)
    assert caught.value.code == "no-such-consent"
    row = await withdraw(kaz, message)
    await post(kaz, mng)
    with pytest.raises(ExchangeError) as caught:
        await Withdrawals(mng.parts).others.state("KAZ", row.id, Conduct.DESTROYED, other)
    assert caught.value.code == "no-such-withdrawal"
    assert mng.inbox() == [message] or message in mng.inbox()


async def test_a_holder_withdraws_what_others_provided(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await shared(kaz, mng)
    with pytest.raises(ExchangeError) as caught:
        await Withdrawals(mng.parts).own.withdraw(message, "I withdraw it", official())
    assert caught.value.code == "not-provider"
    assert mng.rows("withdrawals") == []


async def test_the_header_alone_gives_the_receipt_that_was_lost_and_has_nothing_accepted(
    world: World, server: Server
) -> None:
    """What a sender asks the honest relay after a withdrawal."""
    accepted, other = (sealed_by(world, "KAZ", ("MNG",)) for _ in range(2))
    first = await server.post(accepted)
    again = await server.post(replace(accepted, body=b""))
    assert (again.status, again.body) == (first.status, first.body)
    assert (await server.post(replace(other, body=b""))).code == "body-size"
    assert server.rows("envelopes") == 1
