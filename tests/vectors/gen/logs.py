"""What is hashed and signed in a transparency log. Nothing here is random: of signatures the message is shown."""

from collections.abc import Iterator, Mapping
from typing import Final

from keys.checkpoint import Checkpoint
from keys.cosign import cosigned_message
from keys.merkle import MemoryTree, consistency_proof, inclusion_proof, leaf_hash, tree_root
from keys.note import KeyType, NoteKey, note_message
from keys.tiles import log_entry
from tests.vectors.gen.model import Vector
from tests.vectors.gen.valid import Story

_ORIGIN: Final = "cbm.exchange/directory/0123456789abcdef"
_MEMBER: Final = "cbm.exchange/member/KAZ"
_ENTRIES: Final = tuple(bytes([number]) for number in range(7))
_TIME: Final = 1_800_000_000
_SIZES: Final = {KeyType.COSIGNATURE_ED25519: 32, KeyType.COSIGNATURE_MLDSA44: 1312}


def logs(_: Story) -> Iterator[Vector]:
    """Leaves, roots and proofs of a log of seven entries, and the messages that its checkpoint is signed over."""
    tree = MemoryTree(leaf_hash(entry) for entry in _ENTRIES)
    entries = {"entries": [entry.hex() for entry in _ENTRIES]}
    path = "the hashes, one after another"
    yield _vector("leaf-hash", "", leaf_hash(_ENTRIES[1]), {"entry": _ENTRIES[1].hex()})
    yield _vector("log-entry", "-large", log_entry(bytes(65_536)), {"size": 65_536}, "for `size` zero bytes")
    yield _vector("tree-root", "-7", tree_root(7, tree), entries)
    yield _vector("inclusion-proof", "-3-7", b"".join(inclusion_proof(3, 7, tree)), {"index": 3, **entries}, path)
    yield _vector("consistency-proof", "-3-7", b"".join(consistency_proof(3, 7, tree)), {"old": 3, **entries}, path)
    checkpoint = Checkpoint(_ORIGIN, 7, tree_root(7, tree))
    stated = {"origin": _ORIGIN, "size": 7, "root": checkpoint.root.hex()}
    key = NoteKey(_ORIGIN, KeyType.MLDSA65, bytes(1952))
    named = {"name": _ORIGIN, "type": key.type.value.hex(), "public": key.public.hex()}
    yield _vector("note-key-id", "", key.key_hash, named)
    yield _vector("checkpoint-text", "", checkpoint.text.encode(), stated)
    yield _vector("note-message", "", note_message(checkpoint.text, key), stated)
    for kind, size in _SIZES.items():
        message = cosigned_message(checkpoint, NoteKey(_MEMBER, kind, bytes(size)), _TIME)
        told = {"type": kind.value.hex(), "cosigner": _MEMBER, "time": _TIME}
        yield _vector("cosigned-message", f"-{kind.value.hex()}", message, {**stated, **told})


def _vector(of: str, name: str, expect: bytes, given: Mapping[str, object], note: str = "") -> Vector:
    return Vector("derive", of + name, of, expect.hex(), note, dict(given))
