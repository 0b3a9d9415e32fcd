"""The witness protocol: bodies as in the specification, and each answer that it lays down."""

from dataclasses import replace

import pytest

from keys.checkpoint import SignedCheckpoint, parse_signed
from keys.merkle import EMPTY_ROOT, consistency_proof
from keys.note import NoteSignature, sign_note
from keys.witness import (
    AddCheckpoint,
    Cosign,
    Refuse,
    Seen,
    encode_size,
    judge,
    origin_hash,
    parse_request,
    parse_size,
)
from schemas.errors import DecodeError, Reason
from schemas.limits import MAX_PROOF, MAX_TREE_SIZE
from schemas.relayapi import WitnessStatus
from tests.support.notary import LEAVES, TREE, Log, Node, plain_key, root

# tlog-witness, "add-checkpoint".
EXAMPLE = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa \
opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
""".encode()
LOG = Log()
KEYS = (LOG.keys.ed25519, LOG.keys.mldsa65)


def ask(old: int, new: int, signed: SignedCheckpoint | None = None) -> AddCheckpoint:
    return AddCheckpoint(old, consistency_proof(old, new, TREE), signed or LOG.checkpoint(new))


def seen(size: int) -> Seen:
    return Seen(size, root(size))


def refusal(request: AddCheckpoint, before: Seen, keys: tuple[object, ...] = KEYS) -> Refuse:
    answer = judge(request, keys, before)  # type: ignore[arg-type]  # the tests that pass keys pass keys
    assert isinstance(answer, Refuse)
    return answer


def test_the_specification_s_request_is_read_and_written() -> None:
    request = parse_request(EXAMPLE)
    assert (request.old, len(request.proof), len(request.signed.signatures)) == (20852014, 4, 2)
    assert request.encode() == EXAMPLE
    assert request.signed == parse_signed(EXAMPLE.split(b"\n\n", 1)[1])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        EXAMPLE[3:],
        EXAMPLE.replace(b"old 2", b"old  2", 1),
        EXAMPLE.replace(b"old 2", b"old 02", 1),
        EXAMPLE.replace(b"old 2", b"Old 2", 1),
        EXAMPLE.replace(b"old 20852014", b"old", 1),
        EXAMPLE.replace(b"old 20852014", b"old -1", 1),
        EXAMPLE.replace(b"old 20852014\n", b"old 20852014\n\n", 1),
        EXAMPLE.replace(b"kaw=", b"kax=", 1),
        EXAMPLE.replace(b"kaw=", b"kaw", 1),
        EXAMPLE.replace(b"kaw=", b"kawA", 1),
        EXAMPLE.replace(b"\n\nexample", b"\nexample", 1),
        EXAMPLE.split(b"\n\n")[0] + b"\n\n",
        EXAMPLE[:-1],
    ],
)
def test_another_spelling_is_no_request(data: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_request(data)


def test_a_request_has_at_most_63_hashes() -> None:
    signed = LOG.checkpoint(7)
    most = AddCheckpoint(3, (root(1),) * MAX_PROOF, signed)
    assert parse_request(most.encode()) == most
    line = b"A" * 43 + b"=\n"
    with pytest.raises(DecodeError) as fault:
        parse_request(most.encode().replace(b"old 3\n", b"old 3\n" + line))
    assert fault.value.reason is Reason.TOO_LARGE
    with pytest.raises(DecodeError):
        AddCheckpoint(3, (root(1),) * (MAX_PROOF + 1), signed)


def test_an_old_size_above_the_checkpoint_s_is_malformed() -> None:
    with pytest.raises(DecodeError) as fault:
        AddCheckpoint(8, (), LOG.checkpoint(7))
    assert fault.value.reason is Reason.CONTRADICTION


@pytest.mark.parametrize(("old", "new"), [(0, 7), (3, 7), (7, 7), (7, 33), (0, 0)])
def test_a_log_that_only_grew_is_cosigned(old: int, new: int) -> None:
    request = ask(old, new)
    answer = judge(parse_request(request.encode()), KEYS, seen(old))
    assert answer == Cosign(seen(old), seen(new), request.signed)


def test_an_unknown_log_is_not_found() -> None:
    assert refusal(ask(0, 7), Seen(), ()).status is WitnessStatus.UNKNOWN_LOG


@pytest.mark.parametrize(
    "lines",
    [
        LOG.checkpoint(7).signatures[:1],
        LOG.checkpoint(7).signatures[1:],
        Log("thief").checkpoint(7).signatures,
        Node("KAZ").lines(LOG.checkpoint(7)),
        (*LOG.checkpoint(7).signatures, replace(LOG.checkpoint(7).signatures[0], value=bytes(64))),
    ],
    ids=["no lattice line", "no curve line", "another key", "no log's", "one more that does not hold"],
)
def test_a_checkpoint_that_the_log_did_not_sign_is_forbidden(lines: tuple[NoteSignature, ...]) -> None:
    signed = SignedCheckpoint(LOG.checkpoint(7).checkpoint, lines)
    assert refusal(ask(3, 7, signed), seen(3)).status is WitnessStatus.BAD_SIGNATURE


def test_a_foreign_log_needs_the_one_key_that_it_has() -> None:
    key, sign = plain_key(LOG.keys.origin)
    checkpoint = LOG.checkpoint(7).checkpoint
    signed = SignedCheckpoint(checkpoint, (sign_note(checkpoint.text, key, sign),))
    assert isinstance(judge(ask(3, 7, signed), (key,), seen(3)), Cosign)


def test_another_old_size_is_answered_with_the_one_that_was_cosigned() -> None:
    answer = refusal(ask(3, 7), seen(5))
    assert (answer.status, answer.size, answer.split) == (WitnessStatus.OTHER_SIZE, 5, False)
    assert refusal(ask(0, 7), seen(5)).size == 5


def test_a_rolled_back_log_is_not_cosigned() -> None:
    answer = refusal(ask(3, 5), seen(7))
    assert (answer.status, answer.size) == (WitnessStatus.OTHER_SIZE, 7)
    with pytest.raises(DecodeError):
        AddCheckpoint(7, (), LOG.checkpoint(5))


def test_a_rewritten_log_is_not_cosigned() -> None:
    forged = LOG.checkpoint(7, root(8))
    assert refusal(ask(3, 7, forged), seen(3)).status is WitnessStatus.INCONSISTENT
    assert refusal(replace(ask(3, 7), proof=()), seen(3)).status is WitnessStatus.INCONSISTENT
    assert (
        refusal(replace(ask(3, 7), proof=consistency_proof(3, 8, TREE)), seen(3)).status is WitnessStatus.INCONSISTENT
    )
    assert refusal(ask(3, 7), Seen(3, LEAVES[0])).status is WitnessStatus.INCONSISTENT


def test_a_proof_where_none_is_needed_is_refused() -> None:
    assert refusal(replace(ask(0, 7), proof=(LEAVES[0],)), Seen()).status is WitnessStatus.INCONSISTENT
    assert refusal(replace(ask(7, 7), proof=(LEAVES[0],)), seen(7)).status is WitnessStatus.INCONSISTENT


def test_an_empty_log_has_the_empty_root() -> None:
    assert isinstance(judge(ask(0, 0), KEYS, Seen()), Cosign)
    assert Seen() == Seen(0, EMPTY_ROOT)
    assert refusal(ask(0, 0, LOG.checkpoint(0, root(1))), Seen()).status is WitnessStatus.INCONSISTENT


@pytest.mark.parametrize("old", [0, 3, 7])
def test_a_split_view_is_told_apart_from_a_wrong_proof(old: int) -> None:
    other = LOG.checkpoint(7, root(8))
    answer = refusal(AddCheckpoint(old, consistency_proof(old, 7, TREE), other), seen(7))
    assert answer.split
    assert answer.status is (WitnessStatus.INCONSISTENT if old == 7 else WitnessStatus.OTHER_SIZE)
    assert not refusal(ask(3, 9, LOG.checkpoint(9, root(8))), seen(3)).split


def test_a_split_view_that_the_log_did_not_sign_is_none() -> None:
    forged = SignedCheckpoint(LOG.checkpoint(7, root(8)).checkpoint, LOG.checkpoint(7).signatures)
    answer = refusal(AddCheckpoint(7, (), forged), seen(7))
    assert (answer.status, answer.split) == (WitnessStatus.BAD_SIGNATURE, False)


@pytest.mark.parametrize("size", [0, 1, 20852163, MAX_TREE_SIZE])
def test_a_size_is_answered_as_one_line(size: int) -> None:
    assert parse_size(encode_size(size)) == size


@pytest.mark.parametrize(
    "data", [b"", b"1", b"1\n\n", b"01\n", b" 1\n", b"1\n2\n", b"\n", b"9" * 40 + b"\n", b"\xff\n"]
)
def test_another_answer_is_no_size(data: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_size(data)


def test_a_witness_shows_a_log_under_the_hash_of_its_origin() -> None:
    expected = "5fd2dc0beb4ce54da5050cf6d5c75248b023abad441c3cecde3976fbe9da4fe4"  # as sha256sum says
    assert origin_hash("example.com/behind-the-sofa") == expected
