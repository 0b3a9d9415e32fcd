"""The directory's log in the demo: who cosigned it, and what it does to a key that its state revokes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from exchange.clock import SystemClock
from exchange.demo.site import PASSPHRASE, Site
from exchange.errors import Unavailable
from exchange.node.parts import Parts
from exchange.wiring.node import open_parts
from keys.ceremony import revoke_signing_key
from keys.checkpoint import parse_signed
from keys.quorum import verify_cosigned
from schemas.canon import encode
from schemas.endings import RevocationReason
from schemas.statement import DIRECTORY_ENTRY

_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint that verified: how many entries, which members' nodes cosigned it, how many of them it needs."""

    size: int
    members: tuple[str, ...]
    needed: int


async def witnessed(folder: Path) -> Witnessed:
    """The relay's newest checkpoint of the directory, as the node in `folder` verifies it. Raises KeyFault."""
    async with _node(folder) as parts:
        await parts.directory.update(parts.relay, parts.clock.now())
        note = await parts.relay.checkpoint("directory")
        if note is None:
            raise Unavailable("no-checkpoint", "the relay shows no checkpoint of the directory")
        checkpoint, quorum = verify_cosigned(parse_signed(note), "directory", parts.directory.current)
        return Witnessed(checkpoint.size, tuple(sorted(quorum.times)), quorum.needed)


async def revoke(site: Site, member: str, by: str, patience: float) -> bool:
    """A member's root revokes its node's key; another member's node publishes that. Whether it is cosigned in time."""
    deadline = time.monotonic() + patience
    async with _node(site.node(member)) as parts:
        name = (parts.member, parts.keyring.signing.key_id)
        now = parts.clock.now()
    entry = revoke_signing_key(site.roots[member], name[1], RevocationReason.COMPROMISED, now, now)
    async with _node(site.node(by)) as parts:
        await parts.relay.publish(encode(DIRECTORY_ENTRY, entry))
        while name not in parts.directory.current.revoked:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL)
            await parts.directory.update(parts.relay, parts.clock.now())
    return True


@contextlib.asynccontextmanager
async def _node(folder: Path) -> AsyncIterator[Parts]:
    """A node's parts, beside its process."""
    parts, database = await open_parts(folder, PASSPHRASE, SystemClock())
    try:
        yield parts
    finally:
        await parts.relay.close()
        await database.close()
