"""Four eyes over the node's real API: what waits, who sees it, who releases it, what becomes of it."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.errors import Invalid
from exchange.node.compose import Composer
from exchange.node.config import load_config
from tests.support.attacks import delivered
from tests.support.forms import FORM, form, part, text
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, bare_record, request_of, sealed_by
from tests.support.officials import Officials, officials
from tests.support.world import World


@pytest.fixture
async def four(kaz: TestNode) -> AsyncIterator[Officials]:
    """KAZ's officials."""
    async with officials(kaz) as found:
        yield found


async def held(four: Officials, key: str | None = None, **terms: object) -> str:
    reply = await four.api.send(four.author, ["MNG"], key, **terms)
    assert (reply.status, reply.json["state"]) == (202, "awaiting-release"), reply.json
    return str(reply.json["id"])


async def test_a_message_of_such_a_measure_waits_and_is_sent_by_the_last_approval(four: Officials) -> None:
    ident = await held(four, tlp="AMBER", precedence="flash")
    assert four.sent() == []
    first = await four.approve(ident, four.first)
    assert (first.status, first.json["state"], first.json["approved"]) == (200, "pending", 1)
    assert four.sent() == []
    last = await four.approve(ident, four.second)
    assert last.json["state"] == "done"
    (message,) = four.sent()
    assert (message["id"].hex(), message["state"], message["ministry"]) == (last.json["result"], "queued", "defence")
    shown = (await four.api.ask("GET", f"/v1/messages/{last.json['result']}", four.author)).json
    assert (shown["precedence"], shown["tlp"]) == ("flash", "AMBER")


async def test_what_goes_out_is_the_record_that_was_shown(four: Officials) -> None:
    ident = await held(four)
    shown = await four.show(ident, four.first)
    assert shown["request"]["record"]["body"] == bare_record()["body"]
    four.api.node.clock.time += 3600
    await four.approve(ident, four.first, shown["digest"])
    result = (await four.approve(ident, four.second, shown["digest"])).json["result"]
    sent = (await four.api.ask("GET", f"/v1/messages/{result}", four.author)).json
    assert sent["record"] == shown["request"]["record"]


async def test_another_measure_goes_at_once(kaz: TestNode) -> None:
    async with officials(kaz, release=["2.4.*"]) as four:
        reply = await four.api.send(four.author, ["MNG"])
        assert (reply.status, reply.json["state"]) == (202, "queued")


async def test_files_wait_along_are_shown_and_sent(four: Officials) -> None:
    body = form(part("message", text()), part("attachment", b"x" * 100_000, "map.bin"))
    reply = await four.api.ask("POST", "/v1/messages", four.author, data=io.BytesIO(body), headers=FORM)
    ident = reply.json["id"]
    (file,) = (await four.show(ident, four.first))["attachments"]
    assert (file["filename"], file["size"]) == ("map.bin", 100_000)
    found = await four.api.ask("GET", f"/v1/releases/{ident}/attachments/0", four.first)
    assert found.body == b"x" * 100_000
    assert four.api.node.parts.files.remove_orphans(*await four.api.node.parts.stores.views.files()) == 0
    await four.approve(ident, four.first)
    result = (await four.approve(ident, four.second)).json["result"]
    sent = await four.api.ask("GET", f"/v1/messages/{result}/attachments/0", four.author)
    assert sent.body == b"x" * 100_000


@pytest.mark.parametrize("fault", [{"to": ["XXQ"]}, {"tlp": "RED", "onward": "public"}, {"purpose": "spying"}])
async def test_what_is_wrong_is_told_to_its_author_at_once(four: Officials, fault: dict[str, object]) -> None:
    before = four.api.node.facts()
    reply = await four.api.ask("POST", "/v1/messages", four.author, json=request_of(["MNG"]) | fault)
    assert reply.status in (404, 422)
    assert four.api.node.facts() == before
    assert four.api.node.rows("acts") == []


