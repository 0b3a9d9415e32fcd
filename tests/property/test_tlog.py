"""Logs: every proof holds and none with a bit turned over; for any bytes one error, and one spelling of each value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.checkpoint import parse_signed
from keys.errors import BadProof, BadSignature, Untrusted
from keys.merkle import (
    Frontier,
    MemoryTree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from keys.note import encode_lines, parse_lines, parse_note, parse_vkey
from keys.policy import parse_policy
from keys.proof import LogProof, parse_proof
from keys.tiles import Tile, TileReader, bundle_entries, entry_bundle, grow, parse_path
from keys.witness import AddCheckpoint, encode_size, parse_request, parse_size
from schemas.errors import DecodeError
from schemas.ids import Digest
from tests.support.notary import TREE as SMALL
from tests.support.notary import Log, Node, plain_key

MOST = 1500
LEAVES = [leaf_hash(str(number).encode()) for number in range(MOST)]
TREE = MemoryTree(LEAVES)
LOG, NODE = Log(), Node("KAZ")
SIGNED = LOG.checkpoint(7)
COSIGNED = SIGNED.add(NODE.lines(SIGNED))


@dataclass(frozen=True, slots=True)
class Form:
    """One form: how to read and write it, and a valid sample. A form that is only read has no writer."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes] | None
    sample: bytes


def _text(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


FORMS = {
    "note": Form(parse_note, lambda note: bytes(note.encode()), SIGNED.encode()),
    "checkpoint": Form(parse_signed, lambda signed: bytes(signed.encode()), COSIGNED.encode()),
    "lines": Form(parse_lines, encode_lines, encode_lines(SIGNED.signatures)),
    "request": Form(
        parse_request,
        lambda request: bytes(request.encode()),
        AddCheckpoint(3, consistency_proof(3, 7, SMALL), SIGNED).encode(),
    ),
    "size": Form(parse_size, encode_size, encode_size(1234)),
    "proof": Form(
        parse_proof,
        lambda proof: bytes(proof.encode()),
        LogProof(3, inclusion_proof(3, 7, SMALL), SIGNED, b"extra").encode(),
    ),
    "vkey": Form(_text(parse_vkey), lambda key: str(key.vkey).encode(), LOG.keys.mldsa65.vkey.encode()),
    "path": Form(_text(parse_path), lambda tile: str(tile.path).encode(), Tile(3, 1234067, 9).path.encode()),
    "bundle": Form(lambda data: bundle_entries(data, 3), entry_bundle, entry_bundle([b"one", b"", b"three"])),
    "policy": Form(
        parse_policy,
        None,
        f"log {LOG.keys.ed25519.vkey}\nwitness W {NODE.keys.ed25519.vkey}\ngroup g any W\nquorum g\n".encode(),
    ),
}


def accepted(form: Form, data: bytes) -> object | None:
    """What `data` says, or None when it is refused; any error but DecodeError escapes and fails the test."""
    try:
        value: object = form.read(data)
    except DecodeError:
        return None
    assert form.write is None or form.write(value) == data, "accepted bytes that are not the spelling of what they mean"
    return value


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_sample_is_accepted(form: Form) -> None:
    assert accepted(form, form.sample) is not None


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@settings(deadline=None)
@given(data=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused(form: Form, data: bytes) -> None:
    accepted(form, data)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@settings(deadline=None)
@given(data=st.data())
def test_a_changed_sample_is_refused_or_says_something_else(form: Form, data: st.DataObject) -> None:
    sample = form.sample
    start = data.draw(st.integers(0, min(120, len(sample))) | st.integers(0, len(sample)))
    end = data.draw(st.integers(start, min(start + 4, len(sample))))
    put = data.draw(
        st.binary(max_size=4) | st.sampled_from([b"\n", b"\n\n", b" ", b"+", b"=", b"\r\n", b"\xe2\x80\x94 "])
    )
    changed = sample[:start] + put + sample[end:]
    value = accepted(form, changed)
    if value is not None and form.write is not None:
        assert (value == form.read(sample)) is (changed == sample)


@settings(deadline=None)
@given(data=st.data(), size=st.integers(1, MOST))
def test_every_inclusion_proof_holds_and_none_with_a_bit_turned_over(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(index, size, TREE), tree_root(size, TREE)
    verify_inclusion(LEAVES[index], index, size, proof, root)
    parts = [LEAVES[index], root, *proof]
    leaf, other_root, *path = turned(parts, data)
    with pytest.raises(BadProof):
        verify_inclusion(leaf, index, size, tuple(path), other_root)


@settings(deadline=None)
@given(data=st.data(), new=st.integers(2, MOST))
def test_every_consistency_proof_holds_and_none_with_a_bit_turned_over(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new - 1))
    proof = consistency_proof(old, new, TREE)
    roots = tree_root(old, TREE), tree_root(new, TREE)
    verify_consistency(old, new, *roots, proof)
    old_root, new_root, *path = turned([*roots, *proof], data)
    with pytest.raises(BadProof):
        verify_consistency(old, new, old_root, new_root, tuple(path))


def turned(parts: list[Digest], data: st.DataObject) -> list[Digest]:
    """The same hashes, with one bit of one of them turned over."""
    place, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    changed = bytearray(parts[place])
    changed[bit // 8] ^= 1 << bit % 8
    return [*parts[:place], Digest(bytes(changed)), *parts[place + 1 :]]


@settings(deadline=None)
@given(
    index=st.integers(-2, 2**64),
    size=st.integers(-2, 2**64),
    proof=st.lists(st.sampled_from(LEAVES[:4]), max_size=70),
)
def test_any_numbers_and_hashes_are_refused_with_one_error(index: int, size: int, proof: list[Digest]) -> None:
    with pytest.raises(BadProof):
        verify_inclusion(LEAVES[9], index, size, tuple(proof), LEAVES[8])
    with pytest.raises(BadProof):
        verify_consistency(index, size, LEAVES[9], LEAVES[8], tuple(proof))


class Files:
    """Tiles in memory."""

    def __init__(self) -> None:
        self.tiles: dict[Tile, bytes] = {}

    def read(self, tile: Tile) -> bytes:
        return self.tiles[tile]


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.integers(0, 400), max_size=6))
def test_a_log_grown_in_any_steps_is_the_same_log(steps: list[int]) -> None:
    files, frontier, size = Files(), Frontier(), 0
    for step in steps:
        added = LEAVES[size : size + step]
        files.tiles.update(grow(size, added, files))
        frontier, size = frontier.extend(added), size + len(added)
    root = tree_root(size, TREE)
    assert frontier.root == tree_root(size, TileReader(files, size)) == root
    assert frontier == Frontier.of(size, TileReader(files, size))


@settings(deadline=None)
@given(data=st.data())
def test_no_bit_of_a_signed_checkpoint_can_be_turned_over(data: st.DataObject) -> None:
    """Whatever is changed, it is refused, or it is the node's line that has become somebody else's."""
    sample = bytearray(COSIGNED.encode())
    place, bit = data.draw(st.integers(0, len(sample) - 1)), data.draw(st.integers(0, 7))
    sample[place] ^= 1 << bit
    try:
        signed = parse_signed(bytes(sample))
        LOG.keys.verify(signed)
        time = NODE.keys.time(signed)
    except (DecodeError, BadSignature, Untrusted):
        return
    assert time is None


@settings(deadline=None)
@given(text=st.text(min_size=1, max_size=40))
def test_a_name_is_refused_or_its_key_can_be_read_again(text: str) -> None:
    try:
        key, _ = plain_key(text)
    except DecodeError:
        return
    assert parse_vkey(key.vkey) == key
