"""Verification of hybrid signatures: both halves or nothing."""

from keys import primitives
from keys.digests import key_id
from keys.errors import BadSignature
from schemas.charter import HybridPublic
from schemas.contexts import Context, framed
from schemas.signed import HybridSignature


def verify_hybrid(keys: HybridPublic, signature: HybridSignature, context: Context, *parts: bytes) -> None:
    """Raises BadSignature unless the Ed25519 and the ML-DSA-65 signature both hold under `keys`."""
    message = framed(context, *parts)
    if (
        signature.key_id != key_id(keys)
        or not primitives.ed25519_verify(keys.ed25519, message, signature.ed25519)
        or not primitives.mldsa65_verify(keys.mldsa65, message, signature.mldsa65)
    ):
        raise BadSignature(f"the hybrid signature of {signature.signer} for {context.value} does not verify")
