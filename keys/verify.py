"""Verification only: what a party without secrets, such as the relay, needs. Verified things are types of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from keys import primitives
from keys.digests import header_digest, logged_grant, logged_provision
from keys.errors import BadSignature, KeyFault, Untrusted
from keys.origin import Origin, stood
from keys.view import Directory
from schemas.charter import Relay
from schemas.contexts import Context, framed
from schemas.envelope import Core, Header
from schemas.grant import SignedGrant
from schemas.ids import Digest, KeyId, MemberId
from schemas.provision import SignedProvision
from schemas.receipt import Acknowledgement, Receipt, SignedAcknowledgement, SignedReceipt
from schemas.signed import Signature


@dataclass(frozen=True, slots=True)
class VerifiedHeader:
    """A header whose sender's signature holds; made only by `verify_header`.

    The Provisions and Grants inside are not verified by that: `authorise` does it.
    """

    header: Header
    digest: Digest

    @property
    def core(self) -> Core:
        """The signed core."""
        return self.header.core

    @property
    def recipients(self) -> tuple[MemberId, ...]:
        """The signed list of recipients."""
        return self.header.recipients


def verify_bytes(
    directory: Directory, member: MemberId, key: KeyId, at: int, signature: bytes, context: Context, *parts: bytes
) -> None:
    """An Ed25519 signature by a member's signing key that is valid at `at`. Raises BadSignature or Untrusted."""
    record = directory.signing_key(member, key, at)
    if not primitives.ed25519_verify(record.keys.ed25519, framed(context, *parts), signature):
        raise BadSignature(f"the signature of {member} for {context.value} does not verify")


def verify_header(header: Header, directory: Directory, at: int) -> VerifiedHeader:
    """The sender's signature over core and wraps. Raises BadSignature or Untrusted."""
    core = header.core
    verify_bytes(
        directory,
        core.sender,
        core.key_id,
        at,
        header.signature,
        Context.HEADER,
        header.core_bytes,
        header.wraps_bytes,
    )
    return VerifiedHeader(header, header_digest(header))


@dataclass(frozen=True, slots=True)
class Moment:
    """The facts by which signed consent is judged: the directory, the time (Unix seconds), and what is proved of logs.

    A signature is judged by its key's state at its first log entry. Without a proof of an earlier one, that is now.
    """

    directory: Directory
    at: int
    origins: frozenset[Origin] = frozenset()


def provision_fault(signed: SignedProvision, moment: Moment) -> tuple[MemberId, KeyFault] | None:
    """The first provider whose signature does not hold, and why; None when all hold."""
    for signature in signed.signatures:
        fault = _fault(signature, moment, Context.PROVISION, signed.body, partial(logged_provision, signed))
        if fault is not None:
            return signature.signer, fault
    return None


def grant_fault(signed: SignedGrant, moment: Moment) -> KeyFault | None:
    """Why a Grant's signature does not hold; None when it does."""
    return _fault(signed.signature, moment, Context.GRANT, signed.body, partial(logged_grant, signed))


def _fault(
    signature: Signature, moment: Moment, context: Context, body: bytes, logged: Callable[[], Digest]
) -> KeyFault | None:
    directory, member, key = moment.directory, signature.signer, signature.key_id
    try:
        record = directory.signing_key(member, key, moment.at)
    except Untrusted as fault:
        if not directory.knows(member, key) or not stood(moment.origins, logged(), directory, member, key):
            return fault
        record = directory.signing[member, key]
    if not primitives.ed25519_verify(record.keys.ed25519, framed(context, body), signature.value):
        return BadSignature(f"the signature of {member} for {context.value} does not verify")
    return None


def verify_receipt(signed: SignedReceipt, directory: Directory) -> Receipt:
    """A receipt by a relay of the charter at the directory size that it states. Raises BadSignature or Untrusted."""
    receipt = signed.receipt
    relay = directory.relay(receipt.relay, receipt.directory_size)
    _verify_relay(relay, signed.signature, Context.RECEIPT, signed.body)
    return receipt


def verify_acknowledgement(signed: SignedAcknowledgement, directory: Directory, at: int) -> Acknowledgement:
    """A recipient's acknowledgement. Raises BadSignature or Untrusted."""
    ack = signed.acknowledgement
    verify_bytes(directory, ack.recipient, ack.key_id, at, signed.signature, Context.ACKNOWLEDGEMENT, signed.body)
    return ack


def verify_relay_bytes(directory: Directory, relay: KeyId, signature: bytes, context: Context, *parts: bytes) -> None:
    """An Ed25519 signature by a relay of the charter in force. Raises BadSignature or Untrusted."""
    _verify_relay(directory.relay(relay), signature, context, *parts)


def _verify_relay(relay: Relay, signature: bytes, context: Context, *parts: bytes) -> None:
    if not primitives.ed25519_verify(relay.keys.ed25519, framed(context, *parts), signature):
        raise BadSignature(f"the signature of relay {relay.name} for {context.value} does not verify")
