"""The API of consent: who may ask, answer and look, what is repeated, what is said of what is wrong."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.consents import ask, give
from tests.support.desk import post, shared
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, api_of, node
from tests.support.world import World

ASKING: dict[str, object] = {"to": ["UZB"], "until": "2027-12-31", "reason": "for relief"}


@dataclass(frozen=True)
class Two:
    """KAZ's API, and MNG's, which holds `message` of KAZ."""

    kaz: Api
    mng: Api
    message: bytes


@pytest.fixture
async def two(tmp_path: Path, world: World, relay: HostileRelay, kaz: TestNode, api: Api) -> AsyncIterator[Two]:
    async with node(tmp_path, world, "MNG", relay) as mng, api_of(mng) as other:
        yield Two(api, other, await shared(kaz, mng))


async def test_a_request_is_made_seen_granted_and_its_grant_listed(two: Two) -> None:
    asking = await two.mng.node.token("relief", ("send", "read"))
    deciding = await two.kaz.node.token("foreign-affairs", ("consent",))
    body = {"message": two.message.hex(), **ASKING, "uses": 3}
    made = await two.mng.ask("POST", "/v1/consent/requests", asking, json=body)
    assert (made.status, made.json["state"], made.json["providers"]) == (201, "open", ["KAZ"])
    await post(two.mng.node, two.kaz.node)
    listed = await two.kaz.ask("GET", "/v1/consent/requests", deciding)
    (row,) = listed.json["requests"]
    assert (row["id"], row["holder"], row["reason"], row["uses"]) == (made.json["id"], "MNG", "for relief", 3)
    path = f"/v1/consent/requests/{row['id']}"
    assert (await two.kaz.ask("GET", path, deciding)).json == row
    given = await two.kaz.ask("POST", f"{path}/grant", deciding, json={"uses": 2})
    assert (given.status, given.json["uses"], given.json["recipients"]) == (201, 2, ["UZB"])
    assert given.json["official"].startswith("foreign-affairs/")
    await post(two.kaz.node, two.mng.node)
    shown = await two.mng.ask("GET", f"/v1/consent/requests/{row['id']}", asking)
    assert (shown.json["state"], shown.json["answers"][0]["grant"]) == ("granted", given.json["id"])
    held = await two.mng.ask("GET", "/v1/consent/grants", asking)
    assert [(one["id"], one["used"]) for one in held.json["grants"]] == [(given.json["id"], 0)]
    events = two.mng.node.rows("events")
    assert [event["type"] for event in events if event["message"] == two.message][-1] == "consent.request"


async def test_a_refusal_says_why(two: Two) -> None:
    deciding = await two.kaz.node.token("foreign-affairs", ("consent",))
    asking = await two.mng.node.token("relief", ("send",))
    request = (await ask(two.mng.node, two.message, ["UZB"])).hex()
    await post(two.mng.node, two.kaz.node)
    path = f"/v1/consent/requests/{request}/refuse"
    assert (await two.kaz.ask("POST", path, deciding, json={"reason": " "})).code == "bad-reason"
    assert (await two.kaz.ask("POST", path, deciding, json={"reason": "not for them"})).json["state"] == "refused"
    again = await two.kaz.ask("POST", path, deciding, json={"reason": "not for them"})
    assert (again.status, again.code) == (409, "request-answered")
    await post(two.kaz.node, two.mng.node)
    shown = await two.mng.ask("GET", f"/v1/consent/requests/{request}", asking)
    assert shown.json["answers"][0]["reason"] == "not for them"
    # What states tell each other is not in clear on the disk.
    stored = b"".join(path.read_bytes() for path in two.kaz.node.folder.glob("node.db*"))
    assert b"not for them" not in stored
    assert b"for relief" not in stored


async def test_what_creates_happens_once_for_a_key(two: Two) -> None:
    deciding = await two.kaz.node.token("foreign-affairs", ("consent",))
    asking = await two.mng.node.token("relief", ("send",))
    body: dict[str, object] = {"message": two.message.hex(), **ASKING}
    key = {"headers": {"Idempotency-Key": "one"}}
    first = await two.mng.ask("POST", "/v1/consent/requests", asking, json=body, **key)
    again = await two.mng.ask("POST", "/v1/consent/requests", asking, json=body, **key)
    assert (first.status, again.status, first.json) == (201, 200, again.json)
    other = await two.mng.ask("POST", "/v1/consent/requests", asking, json={**body, "uses": 1}, **key)
    assert other.code == "idempotency-key-used"
    await post(two.mng.node, two.kaz.node)
    path = f"/v1/consent/requests/{first.json['id']}/grant"
    given = await two.kaz.ask("POST", path, deciding, json={}, **key)
    repeated = await two.kaz.ask("POST", path, deciding, json={}, **key)
    assert (given.status, repeated.status, given.json) == (201, 200, repeated.json)
    unasked = {"message": two.message.hex(), "holder": "MNG", "to": ["XAA"], "until": "30d"}
    two_key = {"headers": {"Idempotency-Key": "two"}}
    one = await two.kaz.ask("POST", "/v1/consent/grants", deciding, json=unasked, **two_key)
    same = await two.kaz.ask("POST", "/v1/consent/grants", deciding, json=unasked, **two_key)
    assert (one.status, same.status, one.json) == (201, 200, same.json)
    assert len(two.kaz.node.rows("consent_grants")) == 2


async def test_each_route_takes_its_scope_and_the_measure(two: Two) -> None:
    request = (await ask(two.mng.node, two.message, ["UZB"])).hex()
    await post(two.mng.node, two.kaz.node)
    sending = await two.kaz.node.token("defence", ("send", "read"))
    elsewhere = await two.kaz.node.token("health", ("consent", "send"), ("2.4.*",))
    here = await two.kaz.node.token("defence", ("consent",), ("2.1.*",))
    for method, path in (
        ("GET", "/v1/consent/requests"),
        ("POST", f"/v1/consent/requests/{request}/grant"),
        ("POST", f"/v1/consent/requests/{request}/refuse"),
        ("POST", "/v1/consent/grants"),
        ("GET", "/v1/consent/grants?box=given"),
        ("GET", "/v1/consent/log"),
    ):
        answer = await two.kaz.ask(method, path, sending, json={"reason": "x"})
        assert (answer.status, answer.code) == (403, "scope-missing"), path
    assert (await two.kaz.ask("GET", f"/v1/consent/requests/{request}", sending)).status == 403
    assert (await two.kaz.ask("GET", "/v1/consent/requests", elsewhere)).json["requests"] == []
    for path, body in ((f"{request}/grant", {}), (f"{request}/refuse", {"reason": "x"})):
        assert (await two.kaz.ask("POST", f"/v1/consent/requests/{path}", elsewhere, json=body)).status == 404
    unasked = {"message": two.message.hex(), "holder": "MNG", "to": ["UZB"], "until": "30d"}
    assert (await two.kaz.ask("POST", "/v1/consent/grants", elsewhere, json=unasked)).status == 404
    asking = await two.mng.node.token("health", ("send",), ("2.4.*",))
    asked = {"message": two.message.hex(), **ASKING}
    assert (await two.mng.ask("POST", "/v1/consent/requests", asking, json=asked)).status == 404
    assert (await two.kaz.ask("GET", "/v1/consent/log", here)).code == "measure-not-allowed"
    assert (await two.kaz.ask("POST", f"/v1/consent/requests/{request}/grant", here, json={})).status == 201


async def test_lists_and_the_log_go_on_page_by_page(two: Two) -> None:
    for _ in range(3):
        await give(two.kaz.node, two.message, "MNG", ["UZB"])
    auditing = await two.kaz.node.token("audit", ("audit",))
    deciding = await two.kaz.node.token("foreign-affairs", ("consent",))
    for path, name, token in (
        ("/v1/consent/grants?box=given", "grants", deciding),
        ("/v1/consent/log?", "events", auditing),
    ):
        found: list[object] = []
        after: str | None = "0"
        while after is not None:
            page = (await two.kaz.ask("GET", f"{path}&limit=2&after={after}", token)).json
            found += page[name]
            after = page["next"]
        assert len(found) == 3
    (line, *_) = (await two.kaz.ask("GET", "/v1/consent/log", auditing)).json["events"]
    assert (line["kind"], line["member"], line["detail"]) == ("grant.given", "MNG", {"message": two.message.hex()})
    one = (await two.kaz.ask("GET", f"/v1/consent/log?subject={line['subject']}", auditing)).json["events"]
    assert one == [line]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"to": ["KAZ"]}, "own-provider"),
        ({"to": ["MNG"]}, "own-member"),
        ({"to": ["ZZZ"]}, "unknown-member"),
        ({"to": ["@nobody"]}, "no-such-group"),
        ({"until": "2020-01-01"}, "bad-request"),
        ({"until": "soon"}, "bad-request"),
        ({"answer_by": "2020-01-01"}, "bad-request"),
        ({"purpose": "fun"}, "bad-request"),
        ({"uses": 0}, "bad-request"),
        ({"reason": ""}, "bad-reason"),
        ({"provision": "0" * 32}, "no-such-provision"),
        ({"colour": "red"}, "bad-request"),
        ({"message": "0" * 32}, "no-such-message"),
    ],
)
async def test_a_request_that_means_nothing_is_refused(two: Two, form: dict[str, object], code: str) -> None:
    asking = await two.mng.node.token("relief", ("send",))
    answer = await two.mng.ask(
        "POST", "/v1/consent/requests", asking, json={"message": two.message.hex(), **ASKING, **form}
    )
    assert (answer.status // 100, answer.code) == (4, code)
    assert two.mng.node.rows("consent_requests") == []


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"holder": "UZB"}, "own-member"),
        ({"holder": "KAZ"}, "own-member"),
        ({"until": "2020-01-01"}, "bad-request"),
        ({"uses": 2, "unlimited": True}, "bad-request"),
        ({"class_name": "floods"}, "not-of-this-class"),
        ({"message": "0" * 32}, "no-such-message"),
    ],
)
async def test_a_grant_that_means_nothing_is_refused(two: Two, form: dict[str, object], code: str) -> None:
    deciding = await two.kaz.node.token("foreign-affairs", ("consent",))
    body = {"message": two.message.hex(), "holder": "MNG", "to": ["UZB"], "until": "30d", **form}
    answer = await two.kaz.ask("POST", "/v1/consent/grants", deciding, json=body)
    assert (answer.status // 100, answer.code) == (4, code)
    assert two.kaz.node.rows("consent_grants") == []


async def test_what_others_provided_is_not_this_states_to_give(two: Two) -> None:
    deciding = await two.mng.node.token("foreign-affairs", ("consent",))
    body = {"message": two.message.hex(), "holder": "UZB", "to": ["XAA"], "until": "30d"}
    answer = await two.mng.ask("POST", "/v1/consent/grants", deciding, json=body)
    assert (answer.status, answer.code) == (403, "not-a-provider")


async def test_a_refused_forward_says_whom_to_ask_and_how(two: Two) -> None:
    token = await two.mng.node.token("relief", ("send", "read"))
    answer = await two.mng.ask("POST", f"/v1/messages/{two.message.hex()}/forward", token, json={"to": ["UZB"]})
    assert (answer.status, answer.code, answer.json["ask"]) == (403, "no-consent", ["KAZ"])
    assert answer.json["how"] == f"cbm consent request {two.message.hex()} --to UZB"
