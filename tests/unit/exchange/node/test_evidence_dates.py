"""What an exported file shows of when things were: it holds when the keys have ended since, also after a long time."""

from typing import Any

import pytest

from exchange.audit.claims import Claim
from exchange.audit.evidence import Judgement
from exchange.node.origins import OriginKeeper
from schemas.canon import encode
from schemas.endings import WithdrawalTarget
from schemas.evidence import LOGGED_ENTRY, Evidence, read_evidence
from schemas.limits import DAY, HOUR, LOG_BY, MAX_CLOCK_AHEAD, MAX_LIFE
from schemas.statement import DIRECTORY_ENTRY
from tests.standards.second_verifier import verify
from tests.support.changes import revocation, withdrawal
from tests.support.desk import post, shared
from tests.support.evidence import Case, Kept, judge, members
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, api_of
from tests.support.withdrawing import in_force, update, withdraw
from tests.support.world import World


async def exported(tested: TestNode, subject: str) -> bytes:
    """The file, as an auditor gets it."""
    async with api_of(tested) as api:
        reply = await api.ask("GET", f"/v1/evidence/{subject}", await tested.token("defence", ("audit",)))
        assert reply.status == 200, reply.json
        return reply.body


async def judged(world: World, tested: TestNode, subject: str) -> tuple[Judgement, Evidence]:
    """For both verifiers, and what is in the file."""
    data = await exported(tested, subject)
    told = judge(world, data)
    assert told.broken is None, told.broken
    assert {finding.claim.value for finding in told.findings} == {c for c, _ in verify(data, world.charter_digest)}
    return told, read_evidence(data)[0]


async def answered(world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, after: int) -> str:
    """KAZ sends, MNG takes it, and the relay's log has both; the answer so many seconds later than the rest."""
    message = await kaz.write(["MNG"])
    await kaz.send()
    await mng.pull()
    relay.pass_on_answers()
    await kaz.pull()
    (row,) = kaz.rows("outbox")
    entry = Case(world).logged(Kept(relay.posted[0], None, None, [relay.acknowledged[0]]), "MNG", after=after)
    relay.answered[row["envelope"], "MNG"] = encode(LOGGED_ENTRY, entry)
    for tested in (kaz, mng):
        tested.clock.time += LOG_BY + MAX_CLOCK_AHEAD
        await OriginKeeper(tested.parts).turn()
    return message.hex()


def revoke(world: World, relay: HostileRelay, code: str) -> None:
    """The key of a node is revoked at the relay."""
    entry = revocation(world.roots[code], world.nodes[code].key_id, world.now)
    relay.entries.append(encode(DIRECTORY_ENTRY, entry))


