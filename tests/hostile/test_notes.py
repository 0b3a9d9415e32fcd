"""Attacks with the notes of the logs: key hashes that are alike, notes that are padded, checkpoints nobody can prove.

Key hashes have four bytes, lines by unknown keys mean nothing, and a log signs as often as it likes. Nothing of it may
stop the logs, leave a fork without its proof, or make an envelope expensive to judge.
"""

from dataclasses import replace
from functools import partial
from typing import NoReturn

import pytest

from exchange.errors import ExchangeError
from keys import primitives
from keys.checkpoint import LogKeys, SignedCheckpoint, parse_signed
from keys.directory import extend
from keys.errors import Untrusted
from keys.identity import SIGNING_ENTROPY, SigningIdentity
from keys.logsigner import cosign_checkpoint, sign_checkpoint
from keys.merkle import EMPTY_ROOT
from keys.note import NoteSignature, sign_note
from keys.origin import origins_of, unbounded
from keys.quorum import origin_of, verify_cosigned
from keys.view import EpochRecord
from keys.witness import AddCheckpoint, Refuse, Seen, judge
from schemas.ids import Digest, MemberId
from schemas.limits import DAY, KIB, MAX_GOSSIP, MAX_NOTE, MAX_ORIGIN_CHECKPOINTS
from schemas.origin import OriginProof, Origins
from schemas.relayapi import WitnessStatus
from tests.support.changes import ChangingWorld, certificate, term
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.origins import leaf
from tests.support.proofs import another_epoch, findings, shown
from tests.support.world import NOW, World

MNG = MemberId("MNG")
# Two Ed25519 seeds of which the public halves have one key hash as MNG's cosigners, found in 66,391 tries.
ALIKE = (
    "81339d89974e783815f019d25ed535a7e2e41be93d33827bed3fe0ab7e1a978a",
    "9779086e86a85303e24da47c0687903759c20e23e1ce7778cca582d398267e98",
)


def keys_of(world: World) -> LogKeys:
    return LogKeys.of(origin_of("directory", world.relay.key_id), world.relay.public)


def test_a_member_stops_the_logs_with_two_keys_of_one_key_hash() -> None:
    """Its true line by the one would be a false line by the other, which refuses the checkpoint for everybody."""
    world = ChangingWorld()
    first, second = (
        SigningIdentity.from_entropy(MNG, bytes.fromhex(seed).ljust(SIGNING_ENTROPY, b"%d" % n))
        for n, seed in enumerate(ALIKE)
    )
    entries = [certificate(term(key, NOW - DAY, NOW + DAY), world.roots["MNG"]) for key in (first, second)]
    world.publish(entries[0])
    before = replace(world.directory)
    for attempt in (entries[1:], [certificate(term(first, NOW, NOW + DAY), world.roots["MNG"])]):
        with pytest.raises(Untrusted):
            extend(world.directory, attempt)
    assert world.directory == before
    signed = cosigned(world, signed_checkpoint(world, "directory", world.entries), ["KAZ", "UZB"])
    signed = signed.add(cosign_checkpoint(first, signed.checkpoint, NOW))
    assert set(verify_cosigned(signed, "directory", world.directory)[1].times) == {"KAZ", "MNG", "UZB"}


def test_a_key_that_stays_in_its_token_is_certified_with_new_lattice_halves() -> None:
    """The control: one key hash, and one key."""
    world = ChangingWorld()
    for n in range(2):
        key = SigningIdentity.from_entropy(MNG, bytes.fromhex(ALIKE[0]).ljust(SIGNING_ENTROPY, b"%d" % n))
        world.publish(certificate(term(key, NOW - DAY, NOW + DAY), world.roots["MNG"]))
        signed = cosigned(world, signed_checkpoint(world, "directory", world.entries), ["KAZ", "UZB"])
        signed = signed.add(cosign_checkpoint(key, signed.checkpoint, NOW))
        assert MNG in verify_cosigned(signed, "directory", world.directory)[1].times


class _Untouched(dict[MemberId, tuple[EpochRecord, ...]]):
    """What an honest judge of a checkpoint has no need to copy."""

    def items(self) -> NoReturn:
        raise AssertionError("all epochs of the directory were copied")


def test_an_envelope_names_checkpoints_of_many_sizes_to_have_the_directory_copied_for_each() -> None:
    world = ChangingWorld()
    sealed = world.envelope(["MNG"])
    count = min(MAX_ORIGIN_CHECKPOINTS, world.directory.size - 1)
    notes = tuple(b"%d" % n for n in range(count))
    proofs = tuple(OriginProof(leaf(world, sealed, directory_size=n + 1), 0, (), n) for n in range(count))
    directory = replace(world.directory, epochs=_Untouched(world.directory.epochs))
    assert origins_of(Origins(notes, proofs), directory, unbounded) == frozenset()


def test_a_relay_has_a_checkpoint_kept_that_is_no_evidence_against_it() -> None:
    """With an extension line it is none of the log, and nobody could prove a split by it."""
    world = World()
    keys = keys_of(world)
    honest = sign_checkpoint(world.relay, "directory", 1, Digest(bytes(32)))
    extended = replace(honest.checkpoint, extensions=("x",))
    lines = (
        sign_note(extended.text, keys.ed25519, world.relay.sign_note),
        sign_note(extended.text, keys.mldsa65, partial(primitives.mldsa65_sign, world.relay.mldsa65_seed)),
    )
    request = AddCheckpoint(0, (), SignedCheckpoint(extended, lines))
    answer = judge(request, (keys.ed25519, keys.mldsa65), Seen(0, EMPTY_ROOT))
    assert isinstance(answer, Refuse)
    assert answer.status is WitnessStatus.MALFORMED


def test_a_relay_signs_so_often_that_its_checkpoint_fits_into_no_envelope() -> None:
    world = World()
    keys, signed = keys_of(world), signed_checkpoint(world, "directory", world.entries)
    line = next(line for line in signed.signatures if line.by(keys.ed25519))
    often = SignedCheckpoint(signed.checkpoint, (line,) * 32)
    assert len(often.encode()) > MAX_GOSSIP
    assert often.only(keys.ed25519).signatures == (line,)


async def test_a_fork_in_a_note_too_large_for_its_proof(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """Lines by keys that nobody knows fill it up to what a node reads."""
    await kaz.parts.directory.update(kaz.parts.relay, kaz.clock.now())
    shown(relay, "KAZ", [*relay.entries[:-1], another_epoch(world, "XAA", 9, "fork"), another_epoch(world, "XAA", 10)])
    junk = NoteSignature("nobody", b"junk", bytes(3 * KIB))
    note = parse_signed(relay.notes["KAZ"] or b"")
    count = (MAX_NOTE - len(note.encode())) // (len(junk.line.encode()) + 1)
    padded = SignedCheckpoint(note.checkpoint, (*note.signatures, *(junk,) * count)).encode()
    assert len(padded) > MAX_NOTE - 5 * KIB
    relay.notes["KAZ"] = padded
    before, rows = kaz.facts(), kaz.rows("directory")
    with pytest.raises(ExchangeError):
        await kaz.parts.directory.update(kaz.parts.relay, kaz.clock.now())
    assert (kaz.facts(), kaz.rows("directory")) == (before, rows)
    assert kaz.alarms() == ["split-view"]
    (finding,) = findings(kaz)
    assert finding.proved
