"""What the relay decides about envelopes, acknowledgements, sessions and directory entries, from facts alone.

An envelope is accepted when its header's signature, the time rules and `authorise` hold at one moment, and its body
is the one that the header names. That moment is the acceptance: the receipt states its time and directory size. A
refusal is raised: an ExchangeError here, a KeyFault where a signature or a key is at fault.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from exchange.consent.authorise import authorise
from exchange.consent.decision import Decision, Ledger
from exchange.consent.problem import consent_error
from exchange.consent.refused import concerned
from exchange.delivery.times import TimeFault, TimeRule, time_fault
from exchange.errors import (
    Conflict,
    ExchangeError,
    Forbidden,
    Invalid,
    Json,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
)
from exchange.relay.limits import JUDGEMENT_AGE, SESSION_SKEW, URGENT_PART
from keys.digests import logged_grant, logged_provision
from keys.directory import Directory, extend
from keys.errors import DirectoryFull, KeyFault
from keys.origin import origins_of, unbounded
from keys.verify import VerifiedHeader, verify_bytes, verify_header
from schemas.audit import AuditKind
from schemas.canon import decode, encode
from schemas.contexts import Context
from schemas.envelope import Core, Header
from schemas.ids import Digest, KeyId, MemberId
from schemas.limits import LOG_BY, MAX_SMALL_OBJECT
from schemas.origin import ACCEPTANCE, Acceptance
from schemas.receipt import Acknowledgement, Receipt
from schemas.relayapi import SESSION_STATEMENT, Challenge, Proof, SessionStatement
from schemas.statement import DirectoryEntry
from schemas.terms import Precedence


class TooEarly(ExchangeError):
    """What is dated in the future; the sender may try again (RFC 8470)."""

    status: ClassVar[int] = 425
    title: ClassVar[str] = "Too early"


class NotConsented(Forbidden):
    """Refused for want of consent, at `time` (Unix seconds); `concerned`: providers that are told, each with its rule.

    The header's signature and its times held: its sender answers for it.
    """

    def __init__(self, header: VerifiedHeader, decision: Decision, now: int) -> None:
        """The problem is that of the decision."""
        problem = consent_error(decision)
        super().__init__(problem.code, problem.detail, problem.extra)
        self.digest = header.digest
        self.time = now
        self.concerned = concerned(header.core, decision)


@dataclass(frozen=True, slots=True)
class Judged:
    """An envelope that may be accepted, and the facts under which that was decided."""

    header: VerifiedHeader
    decision: Decision
    directory: Directory
    ledger: Ledger
    time: int


def judge(header: Header, directory: Directory, ledger: Ledger, now: int) -> Judged:
    """Check signature, times and consent, in this order. Raises KeyFault, TooEarly, Invalid or NotConsented."""
    verified = verify_header(header, directory, now)
    fault = time_fault(verified, directory, now)
    if fault is not None:
        raise _time_error(fault)
    proved = replace(ledger, origins=origins_of(header.core.origins, directory, unbounded))
    decision = authorise(verified, directory, proved, now)
    if not decision.allowed:
        raise NotConsented(verified, decision, now)
    return Judged(verified, decision, directory, ledger, now)


def rejudge(judged: Judged, directory: Directory, ledger: Ledger, now: int, last: int) -> Judged:
    """The same under other facts, not before `last`, the acceptance before; equal facts are not judged again.

    A judgement of a moment ago stands with its own time, so that the accepting transaction need not do it again.
    """
    fresh = last <= judged.time <= now <= judged.time + JUDGEMENT_AGE
    if fresh and directory is judged.directory and ledger == judged.ledger:
        return judged
    return judge(judged.header.header, directory, ledger, max(now, last))


@dataclass(frozen=True, slots=True)
class Quotas:
    """Bytes that are held of one sender, and that wait for one member, at most."""

    sender: int
    mailbox: int


def check_quotas(core: Core, size: int, sent: int, waiting: Iterable[tuple[MemberId, int]], quotas: Quotas) -> None:
    """Is there room for `size` more bytes beside those that are `sent` and `waiting`? Raises TooMany.

    What is routine leaves a part of both to what is urgent.
    """
    routine = core.precedence is Precedence.ROUTINE

    def full(held: int, quota: int) -> bool:
        return held + size > (quota - quota // URGENT_PART if routine else quota)

    if full(sent, quotas.sender):
        raise TooMany(
            "sender-quota", f"the relay holds as much of {core.sender} as it may: wait until some is acknowledged"
        )
    for recipient, held in waiting:
        if full(held, quotas.mailbox):
            raise TooMany(
                "mailbox-quota",
                f"as much as may waits for {recipient}: its node has to fetch it first",
                {"recipient": recipient},
            )


def receipt_for(judged: Judged, relay: KeyId) -> Receipt:
    """The statement that the relay signs: what it accepted, when, and under which directory."""
    core = judged.header.core
    return Receipt(
        relay=relay,
        sender=core.sender,
        envelope=core.id,
        header_digest=judged.header.digest,
        body_digest=core.body_digest,
        body_size=core.body_size,
        time=judged.time,
        directory_size=judged.directory.size,
        log_by=judged.time + LOG_BY,
    )


def leaf_for(judged: Judged, salt: bytes) -> bytes:
    """The audit log's leaf for an acceptance; `salt` of 32 random bytes keeps it from being guessed by its hash."""
    header, envelope = judged.header.header, judged.header.core
    return encode(
        ACCEPTANCE,
        Acceptance(
            kind=AuditKind.ACCEPTED,
            salt=salt,
            sender=envelope.sender,
            envelope=envelope.id,
            header_digest=judged.header.digest,
            signature=header.signature,
            time=judged.time,
            directory_size=judged.directory.size,
            provisions=tuple(sorted(logged_provision(signed) for signed in envelope.provisions)),
            grants=tuple(sorted(logged_grant(signed) for signed in envelope.grants)),
        ),
    )