async def test_a_refusal_is_final_and_says_why_and_nothing_is_left_of_the_matter(four: Officials) -> None:
    body = form(part("message", text()), part("attachment", b"x" * 1000, "map.bin"))
    ident = (await four.api.ask("POST", "/v1/messages", four.author, data=io.BytesIO(body), headers=FORM)).json["id"]
    await four.approve(ident, four.first)
    refused = await four.refuse(ident, four.second)
    assert (refused.status, refused.json["state"], refused.json["reason"]) == (200, "refused", "not like this")
    for reply in (await four.approve(ident, four.third), await four.refuse(ident, four.third)):
        assert (reply.status, reply.code) == (409, "act-ended")
    assert four.sent() == []
    assert four.api.node.files() == []
    assert "request" not in await four.show(ident)
    (row,) = four.api.node.rows("acts")
    assert (row["sealed_request"], b"not like this" in row["sealed_fault"]) == (b"", False)


async def test_an_author_withdraws_what_it_asked_for(four: Officials) -> None:
    ident = await held(four)
    assert (await four.refuse(ident, four.author)).json["state"] == "refused"


async def test_it_expires_when_nobody_decides_it(four: Officials) -> None:
    ident = await held(four)
    composer = Composer(four.api.node.parts)
    four.api.node.clock.time += 7 * 86_400 - 1
    await composer.acts.turn()
    assert (await four.show(ident))["state"] == "pending"
    four.api.node.clock.time += 1
    assert (await four.approve(ident, four.first)).code == "act-ended"
    await composer.acts.turn()
    assert (await four.show(ident))["state"] == "expired"


async def test_a_change_begins_again_without_approvals(four: Officials) -> None:
    ident = await held(four)
    seen = (await four.show(ident))["digest"]
    await four.approve(ident, four.first)
    changed = await four.api.ask("PUT", f"/v1/releases/{ident}", four.author, json=request_of(["UZB"]))
    assert (changed.status, changed.json["approved"], changed.json["request"]["to"]) == (200, 0, ["UZB"])
    assert changed.json["digest"] != seen
    stale = await four.approve(ident, four.second, seen)
    assert (stale.status, stale.code) == (409, "stale-digest")
    await four.approve(ident, four.first)
    result = (await four.approve(ident, four.second)).json["result"]
    shown = (await four.api.ask("GET", f"/v1/messages/{result}", four.author)).json
    assert [row["member"] for row in shown["recipients"]] == ["UZB"]


async def test_a_change_replaces_the_files(four: Officials) -> None:
    def body(name: str) -> io.BytesIO:
        return io.BytesIO(form(part("message", text()), part("attachment", name.encode(), name)))

    first = await four.api.ask("POST", "/v1/messages", four.author, data=body("old.txt"), headers=FORM)
    ident = first.json["id"]
    before = four.api.node.files()
    changed = await four.api.ask("PUT", f"/v1/releases/{ident}", four.author, data=body("new.txt"), headers=FORM)
    assert [file["filename"] for file in changed.json["attachments"]] == ["new.txt"]
    assert set(four.api.node.files()).isdisjoint(before)
    refused = await four.api.ask("PUT", f"/v1/releases/{ident}", four.second, data=body("other.txt"), headers=FORM)
    assert (refused.status, len(four.api.node.files())) == (403, 1)
    await four.approve(ident, four.first)
    result = (await four.approve(ident, four.second)).json["result"]
    found = await four.api.ask("GET", f"/v1/messages/{result}/attachments/0", four.author)
    assert found.body == b"new.txt"


async def test_a_change_that_is_wrong_changes_nothing(four: Officials) -> None:
    ident = await held(four)
    await four.approve(ident, four.first)
    before = four.api.node.rows("acts")
    for token, code in ((four.author, "unknown-member"), (four.second, "not-the-author")):
        reply = await four.api.ask("PUT", f"/v1/releases/{ident}", token, json=request_of(["XXQ"]))
        assert reply.code == code
    assert four.api.node.rows("acts") == before
    assert (await four.show(ident))["approved"] == 1


