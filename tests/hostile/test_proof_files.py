"""Attacks with proof files: who makes one up, or changes one, convinces nobody who has the charter.

Each of these is checked as `cbm audit verify` checks it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exchange.audit.observed import ProvesNothing, examine
from exchange.cli import main
from exchange.errors import ExchangeError
from keys.checkpoint import parse_signed
from keys.digests import charter_digest
from keys.identity import SigningIdentity
from keys.logsigner import sign_checkpoint
from keys.merkle import MemoryTree, consistency_proof, tree_root
from keys.tiles import entry_hash, log_entry
from schemas.canon import encode
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.files import SIGNED_CHARTER, encode_file
from schemas.ids import Digest, MemberId
from schemas.limits import DAY, MAX_LOG_ENTRY
from schemas.observation import (
    OBSERVATION,
    Observation,
    ObservationKind,
    SignedObservation,
    encode_proof,
    read_proof,
)
from schemas.receipt import SIGNED_RECEIPT
from schemas.statement import read_entry
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, sealed_by
from tests.support.proofs import another_epoch, note_of, proof_files, shown
from tests.support.world import World

Kind = ObservationKind
STRANGER = SigningIdentity.from_entropy(MemberId("KAZ"), b"s" * 96)


def signed(world: World, kind: Kind, by: SigningIdentity | None = None, **fields: object) -> SignedObservation:
    """An observation of KAZ's node, whoever signs it."""
    key = by or world.nodes["KAZ"]
    values: dict[str, Any] = {"time": world.now, "key_id": key.key_id, **fields}
    body = encode(OBSERVATION, Observation(kind, MemberId("KAZ"), **values))
    return SignedObservation(body, key.sign_bytes(Context.OBSERVATION, body))


def grown(world: World, count: int = 1, seed: str = "") -> list[bytes]:
    return [*world.entries, *(another_epoch(world, number=9 + n, seed=seed) for n in range(count))]


def path(entries: list[bytes], small: int) -> tuple[Digest, tuple[Digest, ...]]:
    """The root at a smaller size and the proof from there."""
    tree = MemoryTree(entry_hash(entry) for entry in entries)
    return tree_root(small, tree), consistency_proof(small, len(entries), tree)


def lawful_growth(w: World) -> SignedObservation:
    root, proof = path(grown(w), len(w.entries))
    return signed(w, Kind.SPLIT_VIEW, held=note_of(w, w.entries), shown=note_of(w, grown(w)), root=root, path=proof)


def made_up_root(w: World) -> SignedObservation:
    _, proof = path(grown(w), len(w.entries))
    notes = {"held": note_of(w, w.entries), "shown": note_of(w, grown(w))}
    return signed(w, Kind.SPLIT_VIEW, None, **notes, root=Digest(b"r" * 32), path=proof)


def of_an_impostor(w: World) -> SignedObservation:
    """Two checkpoints of one size that somebody else has signed under the relay's name."""
    false = [sign_checkpoint(STRANGER, "directory", 3, Digest(bytes([n]) * 32)) for n in range(2)]
    own = parse_signed(note_of(w, w.entries)).checkpoint.origin
    notes = [note.encode().replace(note.checkpoint.origin.encode(), own.encode()) for note in false]
    return signed(w, Kind.SPLIT_VIEW, held=notes[0], shown=notes[1])


def receipt(w: World, **fields: object) -> bytes:
    return encode(SIGNED_RECEIPT, w.receipt(sealed_by(w, "MNG", ("UZB",)), None, **fields))


def under(w: World, kind: Kind, index: int, named: int | None = None, **fields: object) -> SignedObservation:
    """An observation about an entry, which names it, or another."""
    entries = grown(w)
    _, proof = path(entries, index + 1)
    values: dict[str, Any] = {"shown": note_of(w, entries), "index": index if named is None else named, "path": proof}
    return signed(w, kind, None, **(values | fields))


