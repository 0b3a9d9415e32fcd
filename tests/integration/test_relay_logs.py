"""The relay's two logs as a node, a monitor and an auditor see them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.relay.limits import CHECKPOINT_REFRESH
from keys.checkpoint import parse_signed
from keys.identity import EpochIdentity, SigningIdentity
from keys.merkle import tree_root
from keys.origin import origins_of, unbounded
from keys.quorum import verify_cosigned
from keys.tiles import Tile, TileReader, bundle_entries, entry_hash, log_entry
from keys.verify import verify_receipt
from schemas.canon import decode
from schemas.ids import MemberId
from schemas.limits import MAX_CORE, MAX_LOG_ENTRY
from schemas.origin import ORIGINS
from schemas.relayapi import Deliver, WitnessRequest
from tests.support.cosigners import Cosigner
from tests.support.entropy import derived
from tests.support.realm import epoch_entry, epoch_statement, signing_entry, signing_statement
from tests.support.relay import Call, Server, Session, published_size, relay
from tests.support.waiting import until
from tests.support.world import Sealed, World

DIRECTORY = "/v1/log/directory"
AUDIT = "/v1/log/audit"


@pytest.fixture
async def server(tmp_path: Path, world: World) -> AsyncIterator[Server]:
    async with relay(tmp_path, world) as running:
        yield running


def new_epoch(world: World, member: str = "KAZ", number: int = 9) -> bytes:
    key = EpochIdentity(derived("another epoch", member, str(number), size=96))
    return epoch_entry(epoch_statement(member, number, key, world.now), world.nodes[member])


def new_key(world: World, member: str) -> tuple[SigningIdentity, bytes]:
    key = SigningIdentity.from_entropy(MemberId(member), derived("another key", member, size=96))
    return key, signing_entry(signing_statement(member, key, world.now), world.roots[member])


class HttpTiles:
    """The tiles of a log, fetched beforehand."""

    def __init__(self, tiles: dict[Tile, bytes]) -> None:
        self.tiles = tiles

    def read(self, tile: Tile) -> bytes:
        return self.tiles[tile]


class TestDirectory:
    async def test_the_checkpoint_is_what_every_node_accepts(self, server: Server, world: World) -> None:
        answer = await server.request("GET", f"{DIRECTORY}/checkpoint")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        checkpoint, quorum = verify_cosigned(parse_signed(answer.body), "directory", world.directory)
        assert (checkpoint.size, set(quorum.times)) == (len(world.entries), {"KAZ", "MNG", "UZB", "XAA"})
        assert world.directory.tree is not None
        assert checkpoint.root == world.directory.tree.root

    async def test_tiles_and_entries_make_up_the_checkpoint(self, server: Server, world: World) -> None:
        size = len(world.entries)
        tile, bundle = Tile(0, 0, size), Tile(-1, 0, size)
        hashes = await server.request("GET", f"{DIRECTORY}/{tile.path}")
        entries = await server.request("GET", f"{DIRECTORY}/{bundle.path}")
        assert "immutable" in hashes.headers["Cache-Control"]
        checkpoint = parse_signed((await server.request("GET", f"{DIRECTORY}/checkpoint")).body).checkpoint
        assert tree_root(size, TileReader(HttpTiles({tile: hashes.body}), size)) == checkpoint.root
        assert bundle_entries(entries.body, size) == world.entries
        narrow = await server.request("GET", f"{DIRECTORY}/tile/0/000.p/3")
        assert narrow.body == hashes.body[: 3 * 32]

    @pytest.mark.parametrize(
        "path",
        [
            "tile/0/000",
            "tile/0/000.p/18",
            "tile/1/000.p/1",
            "tile/entries/001.p/1",
            "tile/0/00",
            "tile/-1/000",
            "tile/",
        ],
    )
    async def test_a_tile_that_there_is_not_is_not_found(self, server: Server, path: str) -> None:
        answer = await server.request("GET", f"{DIRECTORY}/{path}")
        assert (answer.status, answer.code) == (404, "no-such-tile")

    async def test_what_is_not_published_is_not_shown(self, server: Server, world: World) -> None:
        server.quorum.present.clear()
        await server.app.keeper.append(new_epoch(world))
        server.app.logs.directory.grew()
        await until(lambda: server.app.logs.directory.tree.size == len(world.entries) + 1)
        answer = await server.request("GET", f"{DIRECTORY}/tile/0/000.p/{len(world.entries) + 1}")
        assert answer.code == "no-such-tile"
        checkpoint = parse_signed((await server.request("GET", f"{DIRECTORY}/checkpoint")).body).checkpoint
        assert checkpoint.size == len(world.entries)

    async def test_an_entry_that_no_bundle_can_carry_stands_by_its_digest(self, tmp_path: Path) -> None:
        codes = tuple(f"X{a}{b}" for a in "AB" for b in "ABCDEFG")
        world = World(codes=codes, epochs=1)
        assert len(world.entries[0]) > MAX_LOG_ENTRY
        async with relay(tmp_path, world) as server:
            size = len(world.entries)
            answer = await server.request("GET", f"{DIRECTORY}/tile/entries/000.p/{size}")
            entries = bundle_entries(answer.body, size)
            assert entries[0] == log_entry(world.entries[0])
            assert entries[1:] == world.entries[1:]
            hashes = await server.request("GET", f"{DIRECTORY}/tile/0/000.p/{size}")
            assert hashes.body[:32] == entry_hash(world.entries[0])

    async def test_the_open_log_is_bounded_for_each_address(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world, limits={"log_rate": 0.001, "log_at_once": 3}) as server:
            codes = [(await server.request("GET", f"{DIRECTORY}/checkpoint")).status for _ in range(4)]
            assert codes == [200, 200, 200, 429]

    async def test_a_log_that_rests_is_cosigned_every_hour(self, server: Server, world: World) -> None:
        log = server.app.logs.directory

        def newest() -> int:
            assert log.published is not None
            return verify_cosigned(parse_signed(log.published.note), "directory", world.directory)[1].time

        server.clock.time += CHECKPOINT_REFRESH - 1
        log.grew()
        await server.submit(world.envelope(["MNG"]))
        await server.logged()
        assert newest() == world.now
        server.clock.time += 1
        log.grew()
        await until(lambda: newest() == world.now + CHECKPOINT_REFRESH)
        assert published_size(log) == len(world.entries)

    async def test_there_is_no_third_log(self, server: Server) -> None:
        assert (await server.request("GET", "/v1/log/other/checkpoint")).code == "no-such-log"


class TestDeciding:
    """What the relay decides, it decides by what a quorum has cosigned."""

    async def test_before_the_first_checkpoint_nothing_is_accepted(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world, present=["KAZ", "MNG"]) as server:
            answer = await server.post(world.envelope(["MNG"]))
            assert (answer.status, answer.code) == (503, "directory-not-witnessed")
            assert server.holds_nothing()
            assert (await server.request("GET", f"{DIRECTORY}/checkpoint")).code == "no-checkpoint"
            # Entries and sessions are what the first one comes from.
            async with server.session("UZB"):
                pass
            answer = await server.request("POST", "/v1/directory", new_epoch(world))
            assert answer.status == 200

    async def test_a_receipt_states_the_published_size(self, server: Server, world: World) -> None:
        server.quorum.present.clear()
        await server.app.keeper.append(new_epoch(world))
        server.app.logs.directory.grew()
        receipt = (await server.submit(world.envelope(["MNG"]))).receipt
        assert receipt.directory_size == len(world.entries)
        server.quorum.come_back("KAZ", "MNG", "UZB")
        await server.witnessed()
        receipt = (await server.submit(world.envelope(["MNG"]))).receipt
        assert receipt.directory_size == len(world.entries) + 1

    async def test_a_new_key_opens_a_session_at_once_and_sends_when_it_is_published(
        self, server: Server, world: World
    ) -> None:
        key, entry = new_key(world, "KAZ")
        server.quorum.present.clear()
        await server.app.keeper.append(entry)
        server.app.logs.directory.grew()
        old, world.nodes = world.nodes, {**world.nodes, "KAZ": key}
        sealed = world.envelope(["MNG"])
        async with server.session("KAZ"):
            answer = await server.post(sealed)
        assert (answer.status, answer.code) == (403, "untrusted")
        world.nodes = old
        server.quorum.come_back("KAZ", "MNG", "UZB")
        await server.witnessed()
        await server.submit(sealed)

    async def test_a_restart_goes_on_with_what_was_published(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world) as server:
            await server.app.keeper.append(new_epoch(world))
        async with relay(tmp_path, world, present=["KAZ"]) as server:
            receipt = (await server.submit(world.envelope(["MNG"]))).receipt
            assert receipt.directory_size == len(world.entries)
            assert server.app.keeper.current.size == len(world.entries) + 1


async def asked(session: Session) -> WitnessRequest:
    """The next request about the directory's log; sessions themselves are entries of the other one."""
    while True:
        request = await session.receive(WitnessRequest)
        if b"cbm.exchange/directory/" in request.body:
            return request


