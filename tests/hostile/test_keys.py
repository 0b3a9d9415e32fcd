"""Attacks with the wrong key, the wrong label or another encoding of the same values."""

from collections.abc import Callable
from dataclasses import replace

import msgpack
import pytest

from keys.digests import epoch_key_id, key_id, sha256
from keys.identity import SigningIdentity
from schemas.canon import encode
from schemas.contexts import Context
from schemas.envelope import CORE, Header, encode_header
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY
from schemas.provision import SignedProvision
from schemas.relayapi import Deliver
from schemas.signed import Signature
from tests.support.attacks import put_off_by_receiver, refused_by_receiver, refused_by_relay
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of, sealed_by
from tests.support.realm import signing_statement
from tests.support.relay import Server
from tests.support.wire import changed, fields, pack
from tests.support.world import Sealed, World

# Who signs a header in KAZ's name, and which key id it states.
WRONG_KEYS: dict[str, Callable[[World], tuple[SigningIdentity, KeyId]]] = {
    "the-root-key": lambda w: (w.roots["KAZ"], key_id(w.roots["KAZ"].public)),
    "the-root-key-under-the-nodes-id": lambda w: (w.roots["KAZ"], w.nodes["KAZ"].key_id),
    "the-relays-key": lambda w: (w.relay, w.relay.key_id),
    "the-relays-key-under-the-nodes-id": lambda w: (w.relay, w.nodes["KAZ"].key_id),
    "another-members-key": lambda w: (w.nodes["MNG"], w.nodes["MNG"].key_id),
    "an-epoch-key-id": lambda w: (w.nodes["KAZ"], epoch_key_id(w.epochs["KAZ"][0].public)),
    "a-key-of-nobody": lambda w: (SigningIdentity.from_entropy(MemberId("KAZ"), b"n" * 96), KeyId(b"n" * 32)),
    "half-of-the-key": lambda w: (
        replace_half(w.nodes["KAZ"]),
        w.nodes["KAZ"].key_id,
    ),
}


def replace_half(identity: SigningIdentity) -> SigningIdentity:
    """The true ML-DSA half with another Ed25519 half: headers are signed by the latter."""
    return SigningIdentity(identity.owner, b"e" * 32, identity.mldsa65_seed, identity.mldsa44_seed)


@pytest.mark.parametrize("name", WRONG_KEYS)
async def test_a_header_signed_by_the_wrong_key(
    world: World, relay: HostileRelay, uzb: TestNode, server: Server, name: str
) -> None:
    signer, stated = WRONG_KEYS[name](world)
    attacked = sealed_by(world, "KAZ", ("UZB",), signer=signer, core={"key_id": stated})
    code = "bad-signature" if stated == world.nodes["KAZ"].key_id else "untrusted"
    await refused_by_relay(server, attacked, 403, code)
    await put_off_by_receiver(uzb, relay, attacked, "header-signature")


@pytest.mark.parametrize("at", [-31 * DAY, 401 * DAY])
async def test_a_header_by_a_key_outside_its_term(
    world: World, relay: HostileRelay, uzb: TestNode, server: Server, at: int
) -> None:
    when = world.now + at
    attacked = sealed_by(world, "KAZ", ("UZB",), core={"created": when, "expires": when + DAY})
    assert not signing_statement("KAZ", world.nodes["KAZ"], world.now).valid_from <= when <= world.now + 400 * DAY
    uzb.clock.time = server.clock.time = when
    await refused_by_relay(server, attacked, 403, "untrusted")
    await put_off_by_receiver(uzb, relay, attacked, "header-signature", world.receipt(attacked, time=when))


def signed_as(world: World, context: Context) -> Callable[[Sealed], bytes]:
    def sign(sealed: Sealed) -> bytes:
        header = sealed.header
        return world.nodes["KAZ"].sign_bytes(context, header.core_bytes, header.wraps_bytes)

    return sign


@pytest.mark.parametrize("context", [context for context in Context if context is not Context.HEADER])
async def test_a_header_signed_under_another_label(
    world: World, relay: HostileRelay, uzb: TestNode, server: Server, context: Context
) -> None:
    """KAZ's true key, and a signature that was made for something else."""
    sealed = sealed_by(world, "KAZ", ("UZB",))
    header = Header(sealed.header.core_bytes, sealed.header.wraps_bytes, signed_as(world, context)(sealed))
    attacked = replace(sealed, header_bytes=encode_header(header))
    await refused_by_relay(server, attacked, 403, "bad-signature")
    await put_off_by_receiver(uzb, relay, attacked, "header-signature")


