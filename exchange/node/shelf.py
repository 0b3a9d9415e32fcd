"""What this node knows of the records that it sent and received, as facts for the rules of `exchange.records`.

Records are found by their ids in an index; only those asked for are opened.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Iterable
from typing import Final

from exchange.errors import TooLarge
from exchange.node.access import Caller, may_see
from exchange.node.parts import Parts
from exchange.node.stored import open_manifest, provision_of
from exchange.records.facts import Box, EnvelopeFacts, RecordFact, record_fact
from exchange.records.threads import NOMINATION, refers_to, thread_of
from exchange.storage.node_values import HeldRecord, Message, RecordRow
from keys.vault import Vault
from schemas.canon import decode
from schemas.ids import MemberId
from schemas.limits import KIB, MAX_SMALL_OBJECT, MIB
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT, Outcome

# Ids of one matter, those that are not here included. A long procedure has some hundred; a peer that names one record
# without end must not make this node open thousands for each answer.
MOST_AROUND: Final = 2000
# Every record of some measures: what a review or a database of many years reads, and still fits in memory.
MOST_ABOUT: Final = 10_000
# Sealed bytes of one matter, and of measures: the largest record has 4 MiB, a usual one a few KiB. Opened, a text of
# many small numbers takes thirteen times as much memory.
MOST_BYTES_AROUND: Final = 32 * MIB
MOST_BYTES_ABOUT: Final = 128 * MIB
# To open a record costs about as much as these bytes of a large one.
_USUAL: Final = 16 * KIB
_AT_ONCE: Final = 64
_MODALITY_B: Final = "3.B"


class Shelf:
    """What this node knows of the records that it sent and received, as RecordFacts. Stateless over the stores.

    With a `caller`, only what that caller may see. A record that was sent and will never be accepted is none. Raises
    TooLarge (too-many-records), Undecryptable for what was changed on the disk, StoreFault.
    """

    def __init__(self, parts: Parts, spend: Callable[[int], None] | None = None) -> None:
        """Over the node's parts; `spend` is told what it costs, in records, before any are opened, and may raise."""
        self._parts = parts
        self._spend = spend

    async def around(self, record_ids: Iterable[str], caller: Caller | None = None) -> tuple[RecordFact, ...]:
        """The records with these ids, all that those name, and all that name any of them; each as far as it goes."""
        wanted = tuple(sorted(set(record_ids)))
        rows = await self._parts.stores.records.around(wanted, MOST_AROUND)
        if rows is None:
            if self._spend is not None:
                # Only to find out took as long.
                self._spend(MOST_AROUND)
            raise _too_many(f"more than {MOST_AROUND} records belong to this one")
        return await self._facts(rows, caller, MOST_BYTES_AROUND)

    async def about(
        self, measures: Collection[str] | None = None, caller: Caller | None = None
    ) -> tuple[RecordFact, ...]:
        """All records of these measures (None: of all)."""
        rows = await self._rows(measures, None, MOST_ABOUT)
        return await self._facts(rows, caller, MOST_BYTES_ABOUT)

    async def thread(self, fact: RecordFact, caller: Caller | None = None) -> tuple[RecordFact, ...]:
        """The thread of a record, held or about to be sent, without the record itself (`threads.thread_of`)."""
        found = await self.around((fact.record_id, *refers_to(fact)), caller)
        if fact.measure == _MODALITY_B:
            # Each record of the modality is judged by them: no more than of one matter, whoever makes them.
            rows = await self._rows((_MODALITY_B,), NOMINATION, MOST_AROUND)
            nominations = await self._facts(rows, caller, MOST_BYTES_AROUND)
            found = tuple({(row.box, row.message): row for row in (*found, *nominations)}.values())
        return thread_of(found, fact)

    async def of(self, message: Message) -> RecordFact:
        """The record of a stored message."""
        (held,) = await self._parts.stores.records.held((message.id,))
        return await asyncio.to_thread(fact_of, self._parts.keyring.vault, self._parts.member, held)

    async def _rows(
        self, measures: Collection[str] | None, record_type: str | None, most: int
    ) -> tuple[RecordRow, ...]:
        wanted = None if measures is None else tuple(sorted(set(measures)))
        rows = await self._parts.stores.records.about(wanted, record_type, most)
        if rows is None:
            raise _too_many(f"more than {most} records: ask for fewer measures")
        return rows

    async def _facts(self, rows: Iterable[RecordRow], caller: Caller | None, most: int) -> tuple[RecordFact, ...]:
        parts = self._parts
        seen = [row for row in rows if caller is None or may_see(caller, row)]
        if sum(row.size for row in seen) > most:
            raise _too_many(f"these {len(seen)} records have more than {most // MIB} MiB together")
        if self._spend is not None:
            self._spend(sum(1 + row.size // _USUAL for row in seen))
        facts: list[RecordFact] = []
        for start in range(0, len(seen), _AT_ONCE):
            some = tuple(row.message for row in seen[start : start + _AT_ONCE])
            held = await parts.stores.records.held(some)
            facts += await asyncio.to_thread(_facts_of, parts.keyring.vault, parts.member, held)
        return tuple(facts)


def fact_of(vault: Vault, member: MemberId, held: HeldRecord) -> RecordFact:
    """The fact of one stored message of `member`'s node. Raises Undecryptable."""
    message = held.message
    manifest = open_manifest(vault, message)
    received = message.box == Box.INBOX
    times = [decode(SIGNED_RECEIPT, raw, 2 * MAX_SMALL_OBJECT).receipt.time for raw in held.receipts]
    answers = (
        decode(SIGNED_ACKNOWLEDGEMENT, raw, 2 * MAX_SMALL_OBJECT).acknowledgement for raw in held.acknowledgements
    )
    envelope = EnvelopeFacts(
        message=message.id.hex(),
        box=Box(message.box),
        sender=MemberId(message.path[-1]) if received else member,
        audience=provision_of(message).audience,
        evidenced_at=min(times, default=None),
        delivered=tuple((ack.recipient, ack.time) for ack in answers if ack.outcome is Outcome.DELIVERED),
    )
    return record_fact(json.loads(manifest.body), manifest.body, envelope)


def _facts_of(vault: Vault, member: MemberId, held: Iterable[HeldRecord]) -> list[RecordFact]:
    return [fact_of(vault, member, record) for record in held]


def _too_many(why: str) -> TooLarge:
    return TooLarge("too-many-records", why)
