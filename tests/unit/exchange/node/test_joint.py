"""A joint Provision from one provider's request, by the others' officials, to its recipients, over the real API."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exchange.node.config import FourEyes
from exchange.node.desk import Desk
from exchange.node.joint import Joint
from exchange.node.parts import Parts
from keys.digests import provision_digest
from schemas.canon import decode
from schemas.limits import DAY
from schemas.provision import SIGNED_PROVISION
from tests.support.hostile_relay import HostileRelay
from tests.support.joint import draft_at, exchange_all, refuse_at, sign_at
from tests.support.node import Api, TestNode, api_of, node, request_of
from tests.support.world import World

Nodes = dict[str, TestNode]


@pytest.fixture
def relay(world: World) -> HostileRelay:
    """It carries what it is given."""
    return HostileRelay(world)


@pytest.fixture
async def nodes(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[Nodes]:
    """All four."""
    async with AsyncExitStack() as stack:
        yield {code: await stack.enter_async_context(node(tmp_path, world, code, relay)) for code in world.nodes}


async def asked(api: Api, to: list[str], joint: list[str], **terms: object) -> Any:  # noqa: ANN401  # JSON
    """KAZ's ministry sends."""
    token = await api.node.token("defence", ("send", "read"))
    reply = await api.send(token, to, "a-key", joint=joint, **terms)
    again = await api.send(token, to, "a-key", joint=joint, **terms)
    assert (reply.status, again.status, again.json["id"]) == (202, 200, reply.json["id"])
    return reply.json


async def official(target: TestNode, *measures: str) -> str:
    return await target.token("cabinet", ("consent",), measures or ("*",))


async def test_two_states_sign_and_a_third_receives(nodes: Nodes, relay: HostileRelay) -> None:
    kaz, mng, uzb = nodes["KAZ"], nodes["MNG"], nodes["UZB"]
    async with api_of(kaz) as at_kaz, api_of(mng) as at_mng:
        sent = await asked(at_kaz, ["UZB"], ["MNG"])
        assert sent["state"] == "awaiting-signatures"
        await exchange_all(relay, *nodes.values())
        assert uzb.inbox() == []
        token = await official(mng)
        (row,) = (await at_mng.ask("GET", "/v1/joint", token)).json["joint"]
        assert (row["message"], row["lead"], row["state"]) == (sent["id"], "KAZ", "collecting")
        assert [(one["member"], one["answer"]) for one in row["providers"]] == [("KAZ", "signed"), ("MNG", "waiting")]
        shown = (await at_mng.ask("GET", f"/v1/joint/{row['digest']}", token)).json
        assert (shown["provision"]["providers"], shown["provision"]["audience"]) == (["KAZ", "MNG"], ["UZB"])
        assert shown["record"]["originators"] == ["KAZ", "MNG"]
        reply = await at_mng.ask("POST", f"/v1/joint/{row['digest']}/sign", token)
        assert (reply.status, reply.json["state"]) == (200, "signed")
        await exchange_all(relay, *nodes.values())
        await exchange_all(relay, *nodes.values())
        own = await kaz.token("defence", ("read",))
        message = (await at_kaz.ask("GET", f"/v1/messages/{sent['id']}", own)).json
    assert message["provision"]["providers"] == ["KAZ", "MNG"]
    assert [one["member"] for one in message["recipients"]] == ["MNG", "UZB"]
    for receiver in (mng, uzb):
        (ident,) = (row["id"] for row in receiver.rows("messages") if (row["box"], row["kind"]) == ("inbox", 1))
        stored = await receiver.parts.stores.views.message(ident)
        assert stored is not None
        assert (ident.hex(), stored.path) == (sent["id"], ("MNG", "KAZ"))
        signed = decode(SIGNED_PROVISION, stored.signed_provisions[0], 4096)
        assert [one.signer for one in signed.signatures] == ["KAZ", "MNG"]
    assert [row["state"] for row in (*kaz.rows("drafts"), *mng.rows("drafts"))] == ["signed", "signed"]
    assert all(target.alarms() == [] for target in nodes.values())