async def test_a_provision_signature_as_header_signature(
    world: World, relay: HostileRelay, uzb: TestNode, server: Server
) -> None:
    signature = sealed_by(world, "KAZ", ("UZB",)).header.core.provisions[0].signatures[0].value
    attacked = sealed_by(world, "KAZ", ("UZB",), signature=signature)
    await refused_by_relay(server, attacked, 403, "bad-signature")
    await put_off_by_receiver(uzb, relay, attacked, "header-signature")


WRONG_PROVISION_SIGNERS: dict[str, Callable[[World, bytes], Signature]] = {
    "under-the-header-label": lambda w, body: w.posing("KAZ", w.nodes["KAZ"].sign_bytes(Context.HEADER, body)),
    "under-the-grant-label": lambda w, body: w.posing("KAZ", w.nodes["KAZ"].sign_bytes(Context.GRANT, body)),
    "by-the-root": lambda w, body: Signature(
        MemberId("KAZ"), w.roots["KAZ"].key_id, w.roots["KAZ"].sign_bytes(Context.PROVISION, body)
    ),
    "by-the-relay": lambda w, body: Signature(
        MemberId("KAZ"), w.relay.key_id, w.relay.sign_bytes(Context.PROVISION, body)
    ),
    "by-the-forwarder": lambda w, body: Signature(
        MemberId("KAZ"), w.nodes["MNG"].key_id, w.nodes["MNG"].sign_bytes(Context.PROVISION, body)
    ),
    "of-zeros": lambda w, body: w.posing("KAZ", bytes(64)),
}


@pytest.mark.parametrize("name", WRONG_PROVISION_SIGNERS)
async def test_a_provision_that_its_provider_did_not_sign(
    world: World, relay: HostileRelay, uzb: TestNode, server: Server, name: str
) -> None:
    """MNG invents information of KAZ's and sends it to UZB as a lawful holder."""
    manifest = manifest_of(world)
    body = world.signed_provision(manifest, ("KAZ",), ["MNG", "UZB"]).body
    forged = SignedProvision(body, (WRONG_PROVISION_SIGNERS[name](world, body),))
    attacked = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[forged])
    await refused_by_relay(server, attacked, 403, "provision-signature")
    # A key that is not in the directory may be one that the relay keeps back.
    if name.startswith("by-"):
        await put_off_by_receiver(uzb, relay, attacked, "provision-signature")
    else:
        await refused_by_receiver(uzb, relay, attacked, "provision-signature")


# Encodings.


def swapped(data: bytes) -> bytes:
    """The same map with its fields in another order."""
    listed = list(fields(data).items())
    return bytes([0x80 | len(listed)]) + b"".join(pack(k) + pack(v) for k, v in reversed(listed))


def long_form(data: bytes) -> bytes:
    """The same map, its count in a longer form."""
    return b"\xde" + (data[0] & 0x0F).to_bytes(2, "big") + data[1:]


ENCODINGS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "trailing-byte": (lambda data: data + b"\x00", "trailing-bytes"),
    "fields-in-another-order": (swapped, "bad-order"),
    "a-length-in-a-longer-form": (long_form, "non-canonical"),
    "an-unknown-field": (lambda data: changed(data, {90: 1}), "unknown-field"),
    "a-field-twice": (
        lambda data: bytes([data[0] + 1]) + pack(1) + pack(fields(data)[1]) + data[1:],
        "duplicate-field",
    ),
    "cut": (lambda data: data[:-1], "malformed"),
    "keys-as-text": (
        lambda data: msgpack.packb({str(k): v for k, v in fields(data).items()}, use_bin_type=True),
        "wrong-type",
    ),
}


@pytest.mark.parametrize("name", ENCODINGS)
async def test_a_header_re_encoded(world: World, relay: HostileRelay, uzb: TestNode, server: Server, name: str) -> None:
    """The same values in other bytes are no header: signatures are over exact bytes, and there is one encoding."""
    change, reason = ENCODINGS[name]
    sealed = sealed_by(world, "KAZ", ("UZB",))
    attacked = change(sealed.header_bytes)
    frame = len(attacked).to_bytes(4, "big") + attacked + sealed.body
    answer = await server.request("POST", "/v1/envelopes", frame)
    assert (answer.status, answer.code, server.rows("envelopes")) == (400, reason, 0)
    await malformed(uzb, relay, sealed, attacked)


