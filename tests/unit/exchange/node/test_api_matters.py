"""Calendar, procedures and review over the real API: the state's matters, by evidence, without content."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import quote

import pytest
from icalendar import Calendar

from exchange.errors import Json
from exchange.records.participation import parse_declaration
from schemas.audit import AuditKind, read_entry
from schemas.limits import DAY
from tests.support.attacks import delivered
from tests.support.hostile_relay import HostileRelay
from tests.support.node import ROUTED, Api, Reply, TestNode, api_of, sealed_by
from tests.support.records import example
from tests.support.world import World

EDITION = "cica-catalogue-draft-2021-09-27"
AGREEMENT = {
    "measure": "2.1.1.b",
    "partners": ["MNG", "UZB"],
    "since": date(2026, 6, 1),
    "due": ["01-31"],
    "covers": "previous-year",
}


@pytest.fixture
async def declared(kaz: TestNode) -> AsyncIterator[Api]:
    """The API of KAZ's node, whose state agreed on yearly returns with two others, and with XAA on alerts."""
    rows = [AGREEMENT, AGREEMENT | {"measure": "2.4.3", "partners": ["XAA"], "covers": "since-last"}]
    declaration = parse_declaration({"member": "KAZ", "catalogue": EDITION, "agreement": rows})
    kaz.parts = replace(kaz.parts, declaration=declaration)
    async with api_of(kaz) as opened:
        yield opened


def record(record_type: str, name: str, **members: object) -> dict[str, Any]:
    """A worked example as a ministry hands it in; `members` replace or add."""
    found = example(record_type, name)
    return {key: value for key, value in found.items() if key not in ROUTED} | members


def budget() -> dict[str, Any]:
    found = record("defence-budget", "simplified-actual-outlay")
    found["body"]["fiscal_year"] = {"start": "2026-01-01", "end": "2026-12-31"}
    return found


async def send(api: Api, token: str, to: list[str], content: dict[str, Any], **terms: object) -> str:
    """A record handed in and accepted by the relay; its message's id."""
    body = {"to": to, "measure": content["measure"], "record": content, **terms}
    reply = await api.ask("POST", "/v1/messages", token, json=body)
    assert reply.status == 202, reply.json
    await api.node.send()
    return str(reply.json["id"])


async def receive(api: Api, relay: HostileRelay, sender: str, content: dict[str, Any], record_id: str) -> str:
    """A record that another state's node sent; its message's id here."""
    handling = {"tlp": "AMBER", "onward": "none"}
    whole = {**content, "record_id": record_id, "originators": [sender], "recipients": ["KAZ"], "handling": handling}
    manifest = relay.world.manifest((sender,), json.dumps(whole).encode())
    return (await delivered(api.node, relay, sealed_by(relay.world, sender, ("KAZ",), manifest=manifest))).hex()


async def rows(api: Api, token: str, query: str = "") -> list[dict[str, Any]]:
    reply = await api.ask("GET", f"/v1/calendar{query}", token)
    assert reply.status == 200, reply.json
    found: list[dict[str, Any]] = reply.json["obligations"]
    return found


def answers(found: list[dict[str, Any]]) -> dict[tuple[str, bool], tuple[str, int]]:
    """By partner and direction, for the returns on 2026."""
    return {
        (row["partner"], row["ours"]): (row["answer"], row["days_late"]) for row in found if row["due"] == "2027-01-31"
    }


async def test_the_calendar_shows_what_evidence_says(declared: Api, token: str, relay: HostileRelay) -> None:
    due = {(partner, ours): ("due", 0) for partner in ("MNG", "UZB") for ours in (True, False)}
    assert answers(await rows(declared, token, "?measure=2.1.1.b")) == due
    relay.down = True
    message = await send(declared, token, ["MNG"], budget())
    assert answers(await rows(declared, token, "?measure=2.1.1.b")) == due
    relay.down = False
    declared.node.clock.time += 60
    await declared.node.send()
    await receive(declared, relay, "UZB", budget(), "urn:x-mod:1")
    declared.node.clock.time += 30 * DAY
    found = await rows(declared, token, "?measure=2.1.1.b")
    assert answers(found) == {
        ("MNG", True): ("sent", 0),
        ("MNG", False): ("missing", 14),
        ("UZB", True): ("missing", 14),
        ("UZB", False): ("received", 0),
    }
    sent = next(row for row in found if (row["partner"], row["ours"]) == ("MNG", True))
    assert (sent["message"], sent["start"], sent["end"]) == (message, "2026-01-01", "2026-12-31")
    assert sent["evidenced_at"].startswith("2027-01-15T")


