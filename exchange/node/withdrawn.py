"""What others withdraw of what is here: told by them or shown by the directory, answered by a signed statement.

A provider that says so is obeyed at once by this node's own sending (`exchange.node.obeying`). In force it is when it
stands in the cosigned directory; until then it is announced.
"""

import asyncio
import json
from collections.abc import Collection, Iterable
from typing import Final

from exchange.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from exchange.node.access import Caller
from exchange.node.arrival import CONSENT_MEASURE
from exchange.node.courier import consent_message
from exchange.node.destroying import Destroyer
from exchange.node.obeying import names_of, withdrawal_index
from exchange.node.parts import Parts
from exchange.node.request import may_use_measure
from exchange.node.withdrawing import REASON
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.joint_port import DraftRow
from exchange.storage.node_values import Alarm, Message
from exchange.storage.request_port import HELD
from exchange.storage.withdrawal_port import DestroyedMessage, Name, Named, SeenWithdrawal, StoredStatement
from keys.digests import provision_digest
from schemas.canon import decode, encode
from schemas.consent import (
    HOLDER_STATEMENT,
    SIGNED_STATEMENT,
    Conduct,
    ConsentWithdrawn,
    HolderStatement,
    PassedOn,
    SignedStatement,
)
from schemas.content import ContentKind
from schemas.contexts import Context
from schemas.endings import WithdrawalTarget
from schemas.envelope import decode_header
from schemas.grant import SIGNED_GRANT
from schemas.ids import MemberId
from schemas.limits import MAX_GRANT, MAX_PASSED_ON, MAX_PROVISION, MAX_SMALL_OBJECT
from schemas.provision import PROVISION, SIGNED_PROVISION, SignedProvision
from schemas.receipt import SIGNED_RECEIPT

_BATCH: Final = 128
# Of one provider, announced and not in the directory: what is withdrawn while its message is on the way are a few.
MOST_EARLY: Final = 256
Kept = Message | DestroyedMessage


