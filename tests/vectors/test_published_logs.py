"""What others have made: public checkpoints with public cosignatures, the numbers of Go's sumdb, a proof file."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from keys.checkpoint import SignedCheckpoint, parse_signed
from keys.cosign import cosigned_at
from keys.errors import BadProof, BadSignature
from keys.merkle import (
    MemoryTree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from keys.note import KeyType, NoteKey, parse_vkey, signed_by
from keys.policy import parse_policy
from keys.proof import parse_proof, verify_proof
from keys.tiles import Tile, tile_bytes
from schemas.ids import Digest

FOLDER = Path(__file__).parent / "published"
CHECKPOINTS: list[dict[str, Any]] = json.loads((FOLDER / "checkpoints.json").read_text("utf-8"))["checkpoints"]
SUMDB: dict[str, Any] = json.loads((FOLDER / "sumdb.json").read_text("utf-8"))
SIGNED = [(row["note"], parse_vkey(vkey)) for row in CHECKPOINTS for vkey in row["vkeys"]]


@cache
def tree() -> MemoryTree:
    return MemoryTree(leaf_hash(b"leaf %d" % number) for number in range(70_000))


def digests(path: list[str]) -> tuple[Digest, ...]:
    return tuple(Digest(bytes.fromhex(sibling)) for sibling in path)


def holds(signed: SignedCheckpoint, key: NoteKey) -> bool:
    if key.type is KeyType.ED25519:
        return signed_by(signed.note, key)
    time = cosigned_at(signed, key)
    return time is not None and time > 1_700_000_000


def test_there_are_signatures_of_every_type_that_the_formats_assign() -> None:
    assert {key.type for _, key in SIGNED} == set(KeyType) - {KeyType.MLDSA65}
    assert len(SIGNED) == 7


@pytest.mark.parametrize(("note", "key"), SIGNED, ids=[f"{key.name}/{key.type.name}" for _, key in SIGNED])
def test_a_public_signature_verifies_and_another_checkpoint_s_does_not(note: str, key: NoteKey) -> None:
    signed = parse_signed(note.encode())
    assert signed.encode() == note.encode()
    assert holds(signed, key)
    size = signed.checkpoint.size
    with pytest.raises(BadSignature):
        holds(parse_signed(note.replace(f"\n{size}\n", f"\n{size + 1}\n").encode()), key)


@pytest.mark.parametrize(("size", "root"), SUMDB["roots"].items())
def test_a_root_is_the_same(size: str, root: str) -> None:
    assert tree_root(int(size), tree()).hex() == root


@pytest.mark.parametrize("row", SUMDB["inclusion"], ids=lambda row: f"{row['index']}-{row['size']}")
def test_an_inclusion_proof_is_the_same(row: dict[str, Any]) -> None:
    index, size, path = row["index"], row["size"], digests(row["path"])
    assert inclusion_proof(index, size, tree()) == path
    verify_inclusion(leaf_hash(b"leaf %d" % index), index, size, path, tree_root(size, tree()))


@pytest.mark.parametrize("row", SUMDB["consistency"], ids=lambda row: f"{row['old']}-{row['new']}")
def test_a_consistency_proof_is_the_same(row: dict[str, Any]) -> None:
    old, new, path = row["old"], row["new"], digests(row["path"])
    assert consistency_proof(old, new, tree()) == path
    verify_consistency(old, new, tree_root(old, tree()), tree_root(new, tree()), path)


@pytest.mark.parametrize("row", SUMDB["tiles"], ids=lambda row: f"{row['level']}-{row['index']}")
def test_a_tile_is_the_same(row: dict[str, Any]) -> None:
    data = tile_bytes(Tile(row["level"], row["index"], row["width"]), tree())
    assert hashlib.sha256(data).hexdigest() == row["sha256"]


def test_a_note_signed_by_another_implementation_verifies() -> None:
    signed = parse_signed(SUMDB["note"].encode())
    assert signed_by(signed.note, parse_vkey(SUMDB["vkey"]))
    assert (signed.checkpoint.size, signed.checkpoint.root.hex()) == (70_000, SUMDB["roots"]["70000"])


def test_a_proof_file_made_by_another_implementation_holds() -> None:
    made: dict[str, Any] = json.loads((FOLDER / "proof.json").read_text("utf-8"))
    policy = parse_policy(
        "log {}\nwitness a {}\nwitness b {}\ngroup both all a b\nquorum both\n".format(
            made["log"], *made["cosigners"]
        ).encode()
    )
    proof = parse_proof(made["proof"].encode())
    assert (proof.encode(), proof.extra) == (made["proof"].encode(), b"extra")
    assert verify_proof(proof, leaf_hash(b"entry 5"), policy.verify).size == 33
    assert [cosigned_at(proof.signed, parse_vkey(vkey)) for vkey in made["cosigners"]] == [1_800_000_000] * 2
    with pytest.raises(BadProof):
        verify_proof(proof, leaf_hash(b"entry 6"), policy.verify)
