"""An independent implementation of the C2SP formats, tlog-scales: it accepts what we make, we accept what it makes."""

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import MLDSA44CosignatureSigner, NoteSignature, PlainEd25519Signer, Vkey, VkeySet
from tlog_scales.tlog import (
    Checkpoint,
    ConsistencyProof,
    ConsistencyProofInvalid,
    InclusionProof,
    InclusionProofInvalid,
)
from tlog_scales.writer import TilesWriter

from keys.checkpoint import parse_signed
from keys.cosign import cosigned_at
from keys.errors import BadSignature
from keys.merkle import (
    MemoryTree,
    Proof,
    consistency_proof,
    inclusion_proof,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from keys.note import NoteKey, parse_vkey, signed_by
from keys.tiles import ENTRIES, Tile, TileReader, bundle_entries, entry_bundle, entry_hash, grow, width_at
from schemas.ids import Digest
from tests.support.entropy import derived
from tests.support.notary import NOW, ORIGIN, Log, Node

COUNT = 700
ENTRY = [f"entry {number}".encode() for number in range(COUNT)]
TREE = MemoryTree(entry_hash(entry) for entry in ENTRY)
SIZES = [1, 2, 255, 256, 257, 511, COUNT]
PLACES = [(0, 1), (0, 256), (255, 257), (256, 257), (300, COUNT), (COUNT - 1, COUNT)]
GROWTH = [(1, 2), (1, 256), (255, 256), (256, 257), (257, COUNT), (512, COUNT), (COUNT - 1, COUNT)]


class Folder:
    """Our tiles, read from a folder and written there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, tile: Tile) -> bytes:
        return (self.folder / tile.path).read_bytes()

    def write(self, tile: Tile, data: bytes) -> None:
        path = self.folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def written_by_us(folder: Path) -> Folder:
    """A log that grew in three steps, with its entries."""
    files, size = Folder(folder), 0
    for end in (3, 300, COUNT):
        for tile, data in grow(size, [entry_hash(entry) for entry in ENTRY[size:end]], files).items():
            files.write(tile, data)
        size = end
    for index in range(-(-COUNT // 256)):
        width = width_at(ENTRIES, index, COUNT)
        files.write(Tile(ENTRIES, index, width), entry_bundle(ENTRY[index * 256 : index * 256 + width]))
    return files


def written_by_peer(folder: Path) -> Folder:
    """The same entries, by the other implementation."""
    writer, size = TilesWriter.create(folder, ORIGIN), 0
    for level in ("0", "1", "entries"):
        (folder / "tile" / level / "000.p").mkdir(parents=True)
    signer = PlainEd25519Signer(ORIGIN, derived("peer"))
    for end in (3, 300, COUNT):
        for entry in ENTRY[size:end]:
            writer.add_leaf(entry)
        writer.commit([signer])
        size = end
    return Folder(folder)


def as_list(proof: Proof) -> list[bytes]:
    return list(proof)


def theirs(data: bytes) -> Checkpoint:
    return Checkpoint.from_text(data.decode())


def verify_there(data: bytes, vkey: str) -> None:
    theirs(data).verify(Vkey.from_string(vkey))


def key_of(vkey: Vkey) -> NoteKey:
    return parse_vkey(vkey.serialize())  # type: ignore[no-untyped-call]  # the one function there without types


def test_our_inclusion_proofs_hold_there() -> None:
    for index, size in PLACES:
        root, proof = tree_root(size, TREE), as_list(inclusion_proof(index, size, TREE))
        InclusionProof(index, size, proof).check(entry_hash(ENTRY[index]), root)
        with pytest.raises(InclusionProofInvalid):
            InclusionProof(index, size, proof).check(entry_hash(b"another"), root)


def test_our_consistency_proofs_hold_there() -> None:
    for old, new in GROWTH:
        proof = as_list(consistency_proof(old, new, TREE))
        roots = tree_root(old, TREE), tree_root(new, TREE)
        ConsistencyProof(old, new, proof).check(*roots)
        with pytest.raises(ConsistencyProofInvalid):
            ConsistencyProof(old, new, proof).check(roots[1], roots[0])


def test_proofs_made_there_hold_here(tmp_path: Path) -> None:
    written_by_peer(tmp_path / "log")
    reader = TilesReader(LocalBackend(tmp_path / "log"))
    reader.set_size(COUNT)
    for index, size in PLACES:
        path = tuple(Digest(sibling) for sibling in reader.get_inclusion_proof(index, size).node_hashes)
        assert path == inclusion_proof(index, size, TREE)
        verify_inclusion(entry_hash(ENTRY[index]), index, size, path, tree_root(size, TREE))
    for old, new in GROWTH:
        path = tuple(Digest(sibling) for sibling in reader.get_consistency_proof(old, new).node_hashes)
        assert path == consistency_proof(old, new, TREE)
        verify_consistency(old, new, tree_root(old, TREE), tree_root(new, TREE), path)


def test_our_tiles_and_bundles_are_read_there(tmp_path: Path) -> None:
    files = written_by_us(tmp_path)
    log = Log()
    (files.folder / "checkpoint").write_bytes(log.keys.sign(COUNT, tree_root(COUNT, TREE), *log.signers()).encode())
    reader = TilesReader(LocalBackend(tmp_path))
    checkpoint = reader.get_checkpoint()
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, COUNT)
    assert reader.calculate_root_hash() == checkpoint.root_hash
    assert [reader.get_entry(index) for index in range(COUNT)] == ENTRY


def test_tiles_and_bundles_made_there_are_read_here(tmp_path: Path) -> None:
    files = written_by_peer(tmp_path / "log")
    assert tree_root(COUNT, TileReader(files, COUNT)) == tree_root(COUNT, TREE)
    found: list[bytes] = []
    for index in range(-(-COUNT // 256)):
        tile = Tile(ENTRIES, index, width_at(ENTRIES, index, COUNT))
        found += bundle_entries(files.read(tile), tile.width)
    assert found == ENTRY
    signed = parse_signed((files.folder / "checkpoint").read_bytes())
    assert signed.checkpoint.root == tree_root(COUNT, TREE)


def test_both_write_the_same_files(tmp_path: Path) -> None:
    ours, peers = written_by_us(tmp_path / "ours"), written_by_peer(tmp_path / "peer")
    names = {path.relative_to(peers.folder) for path in (peers.folder / "tile").rglob("*") if path.is_file()}
    assert Path("tile/0/002.p/188") in names
    for name in names:
        assert (ours.folder / name).read_bytes() == (peers.folder / name).read_bytes(), name


def test_our_checkpoint_verifies_there() -> None:
    log = Log()
    data = log.checkpoint(7).encode()
    verify_there(data, log.keys.ed25519.vkey)
    with pytest.raises(InvalidSignature):
        verify_there(data.replace(b"\n7\n", b"\n8\n"), log.keys.ed25519.vkey)


def test_a_checkpoint_made_there_verifies_here() -> None:
    signer = PlainEd25519Signer(ORIGIN, derived("peer"))
    made = Checkpoint.make_signed(ORIGIN, 7, bytes(range(32)), [signer])
    signed = parse_signed(made.serialize().encode())
    key = key_of(signer.vkey)
    assert signed_by(signed.note, key)
    with pytest.raises(BadSignature):
        signed_by(parse_signed(made.serialize().replace("\n7\n", "\n8\n").encode()).note, key)


def test_our_cosignatures_of_both_kinds_verify_there() -> None:
    node, signed = Node("KAZ"), Log().checkpoint(7)
    data = signed.add(node.lines(signed)).encode()
    for key in (node.keys.ed25519, node.keys.mldsa44):
        verify_there(data, key.vkey)
        with pytest.raises(InvalidSignature):
            verify_there(data.replace(b"\n7\n", b"\n8\n"), key.vkey)
    lines = theirs(data).signatures
    vkeys = VkeySet(Vkey.from_string(node.keys.ed25519.vkey), Vkey.from_string(node.keys.mldsa44.vkey))
    assert {line.payload[:8] for _, line in vkeys.verify(lines, theirs(data))} == {NOW.to_bytes(8, "big")}


def test_a_lattice_cosignature_made_there_verifies_here() -> None:
    signer = MLDSA44CosignatureSigner("witness.example/w1", derived("peer"))
    log = Log().checkpoint(7)
    line: NoteSignature = signer.sign(theirs(log.encode()))
    signed = parse_signed(log.encode() + f"{line.serialize()}\n".encode())
    time = cosigned_at(signed, key_of(signer.vkey))
    assert time is not None
    assert time > NOW - 10**8
    other = parse_signed(Log().checkpoint(8).encode() + f"{line.serialize()}\n".encode())
    with pytest.raises(BadSignature):
        cosigned_at(other, key_of(signer.vkey))
