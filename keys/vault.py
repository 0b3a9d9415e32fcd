"""Content at rest: sealed under a node's local key, which no other copy of the content depends on.

A row is XChaCha20-Poly1305 bound to its place. A file is a random salt (32 bytes) and a STREAM under a key derived
from the local key, that salt and the file's name, so that files of any size are written and read a chunk at a time,
and one that is put in another's place does not open. What has to be compared and never read again is kept as an HMAC:
a plain digest would let whoever has the database guess the matter.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from keys import primitives
from keys.errors import Undecryptable
from keys.stream import open_stream, seal_stream
from schemas.contexts import Context, framed

SALT = 32


class Vault:
    """Seals under one 32-byte local key; prints without it."""

    def __init__(self, local_key: bytes) -> None:
        """`local_key`: 32 bytes from the keystore."""
        self._key = local_key

    def __repr__(self) -> str:
        """Nothing of the key."""
        return "Vault()"

    def seal(self, place: str, name: bytes, plaintext: bytes) -> bytes:
        """Seal a value for one place (table and column) of one object."""
        return primitives.secret_seal(self._key, plaintext, framed(Context.STORED_ROW, place.encode(), name))

    def open(self, place: str, name: bytes, sealed: bytes) -> bytes:
        """Open a value that was sealed for this place; raises Undecryptable."""
        return primitives.secret_open(self._key, sealed, framed(Context.STORED_ROW, place.encode(), name))

    def request_digest(self, *parts: bytes) -> bytes:
        """32 bytes that tell whether two requests are the same, to this node only."""
        key = primitives.hkdf(self._key, framed(Context.STORED_REQUEST))
        return primitives.hmac_sha256(key, framed(Context.STORED_REQUEST, *parts))

    def seal_file(self, name: str, salt: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes of a sealed file of that name; `salt` is 32 fresh random bytes."""
        return chain([salt], seal_stream(self._file_key(name, salt), pieces))

    def open_file(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The plaintext of the sealed file of that name, a chunk at a time; raises Undecryptable."""
        source = iter(pieces)
        start = b""
        while len(start) < SALT:
            piece = next(source, b"")
            if not piece:
                raise Undecryptable("a stored file is too short")
            start += piece
        return open_stream(self._file_key(name, start[:SALT]), chain([start[SALT:]], source))

    def _file_key(self, name: str, salt: bytes) -> bytes:
        return primitives.hkdf(self._key, framed(Context.STORED_FILE, name.encode()), salt)
