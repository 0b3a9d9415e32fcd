"""How requests of ministries become durable: once for each idempotency key, and no file stays behind of what failed."""

import asyncio
import json
from collections.abc import Iterable

from exchange.node.access import Caller
from exchange.node.draft import Proposal, Upload
from exchange.node.parts import Parts
from exchange.node.proposing import propose
from exchange.node.taken import Taken, Warned
from exchange.storage.node_values import Idempotency, Message


class Intake:
    """Over the node's outbox."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts

    async def idempotency(
        self, caller: Caller, key: str | None, value: object, matter: Iterable[bytes]
    ) -> Idempotency | None:
        """What makes two requests the same: whose token, which key, the JSON, and what it is about."""
        if key is None:
            return None
        text = await asyncio.to_thread(json.dumps, value, sort_keys=True)
        return Idempotency(caller.token, key, self._parts.keyring.vault.request_digest(text.encode("ascii"), *matter))

    async def stored(self, idempotency: Idempotency | None) -> bytes | None:
        """What a request stored before: a message or an act. Raises Conflict for a key of another request."""
        return None if idempotency is None else await self._parts.stores.outbox.stored_for(idempotency)

    async def earlier(self, idempotency: Idempotency | None, uploads: tuple[Upload, ...]) -> Taken | None:
        """What this request stored before; its files came twice. Raises Conflict for a key of another request."""
        stored = await self.stored(idempotency)
        if stored is None:
            return None
        self._parts.files.remove_content(upload.file for upload in uploads)
        return Taken(stored, False)

    async def store(
        self,
        message: Message,
        idempotency: Idempotency | None,
        warnings: tuple[Warned, ...] = (),
        joint: Proposal | None = None,
    ) -> Taken:
        """Commit; the files of a request that was stored before, or not stored at all, are removed."""
        files = [attachment.file for attachment in message.attachments]
        try:
            stored = await self.commit(message, idempotency, joint)
        except Exception:
            # Not when it is cancelled: the commit may stand, and orphans are removed at the next start.
            self._parts.files.remove_content(files)
            raise
        if stored != message.id:
            self._parts.files.remove_content(files)
            return Taken(stored, False)
        return Taken(stored, True, warnings)

    async def commit(self, message: Message, idempotency: Idempotency | None, joint: Proposal | None = None) -> bytes:
        """Commit, and leave its files to the caller if that fails; gives the id of what stands under the key.

        `joint`: what other providers have to sign before it is a message.
        """
        if joint is not None:
            return await propose(self._parts, message, joint, idempotency)
        stored = await self._parts.stores.outbox.add_message(message, idempotency)
        if stored == message.id:
            self._parts.wakes.to_seal.set()
            self._parts.wakes.tell_news()
        return stored
