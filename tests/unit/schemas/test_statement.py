"""Directory entries and requests: one statement of the stated kind, with the signatures that its kind has."""

from collections.abc import Mapping

import pytest

from schemas.canon import decode, encode
from schemas.charter import Charter
from schemas.contexts import Context
from schemas.errors import Reason
from schemas.limits import EXPIRY_MARGIN, MAX_CHARTER, MAX_EPOCH_GRACE, MAX_EPOCH_TERM, MAX_TIME
from schemas.signed import HYBRID_SIGNATURE
from schemas.statement import (
    DIRECTORY_ENTRY,
    EPOCH_KEY,
    KEY_REQUEST,
    SIGNED_KEY_REQUEST,
    SIGNING_KEY,
    EntryKind,
    EpochKey,
    KeyRequest,
    SignedKeyRequest,
    SigningKey,
    read_entry,
)
from tests.support.wire import ABSENT, changed, fields, refusal, refused
from tests.support.world import World

SIGNING, EPOCH = 1, 5


def body(world: World, index: int) -> bytes:
    return read_entry(world.entries[index]).body


@pytest.mark.parametrize(
    ("index", "statement", "context"),
    [(0, Charter, Context.CHARTER), (SIGNING, SigningKey, Context.SIGNING_KEY), (EPOCH, EpochKey, Context.EPOCH_KEY)],
)
def test_an_entry_is_read_as_it_was_written(
    world: World, index: int, statement: type[object], context: Context
) -> None:
    entry = read_entry(world.entries[index])
    assert isinstance(entry.statement, statement)
    assert entry.context is context
    assert encode(DIRECTORY_ENTRY, entry) == world.entries[index]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({1: "kaz"}, Reason.OUT_OF_RANGE),
        ({2: {1: bytes(32)}}, Reason.MISSING_FIELD),
        ({3: 10, 4: 10}, Reason.CONTRADICTION),
        ({3: 10, 4: 9}, Reason.CONTRADICTION),
        ({5: ABSENT}, Reason.MISSING_FIELD),
        ({6: bytes(1311)}, Reason.OUT_OF_RANGE),
        ({6: ABSENT}, Reason.MISSING_FIELD),
        ({7: 1}, Reason.UNKNOWN_FIELD),
    ],
)
def test_a_signing_key_outside_the_protocol_is_refused(
    world: World, changes: Mapping[int, object], reason: Reason
) -> None:
    assert refused(SIGNING_KEY, changed(body(world, SIGNING), changes)) is reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({2: 2**32 + 1}, Reason.OUT_OF_RANGE),
        ({3: {1: bytes(1183), 2: bytes(32)}}, Reason.OUT_OF_RANGE),
        ({3: {1: bytes(1184), 2: bytes(31)}}, Reason.OUT_OF_RANGE),
        ({4: 10, 5: 10, 6: 10 + EXPIRY_MARGIN}, Reason.CONTRADICTION),
        ({4: 9, 5: 10, 6: 9 + EXPIRY_MARGIN}, Reason.CONTRADICTION),
        ({7: ABSENT}, Reason.MISSING_FIELD),
    ],
)
def test_an_epoch_outside_the_protocol_is_refused(world: World, changes: Mapping[int, object], reason: Reason) -> None:
    assert refused(EPOCH_KEY, changed(body(world, EPOCH), changes)) is reason


def test_an_epoch_may_end_an_hour_before_its_key_is_destroyed(world: World) -> None:
    data = changed(body(world, EPOCH), {4: 9, 5: 10, 6: 10 + EXPIRY_MARGIN})
    assert decode(EPOCH_KEY, data, MAX_CHARTER).destroy_at == 10 + EXPIRY_MARGIN


def test_an_epoch_s_key_is_not_kept_for_ever(world: World) -> None:
    last = {4: 9, 5: 10, 6: 10 + MAX_EPOCH_GRACE}
    assert decode(EPOCH_KEY, changed(body(world, EPOCH), last), MAX_CHARTER).destroy_at == 10 + MAX_EPOCH_GRACE
    for later in (last[6] + 1, MAX_TIME):
        assert refused(EPOCH_KEY, changed(body(world, EPOCH), last | {6: later})) is Reason.CONTRADICTION


def test_an_epoch_does_not_last_for_ever(world: World) -> None:
    longest = {4: 9, 5: 9 + MAX_EPOCH_TERM, 6: 9 + MAX_EPOCH_TERM + EXPIRY_MARGIN}
    assert decode(EPOCH_KEY, changed(body(world, EPOCH), longest), MAX_CHARTER).valid_until == longest[5]
    assert refused(EPOCH_KEY, changed(body(world, EPOCH), longest | {4: 8})) is Reason.CONTRADICTION


@pytest.mark.parametrize("kind", [0, 6])
def test_an_unknown_kind_of_entry_is_refused(world: World, kind: int) -> None:
    assert refusal(read_entry, changed(world.entries[SIGNING], {1: kind})) is Reason.OUT_OF_RANGE


def test_a_statement_of_another_kind_is_refused(world: World) -> None:
    as_epoch = changed(world.entries[SIGNING], {1: EntryKind.EPOCH_KEY.value})
    assert refusal(read_entry, as_epoch) is Reason.WRONG_TYPE
    as_signing = changed(world.entries[EPOCH], {1: EntryKind.SIGNING_KEY.value})
    assert refusal(read_entry, as_signing) is Reason.UNKNOWN_FIELD


@pytest.mark.parametrize("index", [SIGNING, EPOCH])
def test_a_key_statement_has_exactly_one_signature(world: World, index: int) -> None:
    (signature,) = fields(world.entries[index])[3]
    two = changed(world.entries[index], {3: [signature, signature | {1: "ZZZ"}]})
    assert refusal(read_entry, two) is Reason.CONTRADICTION
    assert refusal(read_entry, changed(world.entries[index], {3: []})) is Reason.OUT_OF_RANGE


def test_signatures_of_a_charter_ascend_by_signer(world: World) -> None:
    signatures = fields(world.entries[0])[3]
    assert refusal(read_entry, changed(world.entries[0], {3: signatures[::-1]})) is Reason.BAD_ORDER
    assert refusal(read_entry, changed(world.entries[0], {3: [signatures[0]] * 2})) is Reason.BAD_ORDER


@pytest.mark.parametrize("changes", [{3: bytes(63)}, {4: bytes(3308)}, {2: bytes(31)}])
def test_halves_of_a_hybrid_signature_have_one_size(world: World, changes: Mapping[int, object]) -> None:
    (signature,) = fields(world.entries[SIGNING])[3]
    data = changed(world.entries[SIGNING], {3: [signature | changes]})
    assert refusal(read_entry, data) is Reason.OUT_OF_RANGE


def test_a_key_request_is_read_as_it_was_written(world: World) -> None:
    node = world.nodes["KAZ"]
    request = KeyRequest(node.owner, node.public, world.now, node.cosigner)
    data = encode(KEY_REQUEST, request)
    signed = SignedKeyRequest(data, node.sign_hybrid(Context.KEY_REQUEST, data))
    read = decode(SIGNED_KEY_REQUEST, encode(SIGNED_KEY_REQUEST, signed), MAX_CHARTER)
    assert read == signed
    assert read.request == request
    assert HYBRID_SIGNATURE.unpack(HYBRID_SIGNATURE.pack(signed.signature)) == signed.signature
    defective = changed(encode(SIGNED_KEY_REQUEST, signed), {1: data + b"\x00"})
    assert refused(SIGNED_KEY_REQUEST, defective) is Reason.TRAILING_BYTES
