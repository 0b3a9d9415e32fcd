"""Private identities as values. They print as their public key's id, never as themselves."""

from dataclasses import dataclass, field

from keys import primitives
from keys.digests import epoch_key_id, key_id
from schemas.charter import HybridPublic
from schemas.contexts import Context, framed
from schemas.ids import KeyId, MemberId
from schemas.signed import HybridSignature, Signature
from schemas.statement import KemPublic


@dataclass(frozen=True, slots=True, repr=False)
class SigningIdentity:
    """A hybrid signing key pair of a root, a node or a relay, from two 32-byte seeds.

    `owner` is the member's code; a relay signs under the code of the Secretariat.
    """

    owner: MemberId
    ed25519_seed: bytes
    mldsa65_seed: bytes
    public: HybridPublic = field(init=False)
    key_id: KeyId = field(init=False)

    def __post_init__(self) -> None:
        """Derive the public half once."""
        public = HybridPublic(
            primitives.ed25519_public(self.ed25519_seed), primitives.mldsa65_public(self.mldsa65_seed)
        )
        object.__setattr__(self, "public", public)
        object.__setattr__(self, "key_id", key_id(public))

    def __repr__(self) -> str:
        """Owner and key id only."""
        return f"SigningIdentity({self.owner}, {self.key_id.hex()[:16]})"

    @classmethod
    def from_entropy(cls, owner: MemberId, entropy: bytes) -> "SigningIdentity":
        """An identity from 64 fresh random bytes."""
        return cls(owner, entropy[:32], entropy[32:64])

    def sign_bytes(self, context: Context, *parts: bytes) -> bytes:
        """Ed25519 over the labelled parts; 64 bytes."""
        return primitives.ed25519_sign(self.ed25519_seed, framed(context, *parts))

    def sign_http(self, signature_base: bytes) -> bytes:
        """Ed25519 over an RFC 9421 signature base, which begins with a quoted component and so is no label of ours."""
        if not signature_base.startswith(b'"'):
            raise ValueError("not an HTTP signature base")
        return primitives.ed25519_sign(self.ed25519_seed, signature_base)

    def sign(self, context: Context, *parts: bytes) -> Signature:
        """The same, with who signed."""
        return Signature(self.owner, self.key_id, self.sign_bytes(context, *parts))

    def sign_hybrid(self, context: Context, *parts: bytes) -> HybridSignature:
        """Both halves over the labelled parts, for what has to hold for decades."""
        message = framed(context, *parts)
        return HybridSignature(
            self.owner,
            self.key_id,
            primitives.ed25519_sign(self.ed25519_seed, message),
            primitives.mldsa65_sign(self.mldsa65_seed, message),
        )


@dataclass(frozen=True, slots=True, repr=False)
class EpochIdentity:
    """The private half of one encryption epoch: a 96-byte seed (ML-KEM-768 64, X25519 32)."""

    seed: bytes
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
