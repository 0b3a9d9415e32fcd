"""Receipts, acknowledgements and the frames of a session."""

from collections.abc import Mapping

import pytest

from schemas.canon import decode, encode
from schemas.errors import DecodeError, Reason
from schemas.ids import EnvelopeId, MemberId
from schemas.limits import MAX_BODY, MAX_DIRECTORY_SIZE, MAX_HEADER, MAX_SMALL_OBJECT, MAX_TIME
from schemas.receipt import ACKNOWLEDGEMENT, RECEIPT, SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT, Outcome
from schemas.refused import RefusedTransfer
from schemas.relayapi import (
    INLINE_BODY,
    MAILBOX,
    MAX_ACKS,
    MAX_FRAME,
    MAX_MAILBOX,
    MAX_ORIGIN,
    MAX_PULLED_REFUSALS,
    MAX_WITNESS_ANSWER,
    MAX_WITNESS_REQUEST,
    SESSION_STATEMENT,
    Acks,
    Challenge,
    Deliver,
    Frame,
    Mailbox,
    Notice,
    RefusalsSeen,
    Seen,
    SeenItem,
    Welcome,
    WitnessAnswer,
    WitnessRequest,
    WitnessStatus,
    decode_frame,
    encode_frame,
)
from tests.support.wire import ABSENT, changed, fields, pack, refusal, refused
from tests.support.world import World


def frames(world: World) -> dict[int, Frame]:
    sealed = world.envelope(["MNG"])
    receipt = encode(SIGNED_RECEIPT, world.receipt(sealed))
    ack = encode(SIGNED_ACKNOWLEDGEMENT, world.acknowledgement(sealed, "MNG"))
    proof, welcome = world.session("KAZ", world.random(32))
    return {
        1: Challenge(world.random(32), world.relay.key_id, world.now),
        2: proof,
        3: welcome,
        4: Deliver(sealed.header_bytes, receipt, sealed.body),
        5: Notice((ack,)),
        6: Acks((ack,)),
        7: Seen((SeenItem(EnvelopeId(bytes(16)), MemberId("MNG")),)),
        8: WitnessRequest(b"old 0\n\n..."),
        9: WitnessAnswer("cbm.exchange/directory/0123456789abcdef", 5, WitnessStatus.COSIGNED, b"lines"),
        10: RefusedTransfer(sealed.header_bytes, None, "no-consent", world.now),
        11: RefusalsSeen((sealed.digest,)),
    }


@pytest.mark.parametrize("kind", range(1, 12))
def test_a_frame_is_its_kind_and_its_object(world: World, kind: int) -> None:
    frame = frames(world)[kind]
    data = encode_frame(frame)
    assert data[0] == kind
    assert decode_frame(data) == frame
    assert refusal(decode_frame, data + b"\x00") is Reason.TRAILING_BYTES
    assert refusal(decode_frame, data[:-1]) is Reason.MALFORMED


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x0c", b"\xff\x80"])
def test_an_unknown_frame_is_refused(data: bytes) -> None:
    assert refusal(decode_frame, data) is Reason.WRONG_TYPE


def test_a_frame_read_as_another_kind_is_refused(world: World) -> None:
    challenge = encode_frame(frames(world)[1])
    assert refusal(decode_frame, b"\x03" + challenge[1:]) is Reason.UNKNOWN_FIELD
    assert refusal(decode_frame, b"\x02" + challenge[1:]) is Reason.WRONG_TYPE


def test_a_body_travels_in_its_frame_up_to_the_bound() -> None:
    assert decode_frame(encode_frame(Deliver(b"h", b"r", None))) == Deliver(b"h", b"r", None)
    for size in (1, INLINE_BODY):
        assert decode_frame(encode_frame(Deliver(b"h", b"r", bytes(size)))) == Deliver(b"h", b"r", bytes(size))
    for size in (0, INLINE_BODY + 1):
        assert refusal(encode_frame, Deliver(b"h", b"r", bytes(size))) is Reason.OUT_OF_RANGE


