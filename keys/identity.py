"""Private identities as values. They print as their public key's id, never as themselves."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from keys import primitives
from keys.digests import epoch_key_id, key_id
from keys.errors import KeystoreFault
from schemas.charter import HybridPublic
from schemas.contexts import Context, framed
from schemas.ids import KeyId, MemberId
from schemas.signed import HybridSignature, Signature
from schemas.statement import KemPublic

SIGNING_ENTROPY: Final = 3 * primitives.SEED


class Ed25519Token(Protocol):
    """An Ed25519 key that stays where it is, as in a PKCS#11 token."""

    @property
    def public(self) -> bytes:
        """Its public key, 32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """A 64-byte signature; raises KeystoreFault when the token does not sign."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class SigningIdentity:
    """A hybrid signing key pair of a root, a node or a relay, from three 32-byte seeds.

    `owner` is the member's code; a relay signs under the code of the Secretariat. `cosigner` is the ML-DSA-44 public
    key of a node's cosignatures; nothing else is signed with that half. With a `token` the Ed25519 half is there, and
    its seed is empty.
    """

    owner: MemberId
    ed25519_seed: bytes
    mldsa65_seed: bytes
    mldsa44_seed: bytes
    token: Ed25519Token | None = None
    public: HybridPublic = field(init=False)
    cosigner: bytes = field(init=False)
    key_id: KeyId = field(init=False)

    def __post_init__(self) -> None:
        """Derive the public halves once."""
        curve = self.token.public if self.token is not None else primitives.ed25519_public(self.ed25519_seed)
        public = HybridPublic(curve, primitives.mldsa65_public(self.mldsa65_seed))
        object.__setattr__(self, "public", public)
        object.__setattr__(self, "cosigner", primitives.mldsa44_public(self.mldsa44_seed))
        object.__setattr__(self, "key_id", key_id(public))

    def __repr__(self) -> str:
        """Owner and key id only."""
        return f"SigningIdentity({self.owner}, {self.key_id.hex()[:16]})"

    @classmethod
    def from_entropy(cls, owner: MemberId, entropy: bytes, token: Ed25519Token | None = None) -> "SigningIdentity":
        """An identity from SIGNING_ENTROPY fresh random bytes, of which a `token` makes the first third unused.

        Raises KeystoreFault for another number of them.
        """
        if len(entropy) != SIGNING_ENTROPY:
            raise KeystoreFault("a signing key has the wrong size: it is damaged, or of another version")
        return cls(owner, entropy[:32] if token is None else b"", entropy[32:64], entropy[64:], token)

    @property
    def entropy(self) -> bytes:
        """What `from_entropy` makes this identity of again: a secret."""
        return self.ed25519_seed + self.mldsa65_seed + self.mldsa44_seed

    def sign_bytes(self, context: Context, *parts: bytes) -> bytes:
        """Ed25519 over the labelled parts; 64 bytes."""
        return self._sign_curve(framed(context, *parts))

    def sign_http(self, signature_base: bytes) -> bytes:
        """Ed25519 over an RFC 9421 signature base, which begins with a quoted component and so is no label of ours."""
        if not signature_base.startswith(b'"'):
            raise ValueError("not an HTTP signature base")
        return self._sign_curve(signature_base)

    def sign_note(self, text: bytes) -> bytes:
        """Ed25519 over the text of a note (C2SP signed-note, tlog-cosignature), which begins with no label of ours."""
        if text.startswith(b"cbm/"):
            raise ValueError("not the text of a note")
        return self._sign_curve(text)

    def sign(self, context: Context, *parts: bytes) -> Signature:
        """The same, with who signed."""
        return Signature(self.owner, self.key_id, self.sign_bytes(context, *parts))

    def sign_hybrid(self, context: Context, *parts: bytes) -> HybridSignature:
        """Both halves over the labelled parts, for what has to hold for decades."""
        message = framed(context, *parts)
        return HybridSignature(
            self.owner,
            self.key_id,
            self._sign_curve(message),
            primitives.mldsa65_sign(self.mldsa65_seed, message),
        )

    def _sign_curve(self, message: bytes) -> bytes:
        if self.token is not None:
            return self.token.sign(message)
        return primitives.ed25519_sign(self.ed25519_seed, message)


@dataclass(frozen=True, slots=True, repr=False)
class EpochIdentity:
    """The private half of one encryption epoch: a 96-byte seed (ML-KEM-768 64, X25519 32).

    A node keeps it in a bytearray, so that `forget` leaves nothing of it.
    """

    seed: bytes | bytearray
    public: KemPublic = field(init=False)
    key_id: KeyId = field(init=False)

    def __post_init__(self) -> None:
        """Derive the public half once."""
        public = KemPublic(*primitives.kem_public(self.seed))
        object.__setattr__(self, "public", public)
        object.__setattr__(self, "key_id", epoch_key_id(public))

    def __repr__(self) -> str:
        """Key id only."""
        return f"EpochIdentity({self.key_id.hex()[:16]})"

    def forget(self) -> None:
        """Overwrite the seed: it opens nothing any more. Raises TypeError when it was given as bytes."""
        if not isinstance(self.seed, bytearray):
            raise TypeError("bytes cannot be overwritten")
        self.seed[:] = bytes(len(self.seed))
