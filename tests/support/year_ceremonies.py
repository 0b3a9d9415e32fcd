"""The year's ceremonies, with the functions of the commands: found, admit, revoke, renew, replace the relay."""

import asyncio
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from exchange.demo.site import PASSPHRASE
from exchange.storage.relay_sqlite import read_entries
from exchange.wiring.node_directory import switch_relay
from exchange.wiring.relay import create_relay, install_charter
from exchange.wiring.relay_directory import verified_directory, write_directory
from keys.amendment import Changes, amend_charter
from keys.ceremony import assemble_charter, draft_charter, revoke_signing_key, sign_charter
from keys.directory import handover_of
from keys.identity import SIGNING_ENTROPY, SigningIdentity
from keys.primitives import random_bytes
from schemas.canon import encode
from schemas.catalogue import edition
from schemas.charter import Chairmanship, Charter, Member, Name, Relay, Role
from schemas.endings import RevocationReason
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY
from schemas.statement import DIRECTORY_ENTRY, read_entry
from tests.support.year import Year
from tests.support.year_book import Revoked
from tests.support.year_node import YearNode
from tests.support.year_relay import YearRelay

_RELAY_URL = "http://127.0.0.1:2"


async def found(year: Year, codes: Iterable[str]) -> None:
    """Version 1 of the charter, the first relay, and a node of each founder; everybody can be written to."""
    folder, now = year.folder / "relay-1", year.now
    relay = await asyncio.to_thread(create_relay, folder, {"name": "relay-1", "plain": True}, PASSPHRASE)
    rows = [_new_member(year, code) for code in codes]
    chair = Chairmanship(rows[0].code, now, now + 730 * DAY)
    draft = draft_charter(rows, chair, [relay], [edition().catalogue_id], (None, None), now)
    entry = assemble_charter(draft, [sign_charter(year.roots[row.code], draft) for row in rows])
    year.charters.append(entry)
    await asyncio.to_thread(install_charter, folder, entry, relay)
    year.relays.append(await YearRelay.open(folder, year.clock))
    for row in rows:
        await _new_node(year, row.code, None)
    await year.look()


async def admit(year: Year, code: str) -> None:
    """All agree to a new member, whose node begins with the directory as it is."""
    row = _new_member(year, code)
    await year.publish(_amended(year, Changes(admitted=(row,)), row.code))
    await _new_node(year, row.code, _exported(year, f"directory-for-{code}"))
    await year.look()


async def revoke(year: Year, code: str, key: KeyId, reason: RevocationReason, compromised_at: int | None) -> None:
    """The root ends a key of its node."""
    entry = revoke_signing_key(year.roots[MemberId(code)], key, reason, compromised_at, year.now)
    index = await year.publish(encode(DIRECTORY_ENTRY, entry))
    year.book.revoked.append(Revoked(MemberId(code), key, index, year.now))


async def renew(year: Year, code: str) -> None:
    """The node's next key: made, certified, published, used."""
    node = year.nodes[code]
    entry = await asyncio.to_thread(node.next_key)
    await year.publish(encode(DIRECTORY_ENTRY, entry))
    await node.adopt(year.relay)
    await year.look()


async def replace_relay(year: Year) -> None:
    """The old relay ends; the members sign a charter that names the new one; every node is pointed at it.

    Before it ends, everybody takes what still waits there, and again the answers to that.
    """
    for _ in range(2):
        await year.fetch()
    old, directory, size = year.relay, _exported(year, "directory-of-relay-1"), year.directory.size
    await old.close()
    folder = year.folder / f"relay-{len(year.relays) + 1}"
    relay: Relay = await asyncio.to_thread(create_relay, folder, {"name": folder.name, "plain": True}, PASSPHRASE)
    handover = handover_of(verified_directory(directory, None))
    assert handover.size == size
    entry = _amended(year, Changes(relays=(relay,), handover=handover))
    await asyncio.to_thread(install_charter, folder, read_entry(entry), relay, directory)
    year.relays.append(await YearRelay.open(folder, year.clock))
    for node in year.nodes.values():
        on = node.on
        if on:
            await node.stop()
        await asyncio.to_thread(switch_relay, node.folder, _RELAY_URL, read_entry(entry), directory)
        if on:
            await node.start(year.relay)
    await year.sign()
    await year.look()


def _new_member(year: Year, code: str) -> Member:
    """A row with a new root."""
    root = SigningIdentity.from_entropy(MemberId(code), random_bytes(SIGNING_ENTROPY))
    year.roots[root.owner] = root
    return Member(root.owner, Role.MEMBER, (Name("en", f"Test state {code}"),), root.public)


async def _new_node(year: Year, code: MemberId, directory: Path | None) -> None:
    node = await asyncio.to_thread(
        YearNode.make, year.folder / f"node-{code}", year.roots[code], year.charters[0], year.clock, directory
    )
    year.nodes[code] = node
    await node.start(year.relay)


def _exported(year: Year, name: str) -> Path:
    """The relay's directory as a file."""
    path = year.folder / f"{name}.cbm"
    write_directory(path, read_entries(year.folder / f"relay-{len(year.relays)}"))
    return path


def _amended(year: Year, changes: Changes, *introduced: MemberId) -> bytes:
    """The next version of the charter, signed by all who are asked and by whoever is new in it."""
    before = year.directory.charter
    draft: Charter = amend_charter(before, changes, year.now)
    signers = chain(before.voters(), introduced)
    entry = assemble_charter(draft, [sign_charter(year.roots[code], draft) for code in signers], before)
    year.charters.append(entry)
    return encode(DIRECTORY_ENTRY, entry)