def test_the_largest_frame_fits_its_bound() -> None:
    largest = encode_frame(Deliver(bytes(MAX_HEADER), bytes(MAX_SMALL_OBJECT), bytes(INLINE_BODY)))
    assert len(largest) <= MAX_FRAME
    assert refusal(decode_frame, b"\x04" + bytes(MAX_FRAME + 1)) is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({4: ABSENT}, Reason.CONTRADICTION),
        ({3: 409}, Reason.CONTRADICTION),
        ({3: 201}, Reason.OUT_OF_RANGE),
        ({1: ""}, Reason.OUT_OF_RANGE),
        ({1: "x" * (MAX_ORIGIN + 1)}, Reason.OUT_OF_RANGE),
        ({2: -1}, Reason.OUT_OF_RANGE),
        ({4: b""}, Reason.OUT_OF_RANGE),
        ({4: bytes(MAX_WITNESS_ANSWER + 1)}, Reason.OUT_OF_RANGE),
    ],
)
def test_an_answer_of_a_witness_outside_the_protocol_is_refused(
    world: World, changes: Mapping[int, object], reason: Reason
) -> None:
    data = encode_frame(frames(world)[9])
    assert refusal(decode_frame, data[:1] + changed(data[1:], changes)) is reason


@pytest.mark.parametrize("status", [status for status in WitnessStatus if status is not WitnessStatus.COSIGNED])
def test_only_a_cosigned_checkpoint_has_lines(status: WitnessStatus) -> None:
    answer = WitnessAnswer("log", 5, status, None)
    assert decode_frame(encode_frame(answer)) == answer
    with pytest.raises(DecodeError):
        WitnessAnswer("log", 5, status, b"lines")


def test_a_request_to_a_witness_is_bounded() -> None:
    encode_frame(WitnessRequest(bytes(MAX_WITNESS_REQUEST)))
    for size in (0, MAX_WITNESS_REQUEST + 1):
        assert refusal(encode_frame, WitnessRequest(bytes(size))) is Reason.OUT_OF_RANGE


@pytest.mark.parametrize("kind", [5, 6])
def test_a_frame_carries_some_acknowledgements_and_not_too_many(kind: int) -> None:
    for count, reason in ((0, Reason.OUT_OF_RANGE), (MAX_ACKS + 1, Reason.OUT_OF_RANGE)):
        assert refusal(decode_frame, bytes([kind]) + pack({1: [b"a"] * count})) is reason
    decode_frame(bytes([kind]) + pack({1: [b"a"] * MAX_ACKS}))
    assert refusal(decode_frame, bytes([kind]) + pack({1: [bytes(MAX_SMALL_OBJECT + 1)]})) is Reason.OUT_OF_RANGE


def test_a_mailbox_is_read_as_it_was_written() -> None:
    refused = RefusedTransfer(b"h", None, "no-consent", 5)
    full = (refused,) * MAX_PULLED_REFUSALS
    for mailbox in (Mailbox((), ()), Mailbox((Deliver(b"h", b"r", None),), (b"a",)), Mailbox((), (), full)):
        assert decode(MAILBOX, encode(MAILBOX, mailbox), MAX_MAILBOX) == mailbox
    for refusals in ((), (*full, refused)):
        assert refusal(encode, MAILBOX, Mailbox((), (), refusals)) is Reason.OUT_OF_RANGE


def test_the_largest_refused_transfer_fits_into_a_frame_and_two_into_a_pull() -> None:
    largest = RefusedTransfer(bytes(MAX_HEADER), bytes(MAX_SMALL_OBJECT), "a" * 40, MAX_TIME)
    assert decode_frame(encode_frame(largest)) == largest
    assert len(encode(MAILBOX, Mailbox((), (), (largest,) * 2))) <= MAX_MAILBOX


