"""What the relay and the disks know: no plaintext and no key, searched for in memory, files and logs."""

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from exchange.client import NodeClient
from exchange.demo.processes import Processes
from exchange.demo.site import PASSPHRASE
from exchange.storage.relay_sqlite import read_holdings
from keys.ceremony import identity_of
from keys.keystore import Keystore
from tests.support.memory import dump, found, found_in, stopped
from tests.support.running import MEASURE, budget, client, in_state, running
from tests.support.secrets import content_keys, node_secrets, relay_headers
from tests.support.waiting import PATIENCE

MEMBERS = ("KAZ", "MNG", "UZB")
RECIPIENTS = ("MNG", "UZB")
MIB = 1024 * 1024
TRIES = 5


class Confidential:
    """A message with distinctive content of random bytes everywhere: in the record, in a file's name, in the file."""

    def __init__(self, folder: Path, size: int) -> None:
        self.title = f"title {secrets.token_hex(16)}"
        marker = secrets.token_bytes(64)
        self.path = folder / f"{secrets.token_hex(16)}.bin"
        self.path.write_bytes(marker * (size // len(marker)))
        self.plaintexts = {
            f"title of {size}": self.title.encode(),
            f"name of {size}": self.path.name.encode(),
            f"file of {size}": marker,
        }

    async def send(self, node: NodeClient) -> str:
        return (await node.send(RECIPIENTS, MEASURE, budget(self.title), attachments=[self.path])).id


async def test_the_relay_never_has_a_plaintext_or_a_content_key_where_the_sending_node_has_both(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    async with running(tmp_path / "site", MEMBERS) as processes:
        site = processes.site
        for member in RECIPIENTS:
            processes.stop(member)
        small, large = Confidential(tmp_path, 1024), Confidential(tmp_path, 8 * MIB)
        async with client(processes, "KAZ", attempts=10) as node:
            for message in (small, large):
                await in_state(node, await message.send(node), "accepted")
            caught = await _sealing_node_holds_both(processes, node, tmp_path)
        headers = relay_headers(site)
        assert len(headers) == read_holdings(site.relay).held >= 3
        wanted = {**small.plaintexts, **large.plaintexts, **caught}
        for header in headers.values():
            wanted |= content_keys(site, header)
        for member in MEMBERS:
            wanted |= node_secrets(site, member)
        # Control: this search does find what the relay is allowed to hold.
        ids = {ident: bytes.fromhex(ident) for ident in headers}
        assert set().union(*found_in(site.relay, ids).values()) == set(headers)
        size = dump(processes.pid("relay"), tmp_path / "relay.dump")
        own = identity_of(Keystore.open(site.relay / "keys", PASSPHRASE).get("relay-signing")).ed25519_seed
        assert found(tmp_path / "relay.dump", {"own seed": own}) == {"own seed"}
        # All folders of a site have one passphrase, so this one is the relay's own.
        assert found(tmp_path / "relay.dump", wanted) == {"passphrase"}
        assert found_in(site.relay, wanted) == {}
        assert found_in(site.folder, wanted, excepted=".token") == {"passphrase": {"passphrase"}}
    tell(f"looked for {len(wanted)} secrets in {size // MIB} MiB of the relay's memory, its files and all logs: none")


async def _sealing_node_holds_both(processes: Processes, node: NodeClient, folder: Path) -> dict[str, bytes]:
    """Stop the sending node while it seals, and find what it seals and the key; gives what was found."""
    site = processes.site
    spool = site.node("KAZ") / "spool"
    for _ in range(TRIES):
        message = Confidential(folder, 48 * MIB)
        watching = asyncio.create_task(asyncio.to_thread(_catch, processes.pid("KAZ"), spool, folder / "node.dump"))
        ident = await message.send(node)
        envelope = await watching
        await in_state(node, ident, "accepted")
        keys = content_keys(site, relay_headers(site)[envelope])
        wanted = message.plaintexts | {name: key for name, key in keys.items() if name.startswith("content key")}
        if found(folder / "node.dump", wanted) == set(wanted):
            return wanted
    raise AssertionError(f"the node was never caught while it sealed, in {TRIES} tries: the search proves nothing")


def _catch(pid: int, spool: Path, image: Path) -> str:
    """Dump a process as soon as a ciphertext grows in its spool; gives the envelope's id."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for path in spool.glob("*.body"):
            with stopped(pid):
                dump(pid, image)
            return path.name.removesuffix(".body")
        time.sleep(0.0005)
    raise AssertionError("no ciphertext appeared in the spool")


async def test_nothing_of_a_node_at_rest_is_readable_neither_sent_nor_received(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    async with running(tmp_path / "site", MEMBERS) as processes:
        site = processes.site
        processes.stop("UZB")
        small, large = Confidential(tmp_path, 1024), Confidential(tmp_path, 8 * MIB)
        async with client(processes, "KAZ", attempts=10) as node:
            idents = [await message.send(node) for message in (small, large)]
            for ident in idents:
                await in_state(node, ident, "accepted")
            wanted = {**small.plaintexts, **large.plaintexts}
            for header in relay_headers(site).values():
                wanted |= content_keys(site, header)
            await processes.start("UZB")
            for ident in idents:
                await in_state(node, ident, "delivered")
        await _is_readable_by_the_ministry(processes, large)
        for member in MEMBERS:
            wanted |= node_secrets(site, member)
        # Control: the token files are the one place where a token is in clear.
        tokens = {name: secret for name, secret in wanted.items() if name.endswith(".token")}
        assert set().union(*found_in(site.folder, tokens).values()) == set(tokens)
        assert found_in(site.folder, wanted, excepted=".token") == {"passphrase": {"passphrase"}}
        for name in ("relay", *MEMBERS):
            processes.stop(name)
        assert found_in(site.folder, wanted, excepted=".token") == {"passphrase": {"passphrase"}}
        tell(f"looked for {len(wanted)} secrets in the files of {len(MEMBERS)} nodes, running and stopped: none")


async def _is_readable_by_the_ministry(processes: Processes, message: Confidential) -> None:
    """What is sealed on the disk did arrive, and whoever may read it reads it."""
    async with client(processes, "MNG") as node:
        (row,) = [row async for row in node.messages() if row.title == message.title]
        whole = b"".join([piece async for piece in node.attachment(row.id, 0)])
    assert whole == message.path.read_bytes()
