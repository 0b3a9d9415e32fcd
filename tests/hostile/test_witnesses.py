"""Attacks on what members cosign: too few, the wrong ones, forged, stale or silent witnesses; a relay's own past.

A checkpoint counts with the charter's quorum of member nodes, each with both halves of a key in force. Whatever a
witness answers, the relay publishes nothing less, keeps serving, and waits for nobody beyond the quorum.
"""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from exchange.errors import StoreFault
from exchange.relay.limits import SESSION_SKEW
from exchange.relay.tlog_core import Witness
from keys.checkpoint import parse_signed
from keys.identity import EpochIdentity, SigningIdentity
from keys.logsigner import cosign_checkpoint
from keys.note import encode_lines, parse_lines
from keys.quorum import verify_cosigned
from schemas.ids import MemberId
from schemas.relayapi import MAX_WITNESS_ANSWER, WitnessAnswer, WitnessRequest, WitnessStatus
from tests.support.cosigners import Cosigner, signed_checkpoint
from tests.support.entropy import derived
from tests.support.realm import epoch_entry, epoch_statement
from tests.support.relay import Server, published_size, relay
from tests.support.waiting import until
from tests.support.world import World

Forgery = Callable[[World, WitnessAnswer], WitnessAnswer | None]
OTHER = derived("a key that nobody certified", size=96)


def new_epoch(world: World, number: int = 9) -> bytes:
    key = EpochIdentity(derived("another epoch", str(number), size=96))
    return epoch_entry(epoch_statement("KAZ", number, key, world.now), world.nodes["KAZ"])


def nothing_happened(server: Server) -> bool:
    """No checkpoint beyond the size that stood, and nothing accepted."""
    return published_size(server.app.logs.directory) == 0 and server.app.keeper.published is None


async def all_asked(server: Server, *members: str) -> None:
    """Each of these was asked about the directory, and its answer has been judged."""
    await until(lambda: {member for member, log in server.quorum.asked if log == "directory"} >= set(members))


def expected(server: Server, member: str) -> bool:
    """Whether the relay waits for this member's answer about the directory."""
    log = server.app.logs.directory
    return log._rounds.expects(Witness(member), log._rounds.size or 0)


def relined(answer: WitnessAnswer, lines: bytes | None) -> WitnessAnswer:
    return WitnessAnswer(answer.origin, answer.size, WitnessStatus.COSIGNED, lines)


def half(number: int) -> Forgery:
    return lambda world, answer: relined(answer, encode_lines(parse_lines(answer.lines or b"")[number : number + 1]))


def by(identity: Callable[[World], SigningIdentity], later: int = 0, size: int | None = None) -> Forgery:
    """Lines by another key, of another time, or on another checkpoint."""

    def forge(world: World, answer: WitnessAnswer) -> WitnessAnswer:
        checkpoint = signed_checkpoint(world, "directory", world.entries, size or answer.size).checkpoint
        return relined(answer, encode_lines(cosign_checkpoint(identity(world), checkpoint, world.now + later)))

    return forge


def status(value: WitnessStatus, size: int = 0) -> Forgery:
    return lambda world, answer: WitnessAnswer(answer.origin, size, value, None)


FORGERIES: dict[str, Forgery] = {
    "an-ed25519-line-alone": half(0),
    "an-ml-dsa-line-alone": half(1),
    "no-line-of-a-note": lambda world, answer: relined(answer, b"garbage"),
    "bytes-that-are-no-text": lambda world, answer: relined(answer, bytes(range(256))),
    "the-lines-of-another-member": by(lambda world: world.nodes["KAZ"]),
    "a-key-that-nobody-certified": by(lambda world: SigningIdentity.from_entropy(MemberId("UZB"), OTHER)),
    "the-root-in-place-of-the-node": by(lambda world: world.roots["UZB"]),
    "an-older-checkpoint": by(lambda world: world.nodes["UZB"], size=5),
    "a-cosignature-of-last-week": by(lambda world: world.nodes["UZB"], later=-SESSION_SKEW - 1),
    "a-cosignature-of-next-week": by(lambda world: world.nodes["UZB"], later=SESSION_SKEW + 1),
    "lines-for-another-size": lambda world, answer: WitnessAnswer(
        answer.origin, answer.size - 1, WitnessStatus.COSIGNED, answer.lines
    ),
    "lines-for-another-log": lambda world, answer: WitnessAnswer(
        answer.origin.replace("directory", "audit"), answer.size, WitnessStatus.COSIGNED, answer.lines
    ),
    "lines-for-no-log": lambda world, answer: WitnessAnswer("x", answer.size, WitnessStatus.COSIGNED, answer.lines),
    "a-size-ahead-of-the-log": status(WitnessStatus.OTHER_SIZE, 10**9),
    "another-size-for-ever": status(WitnessStatus.OTHER_SIZE, 3),
    "a-proof-that-does-not-hold": status(WitnessStatus.INCONSISTENT),
    "not-now": status(WitnessStatus.NOT_NOW),
    "nothing-at-all": lambda world, answer: None,
}


