"""Joint Provisions: several states sign one Provision, over identical bytes, before any of it leaves (provision 1.7).

The lead asks the others, each by an encrypted message that holds all that is to be signed. What each says goes to every
other provider, so that all see how far it is. With every signature the lead sends it; one refusal ends it, and so does
the time that was set. A signature is of no use before, since a Provision without all of them is none.
"""

import asyncio
import json
from dataclasses import replace
from typing import ClassVar, Final

from exchange.errors import Conflict, Invalid, NotFound, TooMany, Unavailable
from exchange.node.access import Caller
from exchange.node.classes import Classes
from exchange.node.courier import consent_message
from exchange.node.desk import Letter
from exchange.node.draft import Carried, queued_message
from exchange.node.files import manifest_name
from exchange.node.joint_check import Drafted, checked_content, checked_draft, verify_provider
from exchange.node.parts import Parts
from exchange.node.proposing import draft_event, other_providers, signed_answer
from exchange.records.facts import Box, EnvelopeFacts, record_fact
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.joint_port import COLLECTING, Answer, DraftRow
from exchange.storage.node_values import Message
from keys.digests import provision_digest
from keys.errors import KeyFault
from schemas.canon import decode
from schemas.consent import ConsentMessage, JointDraft, JointRefused, JointSigned
from schemas.content import Manifest
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.limits import MAX_PROVISION, MAX_REASON, MAX_SMALL_OBJECT
from schemas.provision import PROVISION, Provision, SignedProvision
from schemas.signed import SIGNATURE

# Drafts of one lead that wait for people, and answers of one member that came before their draft.
MOST_OPEN: Final = 32
_BATCH: Final = 32