def check_same(digest: Digest, standing: Digest) -> None:
    """Under one sender and id only one header may ever stand. Raises Conflict (equivocation)."""
    if digest != standing:
        raise Conflict(
            "equivocation",
            "another header of this sender stands under this id: use a new id",
            {"standing": standing.hex(), "offered": digest.hex()},
        )


class BodyCheck:
    """The body against the header's size and digest, a piece at a time. Raises Invalid, or TooLarge early."""

    def __init__(self, core: Core) -> None:
        """The header that names the body."""
        self._core = core
        self._size = 0
        self._sha256 = hashlib.sha256()

    def update(self, piece: bytes) -> None:
        """Count and digest the next piece."""
        self._size += len(piece)
        if self._size > self._core.body_size:
            raise TooLarge("body-size", f"the body is longer than the {self._core.body_size} bytes of its header")
        self._sha256.update(piece)

    def finish(self) -> None:
        """All of it was there, and it is the one that the header names."""
        if self._size < self._core.body_size:
            raise Invalid(
                "body-size", f"the body ended after {self._size} of {self._core.body_size} bytes: send it again"
            )
        if self._sha256.digest() != self._core.body_digest:
            raise Invalid("body-digest", "the body is not the one that the header names")


class ClockOff(Unauthenticated):
    """What a member's node has signed is not of this time: its clock is off, or the relay's."""

    def __init__(self, code: str, member: MemberId, detail: str) -> None:
        """`member`: whose signature holds."""
        super().__init__(code, f"{detail}: check both clocks")
        self.member = member


def check_acknowledgement(ack: Acknowledgement, standing: Digest | None, is_recipient: bool) -> None:
    """May this acknowledgement, whose signature holds, be stored? Raises NotFound, Forbidden or Conflict.

    `standing` is the header digest under the envelope's key, None when there is no such envelope.
    """
    if standing is None:
        raise NotFound("envelope-unknown", "this relay has accepted no such envelope")
    if not is_recipient:
        raise Forbidden("not-recipient", f"{ack.recipient} is not a recipient of this envelope")
    if ack.header_digest != standing:
        raise Conflict(
            "header-digest", "the acknowledgement is for another header under this id: keep both as evidence"
        )


def check_proof(
    proof: Proof, challenge: Challenge, tls_digest: Digest | None, directory: Directory, now: int
) -> SessionStatement:
    """A node's answer to this relay's challenge on this connection. Raises Unauthenticated or DecodeError.

    `tls_digest` is that of the relay's certificate; None on a plain connection.
    """
    statement = decode(SESSION_STATEMENT, proof.statement, MAX_SMALL_OBJECT)
    if statement.nonce != challenge.nonce:
        raise Unauthenticated("session-nonce", "the proof answers another challenge")
    if statement.relay != challenge.relay:
        raise Unauthenticated("session-relay", "the proof is for another relay")
    if statement.tls_digest != tls_digest:
        raise Unauthenticated("session-certificate", "the node saw another certificate than this relay shows")
    try:
        verify_bytes(
            directory,
            statement.member,
            proof.key_id,
            now,
            proof.signature,
            Context.SESSION_NODE,
            proof.statement,
        )
    except KeyFault as fault:
        raise Unauthenticated("session-signature", str(fault)) from None
    if abs(statement.time - now) > SESSION_SKEW:
        raise ClockOff("session-time", statement.member, "the proof's time is too far from the relay's")
    return statement


def check_session_key(member: MemberId, key: KeyId, directory: Directory) -> None:
    """May a session that this key began go on? Raises Unauthenticated."""
    record = directory.signing.get((member, key))
    if record is None or not directory.in_force(record):
        raise Unauthenticated("session-key", f"a revocation or a removal ended this session's key of {member}")


def extended(directory: Directory, entry: DirectoryEntry, relay: KeyId) -> Directory:
    """The directory of this relay with one more entry.

    Raises KeyFault, Forbidden (directory-quota), or Conflict (directory-full, relay-replaced).
    """
    try:
        grown = extend(directory, [entry])
    except DirectoryFull as fault:
        if fault.member is None:
            raise Conflict("directory-full", str(fault)) from None
        raise Forbidden("directory-quota", str(fault)) from None
    if relay not in grown.relays:
        raise Conflict(
            "relay-replaced",
            "this version of the charter does not name this relay: it belongs into the directory of the new one",
        )
    return grown


def _time_error(fault: TimeFault) -> ExchangeError:
    extra: dict[str, Json] = {"recipient": fault.recipient} if fault.recipient else {}
    # The clocks of two machines meet again; every other fault stays.
    kind = TooEarly if fault.rule is TimeRule.AHEAD else Invalid
    return kind(fault.rule.value, fault.detail, extra)
