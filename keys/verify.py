"""Verification only: what a party without secrets, such as the relay, needs. Verified things are types of their own."""

from dataclasses import dataclass

from keys import primitives
from keys.digests import header_digest
from keys.directory import Directory
from keys.errors import BadSignature, KeyFault
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


def _holds(signature: Signature, directory: Directory, at: int, context: Context, body: bytes) -> KeyFault | None:
    try:
        verify_bytes(directory, signature.signer, signature.key_id, at, signature.value, context, body)
    except KeyFault as fault:
        return fault
    return None


def provision_fault(signed: SignedProvision, directory: Directory, at: int) -> tuple[MemberId, KeyFault] | None:
    """The first provider whose signature does not hold, and why; None when all hold."""
    for signature in signed.signatures:
        fault = _holds(signature, directory, at, Context.PROVISION, signed.body)
        if fault is not None:
            return signature.signer, fault
    return None


def grant_fault(signed: SignedGrant, directory: Directory, at: int) -> KeyFault | None:
    """Why a Grant's signature does not hold; None when it does."""
    return _holds(signed.signature, directory, at, Context.GRANT, signed.body)


def verify_receipt(signed: SignedReceipt, directory: Directory) -> Receipt:
    """A receipt by a relay of the charter. Raises BadSignature or Untrusted."""
    verify_relay_bytes(directory, signed.receipt.relay, signed.signature, Context.RECEIPT, signed.body)
    return signed.receipt


def verify_acknowledgement(signed: SignedAcknowledgement, directory: Directory, at: int) -> Acknowledgement:
    """A recipient's acknowledgement. Raises BadSignature or Untrusted."""
    ack = signed.acknowledgement
    verify_bytes(directory, ack.recipient, ack.key_id, at, signed.signature, Context.ACKNOWLEDGEMENT, signed.body)
    return ack


def verify_relay_bytes(directory: Directory, relay: KeyId, signature: bytes, context: Context, *parts: bytes) -> None:
    """An Ed25519 signature by a relay of the charter. Raises BadSignature or Untrusted."""
    identity = directory.relay(relay)
    if not primitives.ed25519_verify(identity.keys.ed25519, framed(context, *parts), signature):
        raise BadSignature(f"the signature of relay {identity.name} for {context.value} does not verify")
