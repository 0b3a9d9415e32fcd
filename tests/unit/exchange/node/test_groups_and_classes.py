"""Groups of states and classes of information over the node's real API: what is fixed when, and what travels where."""

import pytest

from schemas.canon import decode, encode
from schemas.content import read_manifest
from schemas.contexts import Context
from schemas.group import GROUP, SIGNED_GROUP, Group, SignedGroup
from schemas.ids import MemberId
from schemas.provision import SIGNED_PROVISION
from tests.support.node import Api, Reply
from tests.support.officials import officials
from tests.support.world import World


@pytest.fixture
async def keeper(api: Api) -> str:
    """A token that may set groups."""
    return await api.node.token("foreign", ("release",))


async def put(api: Api, token: str, name: str, *members: str) -> Reply:
    return await api.ask("PUT", f"/v1/groups/{name}", token, json={"members": list(members)})


async def recipients(api: Api, token: str, ident: str) -> list[str]:
    shown = (await api.ask("GET", f"/v1/messages/{ident}", token)).json
    assert shown["record"]["recipients"] == [row["member"] for row in shown["recipients"]]
    assert shown["provision"]["audience"] == shown["record"]["recipients"]
    return [row["member"] for row in shown["recipients"]]


async def test_a_message_to_a_group_goes_to_its_states_without_the_own_one(api: Api, token: str, keeper: str) -> None:
    made = await put(api, keeper, "caspian", "UZB", "KAZ")
    assert (made.status, made.json["members"], made.json["version"]) == (200, ["KAZ", "UZB"], 1)
    sent = await api.send(token, ["@caspian", "MNG"])
    assert sent.status == 202, sent.json
    assert await recipients(api, token, sent.json["id"]) == ["MNG", "UZB"]


async def test_recipients_are_fixed_when_the_message_is_composed(api: Api, token: str, keeper: str) -> None:
    await put(api, keeper, "near", "MNG")
    first = (await api.send(token, ["@near"], "k")).json["id"]
    assert (await put(api, keeper, "near", "UZB")).json["version"] == 2
    assert await recipients(api, token, first) == ["MNG"]
    again = await api.send(token, ["@near"], "k")
    assert (again.status, again.json["id"]) == (200, first)
    assert await recipients(api, token, (await api.send(token, ["@near"])).json["id"]) == ["UZB"]


async def test_what_officials_approve_goes_to_the_states_that_they_saw(api: Api, keeper: str) -> None:
    async with officials(api.node, releases=1) as four:
        await put(four.api, keeper, "near", "MNG")
        ident = (await four.api.send(four.author, ["@near"])).json["id"]
        assert (await four.show(ident))["request"]["to"] == ["MNG"]
        await put(four.api, keeper, "near", "UZB")
        result = (await four.approve(ident, four.first)).json["result"]
        assert await recipients(four.api, four.author, result) == ["MNG"]


@pytest.mark.parametrize(
    ("to", "status", "code"),
    [
        (["@nobody"], 404, "no-such-group"),
        (["@"], 404, "no-such-group"),
        (["@own"], 422, "empty-group"),
        (["@near", "KAZ"], 422, "own-member"),
    ],
)
async def test_a_group_that_names_nobody_is_refused(
    api: Api, token: str, keeper: str, to: list[str], status: int, code: str
) -> None:
    await put(api, keeper, "own", "KAZ")
    await put(api, keeper, "near", "MNG")
    before = api.node.facts()
    reply = await api.send(token, to)
    assert (reply.status, reply.code) == (status, code)
    assert api.node.facts() == before


async def test_a_group_that_names_a_state_which_is_no_member_any_more_says_which(api: Api, token: str) -> None:
    identity = api.node.parts.keyring.signing
    body = encode(GROUP, Group(identity.owner, "near", 1, (MemberId("MNG"), MemberId("XQQ")), api.node.clock.now()))
    signed = SignedGroup(body, identity.sign(Context.GROUP, body))
    await api.node.parts.stores.groups.put("near", encode(SIGNED_GROUP, signed))
    reply = await api.send(token, ["@near"])
    assert (reply.status, reply.code, reply.json["member"]) == (422, "group-member-removed", "XQQ")


@pytest.mark.parametrize(
    ("name", "members", "code"),
    [
        ("Near", ["MNG"], "bad-group"),
        ("x" * 41, ["MNG"], "bad-group"),
        ("near", [], "bad-request"),
        ("near", ["mng"], "bad-member"),
        ("near", ["XXQ"], "unknown-member"),
        ("near", ["@far"], "bad-member"),
    ],
)
async def test_a_group_that_is_none_is_not_set(api: Api, keeper: str, name: str, members: list[str], code: str) -> None:
    assert (await put(api, keeper, name, *members)).code == code
    assert api.node.rows("state_groups") == []


async def test_groups_are_listed_shown_and_removed(api: Api, token: str, keeper: str) -> None:
    await put(api, keeper, "near", "MNG")
    await put(api, keeper, "all", "MNG", "UZB")
    listed = (await api.ask("GET", "/v1/groups", token)).json["groups"]
    assert [row["name"] for row in listed] == ["all", "near"]
    assert (await api.ask("GET", "/v1/groups/near", token)).json["members"] == ["MNG"]
    assert (await api.ask("DELETE", "/v1/groups/near", keeper)).status == 200
    assert (await api.ask("DELETE", "/v1/groups/near", keeper)).code == "no-such-group"
    assert (await api.ask("GET", "/v1/groups/near", token)).code == "no-such-group"


async def test_classes_travel_as_tags_outside_and_by_name_inside(api: Api, token: str) -> None:
    first = await api.send(token, ["MNG"], classes=["readiness", "borders"])
    second = await api.send(token, ["MNG"], classes=["borders"])
    assert (first.status, second.status) == (202, 202), first.json
    known = {row["name"]: row["tag"] for row in (await api.ask("GET", "/v1/classes", token)).json["classes"]}
    shown = (await api.ask("GET", f"/v1/messages/{first.json['id']}", token)).json
    assert {row["name"]: row["tag"] for row in shown["classes"]} == known
    rows = [row for row in api.node.rows("messages") if row["id"].hex() == second.json["id"]]
    raw = rows[0]["signed_provisions"][4:]
    provision = decode(SIGNED_PROVISION, raw, 4096).provision
    assert [tag.hex() for tag in provision.class_tags] == [known["borders"]]
    for table in ("class_tags", "messages"):
        assert all(b"borders" not in bytes(v) for row in api.node.rows(table) for v in row.values() if type(v) is bytes)


async def test_a_message_without_classes_has_no_tags(api: Api, token: str) -> None:
    ident = (await api.send(token, ["MNG"])).json["id"]
    assert (await api.ask("GET", f"/v1/messages/{ident}", token)).json["classes"] == []


@pytest.mark.parametrize("classes", [[""], ["x" * 201], [f"c{n}" for n in range(9)], ["a\nb"]])
async def test_names_of_classes_are_bounded(api: Api, token: str, classes: list[str]) -> None:
    before = api.node.facts()
    reply = await api.send(token, ["MNG"], classes=classes)
    assert (reply.status, reply.code in ("bad-request", "bad-terms")) == (422, True)
    assert api.node.facts() == before


def test_the_manifest_of_before_reads_as_it_did(world: World) -> None:
    raw = world.manifest(("KAZ",))
    assert read_manifest(raw).classes is None
    assert read_manifest(raw).class_tags == ()