@pytest.mark.parametrize("code", ["MNG", "KAZ"])
async def test_a_key_that_was_revoked_since_takes_nothing_away(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, code: str
) -> None:
    """The recipient's, which signed the answer, and the sender's own: the node has the checkpoints of before."""
    message = await answered(world, relay, kaz, mng, after=HOUR // 2)
    before, _ = await judged(world, kaz, message)
    kaz.clock.time = world.now + HOUR
    await kaz.update()
    revoke(world, relay, code)
    kaz.clock.time += DAY
    await kaz.update()
    after, evidence = await judged(world, kaz, message)
    claims = [{finding.claim for finding in told.findings} for told in (before, after)]
    assert claims[0] == claims[1]
    assert {Claim.SENT, Claim.RELAYED, Claim.DELIVERED} <= claims[1]
    assert evidence.earlier != ()


async def test_what_was_logged_after_the_last_checkpoint_without_the_ending_is_undated(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    """Nobody but the relay knows which was first."""
    message = await answered(world, relay, kaz, mng, after=HOUR)
    revoke(world, relay, "MNG")
    kaz.clock.time += DAY
    await kaz.update()
    told, _ = await judged(world, kaz, message)
    assert (members(told, Claim.DELIVERED), members(told, Claim.UNDATED)) == ([], ["MNG"])


async def test_nothing_is_added_while_nothing_has_ended(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await answered(world, relay, kaz, mng, after=0)
    _, evidence = await judged(world, kaz, message)
    assert (evidence.earlier, len(evidence.entries)) == ((), 1)


async def test_the_checkpoint_of_before_an_ending_outlasts_the_others(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await answered(world, relay, kaz, mng, after=0)
    revoke(world, relay, "MNG")
    for _ in range(2):
        kaz.clock.time += DAY
        await kaz.update()
    other = withdrawal(world.nodes["UZB"], WithdrawalTarget.GRANT, world.random(16), world.now)
    relay.entries.append(encode(DIRECTORY_ENTRY, other))
    for _ in range(2):
        kaz.clock.time += MAX_LIFE + DAY
        await kaz.update()
    rows = [(row["size"] - len(world.entries), row["note"] is None) for row in kaz.rows("checkpoints")]
    assert rows == [(0, False), (1, False), (2, False)]
    assert [row["first_note"] for row in kaz.rows("checkpoints")][:2] == [None, None]
    told, _ = await judged(world, kaz, message)
    assert members(told, Claim.DELIVERED) == ["MNG"]


async def test_heads_come_with_what_the_log_says_of_them(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    """Of an own head no proof is fetched before it is asked for; the key may have been revoked by then."""
    message = await answered(world, relay, kaz, mng, after=0)
    relay.waiting.clear()
    kaz.clock.time += DAY
    await kaz.send()
    await kaz.update()
    revoke(world, relay, "KAZ")
    kaz.clock.time += DAY
    await kaz.update()
    told, evidence = await judged(world, kaz, message)
    assert [head.logged is not None for head in evidence.heads] == [True]
    assert (members(told, Claim.NUMBERED), members(told, Claim.UNDATED)) == (["KAZ"], [])


async def test_a_file_is_made_while_the_relay_is_away(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await answered(world, relay, kaz, mng, after=0)
    relay.down = True
    told, evidence = await judged(world, kaz, message)
    assert (members(told, Claim.DELIVERED), evidence.entries) == (["MNG"], ())


async def test_a_message_whose_content_was_destroyed_is_proved_like_any_other(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    """Its envelopes stay, with what was signed of them; its content is in no file, and cannot be asked for."""
    message = await shared(kaz, mng, onward="members", tlp="GREEN")
    before, _ = await judged(world, mng, message.hex())
    row = await withdraw(kaz, message)
    await in_force(kaz)
    await update(mng)
    await post(kaz, mng)
    async with api_of(mng) as api:
        token = await mng.token("foreign-affairs", ("consent", "read", "audit"))
        path = f"/v1/consent/withdrawals/KAZ-{row.id.hex()}/statements"
        assert (await api.ask("POST", path, token, json={"conduct": "destroyed"})).status == 201
        refused = await api.ask("GET", f"/v1/evidence/{message.hex()}?content=true", token)
        assert (refused.status, refused.code) == (404, "message-destroyed")
    told, evidence = await judged(world, mng, message.hex())
    claims = [{finding.claim for finding in one.findings} for one in (before, told)]
    assert claims[0] | {Claim.WITHDRAWN, Claim.STATED} == claims[1]
    assert {Claim.SENT, Claim.ACCEPTED, Claim.DELIVERED} <= claims[0]
    assert all(item.manifest is None for item in evidence.envelopes)
    assert b"exercise" not in await exported(mng, message.hex())


async def test_a_directory_that_grows_while_the_relay_answers(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's own directory is as large as all that is in the file may be about."""
    message = await answered(world, relay, kaz, mng, after=HOUR)
    ask, grown = kaz.parts.relay.origin, list[int]()

    async def origin(*asked: Any) -> bytes | None:  # noqa: ANN401  # as of RelayClient.origin
        answer = await ask(*asked)
        while len(grown) < 2:
            grown.append(len(grown))
            kaz.clock.time = world.now + HOUR + len(grown)
            other = withdrawal(world.nodes["UZB"], WithdrawalTarget.GRANT, world.random(16), world.now)
            relay.entries.append(encode(DIRECTORY_ENTRY, other))
            await kaz.update()
        return answer

    monkeypatch.setattr(kaz.parts.relay, "origin", origin)
    await judged(world, kaz, message)
    assert grown == [0, 1]