async def test_the_calendar_is_chosen_from(declared: Api, token: str) -> None:
    assert {row["measure"] for row in await rows(declared, token)} == {"2.1.1.b", "2.4.3"}
    assert {row["partner"] for row in await rows(declared, token, "?partner=UZB")} == {"UZB"}
    assert await rows(declared, token, "?from=2027-02-01&to=2027-12-31") == []
    assert {row["due"] for row in await rows(declared, token, "?from=2027-01-31&to=2027-01-31")} == {"2027-01-31"}
    for wrong in ("?from=31.01.2027", "?to=2027-1-31", "?to=2027-02-30"):
        assert (await declared.ask("GET", f"/v1/calendar{wrong}", token)).status == 422


async def test_the_feed_is_a_calendar_of_whole_days(declared: Api, token: str) -> None:
    reply = await declared.ask("GET", "/v1/calendar.ics?measure=2.1.1.b&partner=MNG", token)
    assert reply.headers["Content-Type"] == "text/calendar; charset=utf-8"
    first, second = Calendar.from_ical(reply.body).events
    assert {str(first["UID"]), str(second["UID"])} == {
        "2.1.1.b-to-mng-2027-01-31@kaz",
        "2.1.1.b-from-mng-2027-01-31@kaz",
    }
    assert reply.body.count(b"DTSTART;VALUE=DATE:20270131\r\n") == 2
    assert str(first["SUMMARY"]) == "Return 2.1.1.b to MNG for 2026-01-01 to 2026-12-31: due"


async def test_a_ministry_sees_the_state_s_returns_of_its_measures_alone(declared: Api, token: str) -> None:
    message = await send(declared, token, ["MNG"], budget())
    health = await declared.node.token("health", ("read",), ("2.4.*",))
    assert {row["measure"] for row in await rows(declared, health)} == {"2.4.3"}
    # What another ministry sent is no mail of this one; that the return was made is the state's matter.
    foreign = await declared.node.token("foreign-affairs", ("read",), ("2.1.*",))
    assert answers(await rows(declared, foreign))["MNG", True] == ("sent", 0)
    assert (await declared.ask("GET", f"/v1/messages/{message}", foreign)).status == 404


PATHS = (
    "/v1/calendar",
    "/v1/calendar.ics",
    "/v1/procedures",
    "/v1/procedures/x",
    "/v1/review?start=2027-01-01&end=2027-12-31",
    "/v1/review/merged?start=2027-01-01&end=2027-12-31",
)


@pytest.mark.parametrize("path", PATHS)
async def test_without_the_scope_nothing_is_told(declared: Api, path: str) -> None:
    deaf = await declared.node.token("defence", ("send",))
    assert (await declared.ask("GET", path, deaf)).code == "scope-missing"
    assert (await declared.ask("GET", path)).status == 401


async def test_without_a_declaration_the_node_says_what_to_do(api: Api, token: str) -> None:
    reply = await api.ask("GET", "/v1/calendar", token)
    assert (reply.status, reply.code) == (409, "no-declaration")
    assert "participation.toml" in reply.json["detail"]


def interest(area: str = "energy-security") -> dict[str, Any]:
    found = record("expression-of-interest", "energy-security-a", title={"en": "Our interest"})
    found["body"] = {"modality": "A", "priority_area": area, "intent": "implement"}
    return found


def decision(kind: str, subject: str, **members: object) -> dict[str, Any]:
    found = record("modality-decision", "designation", issued_at="2027-01-15T08:00:00Z", references=[subject])
    by = "soc" if kind == "soc-approval" else "chairman"
    body = {"decision_kind": kind, "subject_ref": subject, "outcome": "agreed", "by": by, "date": "2027-01-14"}
    return {**found, "body": {**body, **members}}


