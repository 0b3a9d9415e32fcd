"""Names and digests as distinct types, and the codecs of the fields that every wire object shares."""

import re
from typing import Final, NewType

from schemas.canon import Blob, Text, Uint, fixed

MemberId = NewType("MemberId", str)
"""ISO 3166-1 alpha-3 code of a state (XAA to XZZ are user-assigned, for demo and tests), or CICA, the Secretariat."""
KeyId = NewType("KeyId", bytes)
"""32 bytes: digest of a public key, under its label."""
EnvelopeId = NewType("EnvelopeId", bytes)
"""16 bytes, a UUIDv7 (RFC 9562), unique per sender; the time in it orders storage and is not evidence."""
ProvisionId = NewType("ProvisionId", bytes)
"""16 random bytes."""
GrantId = NewType("GrantId", bytes)
"""16 random bytes."""
ClassTag = NewType("ClassTag", bytes)
"""16 random bytes whose meaning is known only from encrypted content."""
StreamId = NewType("StreamId", bytes)
"""16 random bytes naming one numbered stream from one node to another."""
Digest = NewType("Digest", bytes)
"""32 bytes of SHA-256."""
Ed25519Public = NewType("Ed25519Public", bytes)
Ed25519Signature = NewType("Ed25519Signature", bytes)

SECRETARIAT: Final = MemberId("CICA")
NO_DIGEST: Final = Digest(bytes(32))

_MEMBER: Final = re.compile(r"[A-Z]{3}|CICA")

MEMBER: Final = Text(4, _MEMBER)
TIME: Final = Uint()
ID16: Final = fixed(16)
DIGEST: Final = fixed(32)
ED25519_PUBLIC: Final = fixed(32)
ED25519_SIGNATURE: Final = fixed(64)
MLDSA44_PUBLIC: Final = fixed(1312)
MLDSA65_PUBLIC: Final = fixed(1952)
MLDSA65_SIGNATURE: Final = fixed(3309)
MLKEM768_PUBLIC: Final = fixed(1184)
X25519_PUBLIC: Final = fixed(32)


def member_id(text: str) -> MemberId:
    """Parse a member's code; raises DecodeError."""
    return MemberId(MEMBER.unpack(text, "member"))


def nested(maximum: int) -> Blob:
    """The exact bytes of an object that is signed on its own and therefore kept as bytes inside another."""
    return Blob(1, maximum)