def test_digests_of_refused_transfers_are_some_and_not_too_many() -> None:
    for count in (0, MAX_ACKS + 1):
        assert refusal(decode_frame, b"\x0b" + pack({1: [bytes(32)] * count})) is Reason.OUT_OF_RANGE
    decode_frame(b"\x0b" + pack({1: [bytes(32)] * MAX_ACKS}))
    assert refusal(decode_frame, b"\x0b" + pack({1: [bytes(31)]})) is Reason.OUT_OF_RANGE


def test_a_session_statement_names_the_certificate_or_leaves_it_out(world: World) -> None:
    plain, _ = world.session("KAZ", bytes(32))
    tls, _ = world.session("KAZ", bytes(32), tls_digest=b"t" * 32)
    assert 6 not in fields(plain.statement)
    assert decode(SESSION_STATEMENT, tls.statement, MAX_SMALL_OBJECT).tls_digest == b"t" * 32


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({1: bytes(31)}, Reason.OUT_OF_RANGE),
        ({4: 2}, Reason.OUT_OF_RANGE),
        ({6: bytes(31)}, Reason.OUT_OF_RANGE),
        ({6: None}, Reason.WRONG_TYPE),
        ({5: ABSENT}, Reason.MISSING_FIELD),
    ],
)
def test_a_session_statement_outside_the_protocol_is_refused(
    world: World, changes: Mapping[int, object], reason: Reason
) -> None:
    proof, _ = world.session("KAZ", bytes(32))
    assert refused(SESSION_STATEMENT, changed(proof.statement, changes)) is reason


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_welcome_holds_one_signature(size: int) -> None:
    assert refusal(encode_frame, Welcome(bytes(size))) is Reason.OUT_OF_RANGE


def test_a_receipt_is_read_as_it_was_written(world: World) -> None:
    sealed = world.envelope(["MNG"])
    signed = world.receipt(sealed)
    read = decode(SIGNED_RECEIPT, encode(SIGNED_RECEIPT, signed), MAX_SMALL_OBJECT)
    assert read == signed
    assert (read.receipt.header_digest, read.receipt.body_size) == (sealed.digest, len(sealed.body))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({6: 0}, Reason.OUT_OF_RANGE),
        ({6: MAX_BODY + 1}, Reason.OUT_OF_RANGE),
        ({8: 0}, Reason.OUT_OF_RANGE),
        ({8: MAX_DIRECTORY_SIZE + 1}, Reason.OUT_OF_RANGE),
        ({4: bytes(31)}, Reason.OUT_OF_RANGE),
        ({9: ABSENT}, Reason.MISSING_FIELD),
        ({10: 1}, Reason.UNKNOWN_FIELD),
    ],
)
def test_a_receipt_outside_the_protocol_is_refused(world: World, changes: Mapping[int, object], reason: Reason) -> None:
    signed = world.receipt(world.envelope(["MNG"]))
    data = changed(signed.body, changes)
    assert refused(RECEIPT, data) is reason
    assert refused(SIGNED_RECEIPT, pack({1: data, 2: signed.signature})) is reason


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_acknowledgement_is_read_as_it_was_written(world: World, outcome: Outcome) -> None:
    signed = world.acknowledgement(world.envelope(["MNG"]), "MNG", outcome=outcome)
    read = decode(SIGNED_ACKNOWLEDGEMENT, encode(SIGNED_ACKNOWLEDGEMENT, signed), MAX_SMALL_OBJECT)
    assert read.acknowledgement.outcome is outcome
    assert read.acknowledgement.recipient == "MNG"


@pytest.mark.parametrize(("changes", "reason"), [({6: 0}, Reason.OUT_OF_RANGE), ({7: ABSENT}, Reason.MISSING_FIELD)])
def test_an_acknowledgement_outside_the_protocol_is_refused(
    world: World, changes: Mapping[int, object], reason: Reason
) -> None:
    signed = world.acknowledgement(world.envelope(["MNG"]), "MNG")
    assert refused(ACKNOWLEDGEMENT, changed(signed.body, changes)) is reason