class TestSessions:
    """Nodes cosign in the sessions that they have anyway."""

    async def test_nodes_cosign_in_their_sessions(self, tmp_path: Path, world: World) -> None:
        async with (
            relay(tmp_path, world, present=()) as server,
            server.session("KAZ") as kaz,
            server.session("MNG") as mng,
            server.session("UZB") as uzb,
        ):
            for member, session in (("KAZ", kaz), ("MNG", mng), ("UZB", uzb)):
                assert server.app.keeper.published is None
                request = await asked(session)
                await session.send(Cosigner(world, member).answer(request.body, world.now))
            await server.witnessed()
            await server.submit(world.envelope(["MNG"], "XAA"))
            await mng.receive(Deliver)

    async def test_a_node_that_has_cosigned_before_is_asked_from_there(self, tmp_path: Path, world: World) -> None:
        cosigners = {code: Cosigner(world, code) for code in ("KAZ", "MNG", "UZB")}
        async with relay(tmp_path, world) as server:
            for code, cosigner in cosigners.items():
                cosigner.seen = server.quorum.cosigners[code].seen
            await server.app.keeper.append(new_epoch(world))
        async with relay(tmp_path, world, present=()) as server, server.session("KAZ") as session:
            first = await asked(session)
            answer = cosigners["KAZ"].answer(first.body, world.now)
            assert (answer.status.name, answer.size) == ("OTHER_SIZE", len(world.entries))
            await session.send(answer)
            again = await asked(session)
            assert again.body.startswith(f"old {len(world.entries)}\n".encode())
            assert cosigners["KAZ"].answer(again.body, world.now).lines is not None


