"""Attacks by insiders on four eyes: alone, under two tokens, with what was swapped, at once, and across a crash."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from exchange.consent.four_eyes import ActState, Approval
from exchange.node.compose import Composer
from exchange.storage.consent_port import ConsentEvent
from tests.support.node import TestNode, request_of
from tests.support.officials import Officials, officials


@pytest.fixture
async def four(kaz: TestNode) -> AsyncIterator[Officials]:
    """KAZ's officials."""
    async with officials(kaz) as found:
        yield found


async def held(four: Officials, **terms: object) -> str:
    reply = await four.api.send(four.author, ["MNG"], None, **terms)
    assert reply.json["state"] == "awaiting-release", reply.json
    return str(reply.json["id"])


async def test_an_author_who_approves_what_it_asked_for(four: Officials) -> None:
    ident = await held(four)
    before = four.api.node.rows("act_approvals")
    for _ in range(2):
        reply = await four.approve(ident, four.author)
        assert (reply.status, reply.code) == (403, "own-act")
    assert four.api.node.rows("act_approvals") == before
    assert four.sent() == []


async def test_one_official_who_approves_as_often_as_is_needed(four: Officials) -> None:
    ident = await held(four)
    for _ in range(3):
        assert (await four.approve(ident, four.first)).json["approved"] == 1
    assert four.sent() == []


async def test_an_official_of_another_measure_or_without_the_scope(four: Officials) -> None:
    ident = await held(four)
    digest = (await four.show(ident))["digest"]
    unscoped = await four.api.node.token("defence", ("send", "read", "consent", "admin", "audit"))
    for token in (four.outsider, unscoped):
        for act, body in (("approve", {"digest": digest}), ("refuse", {"reason": "no"})):
            reply = await four.api.ask("POST", f"/v1/releases/{ident}/{act}", token, json=body)
            assert (reply.status, reply.code) == (404, "no-such-release")
    assert (await four.show(ident))["approved"] == 0


async def test_an_author_who_swaps_the_text_after_the_first_approval(four: Officials) -> None:
    """What the first official saw is not what the second releases."""
    ident = await held(four)
    seen = (await four.show(ident))["digest"]
    await four.approve(ident, four.first, seen)
    swapped = request_of(["MNG"], tlp="GREEN")
    assert (await four.api.ask("PUT", f"/v1/releases/{ident}", four.author, json=swapped)).status == 200
    reply = await four.approve(ident, four.second, seen)
    assert (reply.status, reply.code) == (409, "stale-digest")
    reply = await four.approve(ident, four.second)
    assert (reply.json["state"], reply.json["approved"]) == ("pending", 1)
    assert four.sent() == []


async def test_a_change_and_the_last_approval_at_once(four: Officials) -> None:
    """Whichever comes first, nothing goes out that two others have not seen."""
    for _ in range(5):
        ident = await held(four)
        seen = (await four.show(ident))["digest"]
        await four.approve(ident, four.first, seen)
        count = len(four.sent())
        changed, approved = await asyncio.gather(
            four.api.ask("PUT", f"/v1/releases/{ident}", four.author, json=request_of(["UZB"])),
            four.approve(ident, four.second, seen),
        )
        if approved.status == 200:
            assert (changed.code, approved.json["state"], len(four.sent())) == ("act-ended", "done", count + 1)
        else:
            assert (changed.status, approved.code, len(four.sent())) == (200, "stale-digest", count)
    assert {row["member"] for row in four.api.node.rows("recipients")} <= {"MNG"}


async def test_many_approvals_at_once_send_it_once(four: Officials) -> None:
    ident = await held(four)
    digest = (await four.show(ident))["digest"]
    replies = await asyncio.gather(
        *(four.approve(ident, token, digest) for token in (four.first, four.second, four.third) for _ in range(3))
    )
    assert {reply.status for reply in replies} <= {200, 409}
    assert len(four.sent()) == 1
    assert (await four.show(ident))["state"] == "done"


async def test_a_stolen_token_that_was_revoked_before_the_last_approval(four: Officials) -> None:
    ident = await held(four)
    await four.approve(ident, four.first)
    await four.api.node.parts.stores.access.revoke_token(four.first.split("_")[1], four.api.node.clock.now())
    assert (await four.approve(ident, four.second)).json["state"] == "pending"
    assert four.sent() == []


async def test_what_a_stolen_token_asked_for_before_it_was_revoked(four: Officials) -> None:
    ident = await held(four)
    digest = (await four.show(ident))["digest"]
    await four.approve(ident, four.first, digest)
    await four.api.node.parts.stores.access.revoke_token(four.author.split("_")[1], four.api.node.clock.now())
    reply = await four.approve(ident, four.second, digest)
    assert (reply.status, reply.code) == (409, "author-revoked")
    assert four.sent() == []


async def test_a_flash_message_that_should_not_wait(four: Officials) -> None:
    """The most urgent precedence goes before others, never past officials."""
    await held(four, precedence="flash")
    assert four.sent() == []


async def test_a_request_in_the_store_that_was_put_in_the_place_of_another(four: Officials) -> None:
    wanted, other = await held(four), await held(four, tlp="GREEN")
    await four.approve(wanted, four.first)
    rows = {row["id"].hex(): row for row in four.api.node.rows("acts")}
    await four.api.node.database.write(
        lambda c: c.execute(
            "UPDATE acts SET sealed_request = ?, digest = ? WHERE id = ?",
            (rows[other]["sealed_request"], rows[wanted]["digest"], bytes.fromhex(wanted)),
        )
    )
    reply = await four.api.ask(
        "POST", f"/v1/releases/{wanted}/approve", four.second, json={"digest": rows[wanted]["digest"].hex()}
    )
    assert (reply.json["state"], reply.json["result"]) == ("failed", None)
    assert four.sent() == []


async def released(four: Officials, ident: str) -> None:
    """As it stands when the process died right after the last approval was durable."""
    acts = four.api.node.parts.stores.acts
    digest = bytes.fromhex((await four.show(ident))["digest"])
    now = four.api.node.clock.now()
    for token in (four.first, four.second):
        given = Approval(token.split("_")[1], "defence", digest, now)
        await acts.approve(bytes.fromhex(ident), given, ConsentEvent(now, "act.approved", ident, None, None, "{}"))


async def test_a_crash_between_the_last_approval_and_the_sending(four: Officials) -> None:
    ident = await held(four)
    await released(four, ident)
    assert four.sent() == []
    restarted = Composer(four.api.node.parts)
    for _ in range(3):
        await restarted.acts.turn()
    assert len(four.sent()) == 1
    assert (await four.show(ident))["state"] == "done"


async def test_a_crash_between_the_sending_and_its_record(four: Officials) -> None:
    """The message is stored and the act not ended: it is performed again, and sends nothing more."""
    ident = await held(four)
    await released(four, ident)
    first = Composer(four.api.node.parts)
    act = await four.api.node.parts.stores.acts.act(bytes.fromhex(ident))
    assert act is not None
    assert act.state is ActState.APPROVED
    result = await first.acts.performer(act).perform(first.acts.open(act))
    assert len(four.sent()) == 1
    await Composer(four.api.node.parts).acts.turn()
    assert len(four.sent()) == 1
    shown = await four.show(ident)
    assert (shown["state"], shown["result"]) == ("done", result.hex())
