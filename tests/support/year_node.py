"""A member's node in the year: its real folder, made and opened by the functions of the commands, switched on and off.

While it is on, the test turns its wheels; while it is off, only its folder is there.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from exchange.clock import SetClock
from exchange.demo.site import PASSPHRASE
from exchange.node.compose import Composer
from exchange.node.parts import Parts
from exchange.node.runner import Node
from exchange.storage.engine import Database
from exchange.wiring.node import create_node, open_parts
from exchange.wiring.rekey import adopt_next, make_next, settle
from exchange.wiring.statements import NEXT_STATEMENT, REQUEST, install_statement, installed_statement
from keys.ceremony import certify_signing_key
from keys.identity import SigningIdentity
from keys.view import Directory
from schemas.files import SIGNING_REQUEST, decode_file
from schemas.limits import DAY
from schemas.relayapi import WitnessAnswer, WitnessRequest
from schemas.statement import DirectoryEntry
from tests.support.year_relay import Line, YearRelay

URL: Final = "http://127.0.0.1:1"
# A month, but for what is asked otherwise: nobody has to send heads to all others every day of a simulated year.
_SETTINGS: Final = "\n[delivery]\nhead_after = 31536000\nhead_every = 31536000\ndirectory_max_age = 691200\n"
_TERM: Final = 730 * DAY


class Wheels:
    """The loops of a node that runs; the test has each make its turns."""

    def __init__(self, folder: Path, parts: Parts, database: Database) -> None:
        self.parts = parts
        self.database = database
        self.composer = Composer(parts)
        self._node = Node(parts, installed_statement(folder))

    async def tick(self) -> None:
        """What time brings about."""
        await self._node.housekeeper.tick()

    async def look(self) -> str | None:
        """Bring the directory up to date, publish what it lacks; why that did not work."""
        self.parts.wakes.directory.set()
        await self._node.housekeeper.look()
        return self._node.housekeeper.directory_fault

    async def send(self) -> None:
        """Seal what is due and hand it over, once each."""
        await self._node.sealer.seal_due()
        for envelope in await self.parts.stores.outbox.to_send(self.parts.clock.now(), 100):
            await self._node.sender._send_one(envelope)

    async def pull(self) -> bool:
        """Take what waits at the relay; whether there was so much that there may be more."""
        await self._node.link._pull()
        assert isinstance(self.parts.relay, Line)
        return self.parts.relay.full

    async def fetch_proofs(self) -> None:
        """That what was sent and received stands in the relay's log."""
        while await self._node.origins.turn():
            pass

    async def cosign(self, request: bytes) -> WitnessAnswer:
        """As a witness."""
        return await self._node.link._witness.answer(WitnessRequest(request))


class YearNode:
    """One node. `on`: it runs; `line.cut`: it runs and does not reach the relay."""

    def __init__(self, folder: Path, root: SigningIdentity, clock: SetClock) -> None:
        """Use `make`."""
        self.folder = folder
        self.root = root
        self.code = root.owner
        self._clock = clock
        self._running: tuple[Wheels, Line] | None = None

    @classmethod
    def make(
        cls,
        folder: Path,
        root: SigningIdentity,
        charter: DirectoryEntry,
        clock: SetClock,
        directory: Path | None = None,
    ) -> "YearNode":
        """A node with certified keys; `directory`: the file that a newcomer begins with."""
        values: dict[str, str | int] = {"member": root.owner, "relay_url": URL, "host": "127.0.0.1", "port": 1}
        create_node(folder, values, charter, PASSPHRASE, directory=directory)
        path = folder / "node.toml"
        path.write_text(path.read_text("utf-8") + _SETTINGS, "utf-8")
        made = cls(folder, root, clock)
        made._certify()
        return made

    @property
    def on(self) -> bool:
        """Whether it runs."""
        return self._running is not None

    @property
    def wheels(self) -> Wheels:
        """What turns while it runs."""
        assert self._running is not None, f"{self.code} is off"
        return self._running[0]

    @property
    def line(self) -> Line:
        """Its way to the relay."""
        assert self._running is not None, f"{self.code} is off"
        return self._running[1]

    @property
    def connected(self) -> bool:
        """Whether it runs and reaches the relay."""
        return self.on and not self.line.cut and not self.line.relay.down

    @property
    def key(self) -> SigningIdentity:
        """The signing key in use."""
        return self.wheels.parts.keyring.signing

    # On and off.

    async def start(self, relay: YearRelay, opened: Callable[[], None] = lambda: None) -> None:
        """As `cbm node run` begins; `opened` is called when the keys are open, before anything else is done."""
        await asyncio.to_thread(settle, self.folder, PASSPHRASE)
        parts, database = await open_parts(self.folder, PASSPHRASE, self._clock)
        await parts.relay.close()
        line = relay.line(parts.keyring.signing, self._clock)
        self._running = Wheels(self.folder, replace(parts, relay=line), database), line
        opened()
        self.join()

    async def stop(self) -> None:
        """As it ends."""
        wheels = self.wheels
        self.line.relay.leave(self.code)
        self._running = None
        await wheels.database.close()

    def join(self) -> None:
        """Have a session with the relay, as long as the directory has the key that it signs with."""
        self.line.relay.enter(self.code, self.wheels.cosign)

    def cut_off(self) -> None:
        """The relay is not reached any more."""
        self.line.cut = True
        self.line.relay.leave(self.code)

    def reconnect(self) -> None:
        """It is again."""
        self.line.cut = False
        self.join()

    # Its key.

    def _certify(self) -> None:
        """The root certifies what the node asks for."""
        request = decode_file(SIGNING_REQUEST, (self.folder / REQUEST).read_bytes())
        now = self._clock.now()
        install_statement(self.folder, certify_signing_key(self.root, request, now - DAY, now + _TERM, now))

    def next_key(self) -> DirectoryEntry:
        """Make the key that is to follow, have it certified; the statement is to be published."""
        make_next(self.folder, PASSPHRASE, None)
        self._certify()
        entry = installed_statement(self.folder, NEXT_STATEMENT)
        assert entry is not None
        return entry

    async def adopt(self, relay: YearRelay) -> None:
        """Begin again with the key that follows."""
        await self.stop()
        adopt_next(self.folder)
        await self.start(relay)

    # What it has.

    def key_in_force(self, view: Directory, now: int) -> bool:
        """Whether a view has this node's key in force and valid."""
        record = view.signing.get((self.code, self.key.key_id))
        return record is not None and view.in_force(record) and record.valid_from <= now <= record.valid_until

    def names_on_disk(self) -> frozenset[str]:
        """Names of the private halves of which anything is in the keystore's folder."""
        return frozenset(
            file.name.rpartition(".")[0] for name in ("epochs", "veils") for file in os.scandir(self._keys / name)
        )

    @property
    def _keys(self) -> Path:
        return self.folder / "keys"
