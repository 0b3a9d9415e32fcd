"""Operators who rewrite the audit log of their own node, and others who meddle with it: what was anchored stands."""

import pytest

from exchange.relay import limits
from exchange.storage.anchor_port import HeldLog
from exchange.storage.audit_reading import audit_reading
from keys.checkpoint import SignedCheckpoint, parse_signed
from schemas.audit import AuditEntry, AuditKind
from schemas.canon import encode
from schemas.ids import MemberId
from schemas.leaf import read_leaf
from schemas.statement import DIRECTORY_ENTRY
from tests.support.changes import identity, revocation
from tests.support.node_log import NodeLog
from tests.support.relay import Call, Server
from tests.support.relay_talk import Answer
from tests.support.world import World

KAZ = MemberId("KAZ")


@pytest.fixture
def log(world: World) -> NodeLog:
    """Five leaves."""
    made = NodeLog(world, "KAZ")
    made.grow(5)
    return made


async def held(server: Server) -> HeldLog:
    return await server.app.store.member_log(KAZ)


async def entries(server: Server, kind: AuditKind) -> list[AuditEntry]:
    leaves = [read_leaf(leaf) for leaf in await server.app.store.leaves(0, 10**9)]
    return [leaf for leaf in leaves if isinstance(leaf, AuditEntry) and leaf.kind is kind]


async def anchored(server: Server, log: NodeLog) -> HeldLog:
    assert (await server.signed(log.anchor())).status == 200
    return await held(server)


async def refused(server: Server, answer: Answer, before: HeldLog) -> tuple[int, str | None]:
    """Status and code of what changed nothing."""
    assert await held(server) == before
    assert len(await entries(server, AuditKind.ANCHORED)) == (1 if before.size else 0)
    return answer.status, answer.code


async def test_a_past_rewritten_and_signed_anew_with_the_own_key(server: Server, log: NodeLog) -> None:
    """Tree, tiles and checkpoints are consistent in themselves, and still not the beginning that was anchored."""
    before = await anchored(server, log)
    log.rewrite(1)
    log.grow(3)
    answer = await server.signed(log.anchor(first=5))
    assert await refused(server, answer, before) == (409, "anchor-fork")
    ((stood, offered),) = await server.app.store.forks(KAZ)
    assert parse_signed(stood).checkpoint.size == 5
    assert parse_signed(offered).checkpoint.root == log.root()
    with audit_reading(server.folder / "relay.db") as reading:
        assert reading.contradicting(of_relay=True) == [("KAZ", stood, offered)]
        assert reading.contradicting(of_relay=True, member="MNG") == []
    (alarm,) = await entries(server, AuditKind.ALARM)
    assert (alarm.member, alarm.reason) == (KAZ, "anchor-fork")


@pytest.mark.parametrize("first", [0, 2])
async def test_a_past_rewritten_that_is_sent_again(server: Server, log: NodeLog, first: int) -> None:
    before = await anchored(server, log)
    log.rewrite(3)
    log.grow(2)
    assert await refused(server, await server.signed(log.anchor(first)), before) == (409, "anchor-fork")
    assert len(await server.app.store.forks(KAZ)) == 1


async def test_another_checkpoint_of_the_same_size(server: Server, log: NodeLog) -> None:
    before = await anchored(server, log)
    log.rewrite(4)
    assert await refused(server, await server.signed(log.anchor(first=5)), before) == (409, "anchor-fork")


async def test_another_checkpoint_of_an_earlier_anchored_size(server: Server, log: NodeLog) -> None:
    await anchored(server, log)
    log.grow(4)
    assert (await server.signed(log.anchor(first=5))).status == 200
    before = await held(server)
    log.rewrite(0)
    answer = await server.signed(log.anchor(first=5, size=5))
    assert (answer.status, answer.code) == (409, "anchor-fork")
    assert await held(server) == before


async def test_the_end_of_a_log_cut_off(server: Server, log: NodeLog) -> None:
    before = await anchored(server, log)
    del log.leaves[3:]
    answer = await server.signed(log.anchor(first=2))
    assert await refused(server, answer, before) == (409, "anchor-behind")
    assert answer.problem["size"] == 5


