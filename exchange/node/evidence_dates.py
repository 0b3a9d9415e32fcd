"""Adds to an evidence file what shows when things were: entries of the relay's log, and how far the directory was then.

Keys end, and what they signed counts only as far as a log shows that it stood there before
(docs/protocol.md, "Evidence files"). Nothing is judged here but what the relay gives, which is left out when it does
not hold.
"""

import asyncio
from dataclasses import replace
from typing import Final

from exchange.delivery.logged import acceptance_fault
from exchange.errors import ExchangeError
from exchange.logs import get_logger
from exchange.node.arrival import read_delivery
from exchange.node.parts import Parts
from exchange.node.transport import RelayRefused
from keys.answered import logged_answer
from keys.digests import sha256
from schemas.canon import decode
from schemas.envelope import Core, decode_header
from schemas.errors import DecodeError
from schemas.evidence import LOGGED_ENTRY, EnvelopeEvidence, Evidence, LoggedEntry
from schemas.ids import MemberId
from schemas.limits import (
    KIB,
    MAX_EVIDENCE_EARLIER,
    MAX_EVIDENCE_ENVELOPES,
    MAX_ORIGIN_NOTE,
    MAX_SMALL_OBJECT,
)
from schemas.origin import ORIGINS
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT

# Seconds for which the relay is asked for its log's entries; the file is made without them else.
_PATIENCE: Final = 20
_MAX_ANSWER: Final = MAX_ORIGIN_NOTE + 16 * KIB


class Dates:
    """Finds them. Reads only."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._log = get_logger("evidence")

    async def added(self, evidence: Evidence) -> Evidence:
        """With what the log says of acceptances and acknowledgements, and the earlier checkpoints of the directory."""
        envelopes, heads, entries = list(evidence.envelopes), list(evidence.heads), list[LoggedEntry]()
        try:
            async with asyncio.timeout(_PATIENCE):
                for items in (envelopes, heads):
                    for place, item in enumerate(items):
                        items[place] = await self._accepted(item)
                        entries += await self._answered(item)
        except (ExchangeError, TimeoutError) as fault:
            self._log.info("evidence.without-entries", why=str(fault))
        evidence = replace(
            evidence, envelopes=tuple(envelopes), heads=tuple(heads), entries=tuple(entries[:MAX_EVIDENCE_ENVELOPES])
        )
        earlier = self._parts.directory.notes_before(*_concerned(evidence))
        return replace(evidence, earlier=earlier[:MAX_EVIDENCE_EARLIER])

    async def _accepted(self, item: EnvelopeEvidence) -> EnvelopeEvidence:
        """With the proof of its acceptance: of own heads, and of what was sent anew, none is fetched before."""
        if item.receipt is None or item.logged is not None:
            return item
        delivered = read_delivery(item.header, item.receipt)
        core = delivered.header.core
        try:
            proof = await self._parts.relay.origin(core.sender, core.id)
            logged = None if proof is None else decode(ORIGINS, proof, _MAX_ANSWER)
        except (RelayRefused, DecodeError) as why:
            self._log.info("evidence.no-proof", envelope=core.id.hex(), why=str(why))
            return item
        if logged is None:
            return item
        receipt, directory = delivered.receipt.receipt, self._parts.directory
        fault = await asyncio.to_thread(acceptance_fault, logged, delivered.header, receipt, directory)
        return item if fault is not None else replace(item, logged=logged)

    async def _answered(self, item: EnvelopeEvidence) -> list[LoggedEntry]:
        core = decode_header(item.header).core
        return [entry for raw in item.acknowledgements for entry in await self._logged(core, raw)]

    async def _logged(self, core: Core, raw: bytes) -> list[LoggedEntry]:
        """The entry about one acknowledgement, when the relay has it and it holds: others prove nothing."""
        directory = self._parts.directory
        recipient = decode(SIGNED_ACKNOWLEDGEMENT, raw, 2 * MAX_SMALL_OBJECT).acknowledgement.recipient
        try:
            proof = await self._parts.relay.origin(core.sender, core.id, recipient)
            logged = None if proof is None else decode(LOGGED_ENTRY, proof, _MAX_ANSWER)
        except (RelayRefused, DecodeError) as why:
            self._log.info("evidence.no-entry", envelope=core.id.hex(), recipient=recipient, why=str(why))
            return []
        if logged is None:
            return []
        proved = await asyncio.to_thread(logged_answer, logged, directory.current, directory.least_size)
        return [logged for origin in proved if origin.digest == sha256(raw)]


def _concerned(evidence: Evidence) -> tuple[int, frozenset[MemberId], frozenset[bytes]]:
    """The smallest directory by which something was decided; who signed; ids of what may have been withdrawn."""
    sizes, members, named = set[int](), set[MemberId](), set[bytes]()
    for item in (*evidence.envelopes, *evidence.heads):
        header = decode_header(item.header)
        core = header.core
        members |= {core.sender, *(wrap.recipient for wrap in header.wraps)}
        for said in core.provisions:
            members.update(said.provision.providers)
            named.add(said.provision.id)
        for grant in core.grants:
            members.add(grant.grant.provider)
            named.add(grant.grant.id)
        for origins in (item.logged, core.origins):
            sizes.update(() if origins is None else (one.acceptance.directory_size for one in origins.proofs))
        if item.receipt is not None:
            sizes.add(decode(SIGNED_RECEIPT, item.receipt, 2 * MAX_SMALL_OBJECT).receipt.directory_size)
    return min(sizes, default=0), frozenset(members), frozenset(named)