class TestQuorum:
    async def test_one_less_than_the_quorum_publishes_nothing(self, tmp_path: Path, world: World) -> None:
        assert world.charter.quorums.witness == 3
        async with relay(tmp_path, world, present=["KAZ", "MNG"]) as server:
            await all_asked(server, "KAZ", "MNG", "UZB", "XAA")
            answer = await server.post(world.envelope(["MNG"]))
            assert (answer.status, answer.code) == (503, "directory-not-witnessed")
            assert nothing_happened(server)
            assert server.holds_nothing()
            server.quorum.come_back("UZB")
            await server.witnessed()
            await server.submit(world.envelope(["MNG"]))

    @pytest.mark.parametrize("attack", FORGERIES)
    async def test_what_does_not_hold_makes_no_quorum(self, tmp_path: Path, world: World, attack: str) -> None:
        async with relay(tmp_path, world, present=["KAZ", "MNG"]) as server:
            forge = FORGERIES[attack]
            server.quorum.said = lambda member, answer: forge(world, answer) if member == "UZB" else answer
            server.quorum.come_back("UZB")
            await all_asked(server, "KAZ", "MNG", "UZB")
            assert (await server.post(world.envelope(["MNG"]))).code == "directory-not-witnessed"
            assert nothing_happened(server)
            # The next honest one is enough, and nothing of the forgery is in the note.
            server.quorum.come_back("XAA")
            await server.witnessed()
            assert server.app.logs.directory.published is not None
            signed = parse_signed(server.app.logs.directory.published.note)
            _, quorum = verify_cosigned(signed, "directory", world.directory)
            assert set(quorum.times) == {"KAZ", "MNG", "XAA"}
            assert len(signed.signatures) == 2 + 2 * 3

    async def test_a_member_cannot_count_twice_by_another_session(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world, present=()) as server:
            cosigner = Cosigner(world, "KAZ")
            async with server.session("KAZ") as session:
                request = await session.receive(WitnessRequest)
                await session.send(cosigner.answer(request.body, world.now))
                await until(lambda: not expected(server, "KAZ"))
            async with server.session("KAZ") as again:
                cosigner.seen.clear()
                for _ in range(3):
                    await again.send(cosigner.answer(request.body, world.now))
                assert await again.nothing_within(0.3)
            assert nothing_happened(server)

    async def test_an_answer_that_nobody_asked_for_is_not_looked_at(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world, present=["KAZ", "MNG"]) as server:
            await all_asked(server, "KAZ", "MNG", "UZB", "XAA")
            signed = signed_checkpoint(world, "directory", world.entries)
            for code in ("UZB", "XAA"):
                lines = encode_lines(cosign_checkpoint(world.nodes[code], signed.checkpoint, world.now))
                answer = WitnessAnswer(signed.checkpoint.origin, signed.checkpoint.size, WitnessStatus.COSIGNED, lines)
                # In the name of nobody, of one that does not count, of one that has answered, and of another.
                for name in ("ZZZ", "CICA", "KAZ", "XAA" if code == "UZB" else "UZB"):
                    server.app.logs.answered(MemberId(name), answer)
            for _ in range(3):
                assert (await server.post(world.envelope(["MNG"]))).code == "directory-not-witnessed"
            assert nothing_happened(server)


class TestSilence:
    async def test_a_witness_that_never_answers_delays_nobody(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world) as server:
            server.quorum.present.discard("XAA")
            began = time.monotonic()
            for number in range(9, 14):
                answer = await server.request("POST", "/v1/directory", new_epoch(world, number))
                assert answer.status == 200
                await server.submit(world.envelope(["MNG"]))
            await server.logged()
            # Five rounds of either log, and not five times the patience for one answer.
            assert time.monotonic() - began < 15

    async def test_silent_sessions_are_asked_and_hold_up_nothing(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world, present=()) as server, server.session("XAA") as silent:
            await silent.receive(WitnessRequest)
            async with server.session("KAZ") as kaz, server.session("MNG") as mng, server.session("UZB") as uzb:
                for member, session in (("KAZ", kaz), ("MNG", mng), ("UZB", uzb)):
                    request = await session.receive(WitnessRequest)
                    await session.send(Cosigner(world, member).answer(request.body, world.now))
                await server.witnessed()
                await server.submit(world.envelope(["XAA"]))


