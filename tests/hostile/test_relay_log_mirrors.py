"""A relay, alone or with a quorum, that shows a member who mirrors its audit log another log than before."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from exchange.audit.anchor_file import read_anchor_file
from exchange.clock import SetClock
from exchange.errors import Conflict, ExchangeError, NotFound
from exchange.wiring import mirroring
from exchange.wiring.mirroring import LogClient, Mirrored, bring_up
from keys.errors import BadSignature, KeyFault, Untrusted
from keys.tiles import HASH, entry_hash, parse_path
from schemas.limits import MAX_ORIGIN_NOTE
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.hostile_server import HostileServer
from tests.support.world import World

LEAVES = [b"leaf %d" % number for number in range(700)]
PREFIX = "/v1/log/audit/"


class Shown:
    """What the relay serves: a note, and tiles of some leaves. `asked`: paths of the tiles that were read."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.note: bytes | None = None
        self.leaves: Sequence[bytes] = ()
        self.asked: list[str] = []
        self.cut = 0

    def show(self, leaves: Sequence[bytes], by: Sequence[str] | None = None) -> None:
        self.leaves = leaves
        self.note = cosigned(self.world, signed_checkpoint(self.world, "audit", leaves), by).encode()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(PREFIX)
        assert "Signature" in request.headers
        if path == "checkpoint" and self.note is not None:
            return web.Response(body=self.note)
        if path == "checkpoint":
            problem = {"type": "urn:cbm:problem:no-checkpoint", "detail": "not yet"}
            return web.json_response(problem, status=404, content_type="application/problem+json")
        self.asked.append(path)
        tile = parse_path(path)
        hashes = b"".join(entry_hash(leaf) for leaf in self.leaves[tile.start : tile.start + tile.width])
        return web.Response(body=hashes[: len(hashes) - self.cut])


class Answers(dict[str, object]):
    """Every path below the log's is answered by one handler."""

    def __init__(self, shown: Shown) -> None:
        super().__init__()
        self.shown = shown

    def get(self, path: str, default: object = None) -> object:
        return self.shown.answer if path.startswith(PREFIX) else default


@pytest.fixture
def shown(world: World) -> Shown:
    return Shown(world)


@pytest.fixture
async def client(world: World, shown: Shown, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LogClient]:
    monkeypatch.setattr(mirroring, "_PAUSE", 0)
    async with reading(world, shown) as made:
        yield made


@asynccontextmanager
async def reading(world: World, shown: Shown) -> AsyncIterator[LogClient]:
    relay = HostileServer(world, http=Answers(shown))  # type: ignore[arg-type]  # see there
    async with relay.running("MNG") as plain:
        made = LogClient(plain._url, (), world.nodes["MNG"], SetClock(world.now))
        yield made
        await made.close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def hashes_in(file: Path) -> list[bytes]:
    data = file.read_bytes()
    start = read_anchor_file(data[:MAX_ORIGIN_NOTE], len(data)).start
    assert start is not None
    return [data[place : place + HASH] for place in range(start, len(data), HASH)]


async def test_it_is_brought_up_and_only_what_is_new_is_read(
    world: World, shown: Shown, client: LogClient, tmp_path: Path
) -> None:
    file = tmp_path / "relay.mirror"
    for before, size in ((0, 3), (3, 3), (3, 256), (256, 257), (257, 700)):
        shown.show(LEAVES[:size])
        shown.asked.clear()
        assert await bring_up(client, world.directory, file) == Mirrored(before, size, world.now)
        assert hashes_in(file) == [entry_hash(leaf) for leaf in LEAVES[:size]]
    assert shown.asked == ["tile/0/001", "tile/0/002.p/188"]


async def test_nothing_is_published_yet(world: World, shown: Shown, client: LogClient, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await bring_up(client, world.directory, tmp_path / "relay.mirror")
    assert files(tmp_path) == []


REWRITTEN: dict[str, list[bytes]] = {
    "an-entry-changed": [*LEAVES[:7], b"other", *LEAVES[8:300]],
    "an-entry-removed-and-one-more": [*LEAVES[:7], *LEAVES[8:300], b"other"],
    "two-in-another-order": [*LEAVES[:7], LEAVES[8], LEAVES[7], *LEAVES[9:300]],
    "changed-and-grown": [*LEAVES[:7], b"other", *LEAVES[8:400]],
    "rolled-back": LEAVES[:299],
    "rolled-back-to-nothing": LEAVES[:1],
}


@pytest.mark.parametrize("name", REWRITTEN)
async def test_a_log_that_was_rewritten_with_a_quorum_is_found_out(
    world: World, shown: Shown, client: LogClient, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "relay.mirror"
    shown.show(LEAVES[:300])
    await bring_up(client, world.directory, file)
    held = file.read_bytes()
    shown.show(REWRITTEN[name])
    with pytest.raises(Conflict) as found:
        await bring_up(client, world.directory, file)
    assert found.value.code == "relay-log-contradicts"
    # Both are kept: what a quorum had cosigned before, and what it cosigns now.
    assert file.read_bytes() == held
    assert (tmp_path / "relay.mirror.new").read_bytes().startswith(shown.note or b"nothing")


async def test_a_checkpoint_without_a_quorum_is_not_taken(
    world: World, shown: Shown, client: LogClient, tmp_path: Path
) -> None:
    shown.show(LEAVES[:5], by=("KAZ",))
    with pytest.raises(Untrusted):
        await bring_up(client, world.directory, tmp_path / "relay.mirror")
    shown.note = (shown.note or b"").replace(b"\n5\n", b"\n6\n", 1)
    with pytest.raises(KeyFault):
        await bring_up(client, world.directory, tmp_path / "relay.mirror")
    assert files(tmp_path) == []


async def test_false_tiles_are_not_taken(world: World, shown: Shown, client: LogClient, tmp_path: Path) -> None:
    file = tmp_path / "relay.mirror"
    shown.show(LEAVES[:300])
    shown.leaves = [b"other", *LEAVES[1:300]]
    with pytest.raises(ExchangeError):
        await bring_up(client, world.directory, file)
    shown.leaves, shown.cut = LEAVES, 1
    with pytest.raises(BadSignature):
        await bring_up(client, world.directory, file)
    assert not file.exists()
