"""Checkpoints: the specification's example, one spelling only, and both halves of the log's key."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from keys.checkpoint import Checkpoint, LogKeys, SignedCheckpoint, parse_checkpoint, parse_signed
from keys.errors import BadSignature, Untrusted
from keys.note import NoteSignature
from schemas.errors import DecodeError, Reason
from schemas.ids import Digest
from schemas.limits import MAX_NOTE_NAME, MAX_TREE_SIZE
from tests.support.notary import ORIGIN, Log, Node, root

# tlog-checkpoint, the example.
TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
EXAMPLE = (
    f"{TEXT}\n— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
).encode()
LOG = Log()
SIGNED = LOG.checkpoint(7)
ED25519, MLDSA65 = SIGNED.signatures


def test_the_specification_s_example_is_read_and_written() -> None:
    signed = parse_signed(EXAMPLE)
    assert (signed.checkpoint.origin, signed.checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert signed.checkpoint.root.hex().startswith("0ac5186a9186")
    assert (signed.checkpoint.text, signed.encode()) == (TEXT, EXAMPLE)


@pytest.mark.parametrize("size", [0, 1, MAX_TREE_SIZE])
@pytest.mark.parametrize("extensions", [(), ("one",), ("one", "two words", "é")])
def test_a_checkpoint_is_read_as_it_was_written(size: int, extensions: tuple[str, ...]) -> None:
    checkpoint = Checkpoint("an origin, of any form + é", size, root(3), extensions)
    assert parse_checkpoint(checkpoint.text) == checkpoint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.MALFORMED),
        ("origin\n1\n", Reason.MALFORMED),
        (TEXT[:-1], Reason.MALFORMED),
        (TEXT.replace("example.com/behind-the-sofa", ""), Reason.MALFORMED),
        (TEXT + "\n", Reason.MALFORMED),
        (TEXT + "extension\n\n", Reason.MALFORMED),
        (TEXT + "\nextension\n", Reason.MALFORMED),
        (TEXT.replace("2085", "02085"), Reason.NON_CANONICAL),
        (TEXT.replace("20852163", "00"), Reason.NON_CANONICAL),
        (TEXT.replace("20852163", ""), Reason.MALFORMED),
        (TEXT.replace("20852163", "-1"), Reason.MALFORMED),
        (TEXT.replace("20852163", "+1"), Reason.MALFORMED),
        (TEXT.replace("20852163", " 1"), Reason.MALFORMED),
        (TEXT.replace("20852163", "1_0"), Reason.MALFORMED),
        (TEXT.replace("20852163", "0x1"), Reason.MALFORMED),
        (TEXT.replace("20852163", "\u0661"), Reason.MALFORMED),
        (TEXT.replace("20852163", "\u00b2"), Reason.MALFORMED),
        (TEXT.replace("20852163", str(MAX_TREE_SIZE + 1)), Reason.OUT_OF_RANGE),
        (TEXT.replace("20852163", "9" * 100_000), Reason.OUT_OF_RANGE),
        (TEXT.replace("q2I=", "q2J="), Reason.NON_CANONICAL),
        (TEXT.replace("q2I=", "q2I"), Reason.MALFORMED),
        (TEXT.replace("q2I=", "qw=="), Reason.OUT_OF_RANGE),
        (TEXT.replace("q2I=", "q2IA"), Reason.OUT_OF_RANGE),
        ("o" * (MAX_NOTE_NAME + 1) + TEXT[27:], Reason.TOO_LARGE),
        ("a\tb" + TEXT[27:], Reason.MALFORMED),
    ],
)
def test_another_spelling_is_no_checkpoint(text: str, reason: Reason) -> None:
    with pytest.raises(DecodeError) as fault:
        parse_checkpoint(text)
    assert fault.value.reason is reason


@pytest.mark.parametrize(
    "checkpoint",
    [
        lambda: Checkpoint("", 1, root(1)),
        lambda: Checkpoint("two\nlines", 1, root(1)),
        lambda: Checkpoint("o", -1, root(1)),
        lambda: Checkpoint("o", MAX_TREE_SIZE + 1, root(1)),
        lambda: Checkpoint("o", 1, Digest(bytes(31))),
        lambda: Checkpoint("o", 1, root(1), ("",)),
        lambda: Checkpoint("o", 1, root(1), ("\ud800",)),
    ],
)
def test_a_checkpoint_that_could_not_be_read_again_is_not_made(checkpoint: Callable[[], Checkpoint]) -> None:
    with pytest.raises(DecodeError):
        checkpoint()


def test_a_checkpoint_of_the_log_verifies() -> None:
    assert LOG.keys.verify(parse_signed(SIGNED.encode())) == Checkpoint(ORIGIN, 7, root(7))


@pytest.mark.parametrize(
    "lines",
    [
        (ED25519,),
        (MLDSA65,),
        Log("thief").checkpoint(7).signatures,
        (ED25519, Log("thief").checkpoint(7).signatures[1]),
        (ED25519, replace(MLDSA65, value=bytes(3309))),
        (replace(ED25519, value=bytes(64)), MLDSA65),
        (ED25519, MLDSA65, replace(ED25519, value=bytes(64))),
        (replace(ED25519, value=ED25519.value + b"\x00"), MLDSA65),
        (ED25519, replace(MLDSA65, name=f"{ORIGIN}x")),
        LOG.checkpoint(8).signatures,
        Node("KAZ").lines(SIGNED),
    ],
    ids=range(11),
)
def test_a_checkpoint_without_both_signatures_of_the_log_is_refused(lines: tuple[NoteSignature, ...]) -> None:
    with pytest.raises(BadSignature):
        LOG.keys.verify(SignedCheckpoint(SIGNED.checkpoint, lines))


def test_a_checkpoint_of_another_log_is_refused_whoever_signed_it() -> None:
    other = Log(origin="cbm.exchange/audit/0123456789abcdef")
    with pytest.raises(Untrusted, match="not one of the log"):
        LOG.keys.verify(other.checkpoint(7))


def test_extension_lines_are_refused_since_lattice_cosignatures_do_not_cover_them() -> None:
    extended = replace(SIGNED.checkpoint, extensions=("more",))
    with pytest.raises(Untrusted):
        LOG.keys.verify(SignedCheckpoint(extended, SIGNED.signatures))


def test_foreign_lines_and_cosignatures_do_no_harm() -> None:
    assert LOG.keys.verify(SIGNED.add(Node("KAZ").lines(SIGNED))) == SIGNED.checkpoint
    stranger = NoteSignature(ORIGIN, b"\x00\x00\x00\x00", b"of a key that nobody knows")
    assert LOG.keys.verify(SIGNED.add((stranger,))) == SIGNED.checkpoint


def test_the_short_form_has_the_ed25519_line_alone() -> None:
    short = SIGNED.add(Node("KAZ").lines(SIGNED)).only(LOG.keys.ed25519)
    assert short.signatures == (ED25519,)
    assert len(short.encode()) < 300
    assert LOG.keys.verify_short(short) == SIGNED.checkpoint
    with pytest.raises(BadSignature):
        LOG.keys.verify(short)
    with pytest.raises(DecodeError):
        SIGNED.only(Log("thief").keys.ed25519)


def test_lines_are_added_once() -> None:
    lines = Node("KAZ").lines(SIGNED)
    assert SIGNED.add(lines).add(lines) == SIGNED.add(lines)
    assert len(SIGNED.add(lines).signatures) == 4


def test_the_keys_of_a_log_stand_under_its_origin() -> None:
    keys = LogKeys.of(ORIGIN, LOG.public)
    assert keys.origin == keys.ed25519.name == keys.mldsa65.name == ORIGIN
