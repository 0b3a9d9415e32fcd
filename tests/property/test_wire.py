"""What holds for every object of the wire, for any bytes: one error, one encoding, nothing in between."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.digests import provision_digest
from schemas.canon import Codec, decode, encode
from schemas.charter import CHARTER
from schemas.consent import (
    HOLDER_STATEMENT,
    JOINT_DRAFT,
    SIGNED_STATEMENT,
    Conduct,
    ConsentGiven,
    ConsentMessage,
    ConsentRefused,
    ConsentRequest,
    ConsentWithdrawn,
    HolderStatement,
    JointDraft,
    JointRefused,
    JointSigned,
    PassedOn,
    SignedStatement,
    decode_consent,
    encode_consent,
)
from schemas.content import HEAD, MANIFEST, TRANSPORT, Transport
from schemas.contexts import Context
from schemas.endings import REVOCATION, WITHDRAWAL, WithdrawalTarget
from schemas.envelope import CORE, HEADER
from schemas.errors import DecodeError
from schemas.grant import GRANT, SIGNED_GRANT
from schemas.group import GROUP, SIGNED_GROUP, Group, SignedGroup
from schemas.ids import NO_DIGEST, KeyId, MemberId
from schemas.observation import OBSERVATION, SIGNED_OBSERVATION, Observation, ObservationKind, SignedObservation
from schemas.origin import ACCEPTANCE, ORIGINS, one_origin
from schemas.provision import PROVISION, SIGNED_PROVISION, SignedProvision
from schemas.receipt import ACKNOWLEDGEMENT, RECEIPT, SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT
from schemas.refused import REFUSED_TRANSFER, RefusedTransfer
from schemas.relayapi import (
    ACKS,
    MAILBOX,
    SEEN,
    SESSION_STATEMENT,
    Acks,
    Challenge,
    Deliver,
    Mailbox,
    RefusalsSeen,
    Seen,
    SeenItem,
    decode_frame,
    encode_frame,
)
from schemas.statement import DIRECTORY_ENTRY, EPOCH_KEY, SIGNING_KEY, read_entry
from schemas.terms import Onward, Purpose
from schemas.wrap import WRAPS
from tests.support.changes import revocation, withdrawal
from tests.support.origins import leaf
from tests.support.world import NOW, Sealed, World

LARGEST = 2**21
# What an object's name ends with that stands behind a kind byte, as in frames.
MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: how to read and write it, and the bytes of a valid one."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    sample: bytes


def _kind(codec: Codec[Any], sample: bytes) -> Kind:
    return Kind(lambda data: decode(codec, data, LARGEST), lambda value: encode(codec, value), sample)


def _frame(sample: bytes) -> Kind:
    return Kind(decode_frame, encode_frame, sample)


def _about_consent(world: World, provision: SignedProvision, sealed: Sealed, receipt: bytes) -> dict[str, Kind]:
    """What states tell each other about consent."""
    digest, uzb, request = provision_digest(provision.body), MemberId("UZB"), bytes(16)
    grant = sealed.header.core.grants[0]
    passed = PassedOn(MemberId("XAA"), sealed.header.core.id, NOW)
    statement = HolderStatement(
        uzb, MemberId("KAZ"), WithdrawalTarget.PROVISION, bytes(16), Conduct.CEASED, (passed,), NOW
    )
    body = encode(HOLDER_STATEMENT, statement)
    signed = SignedStatement(body, world.nodes["UZB"].sign(Context.HOLDER_STATEMENT, body))
    signature = world.nodes["KAZ"].sign(Context.PROVISION, provision.body)
    draft = JointDraft(provision.body, sealed.manifest, signature, NOW + 9)
    group = encode(GROUP, Group(uzb, "near", 1, (MemberId("KAZ"), MemberId("MNG")), NOW))
    signed_group = SignedGroup(group, world.nodes["UZB"].sign(Context.GROUP, group))
    refused = RefusedTransfer(sealed.header_bytes, receipt, "no-consent", NOW)
    said: dict[str, ConsentMessage] = {
        "request": ConsentRequest(
            request, provision, (MemberId("XAA"),), Purpose.STATISTICS, NOW + 9, 2, "relief", NOW, NOW + 5
        ),
        "given": ConsentGiven(grant, request),
        "refused": ConsentRefused(request, "no"),
        "withdrawn": ConsentWithdrawn(WithdrawalTarget.PROVISION, bytes(16), digest, "wrong", NOW),
        "statement": signed,
        "joint signed": JointSigned(digest, signature),
        "joint refused": JointRefused(digest, "no"),
        "refused transfer": refused,
    }
    return {
        **{
            f"{name} {MESSAGE}": Kind(decode_consent, encode_consent, encode_consent(one)) for name, one in said.items()
        },
        "holder statement": _kind(HOLDER_STATEMENT, body),
        "signed statement": _kind(SIGNED_STATEMENT, encode(SIGNED_STATEMENT, signed)),
        "joint draft": _kind(JOINT_DRAFT, encode(JOINT_DRAFT, draft)),
        "group": _kind(GROUP, group),
        "signed group": _kind(SIGNED_GROUP, encode(SIGNED_GROUP, signed_group)),
        "refused transfer": _kind(REFUSED_TRANSFER, encode(REFUSED_TRANSFER, refused)),
    }


@cache
def kinds() -> dict[str, Kind]:
    world = World()
    manifest = world.manifest(["KAZ", "MNG"], attachments=(world.attachment(b"data"),))
    provision = world.signed_provision(
        manifest, ["KAZ", "MNG"], ["UZB"], onward=Onward.ON_CONSENT, until=world.now + 9, class_tags=(bytes(16),)
    )
    grant = world.grant(provision.provision, "KAZ", "UZB", ["XAA"], uses=2)
    sealed = world.envelope(["MNG", "XAA"], "UZB", manifest=manifest, provisions=[provision], grants=[grant])
    receipt, ack = world.receipt(sealed), world.acknowledgement(sealed, "MNG")
    signed_receipt, signed_ack = encode(SIGNED_RECEIPT, receipt), encode(SIGNED_ACKNOWLEDGEMENT, ack)
    proof, welcome = world.session("KAZ", bytes(32), tls_digest=bytes(32))
    seen = Seen((SeenItem(sealed.header.core.id, sealed.header.recipients[0]),))
    deliver = Deliver(sealed.header_bytes, signed_receipt, sealed.body)
    refused = RefusedTransfer(sealed.header_bytes, signed_receipt, "no-consent", NOW)
    observation = Observation(
        ObservationKind.SPLIT_VIEW, provision.provision.providers[0], KeyId(bytes(32)), 5, b"a", b"b", path=(NO_DIGEST,)
    )
    head = msgpack.packb({1: bytes(16), 2: 4, 3: bytes(32), 4: [{1: 2, 2: 3}]})
    return {
        "provision": _kind(PROVISION, provision.body),
        "signed provision": _kind(SIGNED_PROVISION, encode(SIGNED_PROVISION, provision)),
        "grant": _kind(GRANT, grant.body),
        "signed grant": _kind(SIGNED_GRANT, encode(SIGNED_GRANT, grant)),
        "core": _kind(CORE, sealed.header.core_bytes),
        "wraps": _kind(WRAPS, sealed.header.wraps_bytes),
        "header": _kind(HEADER, sealed.header_bytes),
        "manifest": _kind(MANIFEST, manifest),
        "transport": _kind(TRANSPORT, encode(TRANSPORT, Transport(9, 999, b"note"))),
        "observation": _kind(OBSERVATION, encode(OBSERVATION, observation)),
        "signed observation": _kind(
            SIGNED_OBSERVATION,
            encode(SIGNED_OBSERVATION, SignedObservation(encode(OBSERVATION, observation), bytes(64))),
        ),
        "head": _kind(HEAD, head),
        "receipt": _kind(RECEIPT, receipt.body),
        "signed receipt": _kind(SIGNED_RECEIPT, signed_receipt),
        "acknowledgement": _kind(ACKNOWLEDGEMENT, ack.body),
        "signed acknowledgement": _kind(SIGNED_ACKNOWLEDGEMENT, signed_ack),
        "charter": _kind(CHARTER, read_entry(world.entries[0]).body),
        "signing key": _kind(SIGNING_KEY, read_entry(world.entries[1]).body),
        "revocation": _kind(REVOCATION, revocation(world.roots["KAZ"], KeyId(bytes(32)), NOW, compromised_at=1).body),
        "withdrawal": _kind(WITHDRAWAL, withdrawal(world.nodes["KAZ"], WithdrawalTarget.GRANT, bytes(16), NOW).body),
        "acceptance": _kind(ACCEPTANCE, leaf(world, sealed)),
        "origins": _kind(ORIGINS, encode(ORIGINS, one_origin(b"note", leaf(world, sealed), 3, (NO_DIGEST,)))),
        "epoch key": _kind(EPOCH_KEY, read_entry(world.entries[5]).body),
        "directory entry": _kind(DIRECTORY_ENTRY, world.entries[5]),
        "session statement": _kind(SESSION_STATEMENT, proof.statement),
        "acks": _kind(ACKS, encode(ACKS, Acks((signed_ack,)))),
        "seen": _kind(SEEN, encode(SEEN, seen)),
        "mailbox": _kind(MAILBOX, encode(MAILBOX, Mailbox((deliver,), (signed_ack,), (refused,)))),
        **_about_consent(world, provision, sealed, signed_receipt),
        "challenge frame": _frame(encode_frame(Challenge(bytes(32), world.relay.key_id, world.now))),
        "proof frame": _frame(encode_frame(proof)),
        "welcome frame": _frame(encode_frame(welcome)),
        "deliver frame": _frame(encode_frame(deliver)),
        "seen frame": _frame(encode_frame(seen)),
        "refused transfer frame": _frame(encode_frame(refused)),
        "refusals seen frame": _frame(encode_frame(RefusalsSeen((sealed.digest,)))),
    }


def accepted(kind: Kind, data: bytes) -> object | None:
    """The object in `data`, or None when it is refused; any error but DecodeError escapes and fails the test."""
    try:
        value: object = kind.read(data)
    except DecodeError:
        return None
    assert kind.write(value) == data, "accepted bytes that are not the encoding of what they mean"
    return value


def _place(data: st.DataObject, sample: bytes) -> int:
    # Half of the places near the front, where the structure of a long object is.
    last = len(sample) - 1
    return data.draw(st.integers(0, min(80, last)) | st.integers(0, last))


NAMES = sorted(kinds())


@pytest.mark.parametrize("name", NAMES)
def test_a_valid_object_is_read_and_written_again(name: str) -> None:
    kind = kinds()[name]
    assert accepted(kind, kind.sample) is not None


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_with_the_one_error(name: str, data: bytes) -> None:
    accepted(kinds()[name], data)


INTEGERS = st.integers(-(2**63), 2**64 - 1)
LEAVES = st.none() | st.booleans() | INTEGERS | st.floats() | st.binary(max_size=40) | st.text(max_size=8)
KEYS = st.integers(-2, 20) | st.text(max_size=2)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8),
    max_leaves=20,
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(tree=TREES)
def test_any_msgpack_is_refused_with_the_one_error(name: str, tree: object) -> None:
    data = msgpack.packb(tree)
    accepted(kinds()[name], data)
    accepted(kinds()[name], kinds()[name].sample[:1] + data)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(key=st.integers(1, 14), tree=TREES)
def test_any_value_in_any_field_is_refused_or_is_its_one_encoding(name: str, key: int, tree: object) -> None:
    kind = kinds()[name]
    skip = 1 if name.endswith(("frame", MESSAGE)) else 0
    fields = msgpack.unpackb(kind.sample[skip:], strict_map_key=False) | {key: tree}
    accepted(kind, kind.sample[:skip] + msgpack.packb({number: fields[number] for number in sorted(fields)}))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_no_second_sequence_of_bytes_means_the_same(name: str, data: st.DataObject) -> None:
    kind = kinds()[name]
    original = kind.read(kind.sample)
    mutated = bytearray(kind.sample)
    for _ in range(data.draw(st.integers(1, 2))):
        place = _place(data, bytes(mutated) or b"\x00")
        match data.draw(st.sampled_from(["flip", "insert", "delete", "repeat", "cut"])):
            case "flip":
                mutated[place] ^= data.draw(st.integers(1, 255))
            case "insert":
                mutated[place:place] = data.draw(st.binary(min_size=1, max_size=5))
            case "delete":
                del mutated[place : place + data.draw(st.integers(1, 5))]
            case "repeat":
                mutated[place:place] = mutated[place : place + data.draw(st.integers(1, 40))]
            case _:
                del mutated[place + 1 :]
    value = accepted(kind, bytes(mutated))
    assert value is None or value != original or bytes(mutated) == kind.sample


@pytest.mark.parametrize("name", NAMES)
def test_every_shorter_beginning_is_refused(name: str) -> None:
    kind = kinds()[name]
    ends = [*range(min(len(kind.sample), 300)), len(kind.sample) - 1]
    assert [end for end in ends if accepted(kind, kind.sample[:end]) is not None] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_single_flipped_bit_near_the_front_changes_the_meaning(name: str) -> None:
    kind = kinds()[name]
    original = kind.read(kind.sample)
    for place in range(min(len(kind.sample), 120)):
        for bit in range(8):
            flipped = bytearray(kind.sample)
            flipped[place] ^= 1 << bit
            assert accepted(kind, bytes(flipped)) != original