@pytest.mark.parametrize("name", ENCODINGS)
async def test_a_core_re_encoded_and_signed_again_by_its_sender(
    world: World, relay: HostileRelay, uzb: TestNode, name: str
) -> None:
    change, _ = ENCODINGS[name]
    sealed = sealed_by(world, "KAZ", ("UZB",))
    core = change(sealed.header.core_bytes)
    signature = world.nodes["KAZ"].sign_bytes(Context.HEADER, core, sealed.header.wraps_bytes)
    attacked = changed(sealed.header_bytes, {1: core, 3: signature})
    await malformed(uzb, relay, sealed, attacked)


async def malformed(target: TestNode, relay: HostileRelay, sealed: Sealed, header: bytes) -> None:
    """What is no envelope is an alarm, and nobody gets an answer."""
    before = target.facts()
    receipt = relay.put(sealed, relay.world.receipt(sealed), ()).receipt
    relay.waiting["UZB"] = [Deliver(header, receipt, sealed.body)]
    await target.pull()
    assert target.facts() == before
    assert (target.rows("received"), relay.acknowledged) == ([], [])
    assert target.alarms() == ["malformed"]


@pytest.mark.parametrize("suite", [0, 2, 255])
async def test_a_downgraded_suite(world: World, relay: HostileRelay, uzb: TestNode, server: Server, suite: int) -> None:
    """A suite that this node does not accept is refused before anything is verified or opened under it."""
    sealed = sealed_by(world, "KAZ", ("UZB",))
    core = changed(sealed.header.core_bytes, {1: suite})
    signature = world.nodes["KAZ"].sign_bytes(Context.HEADER, core, sealed.header.wraps_bytes)
    attacked = changed(sealed.header_bytes, {1: core, 3: signature})
    frame = len(attacked).to_bytes(4, "big") + attacked + sealed.body
    answer = await server.request("POST", "/v1/envelopes", frame)
    assert (answer.status, answer.code, server.rows("envelopes")) == (400, "unsupported-suite", 0)
    await malformed(uzb, relay, sealed, attacked)


async def test_a_wrap_to_a_key_that_is_not_the_recipients(
    world: World, relay: HostileRelay, uzb: TestNode, server: Server
) -> None:
    """The sender seals to MNG's epoch and says that it is UZB's, so that MNG could read what is for UZB."""
    sealed = sealed_by(world, "KAZ", ("UZB",))
    record = world.directory.epoch_at(MemberId("MNG"), world.now)
    wrap = world.wrap(sealed.secrets["UZB"], sealed.header.core_bytes, "UZB", record.keys, record.key_id)
    attacked = sealed_by(world, "KAZ", ("UZB",), wraps={"UZB": wrap})
    await refused_by_relay(server, attacked, 422, "epoch-unknown")
    # For all that UZB's node can tell, the relay keeps the entry with that epoch back.
    await put_off_by_receiver(uzb, relay, attacked, "epoch-unknown")


async def test_a_wrap_that_outlives_the_recipients_key(
    world: World, relay: HostileRelay, uzb: TestNode, server: Server
) -> None:
    attacked = sealed_by(world, "KAZ", ("UZB",), core={"expires": world.now + 60 * DAY})
    await refused_by_relay(server, attacked, 422, "expires-after-key")
    await refused_by_receiver(uzb, relay, attacked, "expires-after-key")


async def test_a_wrap_to_an_epoch_outside_its_term(
    world: World, relay: HostileRelay, uzb: TestNode, server: Server
) -> None:
    """An old key, which its thief may have, or one that is not in force yet."""
    record = world.directory.epochs[MemberId("UZB")][1]
    sealed = sealed_by(world, "KAZ", ("UZB",))
    core = encode(CORE, sealed.header.core)
    wrap = world.wrap(sealed.secrets["UZB"], core, "UZB", record.keys, record.key_id)
    attacked = sealed_by(world, "KAZ", ("UZB",), wraps={"UZB": wrap})
    assert sha256(core) != sha256(attacked.header.core_bytes)
    await refused_by_relay(server, attacked, 422, "epoch-not-valid")
    await refused_by_receiver(uzb, relay, attacked, "epoch-not-valid")
