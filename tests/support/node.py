"""A node's real parts over a real store in a folder, with the keys of a test world; a test turns each wheel itself.

async with node(folder, world, "MNG", relay) as mng:
    before = mng.facts()
    await mng.pull()
    assert mng.facts() == before
"""

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp.test_utils import TestServer

from exchange.clock import SetClock
from exchange.node.access import Caller, make_token
from exchange.node.books import Books
from exchange.node.compose import Composer
from exchange.node.config import Delivery, NodeConfig
from exchange.node.directory import DirectoryView
from exchange.node.files import NodeFiles
from exchange.node.following import Log
from exchange.node.guard import Guard
from exchange.node.housekeeping import Housekeeper
from exchange.node.keyring import LOCAL, SIGNING, Keyring
from exchange.node.link import Link
from exchange.node.parts import Parts
from exchange.node.receiver import Receiver
from exchange.node.runner import Node
from exchange.node.sealer import Sealer
from exchange.node.sender import Sender
from exchange.node.transport import RelayClient
from exchange.node.wake import Wakes
from exchange.storage.engine import Database
from exchange.storage.trust_port import KeptCheckpoint
from exchange.wiring.stores import node_stores
from keys.checkpoint import parse_signed
from keys.epochs import EpochTerms, epoch_secret, half_name
from keys.keystore import Keystore
from keys.merkle import MemoryTree
from keys.mortal import MortalKeys
from keys.primitives import random_bytes
from keys.tiles import entry_hash
from schemas.ids import MemberId
from schemas.limits import DAY
from tests.support.cosigners import cosigned_note
from tests.support.hostile_relay import HostileRelay
from tests.support.records import example
from tests.support.world import Sealed, World

# What an attack must leave as it was; `received` and `alarms` are where evidence of it is expected.
STATE: Final = (
    "messages",
    "attachments",
    "recipients",
    "idempotency",
    "outbox",
    "streams_out",
    "numbers_out",
    "streams_in",
    "numbers_in",
    "events",
)
MEASURE: Final = "2.1.1.d"
ROUTED: Final = ("record_id", "originators", "recipients", "copy_secretariat", "handling")
Facts = Mapping[str, object]


def bare_record() -> dict[str, Any]:
    """A notification as a ministry writes it: without what the node fills in from the request."""
    record = example("military-activity-notification", "field-exercise")
    return {name: value for name, value in record.items() if name not in ROUTED}


def record_of(sender: str, tlp: str = "AMBER", onward: str = "none") -> bytes:
    """A valid record's bytes under terms; each sender has an id of its own."""
    record = example("military-activity-notification", "field-exercise")
    record["record_id"] = record["record_id"][:-6] + sender.encode().hex()[-6:]
    record["originators"] = [sender]
    record["handling"] = {"tlp": tlp, "onward": onward}
    return json.dumps(record, ensure_ascii=False).encode("utf-8")


def manifest_of(world: World, sender: str = "KAZ", tlp: str = "AMBER", onward: str = "none", **fields: object) -> bytes:
    """A manifest with a valid record of one provider."""
    return world.manifest((sender,), record_of(sender, tlp, onward), **fields)


def sealed_by(world: World, sender: str, to: tuple[str, ...], **steps: Any) -> Sealed:  # noqa: ANN401 - as World.envelope
    """An honest envelope with a valid record, sealed by hand; `steps` as for `World.envelope`."""
    steps.setdefault("manifest", manifest_of(world, sender))
    return world.envelope(to, sender, **steps)


def request_of(to: list[str], **terms: object) -> dict[str, object]:
    """A ministry's request to send a notification; `terms` replace or add fields."""
    return {"to": to, "measure": MEASURE, "record": bare_record(), **terms}


class TestNode:
    """One node. `pull`, `seal`, `send` and `tick` are one turn each of its loops."""

    __test__ = False

    def __init__(self, folder: Path, parts: Parts, database: Database) -> None:
        self.folder = folder
        self.parts = parts
        self.database = database
        self.receiver = Receiver(parts)
        self.link = Link(parts, self.receiver)
        self.sealer = Sealer(parts)
        self.sender = Sender(parts)
        self.housekeeper = Housekeeper(parts, None)
        self.composer = Composer(parts)

    @property
    def clock(self) -> SetClock:
        """Its clock."""
        assert isinstance(self.parts.clock, SetClock)
        return self.parts.clock

    async def pull(self) -> None:
        """Take what waits at the relay."""
        await self.link._pull()

    async def update(self) -> None:
        """Bring its directory up to date."""
        await self.parts.directory.update(self.parts.relay, self.clock.now())

    async def send(self) -> None:
        """Seal what is due and hand it over, once each."""
        await self.sealer.seal_due()
        for envelope in await self.parts.stores.outbox.to_send(self.clock.now(), 100):
            await self.sender._send_one(envelope)

    async def write(self, to: list[str], **terms: object) -> bytes:
        """A ministry's message into the outbox; its id."""
        return (await self.composer.send(request_of(to, **terms), (), ministry(), None)).message

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, read beside the node."""
        with _beside(self.folder / "node.db") as connection:
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - own names

    def files(self) -> list[str]:
        """Every file in `content/` and `spool/`."""
        return sorted(f"{path.parent.name}/{path.name}" for path in self.folder.glob("[cs]*/*"))

    def facts(self) -> Facts:
        """All that an attack must leave as it was: inbox, outbox, streams, ministries' events, files, directory."""
        return {
            **{table: self.rows(table) for table in STATE},
            "files": self.files(),
            "directory": self.parts.directory.current,
        }

    def alarms(self) -> list[str]:
        """The kinds of all alarms, oldest first."""
        return [row["kind"] for row in self.rows("alarms")]

    def inbox(self) -> list[bytes]:
        """Ids of the messages in the inbox."""
        return [row["id"] for row in self.rows("messages") if row["box"] == "inbox"]

    def outcomes(self) -> list[tuple[str, str | None]]:
        """Outcome and reason of every envelope that is on file as evidence."""
        return [(row["outcome"], row["reason"]) for row in self.rows("received")]

    def recipients(self) -> dict[str, str]:
        """State by recipient, of all sent messages together."""
        return {row["member"]: row["state"] for row in self.rows("recipients")}

    async def token(self, name: str, scopes: tuple[str, ...], measures: tuple[str, ...] = ("*",)) -> str:
        """A new token of a ministry."""
        text, row = make_token(name, scopes, measures, random_bytes(40), self.clock.now())
        await self.parts.stores.access.add_token(row)
        return text


