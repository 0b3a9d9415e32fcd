"""What a withdrawal brings about in the nodes: publishing with patience, and the end of a holder's copy."""

import pytest

from exchange.errors import Forbidden
from exchange.node.transport import RelayRefused
from exchange.node.withdrawals import Withdrawals
from schemas.canon import decode
from schemas.consent import SIGNED_STATEMENT, Conduct
from schemas.limits import DAY, HOUR, MAX_SERVICE
from tests.support.changes import identity
from tests.support.consents import ask
from tests.support.desk import post, shared, turn
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, api_of
from tests.support.withdrawing import in_force, official, state, update, withdraw
from tests.support.world import World


class TestPublishing:
    """From the store to the cosigned directory."""

    async def test_it_is_kept_before_it_is_offered_and_offered_until_it_stands(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        message = await kaz.write(["MNG"])
        relay.down = True
        row = await withdraw(kaz, message)
        size = len(relay.entries)
        await turn(kaz)
        (pending,) = await kaz.parts.stores.withdrawals.pending()
        assert pending.fault == "the relay does not answer"
        relay.down = False
        await turn(kaz)
        assert len(relay.entries) == size, "it rests after a try in vain"
        kaz.clock.time += 2
        await turn(kaz)
        assert relay.entries[-1] == row.entry
        kaz.clock.time += 600
        await update(kaz)
        await turn(kaz)
        (placed,) = await kaz.parts.stores.withdrawals.withdrawals()
        assert (placed.position, placed.fault) == (size, None)
        assert len(relay.entries) == size + 1

    async def test_one_that_the_relay_holds_and_nobody_has_cosigned_is_pending_and_not_offered_again(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        message = await kaz.write(["MNG"])
        await update(kaz)
        note = await kaz.parts.relay.checkpoint("directory")
        await withdraw(kaz, message)
        relay.notes["KAZ"] = note
        for _ in range(3):
            await turn(kaz)
            await update(kaz)
            kaz.clock.time += 601
        assert len(relay.entries) == world.directory.size + 1
        (pending,) = await kaz.parts.stores.withdrawals.pending()
        assert pending.position is None

    async def test_people_are_told_once_of_one_that_does_not_come_into_force(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        message = await kaz.write(["MNG"])
        relay.down = True
        await withdraw(kaz, message)
        for _ in range(3):
            await turn(kaz)
            kaz.clock.time += HOUR
        assert kaz.alarms() == ["withdrawal-pending"]

    async def test_a_refused_one_that_another_key_signed_is_signed_anew(
        self, world: World, relay: HostileRelay, kaz: TestNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = await kaz.write(["MNG"])
        row = await withdraw(kaz, message)

        async def refuse(_entry: bytes) -> None:
            raise RelayRefused("untrusted", "signed by a key that was revoked")

        monkeypatch.setattr(kaz.parts.relay, "publish", refuse)
        await turn(kaz)
        (pending,) = await kaz.parts.stores.withdrawals.pending()
        assert pending.entry == row.entry, "it is this node's own key's"
        monkeypatch.setattr(kaz.parts.keyring, "signing", identity("next", "KAZ"))
        kaz.clock.time += 10
        await turn(kaz)
        (pending,) = await kaz.parts.stores.withdrawals.pending()
        assert pending.entry != row.entry

    async def test_nothing_more_is_sent_from_here_at_once(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await kaz.write(["MNG"])
        relay.down = True
        await withdraw(kaz, message)
        relay.down = False
        await post(kaz, mng)
        assert message not in mng.inbox()
        stored = await kaz.parts.stores.views.message(message)
        assert stored is not None
        assert "withdrawn" in (stored.waits or "")

    async def test_who_was_told_does_not_ask_for_what_no_grant_could_allow(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        await withdraw(kaz, message)
        await post(kaz, mng)
        before = mng.facts()
        with pytest.raises(Forbidden, match="KAZ would have to provide it anew") as refused:
            await ask(mng, message, ["UZB"])
        assert refused.value.code == "consent-withdrawn"
        assert (mng.facts(), mng.rows("consent_requests")) == (before, [])


class TestStatements:
    """From the holder back to the provider."""

    async def test_it_says_to_whom_it_was_passed_on_and_they_are_told_too(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
    ) -> None:
        message = await shared(kaz, mng, onward="members", tlp="GREEN")
        source = await mng.parts.stores.views.message(message)
        assert source is not None
        await mng.composer.forward(source, {"to": ["UZB"]}, official(), None)
        await post(mng, uzb)
        row = await withdraw(kaz, message)
        await post(kaz, mng)
        await state(mng, "KAZ", row.id, Conduct.CEASED)
        await post(mng, kaz)
        (stored,) = await kaz.parts.stores.held.statements("KAZ", row.id)
        said = decode(SIGNED_STATEMENT, stored.signed, 2 * MAX_SERVICE).statement
        (passed,) = said.passed_on
        assert (said.holder, passed.recipient, passed.time) == ("MNG", "UZB", world.now)
        assert [told.member for told in await kaz.parts.stores.withdrawals.told(row.id)] == ["MNG", "UZB"]
        await post(kaz, uzb)
        assert uzb.alarms() == ["consent-withdrawn"]
        await state(uzb, "KAZ", row.id, Conduct.DESTROYED)
        await post(uzb, kaz)
        assert kaz.alarms() == []
        conducts = [one.conduct for one in await kaz.parts.stores.held.statements("KAZ", row.id)]
        assert conducts == [Conduct.CEASED, Conduct.DESTROYED]

    async def test_missing_ones_are_told_once_after_their_time(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        await withdraw(kaz, message)
        await in_force(kaz)
        for later in (7 * DAY, 7 * DAY + 1, 8 * DAY):
            kaz.clock.time = world.now + later
            await turn(kaz)
            assert kaz.alarms() == ([] if later == 7 * DAY else ["statements-missing"])
        assert "MNG" in kaz.rows("alarms")[0]["detail"]

    async def test_a_state_that_never_held_it_says_so(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        """KAZ named it and never sent it."""
        message = await kaz.write(["MNG"])
        row = await withdraw(kaz, message)
        await post(kaz, mng)
        await state(mng, "KAZ", row.id, Conduct.NOT_HELD)
        await post(mng, kaz)
        (stored,) = await kaz.parts.stores.held.statements("KAZ", row.id)
        assert stored.conduct == Conduct.NOT_HELD


async def test_a_destroyed_message_is_nowhere_but_in_its_evidence(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    async with api_of(mng) as api:
        token = await mng.token("foreign-affairs", ("consent", "read", "send"))
        message = await shared(kaz, mng, onward="members", tlp="GREEN")
        source = await mng.parts.stores.views.message(message)
        assert source is not None
        forwarded = await mng.composer.forward(source, {"to": ["UZB"]}, official(), None)
        await mng.send()
        assert len(await found(api, token)) == 2
        row = await withdraw(kaz, message)
        await in_force(kaz)
        await update(mng)
        await post(kaz, mng)
        shown = (await api.ask("GET", f"/v1/messages/{message.hex()}", token)).json
        assert [(one["provider"], one["state"]) for one in shown["withdrawn"]] == [("KAZ", "in-force")]
        path = f"/v1/consent/withdrawals/KAZ-{row.id.hex()}/statements"
        reply = await api.ask("POST", path, token, json={"conduct": "destroyed"})
        assert (reply.status, reply.json["stated"][0]["conduct"]) == (201, "destroyed")
        await gone(api, token, message.hex())
        await gone(api, token, forwarded.message.hex())
        assert await found(api, token) == []
        shown = (await api.ask("GET", f"/v1/messages/{message.hex()}", token)).json
        assert "state" in shown, shown
        assert (shown["state"], shown["record"], shown["title"]) == ("destroyed", {}, {})
        assert shown["envelopes"][0]["receipt"] is not None
        assert shown["destroyed"]["official"].startswith("foreign-affairs/")
        left = (await api.ask("GET", f"/v1/messages/{forwarded.message.hex()}", token)).json
        assert (left["state"], left["envelopes"][0]["state"]) == ("destroyed", "accepted")
        again = await api.ask("POST", path, token, json={"conduct": "not-held"})
        assert (again.status, again.code) == (409, "is-held"), "it was"
    await loops_go_on(relay, kaz, mng, forwarded.message)


async def found(api: Api, token: str) -> list[object]:
    """Rows of the database."""
    return list((await api.ask("GET", "/v1/database?q=exercise", token)).json["rows"])


async def gone(api: Api, token: str, message: str) -> None:
    """No other way leads to a destroyed message, and none breaks on it."""
    for box in ("inbox", "outbox"):
        reply = await api.ask("GET", f"/v1/messages?box={box}", token)
        assert (reply.status, reply.json["messages"]) == (200, [])
    for path in ("export?as=json", "attachments/0", "explain?to=UZB"):
        reply = await api.ask("GET", f"/v1/messages/{message}/{path}", token)
        assert (reply.status, reply.code) == (404, "message-destroyed"), path
    reply = await api.ask("POST", f"/v1/messages/{message}/forward", token, json={"to": ["UZB"]})
    assert (reply.status, reply.code) == (404, "message-destroyed")
    for path in ("/v1/review?start=2020-01-01&end=2030-12-31", "/v1/procedures", "/v1/members"):
        assert (await api.ask("GET", path, token)).status == 200, path


async def loops_go_on(relay: HostileRelay, kaz: TestNode, mng: TestNode, forwarded: bytes) -> None:
    """Acknowledgements, requests to send again, expiry, and another look by everybody."""
    await mng.parts.stores.resends.want("UZB", 0, mng.clock.now())
    relay.pass_on_answers()
    for tested in (mng, kaz):
        await tested.pull()
        await tested.send()
        await tested.housekeeper.tick()
        await turn(tested)
    mng.clock.time += 40 * DAY
    await mng.housekeeper.tick()
    await mng.send()
    assert await mng.parts.stores.views.message(forwarded) is None
    assert [row["kind"] for row in mng.rows("alarms") if row["kind"] not in ("consent-withdrawn", "undelivered")] == []


async def test_an_official_without_the_scope(
    world: World, relay: HostileRelay, api: Api, token: str, kaz: TestNode
) -> None:
    """Whoever may only send and read neither withdraws nor sees withdrawals."""
    message = await kaz.write(["MNG"])
    body = {"id": message.hex(), "reason": "x"}
    for method, path in (("POST", "/v1/consent/withdrawals"), ("GET", "/v1/consent/withdrawals")):
        reply = await api.ask(method, path, token, json=body)
        assert (reply.status, reply.code) == (403, "scope-missing")
    assert await Withdrawals(kaz.parts).own._store.withdrawals() == ()
