"""Messages stored before there was an index of records, or without a place in it, get one at the node's start.

Each batch is one transaction, so that a start that was cut short goes on where it stopped.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from exchange.logs import get_logger
from exchange.node.parts import Parts
from exchange.node.shelf import fact_of
from exchange.records.threads import refers_to
from exchange.storage.node_values import HeldRecord, IndexRow
from keys.errors import KeyFault
from keys.vault import Vault
from schemas.errors import DecodeError
from schemas.ids import MemberId

# A record may have 4 MiB, and all of a batch is in memory at once.
_BATCH: Final = 16


async def index_stored(parts: Parts) -> int:
    """Index what is due; gives how many. A message that cannot be opened is logged and stays due. Raises StoreFault."""
    log = get_logger("indexing")
    records = parts.stores.records
    indexed = 0
    after = b""
    while due := await records.due(after, _BATCH):
        held = await records.held(due)
        rows, damaged = await asyncio.to_thread(_rows, parts.keyring.vault, parts.member, held)
        await records.index(tuple(rows))
        for message in damaged:
            log.error("record.damaged", message=message.hex())
        indexed += len(rows)
        after = due[-1]
    return indexed


def _rows(vault: Vault, member: MemberId, held: Iterable[HeldRecord]) -> tuple[list[IndexRow], list[bytes]]:
    rows: list[IndexRow] = []
    damaged: list[bytes] = []
    for one in held:
        try:
            fact = fact_of(vault, member, one)
        except (KeyFault, DecodeError):
            damaged.append(one.message.id)
        else:
            rows.append(IndexRow(one.message.id, fact.record_id, refers_to(fact)))
    return rows, damaged
