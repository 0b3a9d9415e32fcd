"""The relay's audit log over HTTP: what it did, what it refused, and proofs of both for those whom it concerns."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.audit.tally import PERIOD
from exchange.relay.limits import SINGLE_ENTRIES
from keys.answered import logged_answer, verify_logged_acknowledgement
from keys.checkpoint import parse_signed
from keys.digests import sha256
from keys.merkle import verify_inclusion
from keys.nodelog import verify_node_checkpoint
from keys.origin import cosigned_audit, unbounded
from keys.tiles import entry_hash
from schemas.anchor import Anchored, read_anchored
from schemas.audit import AuditEntry, AuditKind, read_entry
from schemas.canon import decode, encode
from schemas.evidence import LOGGED_ENTRY, LoggedEntry
from schemas.ids import MemberId
from schemas.leaf import read_leaf
from schemas.limits import MAX_CLOCK_AHEAD, MAX_NOTE
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, Outcome
from schemas.relayapi import ACKS, Acks, Challenge, Deliver, Proof, WitnessRequest
from tests.support.changes import ChangingWorld, revocation
from tests.support.cosigners import Cosigner
from tests.support.node_log import NodeLog
from tests.support.relay import Call, Server, relay
from tests.support.world import Sealed, World

KAZ, MNG = MemberId("KAZ"), MemberId("MNG")


@pytest.fixture
async def server(tmp_path: Path, world: World) -> AsyncIterator[Server]:
    async with relay(tmp_path, world) as running:
        yield running


async def entries(server: Server) -> list[AuditEntry]:
    """All but acceptances, with what is counted so far."""
    await server.app.journal.flush(whole=True)
    leaves = [read_leaf(leaf) for leaf in await server.app.store.leaves(0, 10**9)]
    return [leaf for leaf in leaves if isinstance(leaf, AuditEntry)]


async def of(server: Server, kind: AuditKind) -> list[AuditEntry]:
    return [entry for entry in await entries(server) if entry.kind is kind]


def acknowledgement(server: Server, sealed: Sealed) -> bytes:
    signed = server.world.acknowledgement(sealed, "MNG", time=server.world.now)
    return encode(SIGNED_ACKNOWLEDGEMENT, signed)


async def acknowledge(server: Server, sealed: Sealed) -> bytes:
    raw = acknowledgement(server, sealed)
    answer = await server.request("POST", "/v1/acknowledgements", encode(ACKS, Acks((raw,))))
    assert answer.status == 204
    return raw


def answer_call(sealed: Sealed, member: str, recipient: str = "MNG") -> Call:
    core = sealed.header.core
    query = f"sender={core.sender}&envelope={core.id.hex()}&recipient={recipient}"
    return Call(member, "GET", f"/v1/log/audit/proof?{query}", nonce=(member + recipient) * 4)


class TestEntries:
    async def test_an_envelope_from_upload_to_deletion(self, server: Server, world: World) -> None:
        sealed = world.envelope(["MNG"])
        await server.submit(sealed)
        async with server.session("MNG") as session:
            await session.receive(Deliver)
            raw = acknowledgement(server, sealed)
            await session.send(Acks((raw,)))
            await server.logged()
            await session.send(Acks((raw,)))
        found = await entries(server)
        about = [entry for entry in found if entry.envelope == sealed.header.core.id]
        assert [entry.kind.label for entry in about] == ["pushed", "acknowledged", "deleted"]
        assert {entry.header_digest for entry in about} == {sealed.digest}
        assert (about[1].reason, about[1].evidence, about[1].directory_size) == (
            Outcome.DELIVERED.name.lower(),
            sha256(raw),
            len(world.entries),
        )

    async def test_a_pull_is_a_delivery_too(self, server: Server, world: World) -> None:
        await server.submit(world.envelope(["MNG"]))
        assert (await server.signed(Call("MNG", "GET", "/v1/mailbox"))).status == 200
        (pushed,) = await of(server, AuditKind.PUSHED)
        assert pushed.member == MNG

    async def test_a_refusal_names_who_signed_and_why(self, server: Server, world: World) -> None:
        sealed = world.envelope(["MNG"], core={"created": world.now + 1000})
        answer = await server.post(sealed)
        (entry,) = await of(server, AuditKind.REFUSED)
        assert (entry.member, entry.reason, entry.header_digest) == (KAZ, answer.code, sealed.digest)
        assert (entry.envelope, entry.count) == (sealed.header.core.id, None)

    async def test_what_nobody_signed_is_counted_by_the_minute(self, server: Server, world: World) -> None:
        sealed = world.envelope(["MNG"], core={"created": world.now + 1000})
        for _ in range(3):
            await server.request("POST", "/v1/envelopes", b"\x00\x00\x00\x04gar!")
        forged = replace(sealed, header_bytes=sealed.header_bytes.replace(sealed.header.signature, bytes(64)))
        assert (await server.post(forged)).code == "bad-signature"
        found = await of(server, AuditKind.REFUSED)
        assert {(entry.reason, entry.member, entry.envelope, entry.count) for entry in found} == {
            ("trailing-bytes", None, None, 3),
            ("bad-signature", None, None, 1),
        }
        assert len({entry.address for entry in found}) == 1

    async def test_a_member_that_is_refused_without_end_is_counted(self, server: Server, world: World) -> None:
        sealed = world.envelope(["MNG"], core={"created": world.now + 1000})
        for _ in range(SINGLE_ENTRIES + 5):
            await server.post(sealed)
        found = await of(server, AuditKind.REFUSED)
        assert len(found) == SINGLE_ENTRIES + 1
        assert (found[-1].member, found[-1].envelope, found[-1].count) == (KAZ, None, 5)

    async def test_sessions_that_begin_and_that_do_not(self, server: Server, world: World) -> None:
        async with server.session("MNG"):
            pass
        proof, _ = world.session("MNG", b"n" * 32, time=world.now)
        await server.refused_session(Proof(proof.statement, proof.key_id, proof.signature))
        await server.request("GET", "/v1/mailbox")
        (begun,) = await of(server, AuditKind.SESSION_BEGUN)
        denied = await of(server, AuditKind.SESSION_DENIED)
        assert (begun.member, begun.count) == (MNG, None)
        assert {(entry.reason, entry.member, entry.count) for entry in denied} == {
            ("session-nonce", None, 1),
            ("request-signature", None, 1),
        }
        assert {entry.address for entry in denied} == {begun.address}
        assert begun.address is not None
        assert b"127.0.0.1" not in b"".join(await server.app.store.leaves(0, 10**9))

    async def test_a_pseudonym_lasts_for_a_day(self, server: Server) -> None:
        one = server.app.journal.address("192.0.2.1")
        assert server.app.journal.address("192.0.2.1") == one
        server.clock.time += 86_400
        assert server.app.journal.address("192.0.2.1") != one

    async def test_entries_of_the_directory(self, tmp_path: Path) -> None:
        world = ChangingWorld()
        async with relay(tmp_path, world) as server:
            world.publish(revocation(world.roots["XAA"], world.nodes["XAA"].key_id, world.now))
            assert (await server.request("POST", "/v1/directory", world.entries[-1])).status == 200
            assert (await server.request("POST", "/v1/directory", world.entries[-1])).status == 200
            assert (await server.request("POST", "/v1/directory", b"\x80")).status == 400
            (entry,) = await of(server, AuditKind.DIRECTORY_ENTRY)
            assert (entry.member, entry.reason, entry.count) == ("XAA", "revocation", len(world.entries) - 1)
            assert entry.evidence == sha256(world.entries[-1])
            (refused,) = await of(server, AuditKind.REFUSED)
            assert refused.count == 1

    async def test_an_alarm_is_told_once_a_day(self, server: Server) -> None:
        for _ in range(3):
            server.app.journal.alarm("witness-inconsistent", "MNG")
        server.app.journal.alarm("witness-ahead", "MNG")
        server.clock.time += 86_400
        server.app.journal.alarm("witness-ahead", "MNG")
        found = [(entry.reason, entry.member) for entry in await of(server, AuditKind.ALARM)]
        assert found == [("witness-inconsistent", MNG), ("witness-ahead", MNG), ("witness-ahead", MNG)]

    @pytest.mark.parametrize("skew", [MAX_CLOCK_AHEAD + 1, -MAX_CLOCK_AHEAD - 1])
    async def test_a_node_whose_clock_is_off_is_noted_by_its_session(
        self, server: Server, world: World, skew: int
    ) -> None:
        for _ in range(2):
            async with server.connection() as session:
                challenge = await session.receive(Challenge)
                proof, _ = world.session("MNG", challenge.nonce, time=server.clock.now() + skew)
                await session.send(proof)
                assert (await session.closed()).startswith("session-time")
        assert [(entry.reason, entry.member) for entry in await of(server, AuditKind.ALARM)] == [("clock-skew", MNG)]
        (denied,) = await of(server, AuditKind.SESSION_DENIED)
        assert (denied.reason, denied.member, denied.count) == ("session-time", MNG, 2)

    @pytest.mark.parametrize("age", [MAX_CLOCK_AHEAD + 1, -MAX_CLOCK_AHEAD - 1])
    async def test_a_node_whose_clock_is_off_is_noted_by_its_requests(self, server: Server, age: int) -> None:
        answer = await server.signed(Call("MNG", "GET", "/v1/mailbox", age=age))
        assert (answer.status, answer.code) == (401, "request-time")
        assert [(entry.reason, entry.member) for entry in await of(server, AuditKind.ALARM)] == [("clock-skew", MNG)]

    async def test_a_node_whose_clock_is_off_is_noted_by_its_cosignatures(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world, present=()) as server, server.session("KAZ") as session:
            request = await session.receive(WitnessRequest)
            await session.send(Cosigner(world, "KAZ").answer(request.body, world.now - MAX_CLOCK_AHEAD - 1))
            alarms: list[AuditEntry] = []
            while not alarms:
                await asyncio.sleep(0.01)
                alarms = await of(server, AuditKind.ALARM)
            assert [(entry.reason, entry.member) for entry in alarms] == [("clock-skew", "KAZ")]

    async def test_nobody_makes_another_s_clock_look_wrong(self, server: Server, world: World) -> None:
        other = world.nodes["UZB"]
        await server.signed(Call("MNG", "GET", "/v1/mailbox", age=9000, signer=other))
        async with server.connection() as session:
            challenge = await session.receive(Challenge)
            proof, _ = world.session("MNG", challenge.nonce, time=0, signer=other)
            await session.send(proof)
            assert (await session.closed()).startswith("session-signature")
        await server.signed(Call("MNG", "GET", "/v1/mailbox", age=61))
        assert await of(server, AuditKind.ALARM) == []

    async def test_counts_stand_when_their_minute_is_over(self, server: Server) -> None:
        await server.request("POST", "/v1/envelopes", b"\x00\x00\x00\x04gar!")
        await server.app.journal.flush()
        assert await server.app.store.leaf_count() == 0
        server.clock.time += PERIOD
        await server.app.journal.flush()
        assert await server.app.store.leaf_count() == 1


class TestAnswers:
    async def test_sender_and_recipients_get_the_proof_of_an_answer(self, tmp_path: Path) -> None:
        """And it holds when the key that answered has been revoked since."""
        world = ChangingWorld()
        async with relay(tmp_path, world) as server:
            sealed = world.envelope(["MNG", "UZB"])
            await server.submit(sealed)
            raw = await acknowledge(server, sealed)
            await server.logged()
            bodies = [(await server.signed(answer_call(sealed, member))).body for member in ("KAZ", "MNG", "UZB")]
            assert len(set(bodies)) == 1
        logged = decode(LOGGED_ENTRY, bodies[0], MAX_NOTE)
        assert read_entry(logged.leaf).evidence == sha256(raw)
        world.publish(revocation(world.roots["MNG"], world.nodes["MNG"].key_id, world.now))
        signed = decode(SIGNED_ACKNOWLEDGEMENT, raw, 4096)
        origins = logged_answer(logged, world.directory, unbounded)
        assert verify_logged_acknowledgement(signed, world.directory, world.now, origins).recipient == MNG

    async def test_nobody_else_learns_who_answered(self, server: Server, world: World) -> None:
        sealed = world.envelope(["MNG", "UZB"])
        await server.submit(sealed)
        await acknowledge(server, sealed)
        await server.logged()
        stranger = await server.signed(answer_call(sealed, "XAA"))
        assert (stranger.status, stranger.code) == (404, "envelope-unknown")
        silent = await server.signed(answer_call(sealed, "KAZ", "UZB"))
        assert (silent.status, silent.code) == (404, "not-acknowledged")
        nonsense = await server.signed(answer_call(sealed, "KAZ", "U"))
        assert (nonsense.status, nonsense.code) == (400, "bad-member")

    async def test_before_a_checkpoint_covers_it_there_is_none(self, server: Server, world: World) -> None:
        sealed = world.envelope(["MNG"])
        await server.submit(sealed)
        await server.logged()
        server.quorum.present.clear()
        await acknowledge(server, sealed)
        answer = await server.signed(answer_call(sealed, "KAZ"))
        assert (answer.status, answer.code) == (404, "not-logged-yet")


class TestAnchors:
    async def test_a_log_is_anchored_and_anybody_among_the_members_can_check_it(
        self, server: Server, world: World
    ) -> None:
        log = NodeLog(world, "KAZ")
        log.grow(300)
        answer = await server.signed(log.anchor())
        assert read_anchored(answer.body) == Anchored(300, log.root())
        log.grow(50)
        assert read_anchored((await server.signed(log.anchor(first=290))).body) == Anchored(350, log.root())
        note = (await server.signed(Call("XAA", "GET", "/v1/anchors/KAZ"))).body
        checkpoint = verify_node_checkpoint(parse_signed(note), KAZ, world.directory, world.now)
        assert (checkpoint.size, checkpoint.root) == (350, log.root())
        for start in (0, 299, 350, 400):
            call = Call("XAA", "GET", f"/v1/anchors/KAZ/hashes?from={start}", nonce=f"{start:032}")
            assert (await server.signed(call)).body == b"".join(log.hashes[start:])
        await server.logged()
        for size, anchored in ((1, 300), (300, 300), (301, 350)):
            call = Call("XAA", "GET", f"/v1/anchors/KAZ/proof?size={size}", nonce=f"proof{size:032}")
            logged = decode(LOGGED_ENTRY, (await server.signed(call)).body, MAX_NOTE)
            entry = self.verified(logged, world)
            assert (entry.kind, entry.member, entry.count) == (AuditKind.ANCHORED, KAZ, anchored)
            assert entry.subject == log.root(anchored)

    def verified(self, logged: LoggedEntry, world: World) -> AuditEntry:
        cosigned = cosigned_audit(logged.note, world.directory)
        verify_inclusion(entry_hash(logged.leaf), logged.index, cosigned.size, logged.path, cosigned.root)
        return read_entry(logged.leaf)

    async def test_the_same_anchor_again_changes_nothing(self, server: Server, world: World) -> None:
        log = NodeLog(world, "KAZ")
        log.grow(5)
        for first in (0, 0, 3, 5):
            assert read_anchored((await server.signed(log.anchor(first))).body) == Anchored(5, log.root())
        assert len(await of(server, AuditKind.ANCHORED)) == 1

    async def test_logs_of_two_members_are_two(self, server: Server, world: World) -> None:
        for member in ("KAZ", "MNG"):
            log = NodeLog(world, member)
            log.grow(3)
            assert (await server.signed(log.anchor())).status == 200
        assert (await server.app.store.member_log(KAZ)).frontier != (await server.app.store.member_log(MNG)).frontier

    async def test_an_anchor_outlives_a_restart(self, tmp_path: Path, world: World) -> None:
        log = NodeLog(world, "KAZ")
        log.grow(5)
        async with relay(tmp_path, world) as server:
            assert (await server.signed(log.anchor())).status == 200
        log.grow(5)
        async with relay(tmp_path, world) as server:
            assert read_anchored((await server.signed(log.anchor(first=5))).body).size == 10

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("/v1/anchors/KAZ", 404, "no-anchor"),
            ("/v1/anchors/KAZ/proof?size=1", 404, "no-anchor"),
            ("/v1/anchors/KAZ/proof", 400, "bad-index"),
            ("/v1/anchors/KAZ/hashes?from=-1", 400, "bad-index"),
            ("/v1/anchors/kaz/hashes?from=0", 400, "bad-member"),
        ],
    )
    async def test_what_there_is_not(self, server: Server, path: str, status: int, code: str) -> None:
        answer = await server.signed(Call("XAA", "GET", path))
        assert (answer.status, answer.code) == (status, code)
