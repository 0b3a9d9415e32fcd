"""Signed notes (C2SP signed-note): a text, and lines of signatures by named keys of several types.

Read strictly: what is accepted is written again byte for byte. A line by a key that the verifier does not know counts
for nothing; one by a key that it knows has to verify, or the whole note is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from keys import primitives
from keys.digests import sha256
from keys.errors import BadSignature
from keys.lines import base64_bytes, base64_text, check_text, read_text
from schemas.contexts import Context, framed
from schemas.errors import DecodeError, Reason
from schemas.limits import MAX_NOTE, MAX_NOTE_NAME, MAX_NOTE_SIGNATURES

Sign = Callable[[bytes], bytes]
"""Signs a message with the private half of one key."""

_DASH: Final = "— "
_KEY_HASH: Final = 4
# Longer than any vkey of a type below: a name, an identifier and a public key in base64.
_MAX_VKEY: Final = 4096


class KeyType(Enum):
    """What a key signs, by the identifier that goes into its hash. The first byte is from signed-note's registry.

    ED25519 signs the text of a note. The two cosignatures are of checkpoints (see `keys.cosign`). MLDSA65 is of the
    registry's private type: the byte 0xff and the label under which this protocol signs notes.
    """

    ED25519 = b"\x01"
    COSIGNATURE_ED25519 = b"\x04"
    COSIGNATURE_MLDSA44 = b"\x06"
    MLDSA65 = b"\xff" + Context.NOTE.value.encode("ascii")


_PUBLIC_SIZE: Final = {
    KeyType.ED25519: 32,
    KeyType.COSIGNATURE_ED25519: 32,
    KeyType.COSIGNATURE_MLDSA44: 1312,
    KeyType.MLDSA65: 1952,
}


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key under a name. `key_hash` (4 bytes, the format's "key ID") tells a name's keys apart.

    Raises DecodeError for a name that no note can hold, or a key of another size than its type's.
    """

    name: str
    type: KeyType
    public: bytes
    key_hash: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Check, and hash once."""
        _check_name(self.name, "NoteKey.name")
        if len(self.public) != _PUBLIC_SIZE[self.type]:
            raise DecodeError(Reason.OUT_OF_RANGE, "NoteKey.public")
        hashed = self.name.encode("utf-8") + b"\n" + self.type.value + self.public
        object.__setattr__(self, "key_hash", sha256(hashed)[:_KEY_HASH])

    @property
    def vkey(self) -> str:
        """The key as one word of text."""
        return f"{self.name}+{self.key_hash.hex()}+{base64_text(self.type.value + self.public)}"


def parse_vkey(text: str) -> NoteKey:
    """A verifier key of one of the types above. Raises DecodeError."""
    if len(text) > _MAX_VKEY:
        raise DecodeError(Reason.TOO_LARGE, "NoteKey")
    # Base64 may hold a plus sign too, a name may not.
    name, *rest = text.split("+", 2)
    if len(rest) != 2:
        raise DecodeError(Reason.MALFORMED, "NoteKey")
    encoded = base64_bytes(rest[1], "NoteKey.public")
    for kind in KeyType:
        if encoded.startswith(kind.value):
            key = NoteKey(name, kind, encoded[len(kind.value) :])
            if key.vkey != text:
                raise DecodeError(Reason.CONTRADICTION, "NoteKey.key_hash")
            return key
    raise DecodeError(Reason.OUT_OF_RANGE, "NoteKey.type")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One line: who signed, the hash of the key (4 bytes), and what its type puts there. Not verified."""

    name: str
    key_hash: bytes
    value: bytes

    def __post_init__(self) -> None:
        """A line that can be written and read again."""
        _check_name(self.name, "NoteSignature.name")
        if len(self.key_hash) != _KEY_HASH or not self.value:
            raise DecodeError(Reason.OUT_OF_RANGE, "NoteSignature.value")

    def by(self, key: NoteKey) -> bool:
        """Whether the line says that it is by this key."""
        return self.name == key.name and self.key_hash == key.key_hash

    @property
    def line(self) -> str:
        """The line without its newline."""
        return f"{_DASH}{self.name} {base64_text(self.key_hash + self.value)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signatures, which are not verified. Raises DecodeError."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        """What `encode` writes can be read again."""
        if not self.text.endswith("\n") or not 1 <= len(self.signatures) <= MAX_NOTE_SIGNATURES:
            raise DecodeError(Reason.OUT_OF_RANGE, "Note")
        check_text(self.text, "Note.text")

    def encode(self) -> bytes:
        """The note as UTF-8."""
        return f"{self.text}\n".encode() + encode_lines(self.signatures)