class TestAudit:
    """The acceptances: for members, and proofs for those whom an envelope concerns."""

    def call(self, sealed: Sealed, member: str = "KAZ", sender: str = "KAZ") -> Call:
        envelope = sealed.header.core.id.hex()
        return Call(member, "GET", f"{AUDIT}/proof?sender={sender}&envelope={envelope}", nonce=member * 8)

    async def test_sender_and_recipients_get_the_proof(self, server: Server, world: World) -> None:
        sealed = world.envelope(["MNG", "UZB"])
        receipt = await server.submit(sealed)
        await server.logged()
        for member in ("KAZ", "MNG", "UZB"):
            answer = await server.signed(self.call(sealed, member))
            assert answer.status == 200
            origins = decode(ORIGINS, answer.body, MAX_CORE)
            (proof,) = origins.proofs
            assert proof.acceptance.header_digest == sealed.digest
            assert proof.acceptance.time == verify_receipt(receipt, world.directory).time
            found = origins_of(origins, world.directory, unbounded)
            assert {origin.digest for origin in found} == set(proof.acceptance.provisions)

    async def test_nobody_else_learns_that_there_is_one(self, server: Server, world: World) -> None:
        sealed = world.envelope(["MNG"])
        await server.submit(sealed)
        await server.logged()
        stranger = await server.signed(self.call(sealed, "XAA"))
        unknown = await server.signed(self.call(world.envelope(["MNG"])))
        assert (stranger.status, stranger.code) == (unknown.status, unknown.code) == (404, "envelope-unknown")
        assert (await server.request("GET", self.call(sealed).path)).status == 401

    async def test_before_a_checkpoint_covers_it_there_is_none(self, server: Server, world: World) -> None:
        server.quorum.present.clear()
        sealed = world.envelope(["MNG"])
        await server.submit(sealed)
        answer = await server.signed(self.call(sealed))
        assert (answer.status, answer.code) == (404, "not-logged-yet")
        server.quorum.come_back("KAZ", "MNG", "UZB")
        await server.logged()
        assert (await server.signed(Call("MNG", "GET", self.call(sealed).path))).status == 200

    @pytest.mark.parametrize("query", ["", "?sender=KAZ", "?sender=KAZ&envelope=00", "?sender=K&envelope=" + "0" * 32])
    async def test_a_query_that_names_nothing_is_refused(self, server: Server, query: str) -> None:
        answer = await server.signed(Call("KAZ", "GET", f"{AUDIT}/proof{query}"))
        assert (answer.status, answer.code) == (400, "bad-envelope-id")

    async def test_only_members_read_the_log(self, server: Server, world: World) -> None:
        await server.submit(world.envelope(["MNG"]))
        await server.logged()
        for path in (f"{AUDIT}/checkpoint", f"{AUDIT}/tile/0/000.p/1"):
            assert (await server.request("GET", path)).status == 401
            assert (await server.signed(Call("XAA", "GET", path, nonce=path.ljust(40)[-40:]))).status == 200
        answer = await server.signed(Call("XAA", "GET", f"{AUDIT}/tile/entries/000.p/1"))
        assert answer.code == "no-such-tile"

    async def test_every_acceptance_is_logged_once_in_its_order(self, server: Server, world: World) -> None:
        sealed = [world.envelope(["MNG"]) for _ in range(5)]
        for item in (*sealed, *sealed):
            await server.submit(item)
        await server.logged()
        assert published_size(server.app.logs.audit) == 5
        positions = []
        for item in sealed:
            answer = await server.signed(Call("MNG", "GET", self.call(item).path, nonce=item.digest.hex()))
            positions.append(decode(ORIGINS, answer.body, MAX_CORE).proofs[0].index)
        assert positions == list(range(5))