def ministry(name: str = "defence", measures: tuple[str, ...] = ("*",)) -> Caller:
    """A caller with every scope that a ministry needs."""
    return Caller("a" * 16, name, frozenset({"send", "read"}), measures)


@contextmanager
def _beside(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


def keyring_of(folder: Path, world: World, member: str) -> Keyring:
    """The keys of a member of the world, in a keystore whose store key needs no passphrase."""
    path = folder / "keys"
    path.mkdir(mode=0o700, exist_ok=True)
    store = Keystore(path, bytes(32))
    node_key = world.nodes[member]
    store.put(SIGNING, node_key.entropy)
    store.put(LOCAL, b"L" * 32)
    keep_epochs(store, world, member)
    return Keyring(MemberId(member), store)


def keep_epochs(store: Keystore, world: World, member: str) -> None:
    """Put the private halves of a member's epochs into a keystore, with the terms that the directory states."""
    mortal = MortalKeys(store)
    for record in world.directory.epochs[MemberId(member)]:
        name = half_name(record.number, record.key_id)
        seed = next(epoch.seed for epoch in world.epochs[member] if epoch.key_id == record.key_id)
        if name not in mortal.names():
            terms = EpochTerms(record.number, record.valid_from, record.valid_until, record.destroy_at, world.now - DAY)
            mortal.put(name, epoch_secret(terms, bytes(seed)), record.destroy_at)


async def open_store(folder: Path, world: World) -> Database:
    """A node's database that holds the world's directory; the empty one is made once and copied."""
    template = folder.parent / "empty-node.db"
    if not template.exists():
        await Database.open(template, "node").close()
    if not (folder / "node.db").exists():
        shutil.copyfile(template, folder / "node.db")
    database = Database.open(folder / "node.db", "node")
    await node_stores(database).trust.adopt(0, world.entries, kept_of(world), ())
    return database


def kept_of(world: World) -> KeptCheckpoint:
    """The checkpoint of the world's directory, cosigned by all at the world's time."""
    note = cosigned_note(world, world.entries)
    checkpoint = parse_signed(note).checkpoint
    return KeptCheckpoint(checkpoint.size, checkpoint.root, world.now, world.now, note)


@asynccontextmanager
async def node(
    folder: Path, world: World, member: str, relay: HostileRelay | RelayClient, **delivery: int
) -> AsyncIterator[TestNode]:
    """A node in `folder/<member>`; opened again, it goes on with what is there. `delivery`: its settings."""
    home = folder / f"node-{member}"
    home.mkdir(exist_ok=True)
    keyring = keyring_of(home, world, member)
    database = await open_store(home, world)
    stores = node_stores(database)
    clock = SetClock(world.now)
    config = NodeConfig(
        member=member,
        relay_url="http://127.0.0.1:1",
        charter_digest=world.charter_digest.hex(),
        delivery=Delivery.model_validate(delivery),
    )
    books = Books(stores.access, stores.trust, stores.hand, stores.withdrawals)
    guard = Guard(home, keyring, frozenset, books, clock, config.delivery.directory_max_age)
    log = Log(world.directory, MemoryTree(entry_hash(entry) for entry in world.entries))
    parts = Parts(
        config=config,
        keyring=keyring,
        directory=DirectoryView(books, log, await stores.trust.checkpoints(), guard),
        guard=guard,
        stores=stores,
        files=NodeFiles(home, keyring.vault),
        relay=relay.line(member, clock) if isinstance(relay, HostileRelay) else relay,
        clock=clock,
        wakes=Wakes(),
    )
    try:
        yield TestNode(home, parts, database)
    finally:
        await parts.relay.close()
        await database.close()


@asynccontextmanager
async def api_of(tested: TestNode) -> AsyncIterator["Api"]:
    """The node's real API on a free port of loopback."""
    application = Node(tested.parts, None).api.application()
    async with TestServer(application, host="127.0.0.1") as server, aiohttp.ClientSession() as http:
        yield Api(tested, str(server.make_url("")).rstrip("/"), http)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, read to its end."""

    status: int
    code: str
    json: Any
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Api:
    """Requests to a node as a ministry's program makes them."""

    node: TestNode
    url: str
    http: aiohttp.ClientSession

    async def ask(self, method: str, path: str, token: str | None = None, **request: Any) -> Reply:  # noqa: ANN401
        """One request; `request` as for aiohttp."""
        headers = {**request.pop("headers", {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.http.request(method, self.url + path, headers=headers, **request) as response:
            body = await response.read()
            value = json.loads(body) if "json" in response.content_type else None
            code = str(value.get("type", "")).rpartition(":")[2] if isinstance(value, dict) else ""
            return Reply(response.status, code, value, body, response.headers)

    async def send(self, token: str | None, to: list[str], key: str | None = None, **terms: object) -> Reply:
        """Send a notification."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.ask("POST", "/v1/messages", token, json=request_of(to, **terms), headers=headers)
