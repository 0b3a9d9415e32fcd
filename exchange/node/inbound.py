"""From the exact bytes of an envelope to its content, in the order that the design fixes. Pure: bytes in, values out.

Order: relay's receipt, header signature, time rules, `authorise` (all as of the receipt), size and digest of the body,
wrap, key commitment, content commitment. What only the relay or this node's clock can have done is put off (`PutOff`).
Everything that fails after the wrap is one refusal to the network: `Unreadable`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from exchange.consent.authorise import authorise
from exchange.consent.decision import Decision, Ledger, Rule
from exchange.delivery.times import TimeRule, time_fault
from exchange.errors import Unavailable
from keys.digests import content_commitment
from keys.directory import Directory
from keys.errors import KeyFault
from keys.identity import EpochIdentity
from keys.origin import LeastSize, origins_of
from keys.primitives import equal
from keys.receipts import receipt_covers, receipt_date_fault, receipt_size_fault
from keys.sealing import body_key, open_wrap
from keys.stream import open_stream
from keys.verify import VerifiedHeader, verify_header, verify_receipt
from schemas import limits
from schemas.content import Attachment, Manifest, Transport, padded_size, read_manifest, read_transport
from schemas.envelope import Core, Header
from schemas.errors import DecodeError
from schemas.ids import MemberId
from schemas.provision import Provision, SignedProvision
from schemas.receipt import Receipt, SignedReceipt
from schemas.wrap import Wrap, WrapSecret

RECEIPT_SIZE: Final = "receipt-size"
RECEIPT_DATE: Final = "receipt-date"
_LENGTH: Final = 4
_SIGNATURES: Final = frozenset({Rule.PROVISION_SIGNATURE, Rule.GRANT_SIGNATURE})
T = TypeVar("T")


class RefusedEnvelope(Exception):
    """This node does not accept the envelope. `rule` is a stable code; `detail` is for this node's own log."""

    def __init__(self, rule: str, detail: str) -> None:
        """Keep both."""
        super().__init__(f"{rule}: {detail}")
        self.rule = rule
        self.detail = detail


class PutOff(Unavailable):
    """The relay's fault, or this node's clock or view: nothing is answered, so that the envelope comes again."""


class Unreadable(RefusedEnvelope):
    """A failure after the wrap: the network learns nothing but that it was refused."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An envelope that may be opened: verified header, the relay's receipt, and on which grounds."""

    header: VerifiedHeader
    receipt: Receipt
    decision: Decision


def judge(
    header: Header,
    signed_receipt: SignedReceipt,
    directory: Directory,
    member: MemberId,
    now: int,
    least_size: LeastSize,
) -> tuple[Judged, Wrap]:
    """Check everything that needs no private key, as of the relay's acceptance. Raises RefusedEnvelope or PutOff.

    `directory`: this node's view as of the size that the receipt states, or its newest when that is smaller;
    `least_size`: what it knows of the directory's size at a time, by which origin proofs are judged.
    """
    receipt = _judge_receipt(header, signed_receipt, directory, now, least_size)
    try:
        verified = verify_header(header, directory, receipt.time)
    except KeyFault as fault:
        # Not its sender's, so nothing may be recorded in its name: the genuine one may still come under the same id.
        raise PutOff("header-signature", str(fault)) from None
    _judge_times(verified, receipt, directory)
    # The relay counts the uses of Grants; a receiver judges everything else again by itself.
    ledger = Ledger(origins=origins_of(header.core.origins, directory, least_size))
    decision = authorise(verified, directory, ledger, receipt.time)
    if not decision.allowed:
        first = decision.refusals[0]
        if first.rule in _SIGNATURES and not _all_keys_seen(header.core, directory):
            raise PutOff(first.rule.value, first.detail)
        if authorise(verified, directory, ledger, header.core.created).allowed:
            raise _wrong_date(first.rule.value, first.detail)
        raise RefusedEnvelope(first.rule.value, first.detail)
    _judge_own_clock(header.core, now)
    wrap = header.wrap_for(member)
    if wrap is None:
        raise RefusedEnvelope("not-a-recipient", f"there is no wrap for {member}")
    return Judged(verified, receipt, decision), wrap