class Withdrawn:
    """Withdrawals by other states."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._held = parts.stores.held
        self._destroyer = Destroyer(parts)
        # How much of the directory has been looked at.
        self._size = 0

    async def told(self, due: bytes, sender: MemberId, said: ConsentWithdrawn, now: int) -> None:
        """What a provider says that it has withdrawn. Raises Forbidden for who provided nothing of it, Invalid."""
        if said.target is WithdrawalTarget.PROVISION and said.provision is None:
            raise Invalid("bad-withdrawal", "it does not say which Provision is meant")
        kept, draft = await self._here(said.provision)
        stated = [signed.provision for row in kept if (signed := _signed_under(row, said.provision)) is not None]
        for provision in stated if draft is None else (*stated, decode(PROVISION, draft.body, MAX_PROVISION)):
            named = said.target is WithdrawalTarget.GRANT or provision.id == said.id
            if sender not in provision.providers or not named:
                raise Forbidden("not-provider", f"{sender} did not provide what it says it withdraws")
        name: Name = (sender, said.id)
        standing = (await self._held.standing_under([name])).get(name, ())
        concerned = {ident_of(row) for row in kept} | set(standing) | ({draft.id} if draft is not None else set())
        message = min(concerned, default=None)
        if message is None:
            await self._require_room(sender)
        reason = self._parts.keyring.vault.seal(REASON, said.id, said.reason.encode("utf-8"))
        index = withdrawal_index(self._parts.directory.current, sender, said.id)
        seen = SeenWithdrawal(sender, said.id, said.target, said.provision, reason, now, index, now)
        alarm = None if message is None else _alarm(seen, message, now)
        detail = json.dumps({"target": said.target.name.lower(), "index": index})
        event = ConsentEvent(now, "withdrawal.told", said.id.hex(), sender, None, detail)
        await self._held.save_told(due, seen, alarm, message, event)

    async def _require_room(self, provider: MemberId) -> None:
        """For what concerns nothing here: it may come before its message, and may be made up. Raises TooMany."""
        rows = await self._held.all_seen()
        if sum(row.provider == provider and row.position is None and not row.alarmed for row in rows) >= MOST_EARLY:
            why = f"{provider} has announced {MOST_EARLY} withdrawals of what is not here"
            raise TooMany("too-many-withdrawals", why)

    async def turn(self, now: int) -> None:
        """Find out what the directory says of what is here."""
        fresh = await self._name()
        directory = self._parts.directory.current
        candidates: set[Name] = set()
        if directory.size != self._size:
            new = ((p, i) for p, i in directory.withdrawn if (withdrawal_index(directory, p, i) or 0) >= self._size)
            candidates.update(new)
        if candidates or fresh:
            known = {(row.provider, row.id): row for row in await self._held.all_seen()}
            candidates |= {name for name in fresh if name in known or withdrawal_index(directory, *name) is not None}
            candidates = {name for name in candidates if name[0] != self._parts.member}
            standing = await self._held.standing_under(sorted(candidates))
            for name in sorted(candidates):
                if name in standing or name in known:
                    await self._see(name, known.get(name), standing.get(name, ()), now)
        self._size = directory.size

    async def state(self, provider: str, ident: bytes, conduct: Conduct, caller: Caller) -> tuple[str, ...]:
        """State to the provider what was done; gives the names of the files that were destroyed.

        Raises NotFound, Conflict for what contradicts what is here or is on its way, Invalid. Then nothing has changed.
        Raises StoreFault when the statement stands and a file could not be overwritten.
        """
        parts, now = self._parts, self._parts.clock.now()
        seen = await self.require(provider, ident, caller)
        kept, draft = await self._here(seen.provision)
        here = [ident_of(row) for row in kept] or ([] if draft is None else [draft.id])
        if conduct is Conduct.NOT_HELD and here:
            raise Conflict("is-held", f"message {here[0].hex()} is here, or was: say what became of it")
        if conduct is Conduct.DESTROYED and not here:
            raise Conflict("nothing-to-destroy", "no single Provision that is here is concerned: state what was done")
        member, target = parts.member, WithdrawalTarget(seen.target)
        passed = await self._passed_on(seen, kept)
        statement = HolderStatement(member, MemberId(provider), target, ident, conduct, passed, now)
        body = encode(HOLDER_STATEMENT, statement)
        signed = SignedStatement(body, parts.keyring.signing.sign(Context.HOLDER_STATEMENT, body))
        outgoing = await asyncio.to_thread(consent_message, parts, (MemberId(provider),), signed, now)
        stored = StoredStatement(provider, ident, member, now, conduct, encode(SIGNED_STATEMENT, signed))
        official = f"{caller.ministry}/{caller.token}"
        detail = json.dumps({"conduct": conduct.name.lower(), "passed_on": len(passed)})
        event = ConsentEvent(now, "withdrawal.stated", ident.hex(), provider, official, detail)
        destroy = None
        if conduct is Conduct.DESTROYED and seen.provision is not None:
            destroy = await self._destroyer.all_of(seen.provision, {ident_of(row) for row in kept})
        files = await parts.stores.destroyed.state(stored, outgoing, official, destroy, event)
        if files is None:
            raise Conflict("stated-already", "the same was stated a moment ago")
        parts.wakes.to_seal.set()
        parts.wakes.tell_news()
        await asyncio.to_thread(parts.files.destroy_content, files)
        return files

    async def require(self, provider: str, ident: bytes, caller: Caller) -> SeenWithdrawal:
        """A withdrawal that the caller may see. Raises NotFound."""
        seen = await self._held.seen(provider, ident)
        if seen is None or not may_use_measure(caller.measures, *await self.kind(seen)):
            raise NotFound("no-such-withdrawal", "no withdrawal of this name is known here")
        return seen

    async def kind(self, seen: SeenWithdrawal) -> tuple[str, str]:
        """Measure and record type of what is concerned; those of consent itself when nothing is here."""
        kept, draft = await self._here(seen.provision)
        about: Kept | DraftRow | None = kept[0] if kept else draft
        return (CONSENT_MEASURE, "consent") if about is None else (about.measure, about.record_type)

    async def messages(self, seen: SeenWithdrawal) -> tuple[Kept, ...]:
        """The messages whose content is concerned, and what is left of those that were destroyed."""
        return (await self._here(seen.provision))[0]

    async def _here(self, provision: bytes | None) -> tuple[tuple[Kept, ...], DraftRow | None]:
        """The messages whose content a Provision commits to, what is left of others, and its draft."""
        if provision is None:
            return (), None
        store = self._parts.stores.destroyed
        kept: tuple[Kept, ...] = (*await store.under(provision), *await store.destroyed_under(provision))
        return kept, await self._parts.stores.joint.draft(provision)

    async def _name(self) -> set[Name]:
        """Index what was stored since the last look; the names under which that stands."""
        fresh: set[Name] = set()
        while messages := await self._held.unnamed(_BATCH):
            named = await asyncio.to_thread(lambda rows: [_named(row) for row in rows], messages)
            await self._held.name(named)
            fresh.update(name for one in named for name in one.names)
        return fresh

    async def _see(self, name: Name, known: SeenWithdrawal | None, messages: Collection[bytes], now: int) -> None:
        provider, ident = name
        index = withdrawal_index(self._parts.directory.current, provider, ident)
        message = min(messages, default=None)
        if known is None:
            target, digest = await self._found(ident, messages)
            known = SeenWithdrawal(provider, ident, target, digest, None, None, index, now)
        elif known.position == index and (known.alarmed or message is None):
            return
        seen = SeenWithdrawal(
            provider, ident, known.target, known.provision, known.sealed_reason, known.told, index, known.time
        )
        alarm = None if message is None else _alarm(seen, message, now)
        event = ConsentEvent(now, "withdrawal.seen", ident.hex(), provider, None, json.dumps({"index": index}))
        await self._held.save_seen(seen, alarm, message, event)

    async def _found(self, ident: bytes, messages: Iterable[bytes]) -> tuple[WithdrawalTarget, bytes | None]:
        """What a withdrawal that only the directory shows is about, by what is here."""
        digest = None
        for message in messages:
            row: Kept | None = await self._parts.stores.views.message(message)
            row = row or await self._parts.stores.destroyed.destroyed(message)
            if row is None:
                continue
            for signed in _provisions(row):
                if signed.provision.id == ident:
                    return WithdrawalTarget.PROVISION, provision_digest(signed.body)
            digest = row.provision
        return WithdrawalTarget.GRANT, digest

    async def _passed_on(self, seen: SeenWithdrawal, kept: Iterable[Kept]) -> tuple[PassedOn, ...]:
        """This node's own transfers that the relay accepted: under the Provision, or by the Grant."""
        parts = self._parts
        if seen.target == WithdrawalTarget.GRANT:
            grant = await parts.stores.grants.grant(HELD, seen.provider, seen.id)
            bodies = set() if grant is None else {decode(SIGNED_GRANT, grant.signed, 2 * MAX_GRANT).body}
        else:
            bodies = {signed.body for row in kept if (signed := _signed_under(row, seen.provision)) is not None}
        found: dict[tuple[MemberId, bytes], PassedOn] = {}
        for body in bodies:
            for raw, receipt in await self._held.accepted_under(body):
                header = decode_header(raw)
                time = decode(SIGNED_RECEIPT, receipt, 2 * MAX_SMALL_OBJECT).receipt.time
                for recipient in header.recipients:
                    found[recipient, header.core.id] = PassedOn(recipient, header.core.id, time)
        latest = sorted(found.values(), key=lambda one: one.time)[-MAX_PASSED_ON:]
        return tuple(sorted(latest, key=lambda one: (one.recipient, one.envelope)))


