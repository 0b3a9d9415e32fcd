"""A provider's withdrawal: signed and kept, told to holders, published, and in force once a quorum has cosigned it.

In this node it counts as soon as it is kept. For everybody else it counts from its index in the directory on: what was
accepted below that stands, and the holders' statements say what became of it.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Final

from exchange.errors import ExchangeError, Forbidden, Invalid, NotFound, Unavailable
from exchange.logs import get_logger
from exchange.node.access import Caller
from exchange.node.alarms import Alarms
from exchange.node.arrival import CONSENT_MEASURE
from exchange.node.courier import consent_message
from exchange.node.obeying import withdrawal_index
from exchange.node.parts import Parts
from exchange.node.request import may_use_measure
from exchange.node.rests import Rests
from exchange.node.stored import provision_of
from exchange.node.transport import RelayRefused
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.joint_port import COLLECTING, SIGNED, DraftRow
from exchange.storage.node_values import Alarm, Message
from exchange.storage.request_port import GIVEN, StoredGrant
from exchange.storage.withdrawal_port import DestroyedMessage, Notice, OwnWithdrawal, StoredStatement
from keys.ceremony import withdraw_grant, withdraw_provision
from keys.verify import verify_bytes
from schemas.canon import decode, encode
from schemas.consent import SIGNED_STATEMENT, ConsentWithdrawn, SignedStatement, encode_consent
from schemas.content import ContentKind
from schemas.contexts import Context
from schemas.endings import WithdrawalTarget
from schemas.errors import DecodeError
from schemas.grant import SIGNED_GRANT, Grant
from schemas.ids import Digest, GrantId, MemberId, ProvisionId
from schemas.limits import HOUR, MAX_CLOCK_AHEAD, MAX_GRANT, MAX_PROVISION, MAX_REASON
from schemas.provision import PROVISION
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry, read_entry

# One try to publish must not keep the desk from everything else.
_PATIENCE: Final = 15.0
_LONGEST_REST: Final = 600
_MOST_GRANTS: Final = 10_000
# What one holder may state about one withdrawal: it has three things to say, and may say some of them again.
_MOST_STATEMENTS: Final = 16
REASON: Final = "withdrawal-reason"
Provided = Message | DestroyedMessage | DraftRow


class Withdrawer:
    """This state's own withdrawals."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._store = parts.stores.withdrawals
        self._rests = Rests(_LONGEST_REST)
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._log = get_logger("withdrawals")

    async def withdraw(self, ident: bytes, reason: str, caller: Caller) -> tuple[OwnWithdrawal, bool]:
        """Withdraw a Provision, named by a message of it, sent or to be sent, or a Grant; gives it, and if it is new.

        Raises NotFound for what is not here or not for this caller, Forbidden for what others provided, Invalid,
        Unavailable before this node's key is published. Then nothing has changed.
        """
        parts = self._parts
        try:
            encode_consent(ConsentWithdrawn(WithdrawalTarget.PROVISION, bytes(16), None, reason, 0))
        except DecodeError:
            why = f"a withdrawal has a reason of one line, of at most {MAX_REASON} characters"
            raise Invalid("bad-reason", why) from None
        if not parts.directory.current.knows(parts.member, parts.keyring.signing.key_id):
            raise Unavailable("key-not-published", "this node's signing key is not in the directory yet: wait for it")
        provided = await self._provided(ident)
        grant = await parts.stores.grants.grant(GIVEN, parts.member, ident)
        if provided is not None and _may(caller, provided):
            return await self._provision(provided, reason, caller)
        if grant is not None and _may(caller, grant):
            return await self._grant(grant, reason, caller)
        raise NotFound("no-such-consent", "no message and no Grant of this state has this id")

    async def stated(self, due: bytes, sender: MemberId, signed: SignedStatement, now: int) -> None:
        """A holder's statement. Raises Forbidden or KeyFault for what its sender may not state."""
        parts, said = self._parts, signed.statement
        if said.holder != sender or said.provider != parts.member:
            raise Forbidden("not-its-statement", "a holder states for itself, to the provider that it names")
        ours = await self._store.withdrawal(said.id)
        if ours is None or ours.target != said.target:
            raise Forbidden("no-such-withdrawal", "it answers no withdrawal of this state")
        told = {row.member for row in await self._store.told(said.id)}
        if said.holder not in told:
            raise Forbidden("not-a-holder", f"{said.holder} was not told of this withdrawal: it never held this")
        before = await parts.stores.held.statements(parts.member, said.id)
        if sum(row.holder == said.holder for row in before) >= _MOST_STATEMENTS:
            raise Forbidden("stated-enough", f"{said.holder} has stated {_MOST_STATEMENTS} times already")
        if not ours.created - MAX_CLOCK_AHEAD <= said.created <= now + MAX_CLOCK_AHEAD:
            raise Forbidden("statement-date", "the statement is dated before the withdrawal, or in the future")
        key, value = signed.signature.key_id, signed.signature.value
        view = parts.directory.current
        verify_bytes(view, said.holder, key, said.created, value, Context.HOLDER_STATEMENT, signed.body)
        stored = StoredStatement(
            parts.member, said.id, said.holder, said.created, said.conduct, encode(SIGNED_STATEMENT, signed)
        )
        # Whoever holds it by a transfer of which this node had not known is to be told too.
        others = {passed.recipient for passed in said.passed_on} - told
        notices = await asyncio.to_thread(self._notices, ours, others, now)
        detail = json.dumps({"conduct": said.conduct.name.lower(), "passed_on": len(said.passed_on)})
        event = ConsentEvent(now, "withdrawal.statement", said.id.hex(), said.holder, None, detail)
        await self._store.take_statement(due, stored, notices, event)

    async def turn(self, now: int) -> None:
        """Publish what is pending, see what stands, and tell of statements that are missing."""
        for pending in await self._store.pending():
            await self._follow(pending, now)
        due = self._parts.config.delivery.statements_after
        for withdrawal, silent in await self._store.unanswered(now - due):
            await self._store.remind(withdrawal.id, _missing(withdrawal, silent, now))

    async def _provided(self, ident: bytes) -> Provided | None:
        """What a message's id names: the message, what is left of it, or what this state has signed to be sent so."""
        stores = self._parts.stores
        message = await stores.views.message(ident)
        if message is not None:
            return message if message.kind == ContentKind.RECORD else None
        gone = await stores.destroyed.destroyed(ident)
        if gone is not None:
            return gone
        draft = await stores.joint.draft(ident)
        unsigned = draft is not None and draft.state == COLLECTING and self._parts.member not in draft.signed_by
        return None if unsigned else draft

    async def _provision(self, about: Provided, reason: str, caller: Caller) -> tuple[OwnWithdrawal, bool]:
        parts = self._parts
        unsent = False
        if isinstance(about, DraftRow):
            provision, unsent = decode(PROVISION, about.body, MAX_PROVISION), about.state != SIGNED
        else:
            provision = provision_of(about)
        if parts.member not in provision.providers:
            providers = ", ".join(provision.providers)
            raise Forbidden("not-provider", f"{providers} provided this: only a provider withdraws its consent")
        # Of what was never signed by all the audience knows nothing.
        holders = {*provision.providers, *(() if unsent else provision.audience)}
        names = (provision.id, *provision.class_tags)
        # Ended ones as well: what was passed on by them is still held.
        for stored in await parts.stores.grants.about(GIVEN, parts.member, names, 0, _MOST_GRANTS):
            grant = _read(stored)
            holders |= {grant.holder, *grant.recipients}
        made = self._made(WithdrawalTarget.PROVISION, provision.id, about.provision, reason, caller, about)
        return await self._keep(made, holders)

    async def _grant(self, stored: StoredGrant, reason: str, caller: Caller) -> tuple[OwnWithdrawal, bool]:
        grant = _read(stored)
        concerned = None if stored.message is None else await self._parts.stores.views.message(stored.message)
        digest = None if concerned is None else concerned.provision
        made = self._made(WithdrawalTarget.GRANT, grant.id, digest, reason, caller, stored)
        return await self._keep(made, {grant.holder, *grant.recipients})

    def _made(
        self,
        target: WithdrawalTarget,
        ident: bytes,
        digest: bytes | None,
        reason: str,
        caller: Caller,
        about: Provided | StoredGrant,
    ) -> OwnWithdrawal:
        official, now = f"{caller.ministry}/{caller.token}", self._parts.clock.now()
        sealed = self._parts.keyring.vault.seal(REASON, ident, reason.encode("utf-8"))
        measure, record_type = _kind(about)
        entry = encode(DIRECTORY_ENTRY, self._entry(target, ident, now))
        return OwnWithdrawal(ident, target, digest, measure, record_type, entry, sealed, official, now)

    async def _keep(self, withdrawal: OwnWithdrawal, holders: Iterable[str]) -> tuple[OwnWithdrawal, bool]:
        """Commit it with what tells the holders, before anything leaves."""
        parts = self._parts
        notices = await asyncio.to_thread(self._notices, withdrawal, holders, withdrawal.created)
        detail = {"target": WithdrawalTarget(withdrawal.target).name.lower(), "told": [n.member for n in notices]}
        event = ConsentEvent(
            withdrawal.created, "withdrawal.made", withdrawal.id.hex(), None, withdrawal.official, json.dumps(detail)
        )
        new = await self._store.add(withdrawal, notices, event)
        if new:
            parts.wakes.to_desk.set()
            parts.wakes.to_seal.set()
        stored = await self._store.withdrawal(withdrawal.id)
        return stored or withdrawal, new

    def _notices(self, withdrawal: OwnWithdrawal, members: Iterable[str], now: int) -> tuple[Notice, ...]:
        """One message for each, so that no holder learns of another. Who is in the charter no more cannot be told."""
        parts = self._parts
        reason = parts.keyring.vault.open(REASON, withdrawal.id, withdrawal.sealed_reason).decode("utf-8")
        digest = None if withdrawal.provision is None else Digest(withdrawal.provision)
        said = ConsentWithdrawn(WithdrawalTarget(withdrawal.target), withdrawal.id, digest, reason, withdrawal.created)
        reached = sorted(set(members) & set(parts.directory.current.members) - {parts.member})
        return tuple(Notice(code, consent_message(parts, (MemberId(code),), said, now)) for code in reached)

    def _entry(self, target: WithdrawalTarget, ident: bytes, now: int) -> DirectoryEntry:
        identity = self._parts.keyring.signing
        if target is WithdrawalTarget.GRANT:
            return withdraw_grant(identity, GrantId(ident), now)
        return withdraw_provision(identity, ProvisionId(ident), now)

    async def _follow(self, pending: OwnWithdrawal, now: int) -> None:
        """In force, on its way, or to be offered."""
        parts = self._parts
        index = withdrawal_index(parts.directory.current, parts.member, pending.id)
        if index is not None:
            event = ConsentEvent(now, "withdrawal.in-force", pending.id.hex(), None, None, json.dumps({"index": index}))
            await self._store.place(pending.id, index, now, event)
            self._rests.done(pending.id)
            return
        if now - pending.created > HOUR:
            detail = f"the withdrawal of {pending.id.hex()} is not in force yet, {pending.fault or 'not cosigned'}"
            await self._alarms.tell(f"withdrawal-pending:{pending.id.hex()}", "withdrawal-pending", None, detail)
        on_its_way = withdrawal_index(parts.directory.pending, parts.member, pending.id) is not None
        if not on_its_way and not self._rests.resting(pending.id, now):
            await self._offer(pending, now)

    async def _offer(self, pending: OwnWithdrawal, now: int) -> None:
        """Once, and again after a rest: a relay that took it may have lost it."""
        parts = self._parts
        self._rests.failed(pending.id, now)
        try:
            async with asyncio.timeout(_PATIENCE):
                await parts.relay.publish(pending.entry)
        except (ExchangeError, TimeoutError) as fault:
            why = str(fault) or "the relay does not answer"
            await self._store.fail(pending.id, why)
            self._log.warning("withdrawal.not-published", id=pending.id.hex(), why=why)
            if isinstance(fault, RelayRefused):
                await self._renew(pending, now)
            return
        parts.wakes.directory.set()

    async def _renew(self, pending: OwnWithdrawal, now: int) -> None:
        """What a key has signed that is this node's no more is signed by the one that is."""
        if read_entry(pending.entry).signatures[0].key_id != self._parts.keyring.signing.key_id:
            entry = self._entry(WithdrawalTarget(pending.target), pending.id, now)
            await self._store.renew(pending.id, encode(DIRECTORY_ENTRY, entry))


def _may(caller: Caller, about: Provided | StoredGrant) -> bool:
    return may_use_measure(caller.measures, *_kind(about))


def _kind(about: Provided | StoredGrant) -> tuple[str, str]:
    """Measure and record type; a Grant for a class is about no single record."""
    return about.measure or CONSENT_MEASURE, about.record_type or "consent"


def _read(stored: StoredGrant) -> Grant:
    return decode(SIGNED_GRANT, stored.signed, 2 * MAX_GRANT).grant


def _missing(withdrawal: OwnWithdrawal, silent: tuple[str, ...], now: int) -> Alarm | None:
    if not silent:
        return None
    name = withdrawal.id.hex()
    detail = f"{', '.join(silent)} has stated nothing about the withdrawal of {name}: ask"
    return Alarm(f"statements-missing:{name}", "statements-missing", None, detail, now)
