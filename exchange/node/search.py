"""The database on the Secretariat's node, and on any other: full text and facts of what it holds (1.6, 2.3.14, 3.B).

Each answer is a row that names the signed Provision it stands on, and says who may have it on which ground (1.7). What
was cancelled or withdrawn is answered with the trace that it was there: by whom, and when and by which act it ended.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from exchange.consent.decision import Ledger, Transfer
from exchange.errors import Json, TooLarge
from exchange.logs import get_logger
from exchange.node.access import Caller, Visible, may_see
from exchange.node.compose import date_text
from exchange.node.grounds import Grounds, Holding, grounds_of, holding_of
from exchange.node.obeying import obeying
from exchange.node.parts import Parts
from exchange.node.shelf import Shelf
from exchange.node.stored import open_manifest
from exchange.node.text_index import Indexed, TextIndex, Wanted
from exchange.records.chain import Chains, State, build
from exchange.records.facts import RecordFact
from exchange.records.links import key_of
from exchange.records.words import words_of
from exchange.storage.node_values import Message
from keys.digests import provision_digest
from keys.directory import Directory
from keys.errors import KeyFault
from keys.vault import Vault
from schemas.canon import encode
from schemas.errors import DecodeError
from schemas.provision import SIGNED_PROVISION, SignedProvision
from schemas.terms import Precedence

# A record may have 4 MiB, and all of a batch is in memory at once.
_BATCH: Final = 16
_ENDED: Final = frozenset({State.CANCELLED, State.WITHDRAWN})
# What a peer can bring about: so many records name this one that what became of it cannot be told.
UNCLEAR: Final = "unclear"
_WITHDRAWN_CONSENT: Final = "consent-withdrawn"


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first; `last`: place of the last one, None on the last page; `complete`: no text left the index."""

    rows: tuple[dict[str, Json], ...]
    last: int | None
    complete: bool


@dataclass(frozen=True, slots=True)
class _Kind:
    """What decides who may see a message."""

    measure: str
    record_type: str
    ministry: str | None


