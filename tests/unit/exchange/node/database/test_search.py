"""The database of a node over its real API: words of every script, facts, terms, and traces of what ended."""

from typing import Any

import pytest

from keys.digests import provision_digest
from keys.verify import Moment, provision_fault
from schemas.canon import decode
from schemas.limits import DAY, MAX_PROVISION
from schemas.provision import SIGNED_PROVISION
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode
from tests.support.secretariat import record_id, sector_record, submit, submitted
from tests.support.world import World


async def found(api: Api, token: str, **query: str) -> list[dict[str, Any]]:
    reply = await api.ask("GET", "/v1/database", token, params=query)
    assert reply.status == 200, reply.body
    rows: list[dict[str, Any]] = reply.json["rows"]
    return rows


async def titles(api: Api, token: str, **query: str) -> list[str]:
    return [row["title"]["en"] for row in await found(api, token, **query)]


async def test_a_row_names_the_signed_provision_and_who_may_have_it_on_which_ground(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    sealed = submitted(world, "KAZ", sector_record("KAZ", 1, "Transit of gas"))
    ident = await submit(cica, relay, sealed)
    (row,) = await found(api, token, q="transit")
    assert (row["message"], row["record_id"], row["originators"]) == (ident, record_id(1), ["KAZ"])
    assert (row["status"], row["title"], row["measure"]) == ("current", {"en": "Transit of gas"}, "2.3.12")
    stated = row["provision"]
    signed = decode(SIGNED_PROVISION, bytes.fromhex(stated["signed"]), 2 * MAX_PROVISION)
    assert signed == sealed.header.core.provisions[0]
    assert provision_digest(signed.body).hex() == stated["digest"]
    assert provision_fault(signed, Moment(world.directory, world.now)) is None
    assert (stated["providers"], stated["onward"], stated["audience"]) == (["KAZ"], "members", ["CICA"])
    assert row["may_receive"] == [
        {"member": "KAZ", "ground": "provider"},
        *({"member": code, "ground": "terms"} for code in ("MNG", "UZB", "XAA")),
    ]


async def test_without_consent_only_the_provider_may_have_it(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    handling = {"tlp": "GREEN", "onward": "on-consent"}
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1, handling=handling)))
    (row,) = await found(api, token)
    assert row["may_receive"] == [{"member": "KAZ", "ground": "provider"}]


async def test_a_grant_that_came_along_is_a_ground(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    record = sector_record("KAZ", 1, handling={"tlp": "GREEN", "onward": "on-consent"})
    sealed = submitted(world, "KAZ", record)
    grant = world.grant(sealed.header.core.provisions[0].provision, "KAZ", "CICA", ["MNG"])
    with_grant = world.forward(sealed, "KAZ", ["CICA"], grants=[grant])
    await submit(cica, relay, with_grant)
    (row,) = await found(api, token)
    assert {"member": "MNG", "ground": "grant"} in row["may_receive"]
    assert "UZB" not in str(row["may_receive"])


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Transit of natural gas", "natural TRANSIT"),
        ("Транзит газа вырос", "транзит"),
        ("Қазақстан: өңірдегі ұшақтар", "ҚАЗАҚСТАН өңір"),
        ("نَقْل الغاز الطبيعي", "نقل"),
        ("中国天然气运输增长", "天然气"),
        ("中国天然气运输增长", "气"),
        ("Türkiye'de doğal gaz", "turkiye"),
        ("ประเทศไทยและก๊าซ", "ก๊าซ"),
        ("हिन्दी में गैस", "गैस"),
        ("가스 수송", "가스"),
    ],
)
async def test_words_of_every_script_are_found(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay, title: str, words: str
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1, title)))
    await submit(cica, relay, submitted(world, "MNG", sector_record("MNG", 2, "Another matter")))
    assert await titles(api, token, q=words) == [title]


@pytest.mark.parametrize(
    "words",
    [
        '"',
        "AND",
        "OR NOT",
        "gas*",
        "NEAR(gas, 2)",
        "title:gas",
        "-gas",
        "^gas",
        "a AND (b",
        "'; DROP TABLE words",
        "{zz}",
    ],
)
async def test_no_words_mean_anything_to_the_index(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay, words: str
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1, "Transit")))
    reply = await api.ask("GET", "/v1/database", token, params={"q": words})
    assert reply.status in (200, 422)
    assert reply.json.get("rows", []) == []
    assert await titles(api, token, q="transit") == ["Transit"]


async def test_by_measure_state_and_period(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1, "one")))
    await submit(cica, relay, submitted(world, "MNG", sector_record("MNG", 2, "two", measure="2.3.13")))
    early = submitted(world, "UZB", sector_record("UZB", 3, "three"), created=world.now - 3 * DAY)
    await submit(cica, relay, early)
    assert await titles(api, token, measure="2.3.12") == ["three", "one"]
    assert await titles(api, token, measure="2.3.*") == ["three", "two", "one"]
    assert await titles(api, token, state="MNG") == ["two"]
    assert await titles(api, token, **{"from": "2027-01-15", "to": "2027-01-15"}) == ["two", "one"]
    assert await titles(api, token, **{"from": "2027-01-16"}) == []
    assert await titles(api, token, to="2027-01-14") == ["three"]
    assert await titles(api, token, q="business", state="UZB", measure="2.3.12", to="2027-01-14") == ["three"]