class Joint:
    """What a provider does with joint Provisions; a taker of the desk."""

    takes: ClassVar[tuple[type, ...]] = (JointDraft, JointSigned, JointRefused)

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._store = parts.stores.joint

    async def take(self, letter: Letter, now: int) -> None:
        """See `Taker`."""
        if isinstance(letter.said, JointDraft):
            await self._take_draft(letter, letter.said, now)
        elif isinstance(letter.said, JointSigned | JointRefused):
            await self._take_answer(letter, letter.said, now)

    async def turn(self, now: int) -> None:
        """Send what all have signed; give up what was not signed in time."""
        for draft in await self._store.due(now, _BATCH):
            await self._settle(draft, now)

    async def sign(self, draft: DraftRow, caller: Caller) -> None:
        """An official signs: at once, the others are told. Raises Conflict when it is over, Unavailable, KeyFault."""
        parts, now = self._parts, self._parts.clock.now()
        # Also when it is over: after a crash the act that signed is done again.
        if parts.member in draft.signed_by:
            return
        require_open(draft, now)
        if not parts.directory.current.knows(parts.member, parts.keyring.signing.key_id):
            why = "this node's signing key is not in the directory yet: see `cbm node status`, is it certified?"
            raise Unavailable("key-not-published", why)
        # What was checked when it came is checked again where it is signed.
        await asyncio.to_thread(self.content, draft)
        signature = parts.keyring.signing.sign(Context.PROVISION, draft.body)
        said = JointSigned(provision_digest(draft.body), signature)
        await self._say(draft, said, signed_answer(signature, now), "draft.signed", caller)
        await self.turn(now)

    async def refuse(self, draft: DraftRow, reason: str, caller: Caller) -> None:
        """An official refuses, also what was signed and is not sent yet. Final. Raises Conflict when it is over."""
        if len(reason) > MAX_REASON or not reason.strip():
            raise Invalid("bad-reason", f"/reason: write for the other states why, in at most {MAX_REASON} characters")
        now = self._parts.clock.now()
        require_open(draft, now)
        answer = self._refused(draft.provision, self._parts.member, reason, now)
        said = JointRefused(provision_digest(draft.body), reason)
        await self._say(draft, said, answer, "draft.refused", caller)

    def content(self, draft: DraftRow) -> tuple[Provision, Manifest]:
        """Terms and content of a draft, which belong together.

        Raises NotFound when it was destroyed, Undecryptable, Invalid, DecodeError.
        """
        if not draft.sealed_manifest:
            raise NotFound("draft-destroyed", "its content was destroyed after a provider withdrew consent")
        provision = decode(PROVISION, draft.body, MAX_PROVISION)
        name = manifest_name(draft.id, draft.files)
        raw = self._parts.keyring.vault.open("manifest", name, draft.sealed_manifest)
        return provision, checked_content(provision, raw)

    def reason(self, draft: DraftRow, answer: Answer) -> str | None:
        """Why a provider refused."""
        if answer.sealed_reason is None:
            return None
        name = draft.provision + answer.member.encode("ascii")
        return self._parts.keyring.vault.open("reason", name, answer.sealed_reason).decode("utf-8")

    async def _say(self, draft: DraftRow, said: ConsentMessage, answer: Answer, kind: str, caller: Caller) -> None:
        now = answer.time
        to = other_providers(decode(PROVISION, draft.body, MAX_PROVISION), self._parts.member)
        outgoing = await asyncio.to_thread(consent_message, self._parts, to, said, now)
        event = draft_event(kind, draft, None, now, f"{caller.ministry}/{caller.token}")
        if not await self._store.answer(draft.provision, answer, outgoing, None, MOST_OPEN, event):
            raise Conflict("draft-ended", "this joint Provision was answered meanwhile: see `cbm joint show`")
        self._parts.wakes.to_seal.set()

    async def _take_draft(self, letter: Letter, said: JointDraft, now: int) -> None:
        parts = self._parts
        facts = (said, letter.sender, letter.manifest, parts.member, parts.directory.current, now)
        drafted = await asyncio.to_thread(checked_draft, *facts)
        digest = provision_digest(said.provision)
        await self._require_new(digest, drafted)
        files = letter.message.attachments
        draft = DraftRow(
            provision=digest,
            body=said.provision,
            lead=letter.sender,
            state=COLLECTING,
            providers=len(drafted.provision.providers),
            ministry=None,
            measure=drafted.record["measure"],
            record_type=drafted.record["record_type"],
            created=now,
            sign_by=said.sign_by,
            sealed_manifest=parts.keyring.vault.seal("manifest", manifest_name(digest[:16], files), said.manifest),
            message=letter.message.id,
            files=files,
            answers=(signed_answer(said.signature, now),),
        )
        early = [a for a in await self._store.early(digest) if self._counts(draft, drafted.provision, a, now)]
        state = "refused" if any(a.signature is None for a in early) else COLLECTING
        others = {a.member: a for a in (*draft.answers, *early)}
        draft = replace(draft, state=state, answers=tuple(others.values()))
        event = draft_event("draft.received", draft, letter.sender, now)
        if not await self._store.receive(letter.message.id, draft, MOST_OPEN, event):
            raise TooMany("too-many-drafts", f"{MOST_OPEN} drafts of {letter.sender} wait for a signature already")

    async def _require_new(self, digest: bytes, drafted: Drafted) -> None:
        """Its lead chose id and classes: Grants of this state's for another text must not cover it. Raises Invalid."""
        parts = self._parts
        if await self._store.draft(digest) is not None:
            return
        if await self._store.is_named(parts.member, drafted.provision.id, digest):
            raise Invalid("bad-draft", f"its Provision has the id of another that {parts.member} provides")
        own = {meaning.tag: meaning.name for meaning in await Classes(parts).all()}
        for meaning in drafted.manifest.classes or ():
            if own.get(meaning.tag, meaning.name) != meaning.name:
                raise Invalid("bad-draft", f"its class {meaning.name!r} has the tag of another class of {parts.member}")

    async def _take_answer(self, letter: Letter, said: JointSigned | JointRefused, now: int) -> None:
        draft = await self._store.draft(said.provision)
        sender, digest = letter.sender, said.provision
        if isinstance(said, JointSigned):
            if said.signature.signer != sender:
                raise Invalid("bad-answer", f"{sender} passes on a signature of {said.signature.signer}")
            answer = signed_answer(said.signature, now)
        else:
            answer = self._refused(digest, sender, said.reason, now)
        if draft is None:
            # It has overtaken the draft, or there is none: what it is worth shows when that comes.
            event = ConsentEvent(now, "draft.early-answer", digest.hex(), sender, None, json.dumps({}))
            if not await self._store.answer(digest, answer, None, letter.message.id, MOST_OPEN, event):
                raise TooMany("too-many-answers", f"{MOST_OPEN} answers of {sender} are to drafts that did not come")
            return
        provision = decode(PROVISION, draft.body, MAX_PROVISION)
        if sender not in provision.providers:
            raise Invalid("bad-answer", f"{sender} is no provider of the joint Provision {draft.id.hex()}")
        if isinstance(said, JointSigned):
            await asyncio.to_thread(verify_provider, said.signature, draft.body, self._parts.directory.current, now)
        kind = "draft.signed" if isinstance(said, JointSigned) else "draft.refused"
        if draft.state != COLLECTING or now >= draft.sign_by:
            # Honest answers cross each other: it is written down, and nobody is alarmed.
            await self._parts.stores.consent.done(letter.message.id, draft_event("draft.late", draft, sender, now))
            return
        event = draft_event(kind, draft, sender, now)
        await self._store.answer(digest, answer, None, letter.message.id, MOST_OPEN, event)

    async def _settle(self, draft: DraftRow, now: int) -> None:
        provision = decode(PROVISION, draft.body, MAX_PROVISION)
        sent = draft.lead != self._parts.member and await self._parts.stores.views.message(draft.id) is not None
        complete = draft.signed_by == set(provision.providers) and now <= provision.send_by
        if not complete and not sent:
            await self._store.expire(draft.provision, draft_event("draft.expired", draft, None, now))
            return
        message = None
        if draft.lead == self._parts.member:
            message = await asyncio.to_thread(self._message, draft, provision, now)
        done = await self._store.complete(draft.provision, message, draft_event("draft.complete", draft, None, now))
        if done and message is not None:
            self._parts.wakes.to_seal.set()
            self._parts.wakes.tell_news()

    def _message(self, draft: DraftRow, provision: Provision, now: int) -> Message:
        """What is sent, with the signatures in the providers' order; its id is the draft's, so that it is made once."""
        by_member = {answer.member: answer.signature for answer in draft.answers}
        signatures = (decode(SIGNATURE, by_member[code] or b"", MAX_SMALL_OBJECT) for code in provision.providers)
        signed = SignedProvision(draft.body, tuple(signatures))
        _, manifest = self.content(draft)
        envelope = EnvelopeFacts(draft.id.hex(), Box.OUTBOX, self._parts.member, provision.audience, None)
        fact = record_fact(json.loads(manifest.body), manifest.body, envelope)
        carried = Carried((signed,))
        return queued_message(
            self._parts, draft.body, carried, fact, draft.sealed_manifest, draft.files, draft.ministry, now
        )

    def _counts(self, draft: DraftRow, provision: Provision, answer: Answer, now: int) -> bool:
        """Whether an answer that came before its draft is one."""
        if answer.member not in provision.providers or answer.signature is None:
            return answer.member in provision.providers
        try:
            signature = decode(SIGNATURE, answer.signature, MAX_SMALL_OBJECT)
            verify_provider(signature, draft.body, self._parts.directory.current, now)
        except (DecodeError, KeyFault):
            return False
        return True

    def _refused(self, provision: bytes, member: str, reason: str, now: int) -> Answer:
        name = provision + member.encode("ascii")
        return Answer(member, None, self._parts.keyring.vault.seal("reason", name, reason.encode("utf-8")), now)


def require_open(draft: DraftRow, now: int) -> None:
    """Raises Conflict for a draft that nobody can sign or refuse any more."""
    if draft.state != COLLECTING or now >= draft.sign_by:
        state = draft.state if draft.state != COLLECTING else "expired"
        raise Conflict("draft-ended", f"this joint Provision is {state}: nothing can be said to it any more")
