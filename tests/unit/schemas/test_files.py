"""Files of the ceremonies: one kind, one object, nothing after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.charter import HybridPublic, Relay
from schemas.errors import DecodeError, Reason
from schemas.files import (
    CHARTER_DRAFT,
    CHARTER_SIGNATURE,
    KINDS,
    RELAY_IDENTITY,
    ROOT_PUBLIC,
    CharterSignature,
    RootPublic,
    decode_file,
    encode_file,
    kind_of,
)
from schemas.ids import Digest, KeyId, MemberId
from schemas.limits import MAX_NAME
from schemas.signed import HybridSignature
from tests.support.wire import refusal

KEYS = HybridPublic(bytes(32), bytes(1952))
ROOT = RootPublic(MemberId("KAZ"), KEYS)
DATA = encode_file(ROOT_PUBLIC, ROOT)


def test_a_file_says_what_it_is_in_its_first_line() -> None:
    assert DATA.startswith(b"cbm/1 root-public\n")
    assert kind_of(DATA) is ROOT_PUBLIC
    assert decode_file(ROOT_PUBLIC, DATA) == ROOT


def test_the_largest_objects_fit() -> None:
    relay = Relay("Ж" * MAX_NAME, KEYS, tuple(Digest(bytes([n]) * 32) for n in range(8)))
    assert decode_file(RELAY_IDENTITY, encode_file(RELAY_IDENTITY, relay)) == relay
    signature = HybridSignature(MemberId("KAZ"), KeyId(bytes(32)), bytes(64), bytes(3309))
    signed = CharterSignature(Digest(bytes(32)), signature)
    assert decode_file(CHARTER_SIGNATURE, encode_file(CHARTER_SIGNATURE, signed)) == signed


def test_a_file_of_another_kind_is_refused() -> None:
    assert refusal(decode_file, CHARTER_DRAFT, DATA) is Reason.WRONG_TYPE
    relabelled = DATA.replace(b"root-public", b"charter-draft")
    assert refusal(decode_file, CHARTER_DRAFT, relabelled) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"cbm/1 root-public",
        b"cbm/1 root-public\r\n",
        b"cbm/1 \n",
        b"cbm/2 root-public\n",
        b"root-public\n",
        b"cbm/1  root-public\n",
        b"cbm/1 cbm/1 root-public\n",
        b"cbm/1 \xff\n",
        b"cbm/1 sealed-key\n",
        b"x" * 1_000_000,
    ],
)
def test_what_has_no_such_line_is_refused(data: bytes) -> None:
    assert refusal(kind_of, data) is Reason.MALFORMED


def test_trailing_bytes_are_refused() -> None:
    assert refusal(decode_file, ROOT_PUBLIC, DATA + b"\n") is Reason.TRAILING_BYTES
    assert refusal(decode_file, ROOT_PUBLIC, DATA + bytes(8192)) is Reason.TOO_LARGE


@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=200))
def test_garbage_raises_the_declared_error_and_nothing_else(kind: str, rest: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_file(KINDS[kind], f"cbm/1 {kind}\n".encode() + rest)
