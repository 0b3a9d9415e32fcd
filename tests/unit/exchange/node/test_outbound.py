"""From a message to exact bytes: padding, sizes, ids, and a header that the shared rules accept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.node.outbound import (
    NextPlace,
    Parcel,
    Terms,
    envelope_id,
    latest_expiry,
    make_manifest,
    seal_header,
    seal_payload,
    sign_provision,
)
from keys.digests import sha256
from keys.errors import Untrusted
from keys.sealing import body_key, open_wrap
from keys.stream import open_stream, sealed_size
from keys.verify import Moment, provision_fault, verify_header
from schemas.content import Attachment, ContentKind, padded_size, payload_prefix, read_manifest, read_transport
from schemas.errors import DecodeError, Reason
from schemas.ids import Digest, EnvelopeId, MemberId, ProvisionId, StreamId
from schemas.limits import CHUNK, DAY, EXPIRY_MARGIN
from schemas.terms import Onward, Precedence, Purpose, Tlp
from tests.support.origins import AuditLog
from tests.support.realm import EPOCH_GRACE, EPOCH_TERM
from tests.support.world import NOW, World

KAZ, MNG, UZB = MemberId("KAZ"), MemberId("MNG"), MemberId("UZB")
TERMS = Terms(Onward.NONE, Purpose.CONFIDENCE_BUILDING, Tlp.AMBER, Precedence.PRIORITY)
KEY = b"k" * 32


def manifest(body: bytes = b"{}", attachments: tuple[Attachment, ...] = ()) -> bytes:
    return make_manifest((KAZ,), ContentKind.RECORD, body, attachments, b"s" * 32)


def plain(ciphertext: bytes) -> bytes:
    return b"".join(open_stream(body_key(KEY), [ciphertext]))


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_an_envelope_id_is_a_uuid_of_version_7(milliseconds: int, entropy: bytes) -> None:
    made = envelope_id(milliseconds, entropy)
    assert len(made) == 16
    assert int.from_bytes(made[:6], "big") == milliseconds
    assert (made[6] >> 4, made[8] >> 6) == (7, 2)


def test_ids_are_in_the_order_of_their_time() -> None:
    assert envelope_id(NOW, b"\xff" * 10) < envelope_id(NOW + 1, bytes(10))


@pytest.mark.parametrize("size", [1, 900, 1024, 5_000, CHUNK - 1, CHUNK, CHUNK + 1, 200_000])
def test_a_payload_is_padded_with_zeros_to_its_size_class(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    attachment = Attachment("map.bin", "application/octet-stream", size, sha256(data[:size]))
    raw = manifest(attachments=(attachment,))
    pieces = list(seal_payload(KEY, 16, raw, (attachment,), [data[:size]]))
    assert all(len(piece) == CHUNK + 16 for piece in pieces[:-1])
    opened = plain(b"".join(pieces))
    length = int.from_bytes(opened[:4], "big")
    transport = read_transport(opened[4 : 4 + length])
    assert transport.directory_size == 16
    start = 4 + length
    assert opened[start : start + 4 + len(raw)] == len(raw).to_bytes(4, "big") + raw
    end = start + transport.content_size
    assert opened[end - size : end] == data[:size]
    assert opened[end:] == bytes(len(opened) - end)
    assert len(opened) == padded_size(end)
    assert sum(map(len, pieces)) == sealed_size(len(opened))


def test_short_answers_have_one_size() -> None:
    sizes = {len(b"".join(seal_payload(KEY, 16, manifest(body), (), ()))) for body in (b"1", b"{}", b"x" * 700)}
    assert len(sizes) == 1


def test_the_prefix_is_the_parts_after_their_lengths() -> None:
    opened = plain(b"".join(seal_payload(KEY, 16, manifest(), (), ())))
    length = int.from_bytes(opened[:4], "big")
    assert opened.startswith(payload_prefix(read_transport(opened[4 : 4 + length]), manifest()))


def test_a_manifest_beyond_a_bound_is_refused() -> None:
    with pytest.raises(DecodeError) as caught:
        manifest(b"x" * (4 * 2**20 + 1))
    assert caught.value.reason is Reason.OUT_OF_RANGE


def test_a_provision_of_one_provider(world: World) -> None:
    raw = manifest()
    signed = sign_provision(
        world.nodes["KAZ"], world.directory, ProvisionId(b"p" * 16), (MNG,), TERMS, raw, NOW, NOW + DAY
    )
    assert provision_fault(signed, Moment(world.directory, NOW)) is None
    provision = signed.provision
    assert (provision.providers, provision.audience, provision.send_by) == (("KAZ",), ("MNG",), NOW + DAY)
    assert (provision.max_precedence, provision.class_tags, provision.charter) == (Precedence.PRIORITY, (), 1)
    assert read_manifest(raw).providers == provision.providers


def test_terms_that_contradict_each_other_are_refused(world: World) -> None:
    terms = Terms(Onward.PUBLIC, Purpose.PUBLICATION, Tlp.RED, Precedence.ROUTINE)
    with pytest.raises(DecodeError) as caught:
        sign_provision(
            world.nodes["KAZ"], world.directory, ProvisionId(bytes(16)), (MNG,), terms, manifest(), NOW, NOW + 1
        )
    assert caught.value.reason is Reason.CONTRADICTION


def test_the_latest_expiry_is_an_hour_before_the_first_key_dies(world: World) -> None:
    end = NOW - DAY + EPOCH_TERM + EPOCH_GRACE - EXPIRY_MARGIN
    assert latest_expiry(world.directory, (MNG, UZB), NOW) == end
    with pytest.raises(Untrusted):
        latest_expiry(world.directory, (MNG,), NOW + 400 * DAY)


def test_a_forward_carries_the_proofs_that_it_is_given(world: World) -> None:
    log = AuditLog(world)
    original = world.envelope(["KAZ"], "MNG")
    origins = log.proof(log.accept(original))
    core = original.header.core
    parcel = Parcel(
        EnvelopeId(b"e" * 16),
        core.provisions,
        core.grants,
        core.purpose,
        Precedence.ROUTINE,
        NOW,
        NOW + DAY,
        origins=origins,
    )
    place = NextPlace(UZB, StreamId(bytes(16)), 1, Digest(bytes(32)))
    header = seal_header(world.nodes["KAZ"], world.directory, parcel, (place,), bytes(32), 9, Digest(bytes(32)))
    assert header.core.origins == origins
    assert verify_header(header, world.directory, NOW).core.provisions == core.provisions


def test_a_header_that_its_recipients_can_open(world: World) -> None:
    raw = manifest()
    signed = sign_provision(
        world.nodes["KAZ"], world.directory, ProvisionId(b"p" * 16), (MNG, UZB), TERMS, raw, NOW, NOW + DAY
    )
    parcel = Parcel(
        EnvelopeId(b"e" * 16), (signed,), (), Purpose.CONFIDENCE_BUILDING, Precedence.ROUTINE, NOW, NOW + DAY
    )
    places = (
        NextPlace(UZB, StreamId(b"u" * 16), 7, Digest(b"d" * 32)),
        NextPlace(MNG, StreamId(b"m" * 16), 1, Digest(bytes(32))),
    )
    header = seal_header(world.nodes["KAZ"], world.directory, parcel, places, KEY, 1000, Digest(b"b" * 32))
    verified = verify_header(header, world.directory, NOW)
    assert verified.recipients == ("MNG", "UZB")
    for place in places:
        wrap = header.wrap_for(place.recipient)
        assert wrap is not None
        core = header.core
        secret = open_wrap(wrap, core.suite, header.core_bytes, core.key_commitment, world.epoch_of(wrap))
        assert (secret.content_key, secret.stream, secret.number, secret.previous) == (
            KEY,
            place.stream,
            place.number,
            place.previous,
        )
