"""Which answers of witnesses are cosignatures that count: both halves, by a key in force, of this time."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from exchange.relay.limits import SESSION_SKEW
from exchange.relay.tlog_core import Witness
from exchange.relay.tlog_panel import OtherTime, Panel
from keys.checkpoint import SignedCheckpoint
from keys.cosign import cosign
from keys.errors import BadSignature, KeyFault, Untrusted
from keys.identity import SigningIdentity
from keys.logsigner import cosign_checkpoint
from keys.note import KeyType, NoteKey, NoteSignature, encode_lines
from keys.primitives import ed25519_public, ed25519_sign
from keys.quorum import verify_cosigned
from schemas.errors import DecodeError
from schemas.ids import MemberId
from tests.support.cosigners import signed_checkpoint
from tests.support.entropy import derived
from tests.support.world import NOW, World

KAZ = Witness("KAZ")
SEED = derived("foreign", "witness")
FOREIGN = Witness("https://witness.example/w")
FOREIGN_KEY = NoteKey("witness.example/w", KeyType.COSIGNATURE_ED25519, ed25519_public(SEED))


def panel(world: World) -> Panel:
    return Panel.of(world.directory, {FOREIGN: (FOREIGN_KEY,)})


def checkpoint(world: World, size: int | None = None) -> SignedCheckpoint:
    return signed_checkpoint(world, "directory", world.entries, size)


def lines(
    world: World, member: str = "KAZ", time: int = NOW, size: int | None = None, key: SigningIdentity | None = None
) -> tuple[NoteSignature, ...]:
    return cosign_checkpoint(key or world.nodes[member], checkpoint(world, size).checkpoint, time)


def judged(world: World, given: tuple[NoteSignature, ...], witness: Witness = KAZ) -> tuple[NoteSignature, ...]:
    return panel(world).lines(witness, checkpoint(world).checkpoint, encode_lines(given), NOW)


def test_a_member_counts_with_both_lines(world: World) -> None:
    given = lines(world)
    assert judged(world, given) == given
    assert panel(world).counts(KAZ)
    assert panel(world).needed == 3


def test_what_the_panel_takes_is_what_every_node_accepts(world: World) -> None:
    signed = checkpoint(world)
    for code in ("KAZ", "MNG", "UZB"):
        signed = signed.add(judged(world, lines(world, code), Witness(code)))
    _, quorum = verify_cosigned(signed, "directory", world.directory)
    assert set(quorum.times) == {"KAZ", "MNG", "UZB"}


@pytest.mark.parametrize("half", [0, 1])
def test_one_half_alone_does_not_count(world: World, half: int) -> None:
    with pytest.raises(BadSignature, match="each half"):
        judged(world, lines(world)[half : half + 1])


def test_two_lines_of_one_half_do_not_count(world: World) -> None:
    with pytest.raises(BadSignature, match="each half"):
        judged(world, (lines(world)[0], lines(world, time=NOW + 1)[0]))


def test_more_lines_than_the_two_are_refused(world: World) -> None:
    with pytest.raises(BadSignature, match="each half"):
        judged(world, (*lines(world), *lines(world, time=NOW + 1)))


def test_lines_by_unknown_keys_are_left_out(world: World) -> None:
    given = lines(world)
    assert judged(world, (*lines(world, "MNG"), *given)) == given


def spoilt(line: NoteSignature) -> NoteSignature:
    return replace(line, value=line.value[:-1] + bytes([line.value[-1] ^ 1]))


@pytest.mark.parametrize(
    "forge",
    [
        lambda world: lines(world, "MNG"),
        lambda world: lines(world, key=SigningIdentity.from_entropy(MemberId("KAZ"), derived("other", size=96))),
        lambda world: lines(world, key=world.roots["KAZ"]),
        lambda world: lines(world, size=5),
        lambda world: (spoilt(lines(world)[0]), lines(world)[1]),
        lambda world: (lines(world)[0], spoilt(lines(world)[1])),
        lambda world: lines(world, time=NOW - SESSION_SKEW - 1),
        lambda world: lines(world, time=NOW + SESSION_SKEW + 1),
    ],
    ids=["of-another", "of-a-new-key", "of-the-root", "of-an-older-checkpoint", "half-1", "half-2", "old", "ahead"],
)
def test_a_cosignature_that_does_not_hold_is_refused(
    world: World, forge: Callable[[World], tuple[NoteSignature, ...]]
) -> None:
    with pytest.raises(KeyFault):
        judged(world, forge(world))


@pytest.mark.parametrize("off", [-SESSION_SKEW - 1, SESSION_SKEW + 1])
def test_a_cosigner_whose_clock_is_off_is_told_from_one_that_forges(world: World, off: int) -> None:
    with pytest.raises(OtherTime):
        judged(world, lines(world, time=NOW + off))
    forged = (spoilt(lines(world, time=NOW + off)[0]), lines(world, time=NOW + off)[1])
    with pytest.raises(KeyFault) as refused:
        judged(world, forged)
    assert not isinstance(refused.value, OtherTime)


@pytest.mark.parametrize("answer", [b"", b"\n", b"no lines", b"\xff\xfe", "— a b".encode(), b"\x00" * 9000])
def test_garbage_is_refused_with_a_declared_fault(world: World, answer: bytes) -> None:
    with pytest.raises(DecodeError):
        panel(world).lines(KAZ, checkpoint(world).checkpoint, answer, NOW)


def test_observers_and_the_secretariat_are_not_asked() -> None:
    world = World(codes=("KAZ", "MNG", "UZB"), observers=("XAB",), secretariat=True)
    made = Panel.of(world.directory, {})
    assert made.witnesses == {"KAZ", "MNG", "UZB"}
    with pytest.raises(Untrusted):
        made.lines(Witness("XAB"), checkpoint(world).checkpoint, encode_lines(lines(world, "XAB")), NOW)


def test_a_view_without_the_key_does_not_know_it(world: World) -> None:
    before = Panel.of(world.directory.as_of(2), {})
    assert before.witnesses == {"KAZ"}
    with pytest.raises(Untrusted):
        before.lines(Witness("MNG"), checkpoint(world).checkpoint, encode_lines(lines(world, "MNG")), NOW)


def foreign_line(world: World, name: str = FOREIGN_KEY.name) -> NoteSignature:
    key = NoteKey(name, FOREIGN_KEY.type, FOREIGN_KEY.public)
    return cosign(checkpoint(world).checkpoint, key, NOW, lambda message: ed25519_sign(SEED, message))


def test_a_witness_of_others_is_kept_and_does_not_count(world: World) -> None:
    given = (foreign_line(world),)
    assert judged(world, given, FOREIGN) == given
    assert FOREIGN in panel(world).witnesses
    assert not panel(world).counts(FOREIGN)


def test_a_witness_of_others_cannot_speak_for_a_member(world: World) -> None:
    with pytest.raises(Untrusted):
        judged(world, lines(world), FOREIGN)
    with pytest.raises(Untrusted):
        judged(world, (foreign_line(world, "witness.example/other"),), FOREIGN)


def test_a_witness_of_others_may_not_fill_the_note(world: World) -> None:
    with pytest.raises(Untrusted):
        judged(world, (foreign_line(world), foreign_line(world)), FOREIGN)