NOTHING: dict[str, Callable[[World], SignedObservation]] = {
    "growth-as-a-split-view": lawful_growth,
    "a-split-view-with-a-made-up-root": made_up_root,
    "a-split-view-without-its-proof": lambda w: signed(
        w, Kind.SPLIT_VIEW, held=note_of(w, w.entries), shown=note_of(w, grown(w))
    ),
    "a-split-view-of-one-checkpoint": lambda w: signed(
        w, Kind.SPLIT_VIEW, held=note_of(w, w.entries), shown=note_of(w, w.entries)
    ),
    "a-split-view-of-two-logs": lambda w: signed(
        w,
        Kind.SPLIT_VIEW,
        held=sign_checkpoint(w.relay, "audit", 3, Digest(bytes(32))).encode(),
        shown=sign_checkpoint(w.relay, "directory", 3, Digest(b"r" * 32)).encode(),
    ),
    "a-split-view-that-somebody-else-signed": of_an_impostor,
    "a-split-view-without-checkpoints": lambda w: signed(w, Kind.SPLIT_VIEW),
    "growth-as-a-rollback": lambda w: signed(
        w, Kind.ROLLBACK, held=note_of(w, w.entries[:-1]), shown=note_of(w, w.entries)
    ),
    "a-rollback-from-what-no-quorum-cosigned": lambda w: signed(
        w, Kind.ROLLBACK, held=note_of(w, w.entries, ["KAZ", "MNG"]), shown=note_of(w, w.entries[:-1])
    ),
    "a-rollback-that-nobody-signs": lambda w: signed(
        w, Kind.ROLLBACK, STRANGER, held=note_of(w, w.entries), shown=note_of(w, w.entries[:-1])
    ),
    "a-freeze-of-a-fresh-checkpoint": lambda w: signed(w, Kind.FREEZE, shown=note_of(w, w.entries), time=w.now + DAY),
    "a-freeze-with-a-smaller-checkpoint": lambda w: signed(
        w, Kind.FREEZE, held=note_of(w, w.entries[:-1]), shown=note_of(w, w.entries)
    ),
    "a-freeze-that-nobody-signs": lambda w: signed(
        w, Kind.FREEZE, STRANGER, shown=note_of(w, w.entries), time=w.now + 9 * DAY
    ),
    "a-cosigned-checkpoint-as-unwitnessed": lambda w: signed(w, Kind.UNWITNESSED, shown=note_of(w, w.entries)),
    "an-unwitnessed-checkpoint-that-the-directory-does-not-reach": lambda w: signed(
        w, Kind.UNWITNESSED, shown=note_of(w, grown(w, 2), [])
    ),
    "a-lawful-entry-as-invalid": lambda w: under(w, Kind.INVALID_ENTRY, len(w.entries)),
    "an-invalid-entry-that-is-not-the-last": lambda w: under(w, Kind.INVALID_ENTRY, 3),
    "an-entry-that-is-not-in-the-log": lambda w: under(w, Kind.FOREIGN_ENTRY, 3, path=(Digest(bytes(32)),) * 3),
    "another-s-entry-as-foreign": lambda w: under(w, Kind.FOREIGN_ENTRY, len(w.entries)),
    "a-charter-as-foreign": lambda w: under(w, Kind.FOREIGN_ENTRY, 0),
    "an-entry-behind-the-end": lambda w: under(w, Kind.FOREIGN_ENTRY, 3, named=900),
    "a-foreign-entry-that-nobody-signs": lambda w: under(w, Kind.FOREIGN_ENTRY, 1, key_id=STRANGER.key_id),
    "a-receipt-in-order": lambda w: signed(
        w, Kind.RECEIPT_SIZE, held=note_of(w, w.entries), receipt=receipt(w, time=w.now + DAY)
    ),
    "a-receipt-within-the-merge-delay": lambda w: signed(
        w, Kind.RECEIPT_SIZE, held=note_of(w, w.entries), receipt=receipt(w, directory_size=3, time=w.now + 180)
    ),
    "a-receipt-by-somebody-else": lambda w: signed(
        w,
        Kind.RECEIPT_SIZE,
        held=note_of(w, w.entries),
        receipt=encode(
            SIGNED_RECEIPT,
            w.receipt(sealed_by(w, "MNG", ("UZB",)), STRANGER, directory_size=3, time=w.now + DAY),
        ),
    ),
    "no-receipt": lambda w: signed(w, Kind.RECEIPT_SIZE, held=note_of(w, w.entries)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_proof_that_proves_nothing(world: World, name: str) -> None:
    with pytest.raises(ProvesNothing):
        examine(NOTHING[name](world), grown(world), world.charter_digest)


def test_the_digest_of_a_large_charter_is_no_entry_that_breaks_the_rules(world: World) -> None:
    """A log holds a large entry by its digest; whoever takes that for the entry could accuse any honest relay."""
    large = b"\x83" + bytes(MAX_LOG_ENTRY)
    entries, index = [*world.entries, large], len(world.entries)
    fields = {"shown": note_of(world, entries), "index": index, "path": path(entries, index + 1)[1]}
    made = signed(world, Kind.INVALID_ENTRY, None, **fields)
    assert examine(made, entries, world.charter_digest).proved
    with pytest.raises(ProvesNothing):
        examine(made, [*world.entries, log_entry(large)], world.charter_digest)


def test_the_word_of_a_member_counts_with_its_signature_only(world: World) -> None:
    """The control, and the same with one bit of the signature changed."""
    made = under(world, Kind.FOREIGN_ENTRY, 1)
    assert read_entry(world.entries[1]).statement.member == "KAZ"  # type: ignore[union-attr]  # a signing key
    assert examine(made, grown(world), world.charter_digest).stated
    value = bytes([made.signature[0] ^ 1]) + made.signature[1:]
    with pytest.raises(ProvesNothing, match="altered"):
        examine(replace(made, signature=value), grown(world), world.charter_digest)


def test_a_proof_under_another_charter(world: World) -> None:
    made = under(world, Kind.FOREIGN_ENTRY, 1)
    other = World(seed="another charter")
    with pytest.raises(ProvesNothing, match="another charter"):
        examine(made, grown(world), other.charter_digest)
    with pytest.raises(ProvesNothing):
        examine(made, other.entries, other.charter_digest)


@pytest.fixture
async def true(world: World, relay: HostileRelay, kaz: TestNode, tmp_path: Path) -> Path:
    """The proof of a real attack, and the charter beside it."""
    (tmp_path / "charter.cbm").write_bytes(encode_file(SIGNED_CHARTER, read_entry(world.entries[0])))
    relay.entries.append(another_epoch(world, seed="as it was"))
    await kaz.parts.directory.update(kaz.parts.relay, world.now)
    shown(relay, "KAZ", [*relay.entries[:-1], another_epoch(world, seed="as it is"), another_epoch(world, number=10)])
    with pytest.raises(ExchangeError):
        await kaz.parts.directory.update(kaz.parts.relay, world.now)
    (file,) = proof_files(kaz)
    return file


def verify(file: Path, charter: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main.run(["audit", "verify", str(file), "--charter", str(charter), "--json"])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_command_says_what_is_proved(true: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = verify(true, tmp_path / "charter.cbm", capsys)
    told = json.loads(out)
    assert (code, err, told["kind"], told["observer"], told["stated"]) == (0, "", "split-view", "KAZ", [])
    assert len(told["proved"]) == 3
    assert main.run(["audit", "verify", str(true), "--charter", str(tmp_path / "charter.cbm")]) == 0
    assert "no log" not in capsys.readouterr().out


ALTERED: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\x00",
    "without-its-directory": lambda data: data[: 16 + int.from_bytes(data[12:16], "big")],
    "of-another-kind": lambda data: data.replace(b"cbm/1 proof", b"cbm/1 stuff"),
    "empty": lambda data: b"",
    "a-root-changed": lambda data: data.replace(read_proof(data)[0].observation.root or b"", b"r" * 32),
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_file_that_was_altered(true: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    true.write_bytes(ALTERED[name](true.read_bytes()))
    code, out, err = verify(true, tmp_path / "charter.cbm", capsys)
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1


def test_every_bit_of_what_was_seen_is_signed(true: Path, world: World) -> None:
    data = true.read_bytes()
    observation, entries = read_proof(data)
    start = data.index(observation.body)
    for place in range(start, start + len(observation.body) + 66, 97):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises((ProvesNothing, DecodeError)):
            examine(*read_proof(changed), world.charter_digest)
    assert encode_proof(observation, entries) == data
    assert charter_digest(read_entry(entries[0]).body) == world.charter_digest
