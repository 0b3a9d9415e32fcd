"""The records that an edition could be made of, each with who may have it, and what its envelope carries of them."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from exchange.consent.decision import Ledger, Transfer, Use
from exchange.errors import Invalid
from exchange.node.draft import Carried
from exchange.node.grounds import Grounds, Holding, grants_to, grounds_of, holding_of
from exchange.node.holding import HeldGrants
from exchange.node.obeying import obeying
from exchange.node.parts import Parts
from exchange.records.chain import State, build
from exchange.records.database import Compilation, Source, Topic
from exchange.records.facts import RecordFact
from exchange.records.links import key_of
from keys.digests import provision_digest
from keys.verify import Moment, grant_fault
from schemas.grant import SignedGrant
from schemas.ids import GrantId, MemberId, ProvisionId
from schemas.limits import MAX_GRANT_PAIRS, MAX_GRANTS, MAX_PROVIDERS
from schemas.provision import SignedProvision
from schemas.terms import Precedence, Purpose

# Of each source one by each provider is needed; a provider that makes more must not make this node verify them all.
_MOST_GRANTS: Final = 4 * MAX_PROVIDERS
_NOT_CHOSEN: Final = "it was not chosen for this edition"
_COMPILED: Final = "its envelope has further Provisions, so it was compiled from others' records: take those"
_SAME_NAME: Final = "its Provision has the id of another of the same states"
_TOO_LARGE: Final = "its sources need more Grants than an envelope carries: choose fewer sources or readers"


class Sources:
    """What can go into one edition."""

    def __init__(
        self,
        parts: Parts,
        topic: Topic,
        readers: tuple[MemberId, ...],
        purpose: Purpose,
        precedence: Precedence,
        at: int,
        chosen: Collection[str] | None,
    ) -> None:
        """For one topic, audience, purpose and precedence, sent at `at`; `chosen`: ids of records, None for all."""
        self._parts = parts
        self._directory = parts.directory.current
        self._topic = topic
        self._readers = readers
        self._purpose = purpose
        self._precedence = precedence
        self._at = at
        self._chosen = None if chosen is None else frozenset(chosen)
        self._provisions: dict[str, SignedProvision] = {}
        self._grants: Mapping[tuple[MemberId, GrantId], SignedGrant] = {}
        self._uses: dict[str, tuple[Use, ...]] = {}
        self._held = HeldGrants(parts)
        self._counted: frozenset[Use] = frozenset()

    async def gather(self, facts: Collection[RecordFact]) -> list[Source]:
        """Every record with who may have it; what is no source goes along, since it may act on one."""
        ordered = sorted(facts, key=lambda fact: fact.order)
        chains = await asyncio.to_thread(build, ordered)
        holdings: dict[str, Holding] = {}
        for fact in ordered:
            # Consent is asked for what could be a row; the others are here for what they do to rows.
            if self._topic.covers(fact) and chains.entries[key_of(fact)].state is State.CURRENT:
                message = await self._parts.stores.views.message(bytes.fromhex(fact.message))
                if message is not None:
                    holdings[fact.message] = holding_of(message)
        provisions = (signed for holding in holdings.values() for signed in holding.provisions)
        held = await self._held.of([holding.own for holding in holdings.values()], self._at)
        grants = (*held, *(signed for holding in holdings.values() for signed in holding.grants))
        self._directory = await obeying(self._parts, provisions, grants)
        self._counted = await self._held.uses(*grants)
        self._grants = {**self._verified(held), **grants_to(self._parts.member, holdings.values())}
        return await asyncio.to_thread(self._judged, ordered, holdings)

    def carried(self, compilation: Compilation) -> Carried:
        """What the envelope of an edition has to carry. Raises Invalid when no envelope can."""
        provisions = [self._provisions[digest] for digest in compilation.provisions]
        names = {(use.provider, use.grant) for row in compilation.rows for use in self._uses[row.provision]}
        grants = [self._grants[name] for name in sorted(names)]
        pairs = sum(g.grant.is_about(p.provision) for g in grants for p in provisions)
        if len(grants) > MAX_GRANTS or pairs > MAX_GRANT_PAIRS:
            raise Invalid("compilation-too-large", _TOO_LARGE)
        return Carried(tuple(provisions), tuple(grants), self._counted)

    def _verified(self, held: Iterable[SignedGrant]) -> dict[tuple[MemberId, GrantId], SignedGrant]:
        """Of the Grants that are held, those for this purpose whose signatures hold: another would refuse the whole."""
        moment = Moment(self._directory, self._at)
        return {
            (signed.grant.provider, signed.grant.id): signed
            for signed in held
            if signed.grant.purpose == self._purpose and grant_fault(signed, moment) is None
        }

    def _judged(self, facts: Iterable[RecordFact], holdings: Mapping[str, Holding]) -> list[Source]:
        """By evidence, so that of two that want one name, or the last use of a Grant, the earlier has it."""
        used = self._counted
        named: dict[tuple[ProvisionId, tuple[MemberId, ...]], bytes] = {}
        found = []
        for fact in facts:
            holding = holdings.get(fact.message)
            if holding is None:
                found.append(Source(fact, "", "", False, ()))
                continue
            own = holding.own
            digest = provision_digest(own.body)
            name = (own.provision.id, own.provision.providers)
            barred = self._barred(fact, holding)
            if barred is None and named.setdefault(name, digest) != digest:
                barred = _SAME_NAME
            grounds = Grounds(()) if barred is not None else self._grounds(holding, Ledger(uses=used))
            if len(grounds.members) == len(self._readers):
                used |= frozenset(grounds.uses)
            self._provisions[digest.hex()] = own
            self._uses[digest.hex()] = grounds.uses
            terms = own.provision.onward.label
            found.append(Source(fact, digest.hex(), terms, grounds.withdrawn, grounds.members, barred))
        return found

    def _barred(self, fact: RecordFact, holding: Holding) -> str | None:
        if self._chosen is not None and fact.record_id not in self._chosen:
            return _NOT_CHOSEN
        return _COMPILED if holding.others else None

    def _grounds(self, holding: Holding, ledger: Ledger) -> Grounds:
        parts = self._parts
        about = [signed for signed in self._grants.values() if signed.grant.is_about(holding.own.provision)]
        grants = tuple(about[:_MOST_GRANTS])
        transfer = Transfer(parts.member, self._readers, holding.provisions, grants, self._purpose, self._precedence)
        return grounds_of(transfer, self._directory, ledger, self._at)
