"""Signatures as they stand beside the exact bytes that they cover."""

from dataclasses import dataclass
from typing import Final

from schemas.canon import Field, Struct
from schemas.ids import DIGEST, ED25519_SIGNATURE, MEMBER, MLDSA65_SIGNATURE, KeyId, MemberId


@dataclass(frozen=True, slots=True)
class Signature:
    """Ed25519 (RFC 8032) by a member's node signing key; 64 bytes."""

    signer: MemberId
    key_id: KeyId
    value: bytes


@dataclass(frozen=True, slots=True)
class HybridSignature:
    """Ed25519 and ML-DSA-65 (FIPS 204) over the same bytes; it holds only when both hold.

    `signer` is a member's code; `key_id` names its root or node signing key.
    """

    signer: MemberId
    key_id: KeyId
    ed25519: bytes
    mldsa65: bytes


SIGNATURE: Final = Struct(
    Signature,
    Field(1, "signer", MEMBER),
    Field(2, "key_id", DIGEST),
    Field(3, "value", ED25519_SIGNATURE),
)
HYBRID_SIGNATURE: Final = Struct(
    HybridSignature,
    Field(1, "signer", MEMBER),
    Field(2, "key_id", DIGEST),
    Field(3, "ed25519", ED25519_SIGNATURE),
    Field(4, "mldsa65", MLDSA65_SIGNATURE),
)