def check_body(core: Core, size: int, digest: bytes) -> None:
    """What came is the ciphertext that the sender signed; asked before anything is opened. Raises PutOff.

    The relay knows size and digest, so that it learns nothing by the answer, and only it can have brought another.
    """
    if size != core.body_size or not equal(digest, core.body_digest):
        raise PutOff("body-differs", "the relay handed over another body than the sender signed")


def _judge_times(verified: VerifiedHeader, receipt: Receipt, directory: Directory) -> None:
    """The rules of "Times" as of the receipt. Raises RefusedEnvelope, or PutOff for what is the receipt's fault."""
    late = time_fault(verified, directory, receipt.time)
    if late is None:
        return
    if late.rule in (TimeRule.EPOCH_UNKNOWN, TimeRule.EPOCH_ENDED):
        # The relay may be keeping the entry back; and what ended stands below the size under which it accepted.
        raise PutOff(late.rule.value, late.detail)
    if time_fault(verified, directory, verified.core.created) is None:
        raise _wrong_date(late.rule.value, late.detail)
    raise RefusedEnvelope(late.rule.value, late.detail)


def _judge_own_clock(core: Core, now: int) -> None:
    """This node's clock may be wrong for a moment, and a refusal is final. Raises PutOff."""
    if core.expires <= now:
        raise PutOff("envelope-expired", "it arrived after its expiry by this node's clock")
    for signed in core.provisions:
        embargo = signed.provision.not_before
        if embargo is not None and now < embargo:
            raise PutOff("embargo", "the relay handed it over before the embargo ended")


def _wrong_date(code: str, detail: str) -> PutOff:
    """The envelope keeps the rule as of its own date: it is the relay's receipt that is dated so as to break it."""
    return PutOff(code, f"by the date of the relay's receipt only: {detail}")


def _all_keys_seen(core: Core, directory: Directory) -> bool:
    """Whether the directory has every key that a Provision or Grant is signed with; the relay may keep one back."""
    signatures = [signature for signed in core.provisions for signature in signed.signatures]
    signatures += [signed.signature for signed in core.grants]
    return all(directory.knows(signature.signer, signature.key_id) for signature in signatures)


def _judge_receipt(
    header: Header, signed: SignedReceipt, directory: Directory, now: int, least_size: LeastSize
) -> Receipt:
    try:
        receipt = verify_receipt(signed, directory)
    except KeyFault as fault:
        raise PutOff("receipt-signature", str(fault)) from None
    if not receipt_covers(receipt, header):
        raise PutOff("receipt-differs", "the relay's receipt is for another envelope")
    date_fault = receipt_date_fault(receipt, header, now)
    if date_fault is not None:
        raise PutOff(RECEIPT_DATE, date_fault)
    if receipt.directory_size > directory.size:
        raise PutOff("directory-behind", "the receipt names a larger directory than this node can see")
    size_fault = receipt_size_fault(receipt, least_size)
    if size_fault is not None:
        raise PutOff(RECEIPT_SIZE, size_fault)
    return receipt


def unwrap(judged: Judged, wrap: Wrap, epoch: EpochIdentity) -> WrapSecret:
    """Open the wrap and check the key commitment. Raises Unreadable."""
    core = judged.header.core
    try:
        return open_wrap(wrap, core.suite, judged.header.header.core_bytes, core.key_commitment, epoch)
    except KeyFault as fault:
        raise Unreadable("unreadable", str(fault)) from None


@dataclass(frozen=True, slots=True)
class Content:
    """A manifest, its exact bytes, and the Provision of the envelope that commits to it."""

    manifest: Manifest
    raw: bytes
    signed: SignedProvision

    @property
    def provision(self) -> Provision:
        """Its terms."""
        return self.signed.provision


