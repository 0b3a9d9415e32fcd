"""A node's directory as a file: written out, taken in, and what a node does when another relay takes over.

What is taken in is verified as a whole before the first entry is stored; entries that are here already have to be the
same. A crash leaves a part of it, all of which stands in the whole: the same command goes on.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from pydantic import ValidationError

from exchange.errors import Invalid
from exchange.node.config import CONFIG_FILE, NodeConfig, load_config
from exchange.process import sole_owner, write_durably
from exchange.storage.engine import Database
from exchange.storage.node_reading import DATABASE, read_directory
from exchange.storage.node_views import SqliteAccess
from exchange.wiring import relay_directory
from exchange.wiring.epochs import node_directory
from keys.directory import Directory, extend
from keys.errors import Untrusted
from schemas.canon import encode
from schemas.ids import Digest
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry

_AT_ONCE = 256
_RELAY_URL = re.compile(r"^relay_url\s*=.*$", re.MULTILINE)


def export_directory(folder: Path, out: Path) -> Directory:
    """Write the directory as this node has verified it. Raises StoreFault, Untrusted, Invalid, OSError."""
    directory = node_directory(folder)
    relay_directory.write_directory(out, islice(read_directory(folder), directory.size))
    return directory


def take_directory(folder: Path, path: Path | None, charter: DirectoryEntry | None = None) -> Directory:
    """Bring the stored directory up to that of a file, and to the `charter` version that comes after it.

    Gives the verified view of these. Raises Untrusted when it is not the same directory or does not verify, Malformed,
    DecodeError, BadSignature.
    """
    stored = read_directory(folder)
    raw = b"" if charter is None else encode(DIRECTORY_ENTRY, charter)
    if path is None:
        view = node_directory(folder)
    else:
        view = relay_directory.verified_directory(path, Digest(bytes.fromhex(load_config(folder).charter_digest)))
    if charter is None or (path is None and raw in stored):
        last: tuple[bytes, ...] = ()
    else:
        view, last = extend(view, [charter]), (raw,)

    def entries() -> Iterator[bytes]:
        return chain(stored if path is None else relay_directory.read_directory(path), last)

    _check_same(stored, entries())
    asyncio.run(_append(folder, len(stored), islice(entries(), len(stored), None)))
    return view


def switch_relay(folder: Path, url: str, charter: DirectoryEntry | None, directory: Path | None) -> Directory:
    """Have the node use the relay at `url` from its next start on.

    `charter`: the version that names the relay; `directory`: the file of the one that is replaced. Raises Conflict
    while the node runs, Invalid for an address that cannot be, and as `take_directory`.
    """
    with sole_owner(folder):
        text = _with_relay(folder, url)
        view = take_directory(folder, directory, charter)
        write_durably(folder / CONFIG_FILE, text.encode("utf-8"))
    return view


def _check_same(stored: Iterable[bytes], entries: Iterable[bytes]) -> None:
    for index, (ours, theirs) in enumerate(zip(stored, entries, strict=False)):
        if ours != theirs:
            raise Untrusted(
                f"entry {index} of this node's directory is another one than there: use neither, keep both, and "
                "compare with the other members"
            )


async def _append(folder: Path, size: int, entries: Iterator[bytes]) -> None:
    database = Database.open(folder / DATABASE, "node")
    try:
        access = SqliteAccess(database)
        while page := tuple(islice(entries, _AT_ONCE)):
            await access.append_directory(size, page)
            size += len(page)
    finally:
        await database.close()


def _with_relay(folder: Path, url: str) -> str:
    """The settings' text with another relay. Raises Invalid."""
    path = folder / CONFIG_FILE
    try:
        NodeConfig.model_validate({**load_config(folder).model_dump(), "relay_url": url})
    except ValidationError as fault:
        raise Invalid("bad-config", f"{url} is no address of a relay: {fault.errors()[0]['msg']}") from None
    text, count = _RELAY_URL.subn(lambda _: f"relay_url = {json.dumps(url)}", path.read_text("utf-8"))
    if count != 1:
        raise Invalid("bad-config", f"{path} has not one line relay_url: set it by hand")
    return text
