"""Signed notes: the specification's examples, one spelling only, and whose signature counts."""

import base64
from dataclasses import replace

import pytest

from keys.errors import BadSignature
from keys.note import (
    KeyType,
    Note,
    NoteKey,
    NoteSignature,
    encode_lines,
    parse_lines,
    parse_note,
    parse_vkey,
    sign_note,
    signed_by,
)
from schemas.contexts import Context, framed
from schemas.errors import DecodeError, Reason
from schemas.limits import MAX_NOTE, MAX_NOTE_NAME, MAX_NOTE_SIGNATURES
from tests.support.notary import Log, plain_key

# signed-note, "Example".
EXAMPLE = (
    "This is an example message.\n\n"
    "— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
# The first lines of the specification: a text with an empty line in it.
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
).encode()
LINE = EXAMPLE.split(b"\n\n")[1]


def refused(data: bytes) -> Reason:
    with pytest.raises(DecodeError) as fault:
        parse_note(data)
    return fault.value.reason


def test_the_specification_s_example_verifies() -> None:
    note, key = parse_note(EXAMPLE), parse_vkey(EXAMPLE_KEY)
    assert (note.text, key.name, key.key_hash.hex()) == ("This is an example message.\n", "example.com/foo", "530d903a")
    assert signed_by(note, key)
    assert (note.encode(), key.vkey) == (EXAMPLE, EXAMPLE_KEY)
    with pytest.raises(BadSignature):
        signed_by(replace(note, text="This is another message.\n"), key)


def test_a_text_may_hold_an_empty_line() -> None:
    note = parse_note(POEM)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    assert [signature.name for signature in note.signatures] == ["quasimodo.example/salvatore"]
    assert note.encode() == POEM


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.MALFORMED),
        (b"text\n", Reason.MALFORMED),
        (b"text\n\n", Reason.MALFORMED),
        (b"text\n" + LINE, Reason.MALFORMED),
        (EXAMPLE[:-1], Reason.MALFORMED),
        (EXAMPLE + b"\n", Reason.MALFORMED),
        (EXAMPLE + b"x", Reason.MALFORMED),
        (EXAMPLE.replace(b"message", b"mess\tage"), Reason.MALFORMED),
        (EXAMPLE.replace(b"message", b"mess\rage"), Reason.MALFORMED),
        (EXAMPLE.replace(b"message", b"mess\x00age"), Reason.MALFORMED),
        (EXAMPLE.replace(b"message", b"mess\xffage"), Reason.MALFORMED),
        (EXAMPLE.replace(b"message", b"mess\xed\xa0\x80age"), Reason.MALFORMED),
        (EXAMPLE.replace("—".encode(), b"-"), Reason.MALFORMED),
        (EXAMPLE.replace("— ".encode(), "—".encode()), Reason.MALFORMED),
        (EXAMPLE.replace("— ".encode(), "—  ".encode()), Reason.MALFORMED),
        (EXAMPLE.replace(b"foo ", b"foo  "), Reason.MALFORMED),
        (EXAMPLE.replace(b"foo ", b"f+o "), Reason.MALFORMED),
        (EXAMPLE.replace(b"foo ", "f\u00a0o ".encode()), Reason.MALFORMED),
        (EXAMPLE.replace(b"foo ", "f\u2028o ".encode()), Reason.MALFORMED),
        (EXAMPLE.replace(b"foo ", b"foo "[:3]), Reason.MALFORMED),
        (EXAMPLE.replace(b"yaQM=", b"yaQM"), Reason.MALFORMED),
        (EXAMPLE.replace(b"yaQM=", b"yaQM=="), Reason.MALFORMED),
        (EXAMPLE.replace(b"yaQM=", b"yaQN="), Reason.NON_CANONICAL),
        (EXAMPLE.replace(b"Uw2Q", b"Uw-Q"), Reason.MALFORMED),
        (EXAMPLE.replace(b"Uw2Q", b"Uw Q"), Reason.MALFORMED),
        (b"text\n\n" + "— name \n".encode(), Reason.OUT_OF_RANGE),
        (b"text\n\n" + "— name Uw2QOg==\n".encode(), Reason.OUT_OF_RANGE),
        (b"text\n\n" + "— name Uw2Q\n".encode(), Reason.OUT_OF_RANGE),
        (b"text\n\n" + "—  Uw2QOkn8\n".encode(), Reason.OUT_OF_RANGE),
    ],
)
def test_another_spelling_is_no_note(data: bytes, reason: Reason) -> None:
    assert refused(data) is reason


def test_a_note_has_bounds() -> None:
    line = f"— {'n' * MAX_NOTE_NAME} Uw2QOkn8\n".encode()
    most = b"text\n\n" + line * MAX_NOTE_SIGNATURES
    assert len(parse_note(most).signatures) == MAX_NOTE_SIGNATURES >= 16
    assert refused(most + line) is Reason.TOO_LARGE
    assert refused(b"text\n\n" + line.replace(b"n", b"nn", 1)) is Reason.OUT_OF_RANGE
    largest = b"x" * (MAX_NOTE - 2 - len(LINE)) + b"\n\n" + LINE
    assert parse_note(largest).encode() == largest
    assert refused(b"x" + largest) is Reason.TOO_LARGE


