"""Records that claim what is not theirs: refused by an honest sender's node, shown for what they are at the receiver.

Nothing that was delivered under consent is dropped for it: the receiving ministry sees it, and that it has no effect.
"""

from dataclasses import replace

import pytest

from exchange.errors import Conflict, Invalid
from tests.support.chains import Act, Record, fact_of, notification, shown, states, step, uuid
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, ministry
from tests.support.world import World

ALL = ("KAZ", "MNG", "UZB")
INTEREST = step("expression-of-interest", "energy-security-a")


def others(sender: str) -> tuple[str, ...]:
    return tuple(code for code in ALL if code != sender)


async def first_of_kaz(kaz: TestNode, mng: TestNode, uzb: TestNode, record: Record) -> tuple[bytes, str, str]:
    """KAZ sends a record to the two others: the message, the record's id and its digest."""
    message = await Act("KAZ", others("KAZ"), record).asked_of(kaz)
    await kaz.send()
    await mng.pull()
    await uzb.pull()
    fact = await fact_of(mng, message)
    return message, fact.record_id, fact.digest


# Each attack: who tries it, the record, and the reason; R is the record of KAZ.
FORGED = {
    "a-correction-by-another-state": ("UZB", {"action": "correction", "references": ["R"]}, "only KAZ may correct it"),
    "a-cancellation-by-another-state": (
        "UZB",
        {"action": "cancel", "references": ["R"], "body": {}},
        "only KAZ may cancel it",
    ),
    "a-translation-by-another-state": (
        "UZB",
        {"action": "translation", "references": ["R"], "translation_of": {"record_id": "R", "sha256": "D"}},
        "only KAZ may translate it",
    ),
    "a-translation-of-another-text": (
        "KAZ",
        {
            "action": "translation",
            "references": ["R"],
            "language": "fr",
            "title": {"fr": "Exercice", "en": "Exercise"},
            "translation_of": {"record_id": "R", "sha256": "0" * 64},
        },
        "the digests differ",
    ),
    "a-second-text-under-an-own-id": ("KAZ", {"record_id": "R", "title": {"en": "Another"}}, ""),
}


def made(changes: Record, record_id: str, digest: str) -> Record:
    """A notification with R and D put in."""
    values = {"R": record_id, "D": digest}
    filled = {
        name: [record_id]
        if value == ["R"]
        else {key: values.get(text, text) for key, text in value.items()}
        if isinstance(value, dict)
        else values.get(value, value)
        for name, value in changes.items()
    }
    return notification(**filled)


@pytest.mark.parametrize(("attacker", "changes", "reason"), FORGED.values(), ids=FORGED)
async def test_a_forged_act(
    attacker: str,
    changes: Record,
    reason: str,
    world: World,
    relay: HostileRelay,
    kaz: TestNode,
    mng: TestNode,
    uzb: TestNode,
) -> None:
    message, record_id, digest = await first_of_kaz(kaz, mng, uzb, notification())
    act = Act(attacker, others(attacker), made(changes, record_id, digest))
    own = {"KAZ": kaz, "UZB": uzb}[attacker]
    before = own.facts()
    with pytest.raises(Conflict) as caught:
        await act.asked_of(own)
    assert caught.value.code == "record-refused"
    assert reason in caught.value.detail
    assert own.facts() == before

    forged = await act.forced_on(mng, relay, world, 1)
    assert mng.alarms() == ["record-refused"]
    (alarm,) = mng.rows("alarms")
    assert (alarm["fact"], alarm["member"]) == (f"record-refused:{forged.hex()}", attacker)
    assert reason in alarm["detail"]
    assert mng.inbox() == [message, forged]
    view = await shown(mng, forged)
    (line,) = [line for line in view["chain"] if line["message"] == forged.hex()]
    assert line["state"] == "refused"
    assert reason in line["reason"]
    original = await shown(mng, message)
    assert original["current"] == message.hex()
    assert original["chain"][0]["state"] == "current"


async def test_an_id_of_another_states_record(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
) -> None:
    """It is a record of its own and takes nobody's place; an honest node does not send it, a receiver is told."""
    message, record_id, _ = await first_of_kaz(kaz, mng, uzb, notification())
    act = Act("UZB", others("UZB"), notification(record_id=record_id, title={"en": "Taken for another"}))
    before = uzb.facts()
    with pytest.raises(Conflict, match="record_id is in use"):
        await act.asked_of(uzb)
    assert uzb.facts() == before
    forged = await act.forced_on(mng, relay, world, 1)
    assert mng.alarms() == ["record-id-shared"]
    assert (await shown(mng, message))["current"] == message.hex()
    view = await shown(mng, forged)
    assert [(line["by"], line["state"]) for line in view["chain"]] == [(["KAZ"], "current"), (["UZB"], "current")]