async def test_leaves_left_out_between_two_anchors(server: Server, log: NodeLog) -> None:
    before = await anchored(server, log)
    log.grow(5)
    answer = await server.signed(log.anchor(first=7))
    assert await refused(server, answer, before) == (409, "anchor-gap")
    assert answer.problem["size"] == 5


async def test_fewer_hashes_than_the_checkpoint_has_leaves(server: Server, log: NodeLog) -> None:
    note = log.note()
    answer = await server.signed(log.anchor(size=4, note=note))
    assert await refused(server, answer, HeldLog(0, ())) == (422, "anchor-size")


async def test_a_checkpoint_in_another_members_name(server: Server, world: World, log: NodeLog) -> None:
    """MNG signs the request, or MNG's key the checkpoint."""
    nothing = HeldLog(0, ())
    answer = await server.signed(log.anchor(by="MNG"))
    assert await refused(server, answer, nothing) == (403, "not-own-log")
    other = NodeLog(world, "MNG")
    other.leaves = log.leaves
    assert await refused(server, await server.signed(log.anchor(note=other.note())), nothing) == (403, "untrusted")
    foreign = log.note(signer=identity("thief", "KAZ"))
    assert await refused(server, await server.signed(log.anchor(note=foreign)), nothing) == (403, "untrusted")


async def test_a_checkpoint_with_a_signature_of_another(server: Server, log: NodeLog) -> None:
    lines = log.note().split(b"\n\n")
    log.rewrite(0)
    mixed = log.note().split(b"\n\n")[0] + b"\n\n" + lines[1]
    answer = await server.signed(log.anchor(note=mixed))
    assert await refused(server, answer, HeldLog(0, ())) == (403, "bad-signature")


async def test_a_checkpoint_with_the_classical_line_alone(server: Server, log: NodeLog) -> None:
    signed = parse_signed(log.note())
    short = SignedCheckpoint(signed.checkpoint, signed.signatures[:1]).encode()
    answer = await server.signed(log.anchor(note=short))
    assert await refused(server, answer, HeldLog(0, ())) == (403, "bad-signature")


async def test_a_checkpoint_by_a_key_that_was_revoked(server: Server, world: World, log: NodeLog) -> None:
    entry = revocation(world.roots["KAZ"], world.nodes["KAZ"].key_id, world.now)
    note = log.note()
    call = log.anchor(note=note)
    await server.app.keeper.append(encode(DIRECTORY_ENTRY, entry))
    answer = await server.signed(call)
    assert answer.status == 401
    assert (await held(server)).size == 0


async def test_an_anchor_that_nobody_signed(server: Server, log: NodeLog) -> None:
    body = log.anchor().body
    assert (await server.request("POST", "/v1/anchors", body)).status == 401
    for path in ("/v1/anchors/KAZ", "/v1/anchors/KAZ/hashes?from=0", "/v1/anchors/KAZ/proof?size=1"):
        assert (await server.request("GET", path)).status == 401
    assert (await held(server)).size == 0


async def test_forks_without_end_fill_no_disk(server: Server, world: World, log: NodeLog) -> None:
    before = await anchored(server, log)
    for number in range(limits.MAX_FORKS + 3):
        log.leaves[0] = b"forged %d" % number
        assert (await server.signed(log.anchor(first=5))).code == "anchor-fork"
    assert len(await server.app.store.forks(KAZ)) == limits.MAX_FORKS
    assert len(await entries(server, AuditKind.ALARM)) == limits.MAX_FORKS
    assert await held(server) == before


async def test_anchors_of_one_leaf_without_end(server: Server, log: NodeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.relay.anchors.ANCHOR_LEAST", limits.ANCHOR_AT_ONCE // 2)
    statuses = []
    for number in range(3):
        log.grow(1)
        statuses.append((await server.signed(log.anchor(first=0 if not number else 5 + number))).status)
    assert statuses == [200, 200, 429]


async def test_an_anchor_that_is_no_anchor(server: Server, log: NodeLog) -> None:
    for body in (b"\x80", b"garbage", (log.anchor().body or b"")[:-1]):
        call = Call("KAZ", "POST", "/v1/anchors", body, nonce=body.hex().ljust(32, "0")[:32])
        assert (await server.signed(call)).status == 400
    assert (await held(server)).size == 0
    assert not await entries(server, AuditKind.ANCHORED)