@pytest.mark.parametrize("text", ["", "no newline", "a\tb\n", "\ud800\n"])
def test_a_note_that_could_not_be_read_again_is_not_made(text: str) -> None:
    with pytest.raises(DecodeError):
        Note(text, parse_note(EXAMPLE).signatures)
    with pytest.raises(DecodeError):
        Note("text\n", ())


def test_only_known_keys_count_and_their_lines_have_to_verify() -> None:
    key, sign = plain_key("example.org/a")
    other, sign_other = plain_key("example.org/b")
    namesake, _ = plain_key("example.org/a", seed="another")
    text = "text\n"
    by_a, by_b = sign_note(text, key, sign), sign_note(text, other, sign_other)
    assert signed_by(Note(text, (by_b, by_a)), key)
    assert not signed_by(Note(text, (by_b,)), key)
    assert not signed_by(Note(text, (by_a,)), namesake)
    forged = NoteSignature(key.name, key.key_hash, by_b.value)
    for lines in [(forged,), (by_a, forged), (forged, by_a)]:
        with pytest.raises(BadSignature, match=r"example\.org/a"):
            signed_by(Note(text, lines), key)
    assert signed_by(Note(text, (by_a, forged, by_b)), other)


def test_a_line_of_the_private_type_is_ml_dsa_65_over_the_labelled_name_and_text() -> None:
    log = Log()
    key, signed = log.keys.mldsa65, log.checkpoint(7)
    assert key.type.value == b"\xffcbm/1/note"
    assert base64.b64decode(key.vkey.split("+", 2)[2]) == b"\xff" + b"cbm/1/note" + log.public.mldsa65
    assert parse_vkey(key.vkey) == key
    assert signed_by(signed.note, key)
    shown = sign_note("text\n", key, lambda message: message).value
    assert shown == framed(Context.NOTE, key.name.encode(), b"text\n")


def test_the_same_key_under_another_name_or_type_is_another_key() -> None:
    key, _ = plain_key("example.org/a")
    hashes = {key.key_hash, replace(key, name="example.org/b").key_hash}
    hashes.add(replace(key, type=KeyType.COSIGNATURE_ED25519).key_hash)
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("vkey", "reason"),
    [
        ("", Reason.MALFORMED),
        ("example.com/foo", Reason.MALFORMED),
        ("example.com/foo+530d903a", Reason.MALFORMED),
        (EXAMPLE_KEY.replace("+53", "+00"), Reason.CONTRADICTION),
        (EXAMPLE_KEY.replace("+530d903a", "+530D903A"), Reason.CONTRADICTION),
        (EXAMPLE_KEY.replace("+530d903a", "+0530d903a"), Reason.CONTRADICTION),
        (EXAMPLE_KEY.replace("foo", "bar"), Reason.CONTRADICTION),
        (EXAMPLE_KEY.replace("foo", "f o"), Reason.MALFORMED),
        (EXAMPLE_KEY.replace("example.com/foo", ""), Reason.OUT_OF_RANGE),
        (EXAMPLE_KEY.replace("+Ae", "+Ag"), Reason.OUT_OF_RANGE),
        (EXAMPLE_KEY[:-4], Reason.OUT_OF_RANGE),
        (EXAMPLE_KEY + "\n", Reason.MALFORMED),
        ("example.com/foo+530d903a+", Reason.OUT_OF_RANGE),
        ("\ud800+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", Reason.MALFORMED),
        ("x" * 5000, Reason.TOO_LARGE),
    ],
)
def test_a_verifier_key_is_read_strictly(vkey: str, reason: Reason) -> None:
    with pytest.raises(DecodeError) as fault:
        parse_vkey(vkey)
    assert fault.value.reason is reason


@pytest.mark.parametrize("kind", list(KeyType))
def test_every_type_has_keys_of_one_size(kind: KeyType) -> None:
    sizes = {KeyType.COSIGNATURE_MLDSA44: 1312, KeyType.MLDSA65: 1952}
    key = NoteKey("n" * MAX_NOTE_NAME, kind, bytes(sizes.get(kind, 32)))
    assert parse_vkey(key.vkey) == key
    for size in (0, 31, 33, 1311, 1951):
        with pytest.raises(DecodeError):
            replace(key, public=bytes(size))


@pytest.mark.parametrize("kind", [KeyType.COSIGNATURE_ED25519, KeyType.COSIGNATURE_MLDSA44])
def test_a_key_for_cosignatures_signs_no_notes(kind: KeyType) -> None:
    key = NoteKey("n", kind, bytes(32 if kind is KeyType.COSIGNATURE_ED25519 else 1312))
    with pytest.raises(ValueError, match="does not sign notes"):
        signed_by(parse_note(EXAMPLE), key)
    with pytest.raises(ValueError, match="does not sign notes"):
        sign_note("text\n", key, lambda _: b"")


def test_lines_alone_are_read_as_they_are_written() -> None:
    lines = parse_note(EXAMPLE).signatures * 2
    assert parse_lines(encode_lines(lines)) == lines
    for data in (b"", b"\n", LINE[:-1], LINE + b"\n", b"\n" + LINE):
        with pytest.raises(DecodeError):
            parse_lines(data)
