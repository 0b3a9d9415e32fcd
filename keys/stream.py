"""STREAM: a byte stream as 64 KiB AEAD chunks, as the C2SP age specification ("Payload") defines it.

The nonce of a chunk is its number (11 bytes, big-endian) and one byte that is 1 on the last chunk only, so chunks
cannot be reordered, dropped, added or the stream cut without notice. The last chunk is empty only in an empty stream.
"""

from collections.abc import Iterable, Iterator

from keys.errors import Undecryptable
from keys.primitives import CHUNK_OVERHEAD, ChunkCipher
from schemas.limits import CHUNK


def sealed_size(size: int) -> int:
    """Bytes of ciphertext for `size` bytes of plaintext."""
    return size + CHUNK_OVERHEAD * max(1, -(-size // CHUNK))


def seal_stream(key: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Encrypt the joined `pieces` under a key of this stream only; yields one sealed chunk at a time."""
    cipher = ChunkCipher(key)
    for number, (chunk, last) in enumerate(_regroup(pieces, CHUNK)):
        yield cipher.seal(_nonce(number, last), chunk)


def open_stream(key: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decrypt the joined `pieces`; yields authentic plaintext a chunk at a time. Raises Undecryptable.

    What was yielded before the error is authentic but incomplete: use nothing until the stream has ended.
    """
    cipher = ChunkCipher(key)
    for number, (chunk, last) in enumerate(_regroup(pieces, CHUNK + CHUNK_OVERHEAD)):
        plain = cipher.open(_nonce(number, last), chunk)
        if not plain and number > 0:
            raise Undecryptable("a stream ends in an empty chunk")
        yield plain


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


def _regroup(pieces: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Pieces of any length as pieces of `size`, with the last one marked; each byte is copied at most twice.

    At least one byte is always kept back: only the end of the input shows which chunk is the last.
    """
    held = bytearray()
    for piece in pieces:
        start = 0
        if held:
            start = size - len(held)
            if len(piece) <= start:
                held += piece
                continue
            held += piece[:start]
            yield bytes(held), False
            held.clear()
        while len(piece) - start > size:
            yield piece[start : start + size], False
            start += size
        held += piece[start:]
    yield bytes(held), True