async def procedure(api: Api, token: str, record_id: str) -> dict[str, Any]:
    reply = await api.ask("GET", f"/v1/procedures/{record_id}", token)
    assert reply.status == 200, reply.json
    found: dict[str, Any] = reply.json
    return found


async def listed(api: Api, token: str, query: str = "") -> list[dict[str, Any]]:
    reply = await api.ask("GET", f"/v1/procedures{query}", token)
    assert reply.status == 200, reply.json
    found: list[dict[str, Any]] = reply.json["procedures"]
    return found


async def test_a_thread_shows_what_was_done_and_who_may_go_on(api: Api, token: str, relay: HostileRelay) -> None:
    start = "urn:x-mfa:a/1;x"
    await receive(api, relay, "MNG", interest(), start)
    api.node.clock.time += 60
    await send(api, token, ["MNG"], decision("coordinator-designation", start, designated=["MNG"]))
    (row,) = await listed(api, token)
    assert (row["id"], row["measure"], row["by"], row["state"]) == (start, "3.A", ["MNG"], "open")
    assert (row["title"], row["priority_area"]) == ({"en": "Our interest"}, "energy-security")
    assert [(taken["step"], taken["by"]) for taken in row["done"]] == [("A1", ["MNG"]), ("A3", ["KAZ"])]
    shown = await procedure(api, token, "urn:x-mfa:a%2F1;x")
    assert row.items() <= shown.items()
    following = {step["step"]: step["members"] for step in shown["open"]}
    assert following == {
        "A1": ["KAZ", "MNG", "UZB", "XAA"],
        "A3": ["KAZ"],
        "A4": ["MNG"],
        "A5": ["CICA"],
        "A6": ["KAZ"],
    }
    assert [(line["action"], line["state"]) for line in shown["records"]] == [("new", "current")] * 2
    # Any record of the thread names it, and the message of any.
    for line in shown["records"]:
        assert await procedure(api, token, quote(line["record_id"], safe="")) == shown
        assert await procedure(api, token, line["message"]) == shown


async def test_what_was_no_valid_step_is_shown_with_its_reason(api: Api, token: str, relay: HostileRelay) -> None:
    await receive(api, relay, "MNG", interest(), "urn:x-mfa:a1")
    usurped = decision("coordinator-designation", "urn:x-mfa:a1", designated=["UZB"])
    await receive(api, relay, "UZB", usurped, "urn:x-mfa:usurped")
    shown = await procedure(api, token, "urn:x-mfa:a1")
    assert [taken["step"] for taken in shown["done"]] == ["A1"]
    (refused,) = shown["refused"]
    assert refused["record_id"] == "urn:x-mfa:usurped"
    assert refused["reason"] == "step A3 is for CICA Chairman, here KAZ: not for UZB"


async def test_threads_are_listed_newest_first_and_no_more_than_asked(
    api: Api, token: str, relay: HostileRelay
) -> None:
    for index in range(3):
        relay.world.now += 60
        api.node.clock.time += 60
        await receive(api, relay, "MNG", interest(), f"urn:x-mfa:{index}")
    assert [row["id"] for row in await listed(api, token)] == ["urn:x-mfa:2", "urn:x-mfa:1", "urn:x-mfa:0"]
    reply = await api.ask("GET", "/v1/procedures?limit=2", token)
    assert ([row["id"] for row in reply.json["procedures"]], reply.json["more"]) == (
        ["urn:x-mfa:2", "urn:x-mfa:1"],
        True,
    )
    assert (await api.ask("GET", "/v1/procedures?limit=201", token)).status == 422


async def test_a_procedure_is_for_those_who_may_see_its_measure(api: Api, token: str, relay: HostileRelay) -> None:
    message = await send(api, token, ["MNG"], {**interest(), "record_id": "urn:x-mfa:own"})
    health = await api.node.token("health", ("read",), ("2.4.*", "3.B"))
    assert await listed(api, health) == []
    for ident in ("urn:x-mfa:own", "urn:x-mfa:none", message):
        assert (await api.ask("GET", f"/v1/procedures/{ident}", health)).status == 404
    # The steps are the state's; the text that another ministry sent is not told.
    foreign = await api.node.token("foreign-affairs", ("read",), ("3.A",))
    shown = await procedure(api, foreign, "urn:x-mfa:own")
    assert ([taken["step"] for taken in shown["done"]], shown["title"]) == (["A1"], None)
    assert "Our interest" not in json.dumps(shown)