class Payload:
    """Reads a body once: ciphertext in, manifest and attachments out, everything checked by the time it has ended.

    Use: `payload.content()`, then for each attachment of its manifest all pieces of `payload.attachment(...)`, then
    `payload.finish()`. Nothing may be used before `finish` has returned. Every fault raises Unreadable.
    """

    def __init__(self, judged: Judged, secret: WrapSecret, ciphertext: Iterable[bytes]) -> None:
        """`ciphertext`: the body, in pieces of any size."""
        self._core = judged.header.core
        self._digest = hashlib.sha256()
        self._size = 0
        self._plain = open_stream(body_key(secret.content_key), self._counted(ciphertext))
        self._buffer = bytearray()
        self._consumed = 0
        self._transport: Transport | None = None
        self._opened = False

    def content(self) -> Content:
        """Read transport part and manifest, and find the Provision that commits to it."""
        self._transport = _parsed(read_transport, self._sized(limits.MAX_TRANSPORT))
        raw = self._sized(limits.MAX_MANIFEST)
        manifest = _parsed(read_manifest, raw)
        commitment = content_commitment(raw)
        # A compilation lists its sources' Provisions beside its own; only its own commits to what is inside.
        own = next((s for s in self._core.provisions if equal(commitment, s.provision.commitment)), None)
        if own is None or own.provision.providers != manifest.providers:
            raise Unreadable("unreadable", "the content is not the one that the providers signed")
        if manifest.class_tags != own.provision.class_tags:
            raise Unreadable("unreadable", "the content explains other class tags than its Provision has")
        stated = _LENGTH + len(raw) + sum(attachment.size for attachment in manifest.attachments)
        if self._transport.content_size != stated:
            raise Unreadable("unreadable", "the content's size is not the stated one")
        self._opened = True
        return Content(manifest, raw, own)

    def attachment(self, attachment: Attachment) -> Iterator[bytes]:
        """The next attachment's bytes; raises at its end when they are not the ones that the manifest names."""
        digest = hashlib.sha256()
        left = attachment.size
        while left > 0:
            piece = self._take(min(left, limits.CHUNK))
            digest.update(piece)
            left -= len(piece)
            yield piece
        if not equal(digest.digest(), attachment.sha256):
            raise Unreadable("unreadable", "an attachment is not the one that the providers signed")

    def finish(self) -> Transport:
        """Check padding, size and digest of the whole body; the content may be used after this."""
        transport = self._transport
        if transport is None or not self._opened:
            raise Unreadable("unreadable", "the body was not read")
        padding = padded_size(self._consumed) - self._consumed
        while padding > 0:
            piece = self._take(min(padding, limits.CHUNK))
            if piece.count(0) != len(piece):
                raise Unreadable("unreadable", "the padding is not zero")
            padding -= len(piece)
        self._must_end()
        if self._size != self._core.body_size or not equal(self._digest.digest(), self._core.body_digest):
            raise Unreadable("unreadable", "the body is not the one that the sender signed")
        return transport

    def _must_end(self) -> None:
        try:
            more = self._buffer or next(self._plain, b"")
        except KeyFault as fault:
            raise Unreadable("unreadable", str(fault)) from None
        if more:
            raise Unreadable("unreadable", "there is more than the padded content")

    def _counted(self, ciphertext: Iterable[bytes]) -> Iterator[bytes]:
        for piece in ciphertext:
            self._digest.update(piece)
            self._size += len(piece)
            if self._size > self._core.body_size:
                raise Unreadable("unreadable", "the body is longer than the sender signed")
            yield piece

    def _sized(self, most: int) -> bytes:
        length = int.from_bytes(self._take(_LENGTH), "big")
        if not 0 < length <= most:
            raise Unreadable("unreadable", "a part's length is out of range")
        return self._take(length)

    def _take(self, size: int) -> bytes:
        """Exactly `size` plaintext bytes."""
        try:
            while len(self._buffer) < size:
                piece = next(self._plain, b"")
                if not piece:
                    raise Unreadable("unreadable", "the body ends too early")
                self._buffer += piece
        except KeyFault as fault:
            raise Unreadable("unreadable", str(fault)) from None
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._consumed += size
        return taken


def _parsed(read: Callable[[bytes], T], data: bytes) -> T:
    try:
        return read(data)
    except DecodeError as fault:
        raise Unreadable("unreadable", str(fault)) from None
