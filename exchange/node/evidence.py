"""Puts together what this node has on file of a message, or of the streams with a partner, as one evidence file.

Nothing is judged here but whether the content may leave: who gets the file judges it, with the charter alone.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from exchange.errors import NotFound, TooLarge, Unavailable
from exchange.node.evidence_dates import Dates
from exchange.node.origins import stored_origins
from exchange.node.parts import Parts
from exchange.node.stored import open_raw
from exchange.storage.head_port import StoredHead
from exchange.storage.node_values import Message, OutboxEnvelope
from exchange.storage.request_port import GIVEN, HELD
from schemas.canon import decode
from schemas.errors import DecodeError
from schemas.evidence import EnvelopeEvidence, Evidence, encode_evidence
from schemas.ids import Digest, MemberId
from schemas.limits import (
    MAX_EVIDENCE_ENVELOPES,
    MAX_EVIDENCE_ITEMS,
    MAX_EVIDENCE_REFUSALS,
    MAX_SMALL_OBJECT,
)
from schemas.provision import Provision
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT
from schemas.refused import RefusedTransfer, encode_refused

# The ways by which one message came: any member may send it in thousands of envelopes.
_WAYS: Final = 16
# Of the heads that name one envelope: one a day until the next message is sent.
_HEADS: Final = 8
_PAGE: Final = 64


class EvidenceFiles:
    """Makes evidence files. Reads only."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._dates = Dates(parts)

    async def of_message(self, provision: Provision, digest: Digest, content: Message | None) -> bytes:
        """All that is here of what stands under a Provision; with the content of a message, when one is given.

        Raises Unavailable before a directory was adopted, TooLarge.
        """
        kept = self._kept()
        sent, answers = await self._sent(digest)
        envelopes = await self._received(digest)
        envelopes += [await self._own(one, answers.get(one.envelope, ())) for one in sent]
        if content is not None:
            raw = open_raw(self._parts.keyring.vault, content)
            envelopes = [replace(item, manifest=raw) for item in envelopes]
        naming = [head for one in sent for head in await self._parts.stores.heads.naming(one.header_digest, _HEADS)]
        # One head may name several of them.
        heads = list({head.header: head for head in naming}.values())
        evidence = Evidence(
            member=self._parts.member,
            time=self._parts.clock.now(),
            provision=digest,
            partner=None,
            checkpoint=kept.note,
            envelopes=tuple(envelopes[:MAX_EVIDENCE_ENVELOPES]),
            heads=await self._heads(heads[:MAX_EVIDENCE_ENVELOPES]),
            refused=await self._refused(digest),
            grants=await self._grants(provision),
            statements=await self._statements(provision),
            openings=await self._openings(sent),
        )
        return await self._file(evidence)

    async def of_partner(self, partner: MemberId) -> bytes:
        """The heads of the streams from and to a partner. Raises NotFound when there are none; else as `of_message`."""
        kept = self._kept()
        heads = await self._parts.stores.heads.with_partner(partner, MAX_EVIDENCE_ENVELOPES)
        if not heads:
            raise NotFound("no-heads", f"no heads of streams with {partner} are on file here")
        evidence = Evidence(
            member=self._parts.member,
            time=self._parts.clock.now(),
            provision=None,
            partner=partner,
            checkpoint=kept.note,
            envelopes=(),
            heads=await self._heads(heads),
        )
        return await self._file(evidence)

    async def _file(self, evidence: Evidence) -> bytes:
        """With what shows when, and the directory as the members cosigned it last."""
        evidence = await self._dates.added(evidence)
        # It may have grown meanwhile, and what was added may be about the larger one.
        kept = self._kept()
        evidence = replace(evidence, checkpoint=kept.note)
        entries = (await self._parts.stores.access.directory())[: kept.size]
        try:
            return await asyncio.to_thread(encode_evidence, evidence, entries)
        except DecodeError as fault:
            raise TooLarge("evidence-too-large", f"what is on file is more than one file holds: {fault}") from None

    def _kept(self) -> "_Kept":
        newest = self._parts.directory.newest
        if newest is None or newest.note is None:
            raise Unavailable("no-directory", "this node has not adopted a cosigned directory yet: try again later")
        return _Kept(newest.size, newest.note)

    async def _received(self, digest: Digest) -> list[EnvelopeEvidence]:
        found = []
        for row in await self._parts.stores.views.received_of(digest, _WAYS):
            origin = await self._parts.stores.origins.origin(row.sender, row.envelope)
            logged = None if origin is None else stored_origins(origin)
            found.append(EnvelopeEvidence(row.header, row.receipt, logged, (row.acknowledgement,), None))
        return found

    async def _sent(self, digest: Digest) -> tuple[list[OutboxEnvelope], dict[bytes, set[bytes]]]:
        """This node's own envelopes, and by their ids the acknowledgements that name them."""
        stores = self._parts.stores
        idents = [message.id for message in await stores.destroyed.under(digest)]
        idents += [gone.message for gone in await stores.destroyed.destroyed_under(digest)]
        envelopes: dict[bytes, OutboxEnvelope] = {}
        answers: dict[bytes, set[bytes]] = {}
        for message in idents:
            envelopes |= {sent.envelope: sent for sent in await stores.views.envelopes_of(message)}
            for row in await stores.views.recipients(message):
                if row.acknowledgement is None:
                    continue
                signed = decode(SIGNED_ACKNOWLEDGEMENT, row.acknowledgement, 2 * MAX_SMALL_OBJECT)
                name = signed.acknowledgement.envelope
                answers.setdefault(name, set()).add(row.acknowledgement)
                # What was sent anew to one recipient is an envelope of no message.
                again = None if name in envelopes else await stores.evidence.envelope(name)
                envelopes |= {} if again is None else {name: again}
        return [sent for _, sent in sorted(envelopes.items())], answers

    async def _own(self, sent: OutboxEnvelope, answers: Iterable[bytes]) -> EnvelopeEvidence:
        origin = await self._parts.stores.origins.origin(None, sent.envelope)
        logged = None if origin is None or sent.receipt is None else stored_origins(origin)
        return EnvelopeEvidence(sent.header, sent.receipt, logged, tuple(sorted(answers)), None)

    async def _heads(self, heads: Iterable[StoredHead]) -> tuple[EnvelopeEvidence, ...]:
        found = []
        for head in heads:
            origin = await self._parts.stores.origins.origin(head.sender, head.envelope)
            logged = None if origin is None or head.receipt is None else stored_origins(origin)
            answers = () if head.acknowledgement is None else (head.acknowledgement,)
            found.append(EnvelopeEvidence(head.header, head.receipt, logged, answers, head.manifest))
        return tuple(found)

    async def _refused(self, provision: Digest) -> tuple[bytes, ...]:
        found: list[bytes] = []
        after = 0
        while len(found) < MAX_EVIDENCE_REFUSALS:
            rows = await self._parts.stores.refused.refused(after, _PAGE)
            about = (row for row in rows if provision in row.provisions)
            found += [encode_refused(RefusedTransfer(row.header, row.receipt, row.rule, row.time)) for row in about]
            if len(rows) < _PAGE:
                break
            after = rows[-1].seq
        return tuple(found[:MAX_EVIDENCE_REFUSALS])

    async def _grants(self, provision: Provision) -> tuple[bytes, ...]:
        """Those for this Provision or a class of it, given and held, ended ones too."""
        names = (provision.id, *provision.class_tags)
        found: set[bytes] = set()
        for provider in provision.providers:
            for box in (GIVEN, HELD):
                rows = await self._parts.stores.grants.about(box, provider, names, 0, MAX_EVIDENCE_ITEMS)
                found.update(row.signed for row in rows)
        return tuple(sorted(found)[:MAX_EVIDENCE_ITEMS])

    async def _statements(self, provision: Provision) -> tuple[bytes, ...]:
        found: set[bytes] = set()
        for provider in provision.providers:
            rows = await self._parts.stores.held.statements(provider, provision.id)
            found.update(row.signed for row in rows)
        return tuple(sorted(found)[:MAX_EVIDENCE_ITEMS])

    async def _openings(self, sent: Iterable[OutboxEnvelope]) -> tuple[bytes, ...]:
        found = [row.signed for one in sent for row in await self._parts.stores.openings.of_envelope(one.envelope)]
        return tuple(sorted(found)[:MAX_EVIDENCE_ITEMS])


@dataclass(frozen=True, slots=True)
class _Kept:
    """How far the members have cosigned the directory, and the note that says so."""

    size: int
    note: bytes