async def report(api: Api, token: str, **query: str) -> Reply:
    return await api.ask("GET", "/v1/review", token, params={"start": "2027-01-01", "end": "2027-12-31", **query})


async def test_the_review_counts_what_all_ministries_exchanged(api: Api, relay: HostileRelay) -> None:
    defence = await api.node.token("defence", ("send", "read"), ("2.1.*",))
    await send(api, defence, ["MNG"], budget())
    await receive(api, relay, "UZB", budget(), "urn:x-mod:secret-17")
    foreign = await api.node.token("foreign-affairs", ("read",), ("1.8",))
    reply = await report(api, foreign)
    assert reply.json == {
        "reporter": "KAZ",
        "catalogue": EDITION,
        "start": "2027-01-01",
        "end": "2027-12-31",
        "counts": [
            {"measure": "2.1.1.b", "state": "KAZ", "records": 1, "nil": 0, "replies": 0},
            {"measure": "2.1.1.b", "state": "UZB", "records": 1, "nil": 0, "replies": 0},
        ],
    }
    own = (await report(api, foreign, own_only="true")).json["counts"]
    assert [row["state"] for row in own] == ["KAZ"]
    assert (await report(api, foreign, end="2027-01-14")).json["counts"] == []
    assert (await report(api, defence)).code == "measure-not-allowed"


@pytest.mark.parametrize(
    "query",
    [{"start": ""}, {"end": "2026-12-31"}, {"own_only": "yes"}, {"catalogue": "cica-catalogue-2030"}],
    ids=lambda query: next(iter(query)),
)
async def test_a_wrong_question_about_the_review_is_refused(api: Api, token: str, query: dict[str, str]) -> None:
    assert (await report(api, token, **query)).code == "bad-request"


def review(reporter: str, *counts: tuple[str, int]) -> dict[str, Any]:
    found = record("implementation-review", "own-and-received", issued_at="2027-01-10T00:00:00Z")
    listed = [{"measure": "2.1.1.b", "state": state, "records": n, "nil": 0, "replies": 0} for state, n in counts]
    days: dict[str, Json] = {"start": "2026-01-01", "end": "2026-12-31"}
    return {**found, "body": {"reporter": reporter, "catalogue": EDITION, **days, "counts": listed}}


async def test_the_reports_received_are_merged(
    api: Api, token: str, relay: HostileRelay, world: World, kaz: TestNode
) -> None:
    await receive(api, relay, "MNG", review("MNG", ("MNG", 1), ("UZB", 3)), "urn:x-mfa:1")
    await receive(api, relay, "UZB", review("UZB", ("MNG", 1), ("UZB", 2)), "urn:x-mfa:2")
    reply = await api.ask("GET", "/v1/review/merged?start=2026-01-01&end=2026-12-31", token)
    assert reply.json["reporters"] == ["MNG", "UZB"]
    shown = [
        (row["state"], row["own"]["records"], row["seen_by"], row["seen"], row["doubtful"])
        for row in reply.json["rows"]
    ]
    assert shown == [("MNG", 1, 1, 1, False), ("UZB", 2, 1, 3, True)]
    # Who sees what they say has read them.
    kinds = [read_entry(leaf.leaf or b"").kind for leaf in await kaz.parts.stores.audit.leaves(0, 999)]
    assert kinds.count(AuditKind.OPENED) == 2
    other = await api.ask("GET", "/v1/review/merged?start=2025-01-01&end=2025-12-31", token)
    assert (other.json["reporters"], other.json["rows"]) == ([], [])


async def test_what_one_ministry_reported_is_not_merged_for_another(api: Api) -> None:
    asking = {ministry: await api.node.token(ministry, ("send", "read"), ("1.8",)) for ministry in ("mfa", "other")}
    await send(api, asking["mfa"], ["MNG"], review("KAZ", ("MNG", 1)))
    path = "/v1/review/merged?start=2026-01-01&end=2026-12-31"
    replies = {ministry: await api.ask("GET", path, token) for ministry, token in asking.items()}
    assert {ministry: reply.json["reporters"] for ministry, reply in replies.items()} == {"mfa": ["KAZ"], "other": []}