@pytest.mark.parametrize(
    "query",
    [{"q": "***"}, {"q": "x" * 201}, {"measure": "2.3.[1]"}, {"state": "Kaz"}, {"from": "yesterday"}, {"limit": "51"}],
)
async def test_a_question_that_makes_no_sense_is_refused(api: Api, token: str, query: dict[str, str]) -> None:
    reply = await api.ask("GET", "/v1/database", token, params=query)
    assert (reply.status, reply.code) == (422, "bad-request")


async def test_pages_go_back_in_time_and_end(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    for number in range(1, 6):
        await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", number, f"n{number}")))
    seen: list[str] = []
    after: str | None = "0"
    while after is not None:
        page = (await api.ask("GET", "/v1/database", token, params={"limit": "2", "after": after})).json
        assert page["complete"] is True
        seen += [row["title"]["en"] for row in page["rows"]]
        after = page["next"]
    assert seen == ["n5", "n4", "n3", "n2", "n1"]


async def test_what_comes_later_is_found_too(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    assert await titles(api, token, q="visas") == []
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    assert await titles(api, token, q="visas") == ["Business visas"]


@pytest.mark.parametrize(("action", "status"), [("cancel", "cancelled"), ("withdraw", "withdrawn")])
async def test_what_ended_is_a_trace_without_content(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay, action: str, status: str
) -> None:
    ident = await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1, "Secret visas")))
    act = sector_record("KAZ", 2, "The end", action=action, references=[record_id(1)])
    ended = await submit(cica, relay, submitted(world, "KAZ", act), time=world.now + 60)
    (row,) = await found(api, token, q="secret")
    assert (row["message"], row["status"], row["originators"], row["may_receive"]) == (ident, status, ["KAZ"], [])
    assert row["provision"]["providers"] == ["KAZ"]
    assert row["ended"] == {
        "by": ["KAZ"],
        "at": "2027-01-15T08:01:00+00:00",
        "action": action,
        "record_id": record_id(2),
        "message": ended,
    }
    assert "Secret" not in str(row)
    assert "title" not in row


async def test_another_state_cannot_make_a_trace_of_it(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    act = sector_record("XAA", 2, "The end", action="cancel", references=[record_id(1)])
    await submit(cica, relay, submitted(world, "XAA", act), time=world.now + 60)
    (row,) = await found(api, token, state="KAZ")
    assert (row["status"], "ended" in row) == ("current", False)


async def test_a_caller_finds_only_what_it_may_see(api: Api, cica: TestNode, world: World, relay: HostileRelay) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    sent = await cica.write(["MNG"])
    trade = await cica.token("trade", ("read",), ("2.3.*",))
    other = await cica.token("other", ("read",))
    own = await cica.token("defence", ("read",))
    blind = await cica.token("blind", ("send",))
    assert [row["box"] for row in await found(api, trade)] == ["inbox"]
    assert [row["box"] for row in await found(api, other)] == ["inbox"]
    assert [row["message"] for row in await found(api, own, measure="2.1.*")] == [sent.hex()]
    assert (await api.ask("GET", "/v1/database", blind)).code == "scope-missing"
    assert (await api.ask("GET", "/v1/database")).status == 401


async def test_nothing_that_was_searched_is_on_the_disk(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1, "Zyzzogeton")))
    assert await titles(api, token, q="zyzzogeton") == ["Zyzzogeton"]
    files = [path for path in cica.folder.rglob("*") if path.is_file()]
    assert files
    assert all(b"yzzogeton" not in path.read_bytes() for path in files)


async def test_a_message_that_was_changed_on_the_disk_keeps_no_other_from_being_found(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay
) -> None:
    broken = await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1, "broken")))
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 2, "whole")))
    await cica.database.write(
        lambda c: c.execute("UPDATE messages SET sealed_manifest = x'00' WHERE id = ?", (bytes.fromhex(broken),))
    )
    reply = await api.ask("GET", "/v1/database", token)
    assert [row["title"]["en"] for row in reply.json["rows"]] == ["whole"]
    assert reply.json["complete"] is False


async def test_no_rows_are_asked_for(api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    reply = await api.ask("GET", "/v1/database", token, params={"limit": "0"})
    assert (reply.status, reply.json["rows"], reply.json["next"]) == (200, [], None)


async def test_a_record_that_is_named_without_end_hides_only_itself(
    api: Api, cica: TestNode, token: str, world: World, relay: HostileRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XAA names KAZ's record so often that what became of it cannot be told; MNG's is found as ever."""
    monkeypatch.setattr("exchange.node.shelf.MOST_AROUND", 3)
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    await submit(cica, relay, submitted(world, "MNG", sector_record("MNG", 2)))
    for number in (3, 4, 5):
        act = sector_record("XAA", number, "again", references=[record_id(1)])
        await submit(cica, relay, submitted(world, "XAA", act))
    rows = {row["originators"][0]: row for row in await found(api, token)}
    assert (rows["KAZ"]["status"], "title" in rows["KAZ"]) == ("unclear", False)
    assert (rows["MNG"]["status"], rows["MNG"]["title"]) == ("current", {"en": "Business visas"})


async def test_without_full_text_in_the_machines_sqlite_the_node_says_so(
    api: Api, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.node.text_index._SCHEMA", "CREATE VIRTUAL TABLE words USING nothing(text);")
    reply = await api.ask("GET", "/v1/database", token)
    assert (reply.status, reply.code) == (503, "no-full-text")
    assert (await api.ask("GET", "/readyz")).status == 200