def parse_note(data: bytes) -> Note:
    """A signed note of at most 1 MiB and 320 signatures. Raises DecodeError."""
    text = read_text(data, MAX_NOTE, "Note")
    # The text may hold empty lines: the last one parts it from the signatures, none of which is empty.
    body, gap, lines = text.rpartition("\n\n")
    if not gap:
        raise DecodeError(Reason.MALFORMED, "Note")
    return Note(body + "\n", _parse_lines(lines))


def encode_lines(signatures: tuple[NoteSignature, ...]) -> bytes:
    """Signature lines as they end a note, and as a witness answers them."""
    return "".join(f"{signature.line}\n" for signature in signatures).encode()


def parse_lines(data: bytes) -> tuple[NoteSignature, ...]:
    """One or more signature lines and nothing else. Raises DecodeError."""
    return _parse_lines(read_text(data, MAX_NOTE, "Note.signatures"))


def note_message(text: str, key: NoteKey) -> bytes:
    """What a key of type ED25519 or MLDSA65 signs for a note with this text."""
    if key.type is KeyType.ED25519:
        return text.encode()
    if key.type is KeyType.MLDSA65:
        return framed(Context.NOTE, key.name.encode(), text.encode())
    raise ValueError("a key for cosignatures does not sign notes")


def sign_note(text: str, key: NoteKey, sign: Sign) -> NoteSignature:
    """The line by a key of type ED25519 or MLDSA65; `sign` has its private half."""
    return NoteSignature(key.name, key.key_hash, sign(note_message(text, key)))


def signed_by(note: Note, key: NoteKey) -> bool:
    """Whether the note has a line by a key of type ED25519 or MLDSA65. Raises BadSignature when one does not verify."""
    verify = primitives.mldsa65_verify if key.type is KeyType.MLDSA65 else primitives.ed25519_verify
    message = note_message(note.text, key)
    values = [signature.value for signature in note.signatures if signature.by(key)]
    if not all(verify(key.public, message, value) for value in values):
        raise BadSignature(f"a signature of {key.name} on a note does not verify: use nothing of the note")
    return bool(values)


def _check_name(name: str, where: str) -> None:
    check_text(name, where)
    if "+" in name or any(character.isspace() for character in name):
        raise DecodeError(Reason.MALFORMED, where)
    if not 1 <= len(name.encode()) <= MAX_NOTE_NAME:
        raise DecodeError(Reason.OUT_OF_RANGE, where)


def _parse_lines(text: str) -> tuple[NoteSignature, ...]:
    *lines, rest = text.split("\n")
    if rest or not lines:
        raise DecodeError(Reason.MALFORMED, "Note.signatures")
    if len(lines) > MAX_NOTE_SIGNATURES:
        raise DecodeError(Reason.TOO_LARGE, "Note.signatures")
    return tuple(_parse_line(line) for line in lines)


def _parse_line(line: str) -> NoteSignature:
    name, gap, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not gap:
        raise DecodeError(Reason.MALFORMED, "NoteSignature")
    data = base64_bytes(encoded, "NoteSignature.value")
    return NoteSignature(name, data[:_KEY_HASH], data[_KEY_HASH:])