async def test_one_key_asks_once_and_learns_what_came_of_it(four: Officials) -> None:
    replies = await asyncio.gather(*(four.api.send(four.author, ["MNG"], "k") for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [200, 200, 200, 202]
    (ident,) = {reply.json["id"] for reply in replies}
    await four.approve(ident, four.first)
    result = (await four.approve(ident, four.second)).json["result"]
    again = await four.api.send(four.author, ["MNG"], "k")
    assert (again.status, again.json["state"], again.json["message"]) == (200, "done", result)
    assert len(four.sent()) == 1


async def test_who_may_decide_it_sees_it_and_nobody_else(four: Officials) -> None:
    ident = await held(four)
    sender = await four.api.node.token("defence", ("send", "read"))
    for token, seen in ((four.author, 1), (four.first, 1), (four.outsider, 0), (sender, 0)):
        listed = (await four.api.ask("GET", "/v1/releases", token)).json["releases"]
        assert len(listed) == seen
        assert (await four.api.ask("GET", f"/v1/releases/{ident}", token)).status == (200 if seen else 404)
    assert (await four.api.ask("GET", "/v1/releases", None)).status == 401
    assert (await four.api.ask("GET", "/v1/releases/xyz", four.first)).code == "no-such-release"


async def test_what_is_passed_on_waits_as_well(four: Officials, world: World, relay: HostileRelay) -> None:
    source = (await delivered(four.api.node, relay, sealed_by(world, "MNG", ("KAZ", "UZB")))).hex()
    path = f"/v1/messages/{source}/forward"
    refused = await four.api.ask("POST", path, four.author, json={"to": ["XAA"]})
    assert (refused.status, refused.code) == (403, "no-consent")
    reply = await four.api.ask("POST", path, four.author, json={"to": ["UZB"]})
    assert (reply.status, reply.json["state"]) == (202, "awaiting-release")
    ident = reply.json["id"]
    shown = await four.show(ident, four.first)
    assert (shown["kind"], shown["source"], shown["request"]["to"]) == ("forward", source, ["UZB"])
    assert shown["record"]["originators"] == ["MNG"]
    await four.approve(ident, four.first)
    result = (await four.approve(ident, four.second)).json["result"]
    (sent,) = four.sent()
    assert sent["id"].hex() == result


async def test_the_release_of_the_contract_is_the_same(four: Officials) -> None:
    ident = await held(four)
    digest = (await four.show(ident))["digest"]
    for token in (four.first, four.second):
        reply = await four.api.ask("POST", f"/v1/messages/{ident}/release", token, json={"digest": digest})
        assert reply.status == 200
    assert len(four.sent()) == 1


async def test_what_cannot_be_done_any_more_fails_and_says_why(four: Officials) -> None:
    first = await held(four, record={**bare_record(), "record_id": "urn:kaz:1"})
    second = await held(four, record={**bare_record(), "record_id": "urn:kaz:1"})
    for ident in (first, second):
        await four.approve(ident, four.first)
    assert (await four.approve(first, four.second)).json["state"] == "done"
    failed = await four.approve(second, four.second)
    assert (failed.json["state"], failed.json["result"]) == ("failed", None)
    assert "record_id" in failed.json["reason"]
    assert len(four.sent()) == 1


async def test_the_log_says_who_did_what(four: Officials) -> None:
    ident = await held(four)
    await four.approve(ident, four.first)
    await four.refuse(ident, four.second)
    lines = await four.api.node.parts.stores.consent.events(0, 10, ident)
    assert [line.kind for line in lines] == ["act.held", "act.approved", "act.refused"]
    tokens = (four.author, four.first, four.second)
    assert [line.official for line in lines] == [f"defence/{token.split('_')[1]}" for token in tokens]
    assert "not like this" not in json.dumps([line.detail for line in lines])


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ('release = ["1.5"]', "four_eyes"),
        ('release = ["2.1.1.b", "x y"]', "four_eyes"),
        ("releases = 0", "four_eyes.releases"),
        ("days = 31", "four_eyes.days"),
        ('author = "counts"', "four_eyes.author"),
    ],
)
def test_settings_that_would_hold_nothing_are_refused(tmp_path: Path, settings: str, place: str) -> None:
    known = 'member = "KAZ"\nrelay_url = "http://127.0.0.1:1"\ncharter_digest = "%s"\n' % ("0" * 64)
    (tmp_path / "node.toml").write_text(f"{known}[four_eyes]\n{settings}\n")
    with pytest.raises(Invalid, match=place):
        load_config(tmp_path)
    (tmp_path / "node.toml").write_text(f'{known}[four_eyes]\nrelease = ["2.1.*", "1.5:defence-budget"]\n')
    assert load_config(tmp_path).four_eyes.releases == 2


async def test_nothing_waits_where_nothing_is_said(api: Api, token: str) -> None:
    assert (await api.send(token, ["MNG"])).json["state"] == "queued"