def ident_of(row: Kept) -> bytes:
    """A message's id, whatever is left of it."""
    return row.message if isinstance(row, DestroyedMessage) else row.id


def _provisions(row: Kept) -> tuple[SignedProvision, ...]:
    return tuple(decode(SIGNED_PROVISION, raw, 2 * MAX_PROVISION) for raw in row.signed_provisions)


def _signed_under(row: Kept, digest: bytes | None) -> SignedProvision | None:
    return next((signed for signed in _provisions(row) if provision_digest(signed.body) == digest), None)


def _named(message: Message) -> Named:
    """What states say about consent stands under Provisions of its own, which nobody withdraws."""
    if message.kind != ContentKind.RECORD:
        return Named(message.id, message.seq, ())
    grants = tuple(decode(SIGNED_GRANT, raw, 2 * MAX_GRANT) for raw in message.signed_grants)
    return Named(message.id, message.seq, names_of(_provisions(message), grants))


def _alarm(seen: SeenWithdrawal, message: bytes, now: int) -> Alarm:
    name = f"{seen.provider}-{seen.id.hex()}"
    how = "" if seen.position is not None else " (announced, not in the directory yet)"
    detail = f"{seen.provider} has withdrawn its consent{how}, message {message.hex()}: `cbm consent state {name}`"
    return Alarm(f"consent-withdrawn:{name}", "consent-withdrawn", seen.provider, detail, now)