class Search:
    """Answers over an index in memory that follows the store. One for a node: the index is made once."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._shelf = Shelf(parts)
        # Made for the first question: a node that is never asked needs none.
        self._index: TextIndex | None = None
        self._known = {"inbox": 0, "outbox": 0}
        self._damaged = False
        self._lock = asyncio.Lock()
        self._log = get_logger("search")

    async def find(self, wanted: Wanted, caller: Caller, before: int, limit: int) -> Page:
        """The newest `limit` rows before a place that the caller may see. Raises StoreFault, or Unavailable."""

        def seen(measure: str, record_type: str, ministry: str | None) -> bool:
            what: Visible = _Kind(measure, record_type, ministry)
            return may_see(caller, what)

        async with self._lock:
            index = self._index = self._index or TextIndex()
            await self._follow(index)
            found = await asyncio.to_thread(index.find, wanted, seen, before, limit)
        messages = [await self._parts.stores.views.message(ident) for ident, _ in found]
        # One may have been purged since it was indexed.
        rows = await self._rows([message for message in messages if message is not None])
        await self._veil(rows, caller)
        last = found[-1][1] if found and len(found) == limit else None
        return Page(tuple(rows), last, index.complete and not self._damaged)

    async def forget(self) -> None:
        """Drop the index: it may hold what was destroyed. The next question makes another."""
        async with self._lock:
            if self._index is not None:
                await asyncio.to_thread(self._index.close)
            self._index = None
            self._known = {"inbox": 0, "outbox": 0}

    async def _follow(self, index: TextIndex) -> None:
        """Take in what was stored since the last question."""
        for box in self._known:
            while True:
                new = await self._parts.stores.views.messages(box, self._known[box], _BATCH, ("*",), None)
                if not new:
                    break
                await asyncio.to_thread(index.add, self._readable(new))
                self._known[box] = new[-1].seq

    def _readable(self, messages: Iterable[Message]) -> Iterator[Indexed]:
        """What was changed on the disk is not found; it keeps nothing else from being found."""
        for message in messages:
            try:
                yield _indexed(self._parts.keyring.vault, message)
            except (KeyFault, DecodeError, ValueError, KeyError) as fault:
                self._spoilt(message, fault)

    def _spoilt(self, message: Message, fault: Exception) -> None:
        self._damaged = True
        self._log.error("search.damaged", message=message.id.hex(), fault=type(fault).__name__)

    async def _rows(self, messages: Iterable[Message]) -> list[dict[str, Json]]:
        found = []
        for message in messages:
            try:
                found.append((message, await self._shelf.of(message)))
            except KeyFault as fault:
                self._spoilt(message, fault)
        chains = await self._chains(fact for _, fact in found)
        holdings = [holding_of(message) for message, _ in found]
        provisions = (signed for holding in holdings for signed in holding.provisions)
        directory = await obeying(self._parts, provisions, (signed for one in holdings for signed in one.grants))
        return await asyncio.to_thread(
            lambda: [self._row(m, fact, chains[fact.record_id], directory) for m, fact in found]
        )

    async def _veil(self, rows: Iterable[dict[str, Json]], caller: Caller) -> None:
        """That a record ended is told to whoever may see it; of an act that another ministry sent, no names."""
        for row in rows:
            ended = row.get("ended")
            if isinstance(ended, dict):
                act = await self._parts.stores.views.message(bytes.fromhex(str(ended["message"])))
                if act is None or not may_see(caller, act):
                    row["ended"] = {**ended, "message": None, "record_id": None}

    async def _chains(self, facts: Iterable[RecordFact]) -> dict[str, Chains | None]:
        """For each record id what became of it, None where it cannot be told: too much names it, or is damaged."""
        ids = sorted({fact.record_id for fact in facts})
        try:
            whole = await asyncio.to_thread(build, await self._shelf.around(ids))
            return dict.fromkeys(ids, whole)
        except (TooLarge, KeyFault):
            pass
        found: dict[str, Chains | None] = {}
        for ident in ids:
            try:
                found[ident] = await asyncio.to_thread(build, await self._shelf.around([ident]))
            except (TooLarge, KeyFault):
                found[ident] = None
        return found

    def _row(self, message: Message, fact: RecordFact, chains: Chains | None, directory: Directory) -> dict[str, Json]:
        holding = holding_of(message)
        grounds = self._grounds(holding, directory)
        status = _status(fact, chains)
        ended = chains.ended_by(fact) if chains is not None and status in _ENDED else None
        if grounds.withdrawn and ended is None:
            status = _WITHDRAWN_CONSENT
        gone = status in {*_ENDED, _WITHDRAWN_CONSENT, UNCLEAR}
        row: dict[str, Json] = {
            "message": message.id.hex(),
            "box": message.box,
            "record_id": fact.record_id,
            "record_type": fact.record_type,
            "measure": fact.measure,
            "action": fact.action.value,
            "originators": list(fact.originators),
            "evidenced_at": None if fact.evidenced_at is None else date_text(fact.evidenced_at),
            "status": str(status),
            "provision": _provision_json(holding.own),
            "sources": [_provision_json(signed) for signed in holding.others],
            "may_receive": [] if gone else [{"member": code, "ground": ground} for code, ground in grounds.members],
        }
        if ended is not None:
            row["ended"] = _act_json(ended)
        if not gone:
            row["title"] = dict(fact.title)
            row["sha256"] = fact.digest
        return row

    def _grounds(self, holding: Holding, directory: Directory) -> Grounds:
        """To whom this node's member may pass it on now, without urgency and for the purpose that it was given for."""
        parts = self._parts
        readers = tuple(sorted(member for member in directory.members if member != parts.member))
        transfer = Transfer(
            sender=parts.member,
            recipients=readers,
            provisions=holding.provisions,
            grants=holding.grants,
            purpose=holding.own.provision.purpose,
            precedence=Precedence.ROUTINE,
        )
        return grounds_of(transfer, directory, Ledger(), parts.clock.now())


def _indexed(vault: Vault, message: Message) -> Indexed:
    record = json.loads(open_manifest(vault, message).body)
    own = holding_of(message).own.provision
    return Indexed(message, own.providers, own.created, words_of(record))


def _status(fact: RecordFact, chains: Chains | None) -> str:
    """How the record stands; a text that uses another's id again is refused."""
    entry = None if chains is None else chains.entries.get(key_of(fact))
    if entry is None:
        return UNCLEAR
    return entry.state if entry.fact.digest == fact.digest else State.REFUSED


def _act_json(act: RecordFact) -> dict[str, Json]:
    return {
        "by": list(act.originators),
        "at": None if act.evidenced_at is None else date_text(act.evidenced_at),
        "action": act.action.value,
        "record_id": act.record_id,
        "message": act.message,
    }


def _provision_json(signed: SignedProvision) -> dict[str, Json]:
    """The Provision by its digest, with its terms and its exact signed bytes, so that anyone can verify it."""
    provision = signed.provision
    return {
        "digest": provision_digest(signed.body).hex(),
        "id": provision.id.hex(),
        "providers": list(provision.providers),
        "audience": list(provision.audience),
        "onward": provision.onward.label,
        "purpose": provision.purpose.label,
        "tlp": provision.tlp.label,
        "created": date_text(provision.created),
        "until": None if provision.until is None else date_text(provision.until),
        "signed": encode(SIGNED_PROVISION, signed).hex(),
    }
