"""Whatever route shows the content of what was received writes down who read it, and has its sender told."""

from pathlib import Path

import pytest

from schemas.audit import AuditEntry, AuditKind, read_entry
from schemas.terms import Onward, Tlp
from tests.support.attacks import delivered
from tests.support.hostile_relay import HostileRelay
from tests.support.joint import draft_at, exchange_all, propose
from tests.support.node import Api, TestNode, api_of, manifest_of, node, sealed_by
from tests.support.officials import officials
from tests.support.world import World

EVERYTHING = ("read", "send", "audit", "consent")


async def opened(tested: TestNode) -> list[AuditEntry]:
    found = [read_entry(leaf.leaf or b"") for leaf in await tested.parts.stores.audit.leaves(0, 10_000)]
    return [entry for entry in found if entry.kind is AuditKind.OPENED]


async def received(tested: TestNode, relay: HostileRelay) -> bytes:
    """A record of MNG that is for everybody."""
    world = relay.world
    manifest = manifest_of(world, "MNG", Tlp.CLEAR.label, Onward.PUBLIC.label)
    provision = world.signed_provision(manifest, ("MNG",), ["KAZ"], onward=Onward.PUBLIC, tlp=Tlp.CLEAR)
    return await delivered(tested, relay, sealed_by(world, "MNG", ("KAZ",), manifest=manifest, provisions=[provision]))


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages/{}",
        "/v1/messages/{}/export",
        "/v1/messages/{}/export?internal=true",
        "/v1/messages/{}/export?as=ical&proof=true",
        "/v1/evidence/{}?content=true",
    ],
)
async def test_whoever_gets_the_content_has_opened_it(relay: HostileRelay, kaz: TestNode, api: Api, path: str) -> None:
    message = await received(kaz, relay)
    token = await kaz.token("defence", EVERYTHING)
    assert (await api.ask("GET", path.format(message.hex()), token)).status == 200
    (entry,) = await opened(kaz)
    assert (entry.actor, entry.subject) == (f"defence/{token.split('_')[1]}", message)
    (row,) = kaz.rows("messages")
    assert entry.provision == row["provision"]
    assert [due["message"] for due in kaz.rows("openings_due")] == [message]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages",
        "/v1/database?q=exercise",
        "/v1/evidence/{}",
        "/v1/messages/{}/explain?to=UZB",
        "/v1/messages/{}/export?as=nothing",
        "/v1/messages/{}/attachments/0",
    ],
)
async def test_who_sees_that_it_is_there_has_not(relay: HostileRelay, kaz: TestNode, api: Api, path: str) -> None:
    message = await received(kaz, relay)
    await api.ask("GET", path.format(message.hex()), await kaz.token("defence", EVERYTHING))
    assert (await opened(kaz), kaz.rows("openings_due")) == ([], [])


async def test_what_may_not_leave_was_not_opened(world: World, relay: HostileRelay, kaz: TestNode, api: Api) -> None:
    message = await delivered(kaz, relay, sealed_by(world, "MNG", ("KAZ",)))
    token = await kaz.token("defence", EVERYTHING)
    for path in (f"/v1/messages/{message.hex()}/export", f"/v1/evidence/{message.hex()}?content=true"):
        assert (await api.ask("GET", path, token)).code == "no-consent"
    assert (await opened(kaz), kaz.rows("openings_due")) == ([], [])


async def test_an_official_who_is_to_release_a_forward_has_opened_what_is_passed_on(
    relay: HostileRelay, kaz: TestNode
) -> None:
    message = await received(kaz, relay)
    async with officials(kaz) as four:
        path = f"/v1/messages/{message.hex()}/forward"
        ident = (await four.api.ask("POST", path, four.author, json={"to": ["UZB"]})).json["id"]
        assert await opened(kaz) == []
        assert (await four.show(ident, four.first))["record"]
        (entry,) = await opened(kaz)
        assert (entry.actor, entry.subject) == (f"defence/{four.first.split('_')[1]}", message)


async def test_another_states_joint_draft_is_opened_and_an_own_one_is_not(
    tmp_path: Path, world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    async with node(tmp_path, world, "MNG", relay) as mng:
        await propose(kaz, ["UZB"], ["MNG"])
        await exchange_all(relay, kaz, mng)
        draft = await draft_at(mng)
        for tested in (kaz, mng):
            token = await tested.token("defence", ("consent",))
            async with api_of(tested) as api:
                assert (await api.ask("GET", "/v1/joint", token)).status == 200
                assert await opened(tested) == []
                shown = await api.ask("GET", f"/v1/joint/{draft.provision.hex()}", token)
                assert shown.json["record"]
        assert await opened(kaz) == []
        (entry,) = await opened(mng)
        assert (entry.subject, entry.provision) == (draft.id, draft.provision)
