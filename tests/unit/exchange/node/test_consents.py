"""Consent between nodes: asked for, granted, refused, expired; and transfers under the Grants that are held."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.consent.four_eyes import ActState
from exchange.errors import Conflict, Forbidden, Invalid
from exchange.node.compiler import Compiler
from exchange.node.compose import Composer
from exchange.node.config import FourEyes, load_rules
from exchange.node.consent_forms import GrantForm
from exchange.node.consenting import Consenting
from exchange.storage.request_port import EXPIRED, GRANTED, OPEN, REFUSED
from schemas.canon import encode
from schemas.consent import ConsentGiven
from schemas.grant import SIGNED_GRANT
from schemas.limits import DAY
from tests.support.attacks import delivered, refused_by_own_node
from tests.support.consents import ask, forward, give, grant, log_of, made, official, refuse, saying, source, with_rules
from tests.support.desk import heard, post, shared, turn
from tests.support.hostile_relay import HostileRelay
from tests.support.joint import joint_record
from tests.support.node import TestNode, node
from tests.support.secretariat import CONSENT, record_id, sector_record, submit, submitted
from tests.support.secretariat import ask as edition
from tests.support.world import World


async def test_what_was_granted_is_passed_on_and_the_whole_way_is_shown(
    kaz: TestNode, mng: TestNode, uzb: TestNode
) -> None:
    message = await shared(kaz, mng)
    with pytest.raises(Forbidden, match=f"cbm consent request {message.hex()} --to UZB") as refused:
        await forward(mng, message, ["UZB"])
    assert refused.value.extra["ask"] == ["KAZ"]
    request = await ask(mng, message, ["UZB"])
    await post(mng, kaz)
    await grant(kaz, request)
    await post(kaz, mng)
    assert (await made(mng, request)).state == GRANTED
    await forward(mng, message, ["UZB"])
    await post(mng, uzb)
    received = await source(uzb, uzb.inbox()[-1])
    assert received.path == ("KAZ", "MNG")
    assert log_of(kaz) == ["request.received", "request.granted"]
    assert log_of(mng) == ["request.made", "grant.received"]


async def test_an_onward_of_an_onward_takes_the_earlier_grants_along(
    tmp_path: Path, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
) -> None:
    message = await shared(kaz, mng)
    await give(kaz, message, "MNG", ["UZB"])
    await post(kaz, mng)
    await forward(mng, message, ["UZB"])
    await post(mng, uzb)
    second = uzb.inbox()[-1]
    request = await ask(uzb, second, ["XAA"])
    await post(uzb, kaz)
    await grant(kaz, request)
    await post(kaz, uzb)
    await forward(uzb, second, ["XAA"])
    async with node(tmp_path, world, "XAA", relay) as xaa:
        await post(uzb, xaa)
        received = await source(xaa, xaa.inbox()[-1])
        assert received.path == ("KAZ", "MNG", "UZB")
        assert len(received.signed_grants) == 2


async def test_a_rule_answers_at_once_and_the_log_has_its_text(kaz: TestNode, mng: TestNode) -> None:
    rule = {"name": "relief", "measures": ["2.1.*"], "holders": ["MNG"], "action": "grant", "days": 3, "uses": 4}
    with_rules(kaz, rule)
    message = await shared(kaz, mng)
    request = await ask(mng, message, ["UZB"], uses=2)
    await post(mng, kaz)
    await post(kaz, mng)
    assert (await made(mng, request)).state == GRANTED
    (held,) = mng.rows("consent_grants")
    assert (held["uses"], held["until"]) == (2, kaz.clock.now() + 3 * DAY)
    line = kaz.rows("consent_log")[-1]
    assert (line["kind"], line["official"]) == ("request.granted", "rule relief")
    assert json.loads(json.loads(line["detail"])["rule"]) == rule


async def test_a_rule_refuses_with_its_reason(kaz: TestNode, mng: TestNode) -> None:
    with_rules(kaz, {"name": "never", "recipients": ["UZB"], "action": "refuse", "reason": "no agreement with UZB"})
    message = await shared(kaz, mng)
    request = await ask(mng, message, ["UZB"])
    await post(mng, kaz)
    await post(kaz, mng)
    assert (await made(mng, request)).state == REFUSED
    await refused_by_own_node(mng, message, ["UZB"], "no-consent")


async def test_of_two_providers_each_is_asked_and_one_refusal_is_final(
    tmp_path: Path, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    manifest = world.manifest(("KAZ", "XAA"), joint_record("KAZ", "XAA"))
    signed = world.signed_provision(manifest, ("KAZ", "XAA"), ["MNG"])
    message = await delivered(mng, relay, world.envelope(["MNG"], "KAZ", manifest=manifest, provisions=[signed]))
    async with node(tmp_path, world, "XAA", relay) as xaa:
        request = await ask(mng, message, ["UZB"])
        await post(mng, kaz, xaa)
        await grant(kaz, request)
        await post(kaz, mng)
        found = await made(mng, request)
        assert (found.state, [answer.state for answer in found.answers]) == (OPEN, [GRANTED, OPEN])
        await refused_by_own_node(mng, message, ["UZB"], "no-consent")
        await refuse(xaa, request)
        await post(xaa, mng)
        found = await made(mng, request)
        assert (found.state, [answer.state for answer in found.answers]) == (REFUSED, [GRANTED, REFUSED])
        await refused_by_own_node(mng, message, ["UZB"], "no-consent")
        with pytest.raises(Conflict, match="answered"):
            await grant(xaa, request)


async def test_a_request_that_nobody_answers_expires_on_both_sides_after_one_reminder_each(
    kaz: TestNode, mng: TestNode
) -> None:
    message = await shared(kaz, mng)
    request = await ask(mng, message, ["UZB"], answer_by="3d")
    await post(mng, kaz)
    for passed, alarms, states in ((1, 0, OPEN), (2, 1, OPEN), (3, 1, OPEN), (4, 2, EXPIRED), (5, 2, EXPIRED)):
        for each in (kaz, mng):
            each.clock.time += DAY
            await turn(each)
            await turn(each)
        assert kaz.alarms().count("consent-reminder") == alarms, passed
        assert (await made(mng, request)).state == states
    with pytest.raises(Conflict, match="its time is over"):
        await grant(kaz, request)


async def test_a_grant_is_spent_by_transfers_and_given_back_by_what_the_relay_refuses(
    relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await shared(kaz, mng)
    await give(kaz, message, "MNG", ["UZB", "XAA"], uses=1)
    await post(kaz, mng)
    await forward(mng, message, ["UZB"])
    await refused_by_own_node(mng, message, ["XAA"], "no-consent")
    relay.refuse = "no-consent"
    await mng.send()
    relay.refuse = None
    assert mng.rows("consent_uses") == []
    await forward(mng, message, ["XAA"])
    assert [row["recipient"] for row in mng.rows("consent_uses")] == ["XAA"]
    # Once more to the same recipient is no further use.
    await forward(mng, message, ["XAA"])
    await refused_by_own_node(mng, message, ["UZB"], "no-consent")


async def test_a_transfer_that_expires_in_the_outbox_gives_its_use_back(
    relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await shared(kaz, mng)
    await give(kaz, message, "MNG", ["UZB"], uses=1)
    await post(kaz, mng)
    await forward(mng, message, ["UZB"], expires="1h")
    mng.clock.time += 2 * 3600
    await mng.parts.stores.evidence.expire(mng.clock.now())
    assert mng.rows("consent_uses") == []


async def test_a_grant_for_a_class_covers_what_is_provided_later(kaz: TestNode, mng: TestNode) -> None:
    first = await shared(kaz, mng, classes=["flood reports"])
    await give(kaz, first, "MNG", ["UZB"], class_name="flood reports", unlimited=True)
    await post(kaz, mng)
    second = await shared(kaz, mng, classes=["flood reports", "drills"])
    other = await shared(kaz, mng, classes=["drills"])
    await forward(mng, second, ["UZB"])
    await refused_by_own_node(mng, other, ["UZB"], "no-consent")


async def test_a_grant_never_goes_beyond_what_was_asked(kaz: TestNode, mng: TestNode) -> None:
    message = await shared(kaz, mng)
    request = await ask(mng, message, ["UZB"], uses=2, until="2027-06-30")
    await post(mng, kaz)
    for form in ({"to": ["XAA"]}, {"uses": 3}, {"unlimited": True}, {"until": "2027-07-01"}):
        with pytest.raises(Invalid, match="not asked for"):
            await grant(kaz, request, **form)
    assert (await grant(kaz, request)).uses == 1


async def test_with_four_eyes_another_official_approves_before_anything_is_signed(
    tmp_path: Path, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    config = kaz.parts.config.model_copy(update={"four_eyes": FourEyes(consents=1)})
    kaz.parts = replace(kaz.parts, config=config)
    kaz.composer = Composer(kaz.parts)
    message = await shared(kaz, mng)
    request = await ask(mng, message, ["UZB"])
    await post(mng, kaz)
    acts = kaz.composer.acts
    consenting = Consenting(kaz.parts, acts)
    found = await consenting.request(request.hex(), official())
    taken = await consenting.grant(found, GrantForm(), official(), None)
    act = await acts.visible(taken.message.hex(), official())
    assert (act.state, kaz.rows("consent_grants")) == (ActState.PENDING, [])
    with pytest.raises(Forbidden):
        await acts.approve(act.id.hex(), official(), act.digest)
    await kaz.token("approving", ("consent",))
    (row,) = [token for token in kaz.rows("tokens") if token["ministry"] == "approving"]
    done = await acts.approve(act.id.hex(), official(token=row["id"]), act.digest)
    assert done.state is ActState.DONE
    (given,) = kaz.rows("consent_grants")
    assert given["id"] == done.result
    await post(kaz, mng)
    await forward(mng, message, ["UZB"])


async def test_another_purpose_takes_a_grant_for_that_purpose(kaz: TestNode, mng: TestNode) -> None:
    message = await shared(kaz, mng)
    await give(kaz, message, "MNG", ["UZB"])
    await post(kaz, mng)
    with pytest.raises(Forbidden):
        await forward(mng, message, ["UZB"], purpose="public-health")
    request = await ask(mng, message, ["UZB"], purpose="public-health")
    await post(mng, kaz)
    await grant(kaz, request)
    await post(kaz, mng)
    await forward(mng, message, ["UZB"], purpose="public-health")


async def test_an_edition_is_compiled_under_the_grants_that_the_secretariat_holds(
    tmp_path: Path,
) -> None:
    world = World(secretariat=True)
    relay = HostileRelay(world)
    async with node(tmp_path, world, "CICA", relay) as cica:
        closed = submitted(world, "KAZ", sector_record("KAZ", 1, handling=CONSENT))
        await submit(cica, relay, closed)
        provision = closed.header.core.provisions[0].provision
        compiler = Compiler(cica.parts, cica.composer)
        with pytest.raises(Conflict, match="no source may go"):
            await compiler.compile(edition(["MNG"]), official(), None)
        given = world.grant(provision, "KAZ", "CICA", ["MNG", "UZB"], uses=1)
        await heard(cica, relay, saying(world, "KAZ", "CICA", ConsentGiven(given, None)))
        taken, told = await compiler.compile(edition(["MNG"]), official(), None)
        assert told["sources"] == [record_id(1)]
        assert (await source(cica, taken.message)).signed_grants == (encode(SIGNED_GRANT, given),)
        assert [row["recipient"] for row in cica.rows("consent_uses")] == ["MNG"]
        with pytest.raises(Conflict, match="no source may go"):
            await compiler.compile(edition(["UZB"]), official(), None)


def test_rules_are_read_when_the_node_starts(tmp_path: Path) -> None:
    assert load_rules(tmp_path) == ()
    file = tmp_path / "consent.toml"
    file.write_text('[[rule]]\nname = "relief"\naction = "grant"\nmeasures = ["2.4.*"]\ndays = 3\n')
    assert [rule.name for rule in load_rules(tmp_path)] == ["relief"]
    for text in ('[[rule]]\nname = "relief"\naction = "grant"\nday = 3\n', "[[rule]\n", "rule = 3\n"):
        file.write_text(text)
        with pytest.raises(Invalid, match=r"consent\.toml") as refused:
            load_rules(tmp_path)
        assert refused.value.code == "bad-consent-rules"
