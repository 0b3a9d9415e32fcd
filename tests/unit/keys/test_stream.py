"""STREAM: chunks stay in their place, and the end is the end."""

from collections.abc import Callable, Iterable

import pytest

from keys.errors import Undecryptable
from keys.primitives import ChunkCipher
from keys.stream import open_stream, seal_stream, sealed_size
from schemas.limits import CHUNK

KEY = bytes(range(32))
SEALED = CHUNK + 16
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1]


def text(size: int) -> bytes:
    return bytes(i * 7 % 251 for i in range(min(size, 997))) * (size // 997 + 1)


def seal(plain: bytes) -> bytes:
    return b"".join(seal_stream(KEY, [plain]))


def opened(data: bytes | Iterable[bytes]) -> bytes:
    return b"".join(open_stream(KEY, [data] if isinstance(data, bytes) else data))


@pytest.mark.parametrize("size", SIZES)
def test_a_stream_of_any_size_comes_back(size: int) -> None:
    plain = text(size)[:size]
    sealed = seal(plain)
    assert len(sealed) == sealed_size(size)
    assert opened(sealed) == plain


@pytest.mark.parametrize(("size", "chunks"), [(0, 1), (1, 1), (CHUNK, 1), (CHUNK + 1, 2), (2 * CHUNK, 2)])
def test_a_full_last_chunk_is_not_followed_by_an_empty_one(size: int, chunks: int) -> None:
    assert len(list(seal_stream(KEY, [bytes(size)]))) == chunks


@pytest.mark.parametrize("step", [1, 1000, CHUNK - 1, CHUNK + 1])
def test_how_the_pieces_were_cut_makes_no_difference(step: int) -> None:
    plain = text(CHUNK + 5)[: CHUNK + 5]
    sealed = b"".join(seal_stream(KEY, (plain[i : i + step] for i in range(0, len(plain), step))))
    assert sealed == seal(plain)
    assert opened(sealed[i : i + step] for i in range(0, len(sealed), step)) == plain


def test_the_bytes_are_those_of_the_specification() -> None:
    plain = text(CHUNK + 1)[: CHUNK + 1]
    cipher = ChunkCipher(KEY)
    first = cipher.seal(bytes(11) + b"\x00", plain[:CHUNK])
    second = cipher.seal(bytes(10) + b"\x01" + b"\x01", plain[CHUNK:])
    assert seal(plain) == first + second
    assert seal(b"") == cipher.seal(bytes(11) + b"\x01", b"")


A, B, C = (slice(i * SEALED, (i + 1) * SEALED) for i in range(3))
ATTACKS: dict[str, Callable[[bytes], bytes]] = {
    "two chunks exchanged": lambda s: s[B] + s[A] + s[C],
    "first chunk dropped": lambda s: s[B] + s[C],
    "middle chunk dropped": lambda s: s[A] + s[C],
    "last chunk dropped": lambda s: s[A] + s[B],
    "chunk repeated": lambda s: s[A] + s[A] + s[B] + s[C],
    "last chunk repeated": lambda s: s + s[C],
    "cut by a byte": lambda s: s[:-1],
    "cut to the tag": lambda s: s[: 2 * SEALED + 16],
    "cut inside a chunk": lambda s: s[: SEALED + 100],
    "cut to nothing": lambda s: b"",
    "extended by a byte": lambda s: s + b"\x00",
    "extended by a chunk": lambda s: s + bytes(SEALED),
    "bit flipped in the first chunk": lambda s: bytes([s[0] ^ 1]) + s[1:],
    "bit flipped in a tag": lambda s: s[: SEALED - 1] + bytes([s[SEALED - 1] ^ 0x80]) + s[SEALED:],
    "bit flipped at the end": lambda s: s[:-1] + bytes([s[-1] ^ 1]),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_stream_that_was_altered_does_not_end(attack: str) -> None:
    sealed = seal(text(2 * CHUNK + 9)[: 2 * CHUNK + 9])
    with pytest.raises(Undecryptable):
        opened(ATTACKS[attack](sealed))


@pytest.mark.parametrize("flags", [(1, 1), (0, 0), (1, 0)])
def test_only_the_last_chunk_is_marked_as_the_last(flags: tuple[int, int]) -> None:
    cipher = ChunkCipher(KEY)
    chunks = [bytes(CHUNK), b"end"]
    forged = [cipher.seal(n.to_bytes(11, "big") + bytes([flags[n]]), chunk) for n, chunk in enumerate(chunks)]
    with pytest.raises(Undecryptable):
        opened(forged)


def test_an_empty_last_chunk_is_refused_though_it_is_authentic() -> None:
    cipher = ChunkCipher(KEY)
    full = cipher.seal(bytes(12), bytes(CHUNK))
    empty = cipher.seal(bytes(10) + b"\x01" + b"\x01", b"")
    with pytest.raises(Undecryptable, match="empty chunk"):
        opened([full, empty])


def test_another_key_does_not_open() -> None:
    with pytest.raises(Undecryptable):
        list(open_stream(bytes(32), [seal(b"text")]))


def test_what_stands_before_a_damaged_chunk_is_given_out_and_no_more() -> None:
    sealed = seal(bytes(2 * CHUNK))
    chunks = open_stream(KEY, [sealed[:-1] + bytes([sealed[-1] ^ 1])])
    assert next(chunks) == bytes(CHUNK)
    with pytest.raises(Undecryptable):
        next(chunks)
    assert list(chunks) == []
