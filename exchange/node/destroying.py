"""What this node has of one content beside its messages, so that all of it can be destroyed.

What carried it as a joint draft, and acts that wait for officials, are sealed: the store alone cannot tell of them.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Final

from exchange.errors import ExchangeError
from exchange.node.act_values import ActSealer, Opened
from exchange.node.acts import OPEN
from exchange.node.held import carried_of
from exchange.node.parts import Parts
from exchange.node.stored import open_manifest
from exchange.storage.act_port import Act
from exchange.storage.node_values import Message
from exchange.storage.withdrawal_port import Destruction
from keys.digests import provision_digest
from keys.errors import KeyFault
from schemas.canon import decode
from schemas.consent import JOINT_DRAFT
from schemas.errors import DecodeError
from schemas.limits import MAX_RECORD

# Each may have some megabytes, and all of a batch is in memory at once.
_BATCH: Final = 16
_MOST_ACTS: Final = 10_000
_ENDED: Final = "what it concerns was destroyed after its provider withdrew consent"
_FAULTS: Final = (ExchangeError, KeyFault, DecodeError, ValueError, KeyError)


class Destroyer:
    """Finds it. Stateless over the stores."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._sealer = ActSealer(parts.keyring.vault)

    async def all_of(self, provision: bytes, messages: Collection[bytes]) -> Destruction:
        """Everything under a Provision (its digest); `messages`: ids of those that stand under it here."""
        return Destruction(provision, await self._carriers(provision), await self._acts(provision, messages))

    async def _carriers(self, provision: bytes) -> tuple[bytes, ...]:
        found: list[bytes] = []
        last = 0
        while batch := await self._parts.stores.destroyed.draft_carriers(last, _BATCH):
            found += await asyncio.to_thread(self._carrying, batch, provision)
            last = batch[-1].seq
        return tuple(found)

    def _carrying(self, messages: Iterable[Message], provision: bytes) -> list[bytes]:
        return [message.id for message in messages if self._drafted(message) == provision]

    def _drafted(self, message: Message) -> bytes | None:
        """Digest of the Provision that a message carried; None for what was altered, or is no draft."""
        try:
            manifest = open_manifest(self._parts.keyring.vault, message)
            return provision_digest(decode(JOINT_DRAFT, manifest.body, MAX_RECORD).provision)
        except _FAULTS:
            return None

    async def _acts(self, provision: bytes, messages: Collection[bytes]) -> tuple[tuple[bytes, bytes], ...]:
        store, ended = self._parts.stores.acts, []
        for listed in await store.acts(OPEN, _MOST_ACTS):
            act = await store.act(listed.id)
            if act is not None and self._concerns(act, provision, messages):
                ended.append((act.id, self._sealer.seal_fault(act.id, _ENDED)))
        return tuple(ended)

    def _concerns(self, act: Act, provision: bytes, messages: Collection[bytes]) -> bool:
        """Whether an act would pass it on, sign it, or send what was compiled of it."""
        try:
            payload = (opened := self._sealer.open(act)).payload
            source, draft = payload.get("source"), payload.get("draft")
            of_message = source is not None and bytes.fromhex(source) in messages
            return of_message or draft == provision.hex() or provision in _sources(opened)
        except _FAULTS:
            return False


def _sources(opened: Opened) -> set[bytes]:
    if "provisions" not in opened.payload:
        return set()
    return {bytes(provision_digest(signed.body)) for signed in carried_of(opened.payload).provisions}