async def test_all_see_who_has_signed_in_whatever_order(nodes: Nodes, relay: HostileRelay) -> None:
    async with api_of(nodes["KAZ"]) as api:
        await asked(api, ["UZB", "XAA"], ["MNG", "XAA"])
    await exchange_all(relay, nodes["KAZ"], nodes["XAA"])
    await sign_at(nodes["XAA"])
    # What XAA says overtakes KAZ's draft on the way to MNG.
    held = relay.waiting.pop("MNG")
    await exchange_all(relay, nodes["XAA"], nodes["KAZ"], nodes["MNG"])
    assert nodes["MNG"].rows("drafts") == []
    relay.waiting["MNG"] = held
    await exchange_all(relay, nodes["MNG"])
    for code in ("KAZ", "MNG", "XAA"):
        assert (await draft_at(nodes[code])).signed_by == {"KAZ", "XAA"}
    await sign_at(nodes["MNG"])
    await exchange_all(relay, *nodes.values())
    await exchange_all(relay, *nodes.values())
    assert [(await draft_at(nodes[code])).state for code in ("KAZ", "MNG", "XAA")] == ["signed"] * 3
    assert [len(nodes[code].inbox()) for code in ("UZB",)] == [1]


async def test_one_refusal_ends_it_for_all_and_says_why(nodes: Nodes, relay: HostileRelay) -> None:
    async with api_of(nodes["KAZ"]) as api:
        sent = await asked(api, ["UZB"], ["MNG", "XAA"])
        await exchange_all(relay, *nodes.values())
        await refuse_at(nodes["MNG"], "The second figure is not ours.")
        await exchange_all(relay, *nodes.values())
        states = [(await draft_at(nodes[code])).state for code in ("KAZ", "MNG", "XAA")]
        token = await nodes["KAZ"].token("defence", ("read",))
        (row,) = (await api.ask("GET", "/v1/joint?state=all", token)).json["joint"]
        assert (await api.ask("GET", "/v1/joint", token)).json["joint"] == []
    assert states == ["refused"] * 3
    assert row["message"] == sent["id"]
    assert {one["member"]: one["reason"] for one in row["providers"]}["MNG"] == "The second figure is not ours."
    assert nodes["UZB"].inbox() == []
    assert b"figure is not ours" not in (nodes["KAZ"].folder / "node.db").read_bytes()


async def test_attachments_go_with_the_draft_and_with_the_message(nodes: Nodes, relay: HostileRelay) -> None:
    kaz, mng, uzb = nodes["KAZ"], nodes["MNG"], nodes["UZB"]
    async with api_of(kaz) as at_kaz, api_of(mng) as at_mng:
        token = await kaz.token("defence", ("send",))
        form = aiohttp.FormData()
        form.add_field("message", _json(request_of(["UZB"], joint=["MNG"])), content_type="application/json")
        form.add_field("attachment", b"the annex", filename="annex.txt", content_type="text/plain")
        assert (await at_kaz.ask("POST", "/v1/messages", token, data=form)).status == 202
        await exchange_all(relay, *nodes.values())
        for target in (kaz, mng):
            assert target.parts.files.remove_orphans(*await target.parts.stores.views.files()) == 0
        digest = (await draft_at(mng)).provision.hex()
        reply = await at_mng.ask("GET", f"/v1/joint/{digest}/attachments/0", await official(mng))
        assert (reply.status, reply.body) == (200, b"the annex")
    await sign_at(mng)
    await exchange_all(relay, *nodes.values())
    await exchange_all(relay, *nodes.values())
    (ident,) = uzb.inbox()
    stored = await uzb.parts.stores.views.message(ident)
    assert stored is not None
    assert b"".join(uzb.parts.files.read_content(stored.attachments[0].file)) == b"the annex"


async def test_what_is_not_signed_in_time_is_given_up_by_each_ones_own_clock(nodes: Nodes, relay: HostileRelay) -> None:
    async with api_of(nodes["KAZ"]) as api:
        sent = await asked(api, ["UZB"], ["MNG"], sign_by="2d")
        await exchange_all(relay, *nodes.values())
        for code in ("KAZ", "MNG"):
            nodes[code].clock.time += 2 * DAY
            await Joint(nodes[code].parts).turn(nodes[code].clock.now())
            assert (await draft_at(nodes[code])).state == "expired"
        again = await api.send(await nodes["KAZ"].token("defence", ("send",)), ["UZB"], joint=["MNG"], expires="1h")
        assert again.json["id"] != sent["id"]
    assert max(row["sign_by"] for row in nodes["KAZ"].rows("drafts")) == nodes["KAZ"].clock.now() + 3600


