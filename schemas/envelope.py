"""Envelope: header (core and wraps), and the frame that joins it to its body (docs/protocol.md, "Envelope")."""

from dataclasses import dataclass, field
from typing import Final

from schemas import limits
from schemas.canon import Choice, Field, Seq, Struct, Uint, decode, encode
from schemas.errors import DecodeError, Reason
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.ids import (
    DIGEST,
    ED25519_SIGNATURE,
    ID16,
    MEMBER,
    TIME,
    Digest,
    EnvelopeId,
    KeyId,
    MemberId,
    nested,
)
from schemas.origin import ORIGINS, Origins
from schemas.provision import SIGNED_PROVISION, SignedProvision
from schemas.terms import Precedence, Purpose, Suite
from schemas.wrap import WRAPS, Wrap


@dataclass(frozen=True, slots=True)
class Core:
    """Everything of a header but the wraps; times are Unix seconds.

    Attributes:
        key_id: the sender's signing key that signs the header.
        purpose: what this transfer is for; a Grant has to be for the same.
        expires: absolute; the relay deletes the ciphertext then.
        key_commitment: digest that binds the one content key for all recipients.
        body_size, body_digest: of the ciphertext.
        replaces: an envelope of the same sender that this one stands for, if any.
        origins: of Provisions and Grants whose keys are no longer valid: the proof that they were accepted before.

    Raises DecodeError (contradiction) when it expires before it was created, replaces itself, or has more Grants for
    its Provisions than a judge looks at.
    """

    suite: Suite
    id: EnvelopeId
    sender: MemberId
    key_id: KeyId
    provisions: tuple[SignedProvision, ...]
    grants: tuple[SignedGrant, ...]
    purpose: Purpose
    precedence: Precedence
    created: int
    expires: int
    key_commitment: Digest
    body_size: int
    body_digest: Digest
    replaces: EnvelopeId | None
    origins: Origins | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.expires <= self.created:
            raise DecodeError(Reason.CONTRADICTION, "Core.expires")
        if self.replaces == self.id:
            raise DecodeError(Reason.CONTRADICTION, "Core.replaces")
        pairs = sum(s.grant.is_about(p.provision) for s in self.grants for p in self.provisions)
        if pairs > limits.MAX_GRANT_PAIRS:
            raise DecodeError(Reason.CONTRADICTION, "Core.grants")


@dataclass(frozen=True, slots=True)
class _SuiteChoice:
    """A suite number of its own reason code: a newer or a weaker suite is not a malformed message."""

    def pack(self, value: Suite, where: str) -> int:
        return self.unpack(int(value), where).value

    def unpack(self, wire: object, where: str) -> Suite:
        if type(wire) is not int:
            raise DecodeError(Reason.WRONG_TYPE, where)
        try:
            return Suite(wire)
        except ValueError:
            raise DecodeError(Reason.UNSUPPORTED_SUITE, where) from None


def _provision_order(signed: SignedProvision) -> tuple[bytes, tuple[MemberId, ...]]:
    # Ids are chosen by their makers: only with the providers do they name one Provision.
    return signed.provision.id, signed.provision.providers


def _grant_order(signed: SignedGrant) -> tuple[bytes, MemberId]:
    return signed.grant.id, signed.grant.provider


CORE: Final = Struct(
    Core,
    Field(1, "suite", _SuiteChoice()),
    Field(2, "id", ID16),
    Field(3, "sender", MEMBER),
    Field(4, "key_id", DIGEST),
    Field(5, "provisions", Seq(SIGNED_PROVISION, 1, limits.MAX_PROVISIONS, _provision_order)),
    Field(6, "grants", Seq(SIGNED_GRANT, 0, limits.MAX_GRANTS, _grant_order)),
    Field(7, "purpose", Choice(Purpose)),
    Field(8, "precedence", Choice(Precedence)),
    Field(9, "created", TIME),
    Field(10, "expires", TIME),
    Field(11, "key_commitment", DIGEST),
    Field(12, "body_size", Uint(1, limits.MAX_BODY)),
    Field(13, "body_digest", DIGEST),
    Field(14, "replaces", ID16, optional=True),
    Field(15, "origins", ORIGINS, optional=True),
)


@dataclass(frozen=True, slots=True)
class Header:
    """The two byte strings that the sender's signature covers, and that signature, not yet verified.

    Raises DecodeError when the sender is among the recipients.
    """

    core_bytes: bytes
    wraps_bytes: bytes
    signature: bytes
    core: Core = field(init=False, repr=False, compare=False)
    wraps: tuple[Wrap, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read both byte strings once."""
        core = decode(CORE, self.core_bytes, limits.MAX_CORE)
        wraps = decode(WRAPS, self.wraps_bytes, limits.MAX_WRAPS)
        if any(wrap.recipient == core.sender for wrap in wraps.items):
            raise DecodeError(Reason.CONTRADICTION, "Header.wraps")
        object.__setattr__(self, "core", core)
        object.__setattr__(self, "wraps", wraps.items)

    @property
    def recipients(self) -> tuple[MemberId, ...]:
        """The members that can open the envelope, in alphabetical order."""
        return tuple(wrap.recipient for wrap in self.wraps)

    def wrap_for(self, member: MemberId) -> Wrap | None:
        """The wrap of one recipient, or None."""
        return next((wrap for wrap in self.wraps if wrap.recipient == member), None)


HEADER: Final = Struct(
    Header,
    Field(1, "core_bytes", nested(limits.MAX_CORE)),
    Field(2, "wraps_bytes", nested(limits.MAX_WRAPS)),
    Field(3, "signature", ED25519_SIGNATURE),
)

_LENGTH_BYTES: Final = 4


def decode_header(data: bytes) -> Header:
    """Read a header; raises DecodeError."""
    return decode(HEADER, data, limits.MAX_HEADER)


def encode_header(header: Header) -> bytes:
    """The bytes of a header."""
    return encode(HEADER, header)


def frame_prefix(header: bytes) -> bytes:
    """What stands before an envelope's header on a byte stream: its length, 4 bytes, big-endian."""
    return len(header).to_bytes(_LENGTH_BYTES, "big")


def header_length(prefix: bytes) -> int:
    """The length that a frame's first 4 bytes state; raises DecodeError when no header may be that long."""
    if len(prefix) != _LENGTH_BYTES:
        raise DecodeError(Reason.MALFORMED, "frame")
    length = int.from_bytes(prefix, "big")
    if not 1 <= length <= limits.MAX_HEADER:
        raise DecodeError(Reason.TOO_LARGE, "frame")
    return length
