"""Files of the ceremonies: one line of ASCII, `cbm/1 <kind>` and a line feed, then the canonical bytes of one object.

The line says to a person and to `file` what it is; a reader that wants one kind refuses every other. None of these
files holds a secret (docs/protocol.md, "Files").
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from schemas import limits
from schemas.canon import Codec, Field, Struct, decode, encode
from schemas.charter import CHARTER, HYBRID_PUBLIC, RELAY, Charter, HybridPublic, Relay
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, MEMBER, Digest, MemberId
from schemas.refused import MAX_REFUSED, REFUSED_TRANSFER, RefusedTransfer
from schemas.signed import HYBRID_SIGNATURE, HybridSignature
from schemas.statement import DIRECTORY_ENTRY, SIGNED_KEY_REQUEST, DirectoryEntry, SignedKeyRequest

T = TypeVar("T")

_MAGIC: Final = b"cbm/1 "
DIRECTORY_LINE: Final = b"cbm/1 directory\n"
"""The first line of a file with a whole directory: its entries follow, each after its length, and make up no object."""
PROOF_LINE: Final = b"cbm/1 proof\n"
"""That of a proof file (`schemas.observation`)."""
EVIDENCE_LINE: Final = b"cbm/1 evidence\n"
"""That of an evidence file (`schemas.evidence`)."""
_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class RootPublic:
    """The public half of a state's root key, as its ministry hands it to whoever drafts the charter."""

    member: MemberId
    keys: HybridPublic


@dataclass(frozen=True, slots=True)
class CharterSignature:
    """One root's signature over the charter version that `charter` names (its charter digest)."""

    charter: Digest
    signature: HybridSignature


@dataclass(frozen=True, slots=True)
class FileKind(Generic[T]):
    """One kind of file: the name in its first line, the codec of its object, the object's largest size in bytes."""

    name: str
    codec: Codec[T]
    max_size: int


ROOT_PUBLIC: Final[FileKind[RootPublic]] = FileKind(
    "root-public",
    Struct(RootPublic, Field(1, "member", MEMBER), Field(2, "keys", HYBRID_PUBLIC)),
    limits.MAX_KEY_FILE,
)
CHARTER_DRAFT: Final[FileKind[Charter]] = FileKind("charter-draft", CHARTER, limits.MAX_CHARTER)
CHARTER_SIGNATURE: Final[FileKind[CharterSignature]] = FileKind(
    "charter-signature",
    Struct(CharterSignature, Field(1, "charter", DIGEST), Field(2, "signature", HYBRID_SIGNATURE)),
    limits.MAX_KEY_FILE,
)
SIGNED_CHARTER: Final[FileKind[DirectoryEntry]] = FileKind("charter", DIRECTORY_ENTRY, limits.MAX_DIRECTORY_ENTRY)
SIGNING_REQUEST: Final[FileKind[SignedKeyRequest]] = FileKind(
    "signing-request", SIGNED_KEY_REQUEST, limits.MAX_KEY_FILE
)
ENTRY: Final[FileKind[DirectoryEntry]] = FileKind("directory-entry", DIRECTORY_ENTRY, limits.MAX_DIRECTORY_ENTRY)
RELAY_IDENTITY: Final[FileKind[Relay]] = FileKind("relay-identity", RELAY, limits.MAX_KEY_FILE)
REFUSED: Final[FileKind[RefusedTransfer]] = FileKind("refused-transfer", REFUSED_TRANSFER, MAX_REFUSED)

KINDS: Final[dict[str, FileKind[Any]]] = {
    kind.name: kind
    for kind in (
        ROOT_PUBLIC,
        CHARTER_DRAFT,
        CHARTER_SIGNATURE,
        SIGNED_CHARTER,
        SIGNING_REQUEST,
        ENTRY,
        RELAY_IDENTITY,
        REFUSED,
    )
}
_LONGEST_LINE: Final = len(_MAGIC) + max(map(len, KINDS)) + 1
MAX_FILE: Final = _LONGEST_LINE + max(kind.max_size for kind in KINDS.values())


def encode_file(kind: FileKind[T], value: T) -> bytes:
    """The bytes of a file; raises DecodeError when the value is outside the protocol."""
    return _MAGIC + kind.name.encode("ascii") + b"\n" + encode(kind.codec, value)


def decode_file(kind: FileKind[T], data: bytes) -> T:
    """Read a file that has to be of `kind`; raises DecodeError (wrong-type when it is of another kind)."""
    if kind_of(data) is not kind:
        raise DecodeError(Reason.WRONG_TYPE, f"file, which is no {kind.name}")
    return decode(kind.codec, data[data.index(b"\n") + 1 :], kind.max_size)


def kind_of(data: bytes) -> FileKind[Any]:
    """The kind that the first line names; raises DecodeError (malformed) when it is no file of this protocol."""
    line, end, _ = data[:_LONGEST_LINE].partition(b"\n")
    name = line.removeprefix(_MAGIC)
    kind = KINDS.get(name.decode("ascii", "replace"))
    if kind is None or not end or name == line:
        raise DecodeError(Reason.MALFORMED, "first line of the file")
    return kind


def join_parts(line: bytes, parts: Iterable[bytes], most: int) -> bytes:
    """A file of several objects: its first line, then each after its length. Raises DecodeError (too-large)."""
    pieces, size = [line], len(line)
    for part in parts:
        size += _LENGTH + len(part)
        if size > most:
            raise DecodeError(Reason.TOO_LARGE, "file")
        pieces.append(len(part).to_bytes(_LENGTH, "big") + part)
    return b"".join(pieces)


def split_parts(line: bytes, data: bytes, most: int) -> tuple[bytes, ...]:
    """The parts of such a file, at least two: an object, and the first entry of a directory. Raises DecodeError."""
    if len(data) > most:
        raise DecodeError(Reason.TOO_LARGE, "file")
    if not data.startswith(line):
        raise DecodeError(Reason.MALFORMED, "first line of the file")
    parts, place = [], len(line)
    while place < len(data):
        start = place + _LENGTH
        place = start + int.from_bytes(data[place:start], "big")
        if start == place or place > len(data):
            raise DecodeError(Reason.MALFORMED, "file")
        parts.append(data[start:place])
    if len(parts) < 2:
        raise DecodeError(Reason.MISSING_FIELD, "file")
    return tuple(parts)