async def test_who_may_not_see_it_finds_nothing_and_who_may_not_consent_signs_nothing(
    nodes: Nodes, relay: HostileRelay
) -> None:
    mng = nodes["MNG"]
    async with api_of(nodes["KAZ"]) as api:
        await asked(api, ["UZB"], ["MNG"])
    await exchange_all(relay, *nodes.values())
    digest = (await draft_at(mng)).provision.hex()
    async with api_of(mng) as api:
        stranger = await official(mng, "2.4.*")
        for method, path in (("GET", ""), ("GET", "/attachments/0"), ("POST", "/sign"), ("POST", "/refuse")):
            body = {"json": {"reason": "no"}} if path == "/refuse" else {}
            reply = await api.ask(method, f"/v1/joint/{digest}{path}", stranger, **body)
            assert (reply.status, reply.code) == (404, "no-such-draft")
        reader = await mng.token("defence", ("read",))
        assert (await api.ask("GET", f"/v1/joint/{digest}", reader)).status == 200
        assert (await api.ask("POST", f"/v1/joint/{digest}/sign", reader)).code == "scope-missing"
        assert (await api.ask("GET", "/v1/joint", await mng.token("defence", ("send",)))).code == "scope-missing"
        assert (await api.ask("GET", "/v1/joint/xyz", reader)).status == 404
    assert (await draft_at(mng)).signed_by == {"KAZ"}


async def test_a_signature_waits_for_other_officials_where_the_settings_say_so(
    nodes: Nodes, relay: HostileRelay
) -> None:
    mng = nodes["MNG"]
    with_eyes(mng.parts, FourEyes(consents=1))
    async with api_of(nodes["KAZ"]) as api:
        await asked(api, ["UZB"], ["MNG"])
    await exchange_all(relay, *nodes.values())
    digest = (await draft_at(mng)).provision.hex()
    async with api_of(mng) as api:
        first, second = await official(mng), await official(mng)
        held = await api.ask("POST", f"/v1/joint/{digest}/sign", first, headers={"Idempotency-Key": "k"})
        again = await api.ask("POST", f"/v1/joint/{digest}/sign", first, headers={"Idempotency-Key": "k"})
        assert (held.status, held.json["state"], again.json["id"]) == (202, "awaiting-release", held.json["id"])
        assert (await draft_at(mng)).signed_by == {"KAZ"}
        shown = (await api.ask("GET", f"/v1/releases/{held.json['id']}", second)).json
        assert (shown["kind"], shown["joint"]["digest"]) == ("sign", digest)
        approval = {"digest": shown["digest"]}
        reply = await api.ask("POST", f"/v1/releases/{held.json['id']}/approve", second, json=approval)
        assert (reply.status, reply.json["state"]) == (200, "done")
    assert (await draft_at(mng)).signed_by == {"KAZ", "MNG"}


@pytest.mark.parametrize(
    ("joint", "code"),
    [
        (["KAZ"], "own-member"),
        (["MNG", "MNG", "MNG", "MNG", "MNG", "MNG", "MNG", "MNG"], "bad-request"),
        (["XYZ"], "unknown-member"),
        (["kaz"], "bad-member"),
    ],
)
async def test_who_cannot_provide_is_named(nodes: Nodes, joint: list[str], code: str) -> None:
    async with api_of(nodes["KAZ"]) as api:
        before = nodes["KAZ"].facts()
        reply = await api.send(await nodes["KAZ"].token("defence", ("send",)), ["UZB"], joint=joint)
    assert reply.code == code
    assert nodes["KAZ"].facts() == before


async def test_after_a_crash_it_is_sent_once(nodes: Nodes, relay: HostileRelay) -> None:
    """The last signature is stored, and the node ends before it makes the message; then it does so twice."""
    kaz = nodes["KAZ"]
    async with api_of(kaz) as api:
        await asked(api, ["UZB"], ["MNG"])
    await exchange_all(relay, *nodes.values())
    await sign_at(nodes["MNG"])
    await nodes["MNG"].send()
    await kaz.pull()
    (letter,) = await kaz.parts.stores.consent.due(5)
    turned: list[int] = []
    joint = Joint(kaz.parts)
    before = await draft_at(kaz)
    await _take(kaz, joint)
    assert [row["kind"] for row in kaz.rows("messages") if row["box"] == "outbox"] == [5]
    for _ in range(2):
        await joint.turn(kaz.clock.now())
        turned.append(sum(row["kind"] == 1 for row in kaz.rows("messages")))
    assert turned == [1, 1]
    assert letter.kind == 4
    assert kaz.rows("drafts")[0]["provision"] == provision_digest(before.body)


async def _take(target: TestNode, joint: Joint) -> None:
    """One letter, without the turn that would follow."""
    desk = Desk(target.parts, (joint,))
    (message,) = await target.parts.stores.consent.due(5)
    await desk._take(message, target.clock.now())


def with_eyes(parts: Parts, settings: FourEyes) -> None:
    """The node as with these settings."""
    config = parts.config.model_copy(update={"four_eyes": settings})
    object.__setattr__(parts, "config", config)


def _json(value: object) -> str:
    return json.dumps(value)
