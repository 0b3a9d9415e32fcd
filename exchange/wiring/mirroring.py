"""A member's copy of the relay's audit log: its cosigned checkpoint, and the hashes of all leaves under it.

The hashes are of salted leaves and say nothing of other members. They say what the log is: whoever has them finds in
the relay's own folder, or in any copy of it, the first entry that was changed, removed or put in
(`cbm audit verify --relay DIR --anchors FILE`).
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from exchange.audit.anchor_file import AUDIT, HEAD, AnchorFile, read_anchor_file
from exchange.clock import Clock
from exchange.errors import Conflict, NotFound
from exchange.node.config import load_config
from exchange.node.transport import RelayClient
from exchange.wiring.custody import open_signing
from exchange.wiring.epochs import node_directory
from keys.checkpoint import parse_signed
from keys.errors import BadSignature
from keys.merkle import Frontier
from keys.quorum import verify_cosigned
from keys.tiles import HASH, WIDTH, Tile, width_at
from keys.view import Directory
from schemas.ids import Digest
from schemas.relayapi import PATH_LOG

# The relay bounds signed requests of a member, and the node needs its own: at this pace a million entries take 200 s.
_PAUSE: Final = 0.05
_PAGE: Final = 4096


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How many entries the file had and has, and from when on a quorum had cosigned (Unix seconds)."""

    before: int
    size: int
    cosigned: int


class LogClient(RelayClient):
    """Reads the relay's audit log as well."""

    async def tile(self, tile: Tile) -> bytes:
        """The hashes of a tile, not verified. Raises RelayUnreachable, RelayRefused or BadSignature."""
        data = await self._request("GET", f"{PATH_LOG}/{AUDIT}/{tile.path}", most=WIDTH * HASH, signed=True)
        if len(data) != tile.width * HASH:
            raise BadSignature("the relay shows a tile of another size than its checkpoint has")
        return data


async def mirror(folder: Path, passphrase: bytes, file: Path, clock: Clock) -> Mirrored:
    """`bring_up` as the node in `folder`, running or not. Raises KeystoreFault for a wrong passphrase."""
    config, directory = load_config(folder), node_directory(folder)
    digests = tuple(digest for relay in directory.charter.relays for digest in relay.tls_digests)
    client = LogClient(config.relay_url, digests, open_signing(folder, config, passphrase), clock)
    try:
        return await bring_up(client, directory, file)
    finally:
        await client.close()


async def bring_up(client: LogClient, directory: Directory, file: Path) -> Mirrored:
    """Bring a file up to the relay's published log.

    Raises Conflict when the log does not continue what the file has, which then stays as it is; NotFound while none is
    published; RelayUnreachable, RelayRefused, KeyFault or DecodeError.
    """
    note = await client.checkpoint(AUDIT)
    if note is None:
        raise NotFound("no-checkpoint", "the relay has published no checkpoint of its audit log yet: try again")
    checkpoint, quorum = verify_cosigned(parse_signed(note), AUDIT, directory)
    before = _parts(file)
    if before is not None and before.signed.checkpoint.origin != checkpoint.origin:
        raise Conflict("other-log", f"{file} is of {before.signed.checkpoint.origin}: give another file")
    known = 0 if before is None else before.size
    aside = file.with_name(file.name + ".new")
    with aside.open("wb") as out:
        aside.chmod(0o600)
        out.write(note)
        grown = await _copy(out, _held(file, before), Frontier())
        if checkpoint.size > known:
            grown = await _copy(out, _rest(client, known, checkpoint.size), grown)
        out.flush()
        os.fsync(out.fileno())
    if grown.root != checkpoint.root:
        told = f"{checkpoint.size} entries of the relay's audit log are not those of which {file} has the hashes"
        detail = f"{told}: keep that file, and {aside}; a quorum has cosigned both" if known else "its tiles are false"
        raise Conflict("relay-log-contradicts", detail)
    await asyncio.to_thread(aside.replace, file)
    return Mirrored(known, checkpoint.size, quorum.first)


def _parts(file: Path) -> AnchorFile | None:
    """Of the file as it is; None when there is none."""
    if not file.exists():
        return None
    with file.open("rb") as held:
        return read_anchor_file(held.read(HEAD), file.stat().st_size)


async def _held(file: Path, parts: AnchorFile | None) -> AsyncIterator[bytes]:
    if parts is None or parts.start is None:
        return
    with file.open("rb") as held:
        held.seek(parts.start)
        while data := held.read(_PAGE * HASH):
            yield data


async def _rest(client: LogClient, first: int, size: int) -> AsyncIterator[bytes]:
    """From an index on; the part of its tile before it is not taken."""
    for index in range(first // WIDTH, -(-size // WIDTH)):
        data = await client.tile(Tile(0, index, width_at(0, index, size)))
        yield data[max(0, first - index * WIDTH) * HASH :]
        await asyncio.sleep(_PAUSE)


async def _copy(out: BinaryIO, pieces: AsyncIterator[bytes], frontier: Frontier) -> Frontier:
    async for data in pieces:
        out.write(data)
        frontier = frontier.extend(_digests(data))
    return frontier


def _digests(data: bytes) -> Iterator[Digest]:
    return (Digest(data[place : place + HASH]) for place in range(0, len(data), HASH))
