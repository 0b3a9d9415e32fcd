"""Cosignatures: the signed bytes of the specification, times, and what counts for a quorum."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from keys.checkpoint import Checkpoint, SignedCheckpoint
from keys.cosign import Cosigner, CosignerKeys, collect, cosign, cosigned_at, cosigned_message, verify_quorum
from keys.errors import BadSignature, Untrusted
from keys.note import KeyType, NoteKey, NoteSignature
from schemas.ids import MemberId
from tests.support.notary import NOW, ORIGIN, Log, Node, plain_key, root

LOG = Log()
SIGNED = LOG.checkpoint(7)
NODES = {code: Node(code) for code in ("KAZ", "MNG", "UZB", "XAA")}
FROM, UNTIL = NOW - 9999, NOW + 9999
MEMBERS = tuple(Cosigner(node.member, node.keys, FROM, UNTIL) for node in NODES.values())
KAZ = NODES["KAZ"]


def cosigned(*codes: str, time: int = NOW) -> SignedCheckpoint:
    signed = SIGNED
    for code in codes:
        signed = signed.add(NODES[code].lines(SIGNED, time))
    return signed


def test_the_ed25519_message_is_the_specification_s_example() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    key = NoteKey("witness.example.com/w1", KeyType.COSIGNATURE_ED25519, bytes(32))
    checkpoint = Checkpoint("example.com/behind-the-sofa", 20852163, SIGNED.checkpoint.root)
    message = cosigned_message(checkpoint, key, 1679315147).decode()
    assert message.splitlines()[:2] == ["cosignature/v1", "time 1679315147"]
    assert message == f"cosignature/v1\ntime 1679315147\n{checkpoint.text}"
    assert checkpoint.text.splitlines()[:2] == text.splitlines()[:2]


def test_the_ml_dsa_44_message_is_the_structure_of_the_specification_byte_by_byte() -> None:
    message = cosigned_message(SIGNED.checkpoint, KAZ.keys.mldsa44, NOW)
    assert message.hex() == (
        "737562747265652f76310a00"  # label[12], "subtree/v1\n\0"
        "17"  # length of cosigner_name
        + b"cbm.exchange/member/KAZ".hex()
        + "000000006b49d200"  # timestamp
        + "27"  # length of log_origin
        + ORIGIN.encode().hex()
        + "0000000000000000"  # start
        + "0000000000000007"  # end
        + root(7).hex()
    )


def test_cosignatures_made_by_hand_with_another_library_verify() -> None:
    curve, lattice = Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate()
    keys = CosignerKeys.of(
        MemberId("KAZ"), curve.public_key().public_bytes_raw(), lattice.public_key().public_bytes_raw()
    )
    stamp = NOW.to_bytes(8, "big")
    text = b"cosignature/v1\ntime %d\n" % NOW + SIGNED.checkpoint.text.encode()
    structure = (
        b"subtree/v1\n\x00"
        + bytes([len(keys.mldsa44.name)])
        + keys.mldsa44.name.encode()
        + stamp
        + bytes([len(ORIGIN)])
        + ORIGIN.encode()
        + bytes(8)
        + (7).to_bytes(8, "big")
        + root(7)
    )
    lines = (
        NoteSignature(keys.ed25519.name, keys.ed25519.key_hash, stamp + curve.sign(text)),
        NoteSignature(keys.mldsa44.name, keys.mldsa44.key_hash, stamp + lattice.sign(structure)),
    )
    assert keys.time(SIGNED.add(lines)) == NOW


def test_ours_verify_by_hand_with_another_library() -> None:
    curve, lattice = Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate()
    keys = CosignerKeys.of(
        MemberId("KAZ"), curve.public_key().public_bytes_raw(), lattice.public_key().public_bytes_raw()
    )
    first, second = keys.sign(SIGNED.checkpoint, NOW, curve.sign, lattice.sign)
    assert first.value[:8] == second.value[:8] == NOW.to_bytes(8, "big")
    curve.public_key().verify(first.value[8:], cosigned_message(SIGNED.checkpoint, keys.ed25519, NOW))
    lattice.public_key().verify(second.value[8:], cosigned_message(SIGNED.checkpoint, keys.mldsa44, NOW))
    assert (len(first.value), len(second.value)) == (8 + 64, 8 + 2420)


def test_a_member_counts_with_both_lines_only() -> None:
    curve, lattice = KAZ.lines(SIGNED)
    assert KAZ.keys.time(SIGNED.add((curve, lattice))) == NOW
    for lines in [(), (curve,), (lattice,)]:
        signed = SIGNED.add(lines)
        assert KAZ.keys.time(signed) is None
        with pytest.raises(Untrusted, match="0 members cosigned"):
            verify_quorum(signed, MEMBERS, 1)


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("place", [0, 7, 8, 30, -1])
def test_a_line_that_does_not_verify_refuses_the_whole(half: int, place: int) -> None:
    lines = list(KAZ.lines(SIGNED))
    value = bytearray(lines[half].value)
    value[place] ^= 1
    lines[half] = replace(lines[half], value=bytes(value))
    with pytest.raises(BadSignature, match="member/KAZ"):
        verify_quorum(cosigned("MNG", "UZB").add(tuple(lines)), MEMBERS, 2)


@pytest.mark.parametrize("value", [b"\x00", bytes(8), bytes(71), bytes(73), bytes(4000)])
def test_a_line_of_any_length_is_refused_with_one_error(value: bytes) -> None:
    for line in KAZ.lines(SIGNED):
        with pytest.raises(BadSignature):
            KAZ.keys.time(SIGNED.add((replace(line, value=value),)))


def test_a_cosignature_of_another_checkpoint_does_not_verify() -> None:
    for other in [LOG.checkpoint(8), LOG.checkpoint(7, root(8)), Log(origin="another/origin").checkpoint(7)]:
        with pytest.raises(BadSignature):
            KAZ.keys.time(SIGNED.add(KAZ.lines(other)))


def test_a_cosignature_under_another_name_does_not_count_for_it() -> None:
    lines = tuple(replace(line, name="cbm.exchange/member/MNG") for line in KAZ.lines(SIGNED))
    with pytest.raises(Untrusted):
        verify_quorum(SIGNED.add(lines), MEMBERS, 1)


def test_one_quorum_less_one_is_refused() -> None:
    with pytest.raises(Untrusted, match="2 members cosigned the checkpoint of size 7, and 3 are needed"):
        verify_quorum(cosigned("KAZ", "MNG"), MEMBERS, 3)
    quorum = verify_quorum(cosigned("KAZ", "MNG", "XAA"), MEMBERS, 3)
    assert quorum.times.keys() == {"KAZ", "MNG", "XAA"}


def test_a_member_counts_once_whatever_it_signs_with() -> None:
    second = Node("KAZ", seed="next")
    members = (*MEMBERS, Cosigner(KAZ.member, second.keys, FROM, UNTIL))
    signed = cosigned("KAZ").add(KAZ.lines(SIGNED, NOW + 5)).add(second.lines(SIGNED, NOW + 9))
    with pytest.raises(Untrusted, match="1 members"):
        verify_quorum(signed, members, 2)
    assert verify_quorum(signed, members, 1).times == {"KAZ": NOW + 9}


@pytest.mark.parametrize(("time", "counts"), [(FROM - 1, False), (FROM, True), (UNTIL, True), (UNTIL + 1, False)])
def test_a_key_counts_within_its_term(time: int, counts: bool) -> None:
    signed = cosigned("KAZ", time=time)
    if counts:
        assert verify_quorum(signed, MEMBERS, 1).times == {"KAZ": time}
    else:
        with pytest.raises(Untrusted, match="0 members"):
            verify_quorum(signed, MEMBERS, 1)


def test_halves_of_two_keys_are_no_pair() -> None:
    second = Node("KAZ", seed="next")
    members = (MEMBERS[0], Cosigner(KAZ.member, second.keys, FROM, UNTIL))
    with pytest.raises(Untrusted):
        verify_quorum(SIGNED.add((KAZ.lines(SIGNED)[0], second.lines(SIGNED)[1])), members, 1)


def test_members_that_are_not_asked_for_do_not_count() -> None:
    with pytest.raises(Untrusted):
        verify_quorum(cosigned("KAZ", "MNG"), MEMBERS[:1], 2)


def test_the_time_of_a_quorum_is_the_latest_that_as_many_reach() -> None:
    signed = SIGNED
    for code, time in [("KAZ", NOW + 30), ("MNG", NOW + 10), ("UZB", NOW + 20), ("XAA", NOW - 9999)]:
        signed = signed.add(NODES[code].lines(SIGNED, time))
    assert [verify_quorum(signed, MEMBERS, needed).time for needed in (1, 2, 3, 4)] == [
        NOW + 30,
        NOW + 20,
        NOW + 10,
        NOW - 9999,
    ]


def test_of_two_cosignatures_by_one_node_the_newer_counts_and_both_have_to_verify() -> None:
    signed = cosigned("KAZ").add(KAZ.lines(SIGNED, NOW + 60))
    assert KAZ.keys.time(signed) == NOW + 60
    older, _ = KAZ.lines(SIGNED, NOW + 120)
    assert KAZ.keys.time(signed.add((older,))) == NOW + 60


def test_a_lattice_cosignature_without_a_time_is_one_of_growth_only() -> None:
    _, sign = KAZ.signers()
    key = KAZ.keys.mldsa44
    value = bytes(8) + sign(cosigned_message(SIGNED.checkpoint, key, 0))
    signed = SIGNED.add((NoteSignature(key.name, key.key_hash, value), KAZ.lines(SIGNED)[0]))
    assert cosigned_at(signed, key) == 0
    assert KAZ.keys.time(signed) is None


def test_a_time_beyond_the_format_is_refused() -> None:
    sign, _ = KAZ.signers()
    key, late = KAZ.keys.ed25519, 2**63
    line = cosign(SIGNED.checkpoint, key, late - 1, sign)
    assert cosigned_at(SIGNED.add((line,)), key) == late - 1
    forged = NoteSignature(
        key.name, key.key_hash, late.to_bytes(8, "big") + sign(cosigned_message(SIGNED.checkpoint, key, late))
    )
    with pytest.raises(BadSignature):
        cosigned_at(SIGNED.add((forged,)), key)


@pytest.mark.parametrize("time", [0, -1, 2**63])
def test_no_cosignature_is_made_without_a_time(time: int) -> None:
    with pytest.raises(ValueError, match="states its time"):
        KAZ.lines(SIGNED, time)


def test_no_cosignature_is_made_over_extension_lines() -> None:
    extended = SignedCheckpoint(replace(SIGNED.checkpoint, extensions=("more",)), SIGNED.signatures)
    with pytest.raises(ValueError, match="extension"):
        KAZ.lines(extended)


def test_a_quorum_of_none_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one"):
        verify_quorum(SIGNED, MEMBERS, 0)


def test_a_key_that_signs_notes_does_not_cosign() -> None:
    key, sign = plain_key("example.org/a")
    with pytest.raises(ValueError, match="does not cosign"):
        cosign(SIGNED.checkpoint, key, NOW, sign)


def test_of_an_answer_only_verified_lines_of_the_witness_are_taken() -> None:
    keys = (KAZ.keys.ed25519, KAZ.keys.mldsa44)
    foreign = NODES["MNG"].lines(SIGNED)
    assert collect(SIGNED.checkpoint, (*foreign, *KAZ.lines(SIGNED)), keys)[0].name == KAZ.keys.ed25519.name
    assert len(collect(SIGNED.checkpoint, (*foreign, *KAZ.lines(SIGNED)), keys)) == 2
    assert collect(SIGNED.checkpoint, foreign, keys) == ()
    with pytest.raises(BadSignature):
        collect(SIGNED.checkpoint, (*foreign, *KAZ.lines(LOG.checkpoint(8))), keys)