async def test_a_forged_correction_that_comes_before_what_it_corrects(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    act = Act("UZB", ("MNG",), notification(action="correction", references=[uuid(7)]))
    forged = await act.forced_on(mng, relay, world, 1)
    assert mng.alarms() == []
    assert await states(mng, forged) == [("correction", "unresolved")]
    original = await Act("KAZ", ("MNG",), notification()).forced_on(mng, relay, world, 7, later=2)
    assert mng.alarms() == ["record-refused"]
    assert mng.rows("alarms")[0]["member"] == "UZB"
    assert (await shown(mng, original))["current"] == original.hex()


async def test_a_ministry_that_acts_on_the_record_of_another(kaz: TestNode) -> None:
    """It learns no more than that its own record does not fit."""
    message = await Act("KAZ", ("MNG",), notification(record_id="urn:x-mod:2027:1")).asked_of(kaz)
    record = notification(record_id="urn:x-mod:2027:2", action="cancel", references=["urn:x-mod:2027:1"])
    record |= {"body": {}, "mode": "test"}
    request = {"to": ["MNG"], "measure": record["measure"], "record": record, "tlp": "AMBER"}
    before = kaz.facts()
    with pytest.raises(Conflict) as caught:
        await kaz.composer.send(request, (), ministry("interior"), None)
    assert caught.value.code == "record-refused"
    assert "urn" not in caught.value.detail
    assert "mode" not in caught.value.detail
    assert kaz.facts() == before
    assert await states(kaz, message) == [("new", "waiting")]


async def test_a_flood_of_records_that_name_one(
    world: World,
    relay: HostileRelay,
    kaz: TestNode,
    mng: TestNode,
    uzb: TestNode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its originator can still correct it, and what comes is still delivered; nobody reads thousands for it."""
    monkeypatch.setattr("exchange.node.shelf.MOST_AROUND", 5)
    message, record_id, _ = await first_of_kaz(kaz, mng, uzb, notification())
    for number in range(1, 6):
        act = Act("UZB", others("UZB"), notification(references=[record_id]))
        await act.forced_on(mng, relay, world, number)
        await act.forced_on(kaz, relay, world, 100 + number)
    assert mng.alarms() == ["not-judged"]
    assert len(mng.inbox()) == 6
    request = {
        "to": ["MNG"],
        "measure": "2.1.1.d",
        "record": notification(action="correction", references=[record_id]),
        "tlp": "AMBER",
    }
    taken = await kaz.composer.send(request, (), ministry(), None)
    assert [warned.code for warned in taken.warnings] == ["chain"]
    assert "not judged" in taken.warnings[0].detail
    view = await shown(mng, message)
    assert (view["chain"], view["current"]) == ([], None)
    assert "more than 5 records" in view["chain_fault"]


# Steps of section 3.A; KAZ chairs.


def decision(kind: str, by: str, subject: str, **body: object) -> Record:
    record = step("modality-decision", "designation", {"decision_kind": kind, "by": by, "subject_ref": subject, **body})
    if kind != "coordinator-designation":
        del record["body"]["designated"]
    return record


async def test_a_designation_by_a_state_that_does_not_chair(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
) -> None:
    message, interest, _ = await first_of_kaz(kaz, mng, uzb, INTEREST)
    act = Act("UZB", others("UZB"), decision("coordinator-designation", "chairman", interest, designated=["UZB"]))
    await refused_step(act, uzb, mng, relay, world, "step A3 is for CICA Chairman, here KAZ: not for UZB")
    assert await states(mng, message) == [("new", "current")]


async def test_an_approval_that_nothing_led_to(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
) -> None:
    _, interest, _ = await first_of_kaz(kaz, mng, uzb, INTEREST)
    act = Act("KAZ", others("KAZ"), decision("soc-approval", "soc", interest))
    await refused_step(act, kaz, mng, relay, world, "step A7 needs the agreement of the SWG first")


async def test_a_step_after_the_one_that_closed_it(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
) -> None:
    _, interest, _ = await first_of_kaz(kaz, mng, uzb, INTEREST)
    await first_of_kaz(kaz, mng, uzb, decision("coordinator-designation", "chairman", interest, designated=["MNG"]))
    act = Act("KAZ", others("KAZ"), decision("coordinator-consultation", "chairman", interest))
    await refused_step(act, kaz, mng, relay, world, "step A2 is out of order: A3 was taken")


async def refused_step(
    act: Act, own: TestNode, target: TestNode, relay: HostileRelay, world: World, reason: str
) -> None:
    """Refused by the sender's own node; if it comes all the same, delivered with an alarm."""
    before = own.facts()
    with pytest.raises(Conflict) as caught:
        await act.asked_of(own)
    assert caught.value.code == "step-refused"
    assert reason in caught.value.detail
    assert own.facts() == before
    held = target.inbox()
    forged = await act.forced_on(target, relay, world, 50)
    assert target.inbox() == [*held, forged]
    assert target.alarms() == ["step-refused"]
    (alarm,) = target.rows("alarms")
    assert (alarm["fact"], alarm["member"]) == (f"step-refused:{forged.hex()}", act.sender)
    assert reason in alarm["detail"]


# Editions.


def with_editions(node: TestNode, *editions: str) -> None:
    """Its charter names other editions of the Catalogue."""
    directory = node.parts.directory
    (record,) = directory.current.charters
    charter = replace(record.charter, editions=editions)
    directory.current = replace(directory.current, charters=(replace(record, charter=charter),))


async def test_a_record_of_an_edition_that_was_not_adopted(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    act = Act("KAZ", ("MNG",), notification(catalogue_id="cica-catalogue-draft-2021-09-27"))
    with_editions(kaz, "cica-catalogue-2030")
    before = kaz.facts()
    with pytest.raises(Invalid) as caught:
        await act.asked_of(kaz)
    assert caught.value.code == "edition-not-adopted"
    assert "name cica-catalogue-2030" in caught.value.detail
    assert kaz.facts() == before

    with_editions(mng, "cica-catalogue-2030")
    message = await act.forced_on(mng, relay, world, 1)
    await act.forced_on(mng, relay, world, 2)
    assert mng.alarms() == ["edition-not-adopted"]
    assert (await shown(mng, message))["edition_adopted"] is False
    with_editions(mng, "cica-catalogue-2030", "cica-catalogue-draft-2021-09-27")
    assert (await shown(mng, message))["edition_adopted"] is True