class TestFrames:
    @pytest.mark.parametrize(
        "data",
        [
            b"\x09" + b"\x00" * 40_000,
            b"\x09\x84\x01\xa1x\x02\x01\x03\xcc\xc8\x04\xc5\x40\x01" + bytes(MAX_WITNESS_ANSWER + 1),
            b"\x09\x83\x01\xa1x\x02\x01\x03\xcc\xc8",
            b"\x08\x81\x01\xc4\x01a",
        ],
        ids=["garbage", "oversized-lines", "cosigned-without-lines", "a-request-by-a-node"],
    )
    async def test_a_bad_answer_ends_the_session_and_nothing_else(
        self, tmp_path: Path, world: World, data: bytes
    ) -> None:
        async with relay(tmp_path, world, present=()) as server, server.session("KAZ") as session:
            await session.receive(WitnessRequest)
            await session.socket.send_bytes(data)
            assert await session.closed()
            assert nothing_happened(server)
            async with server.session("KAZ") as again:
                await again.receive(WitnessRequest)

    async def test_answers_without_end_change_nothing(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world, present=()) as server, server.session("KAZ") as session:
            request = await session.receive(WitnessRequest)
            answer = Cosigner(world, "KAZ").answer(request.body, world.now)
            for _ in range(500):
                await session.send(answer)
            assert await session.nothing_within(0.3)
            assert not expected(server, "KAZ")
            assert nothing_happened(server)


class TestTheRelaysPast:
    """A relay must not sign what contradicts an earlier checkpoint, whatever happened to its disk."""

    async def test_an_old_copy_of_the_store_is_refused(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world):
            pass
        await asyncio.to_thread(shutil.copy, tmp_path / "relay.db", tmp_path / "old.db")
        async with relay(tmp_path, world) as server:
            await server.request("POST", "/v1/directory", new_epoch(world))
        for name in ("relay.db-wal", "relay.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        shutil.move(tmp_path / "old.db", tmp_path / "relay.db")
        with pytest.raises(StoreFault) as refused:
            async with relay(tmp_path, world):
                raise AssertionError("it serves")
        assert refused.value.code == "store-older-than-log"

    @pytest.mark.parametrize("change", ["UPDATE audit SET leaf = zeroblob(8)", "DELETE FROM audit"])
    async def test_a_rewritten_past_is_refused(self, tmp_path: Path, world: World, change: str) -> None:
        async with relay(tmp_path, world) as server:
            await server.submit(world.envelope(["MNG"]))
            await server.logged()
        shutil.rmtree(tmp_path / "log")
        with closing(sqlite3.connect(tmp_path / "relay.db")) as connection, connection:
            connection.execute(change)
        with pytest.raises(StoreFault) as refused:
            async with relay(tmp_path, world):
                raise AssertionError("it serves")
        assert refused.value.code == "log-contradicts"

    async def test_a_witness_that_saw_more_stops_a_log_that_lost_it(self, tmp_path: Path, world: World) -> None:
        """Store and tiles of the same old copy agree: only the witnesses remember."""
        for name in ("new", "old"):
            (tmp_path / name).mkdir()
        async with relay(tmp_path / "new", world) as server:
            await server.request("POST", "/v1/directory", new_epoch(world, 9))
            seen = {code: cosigner.seen for code, cosigner in server.quorum.cosigners.items()}
        async with relay(tmp_path / "old", world, present=["KAZ"]) as server:
            for code, cosigner in server.quorum.cosigners.items():
                cosigner.seen = seen[code]
            server.quorum.come_back("MNG", "UZB", "XAA")
            await server.app.keeper.append(new_epoch(world, 10))
            server.app.logs.directory.grew()
            told = {"log": "directory", "code": "inconsistent"}
            counted = server.app.metrics.registry.get_sample_value
            await until(lambda: counted("cbm_relay_cosignatures_refused_total", told) == 4)
            assert nothing_happened(server)
