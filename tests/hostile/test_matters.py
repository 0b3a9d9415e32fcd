"""What states and ministries try with the records that others are judged by: to hold up, to crowd out, to find out."""

from typing import Any

import pytest
from icalendar import Calendar

from schemas.limits import DAY
from tests.support.chains import Act, Record, fact_of, notification, shown, step
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, api_of, ministry, sealed_by
from tests.support.world import World

FORESEEN = "urn:cbm:cap:kaz:0001"
VISIT = step("visit-event-invitation", "college-visit")
INTEREST = step("expression-of-interest", "energy-security-a")


def from_uzb(**changes: object) -> Act:
    return Act("UZB", ("KAZ", "MNG"), notification(**changes))


async def sent(kaz: TestNode, record: Record) -> tuple[bytes, str]:
    """A record that KAZ sends to MNG, and that the relay accepted: message and record id."""
    message = await Act("KAZ", ("MNG",), record).asked_of(kaz)
    await kaz.send()
    return message, (await fact_of(kaz, message)).record_id


async def test_an_id_that_another_state_could_foresee_and_used_first(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    """An alert's id follows from the alert: who takes it first must not keep the issuer's state from sending."""
    await from_uzb(record_id=FORESEEN).forced_on(kaz, relay, world, 1)
    request = {"to": ["MNG"], "measure": "2.1.1.d", "record": notification(record_id=FORESEEN), "tlp": "AMBER"}
    taken = await kaz.composer.send(request, (), ministry(), None)
    assert taken.new
    assert [warned.detail for warned in taken.warnings] == ["its record_id is that of a record of UZB as well"]
    await kaz.send()
    view = await shown(kaz, taken.message)
    assert view["current"] == taken.message.hex()
    assert {(line["by"][0], line["state"]) for line in view["chain"]} == {("KAZ", "current"), ("UZB", "current")}


async def test_a_provision_in_envelope_after_envelope_is_judged_once(
    world: World, relay: HostileRelay, mng: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = sealed_by(world, "UZB", ("MNG",))
    relay.accept(sealed, ("MNG",))
    await mng.pull()
    before, alarms = mng.inbox(), mng.alarms()
    monkeypatch.setattr("exchange.node.judging.MOST_OPENED", -1)
    for _ in range(3):
        relay.accept(world.forward(sealed, "UZB", ["MNG"]), ("MNG",))
    await mng.pull()
    assert sorted(outcome for outcome, _ in mng.outcomes()) == ["delivered", *["repeated"] * 3]
    assert (mng.inbox(), mng.alarms()) == (before, alarms)


async def test_records_that_make_a_node_open_others_without_end(
    world: World, relay: HostileRelay, mng: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One member's records are judged for so much a day; all are delivered, and those of others still judged."""
    monkeypatch.setattr("exchange.node.judging.MOST_OPENED", 20)
    await from_uzb(record_id="urn:x-uzb:root").forced_on(mng, relay, world, 0)
    for number in range(1, 7):
        await from_uzb(references=["urn:x-uzb:root"]).forced_on(mng, relay, world, number)
    assert mng.alarms() == ["not-judged"]
    (alarm,) = mng.rows("alarms")
    assert (alarm["member"], "more than 20 to be read" in alarm["detail"]) == ("UZB", True)
    assert len(mng.inbox()) == 7
    forged = notification(action="correction", references=["urn:x-uzb:root"])
    await Act("KAZ", ("MNG",), forged).forced_on(mng, relay, world, 50)
    assert mng.alarms() == ["not-judged", "record-refused"]
    # On the next day they are judged again.
    mng.clock.time += DAY
    world.now += DAY
    await from_uzb(action="correction", references=[FORESEEN]).forced_on(mng, relay, world, 51)
    await from_uzb(references=["urn:x-uzb:root"]).forced_on(mng, relay, world, 52)
    assert mng.alarms() == ["not-judged", "record-refused"]


async def test_a_flood_under_one_id_is_not_even_looked_for(
    world: World, relay: HostileRelay, mng: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where too many belong together, to find that out costs as much as to read them, and is counted as such."""
    monkeypatch.setattr("exchange.node.shelf.MOST_AROUND", 3)
    monkeypatch.setattr("exchange.node.judging.MOST_OPENED", 30)
    asked = []
    around = mng.parts.stores.records.around

    async def counted(ids: tuple[str, ...], limit: int) -> object:
        asked.append(ids)
        return await around(ids, limit)

    monkeypatch.setattr(mng.parts.stores.records, "around", counted)
    for number in range(12):
        await from_uzb(record_id="urn:x-uzb:same", title={"en": f"{number}"}).forced_on(mng, relay, world, number)
    assert len(mng.inbox()) == 12
    assert len(asked) < 12
    assert "not-judged" in mng.alarms()


async def test_nominations_without_end(
    world: World, relay: HostileRelay, mng: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They belong to every thread of their area: no more of them are read than of one matter."""
    monkeypatch.setattr("exchange.node.shelf.MOST_AROUND", 3)
    nomination = step("expert-nomination", "expert")
    for number in range(6):
        await Act("UZB", ("KAZ", "MNG"), nomination).forced_on(mng, relay, world, number)
    assert len(mng.inbox()) == 6
    assert set(mng.alarms()) == {"not-judged"}


async def test_receipts_of_one_provision_without_end(
    world: World, relay: HostileRelay, mng: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.storage.node_records._MOST_RECEIPTS", 2)
    sealed = sealed_by(world, "UZB", ("MNG",))
    relay.accept(sealed, ("MNG",), time=world.now - 5)
    await mng.pull()
    for _ in range(4):
        relay.accept(world.forward(sealed, "UZB", ["MNG"]), ("MNG",))
        await mng.pull()
    (message,) = mng.inbox()
    (held,) = await mng.parts.stores.records.held((message,))
    assert len(held.receipts) == 2
    assert (await fact_of(mng, message)).evidenced_at == world.now - 5


async def exported(node: TestNode, message: bytes) -> Any:  # noqa: ANN401  # events of a library without types
    token = await node.token("defence", ("read",))
    async with api_of(node) as api:
        reply = await api.ask("GET", f"/v1/messages/{message.hex()}/export?as=ical", token)
    assert reply.status == 200, reply.json
    return Calendar.from_ical(reply.body).events


async def test_what_another_state_sends_about_an_event_keeps_nobody_from_exporting_it(
    world: World, relay: HostileRelay, kaz: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time beyond the calendar's end, a cancellation, and more of it than a calendar has room for."""
    message, record_id = await sent(kaz, VISIT)
    (before,) = await exported(kaz, message)
    about = {**VISIT, "references": [record_id]}
    late = {"issued_at": "9999-12-31T23:59:59-14:00", "action": "correction"}
    forged: list[Record] = [late, {"action": "cancel", "body": {}}, {}, {}, {}]
    for number, changes in enumerate(forged):
        await Act("UZB", ("KAZ", "MNG"), {**about, **changes}).forced_on(kaz, relay, world, number)
    monkeypatch.setattr("exchange.convert.ical.MAX_CALENDAR_RECORDS", 2)
    monkeypatch.setattr("exchange.node.api_export.MAX_CALENDAR_RECORDS", 2)
    assert await exported(kaz, message) == [before]


async def test_a_ministry_does_not_learn_through_a_procedure_what_names_it(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    """A record of a measure that the token is not for, which names the thread or is named by it, is not there."""
    health, health_id = await sent(kaz, notification())
    start, start_id = await sent(kaz, {**INTEREST, "references": [health_id]})
    secret, secret_id = await sent(kaz, notification(references=[start_id]))
    foreign = await kaz.token("foreign-affairs", ("read", "send"), ("3.A",))
    everything = await kaz.token("defence", ("read",))
    async with api_of(kaz) as api:
        reply = await api.ask("GET", f"/v1/procedures/{start_id}", foreign)
        assert reply.status == 200
        assert (reply.json["id"], reply.json["measure"]) == (start_id, "3.A")
        assert [line["message"] for line in reply.json["records"]] == [start.hex()]
        for hidden in (health.hex(), health_id, secret.hex(), secret_id):
            assert hidden not in reply.body.decode()
        whole = await api.ask("GET", f"/v1/procedures/{start_id}", everything)
    assert {line["message"] for line in whole.json["records"]} == {health.hex(), start.hex(), secret.hex()}


async def test_a_thread_in_which_every_record_names_the_same(
    world: World, relay: HostileRelay, mng: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is in each other's thread: the list of threads ends before it reads them all for each of them."""
    for number in range(5):
        interest = {**INTEREST, "references": ["urn:x-uzb:nothing"]}
        await Act("UZB", ("KAZ", "MNG"), interest).forced_on(mng, relay, world, number)
    token = await mng.token("foreign-affairs", ("read",), ("3.A",))
    monkeypatch.setattr("exchange.node.api_procedures.MOST_ABOUT", 9)
    async with api_of(mng) as api:
        reply = await api.ask("GET", "/v1/procedures", token)
    assert (len(reply.json["procedures"]), reply.json["more"]) == (2, True)


async def test_a_search_names_no_act_that_another_ministry_sent(kaz: TestNode) -> None:
    own = ministry("foreign-affairs")
    request = {"to": ["MNG"], "measure": "2.1.1.d", "record": notification(), "tlp": "AMBER"}
    message = (await kaz.composer.send(request, (), own, None)).message
    await kaz.send()
    record_id = (await fact_of(kaz, message)).record_id
    act, act_id = await sent(kaz, notification(action="cancel", references=[record_id], body={}))
    reader = await kaz.token("foreign-affairs", ("read",))
    canceller = await kaz.token("defence", ("read",))
    async with api_of(kaz) as api:
        reply = await api.ask("GET", "/v1/database", reader)
        assert not {"message", "record_id"} & {k for k, v in reply.json["rows"][0]["ended"].items() if v is not None}
        assert (reply.json["rows"][0]["status"], reply.json["rows"][0]["ended"]["by"]) == ("cancelled", ["KAZ"])
        for hidden in (act.hex(), act_id):
            assert hidden not in reply.body.decode()
        others = await api.ask("GET", "/v1/database", canceller)
        assert [row["message"] for row in others.json["rows"]] == [act.hex()]
