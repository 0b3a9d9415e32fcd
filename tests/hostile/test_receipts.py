"""Attacks with what the relay or a recipient answers: receipts and acknowledgements that are not what they say."""

from collections.abc import Callable

import pytest

from keys.digests import key_id, sha256
from keys.identity import SigningIdentity
from schemas.canon import encode
from schemas.contexts import Context
from schemas.ids import EnvelopeId, KeyId, MemberId
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, Outcome, SignedAcknowledgement, SignedReceipt
from schemas.relayapi import ACKS, Acks
from tests.support.attacks import delivered, put_off_by_receiver, relay_facts
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, sealed_by
from tests.support.relay import Server
from tests.support.world import Sealed, World

STRANGER = SigningIdentity.from_entropy(MemberId("CICA"), b"s" * 96)
Make = Callable[[World, Sealed], SignedReceipt]

RECEIPTS: dict[str, tuple[Make, str]] = {
    "by-a-key-of-nobody": (lambda w, s: w.receipt(s, STRANGER), "receipt-signature"),
    "by-a-relay-of-no-charter": (
        lambda w, s: w.receipt(s, STRANGER, relay=key_id(STRANGER.public)),
        "receipt-signature",
    ),
    "by-the-sender-itself": (lambda w, s: w.receipt(s, w.nodes["KAZ"]), "receipt-signature"),
    "by-the-sender-under-its-own-key": (
        lambda w, s: w.receipt(s, w.nodes["KAZ"], relay=w.nodes["KAZ"].key_id),
        "receipt-signature",
    ),
    "altered-after-signing": (
        lambda w, s: SignedReceipt(w.receipt(s, time=w.now - 1).body, w.receipt(s).signature),
        "receipt-signature",
    ),
    "signed-as-something-else": (
        lambda w, s: SignedReceipt(w.receipt(s).body, w.relay.sign_bytes(Context.SESSION_RELAY, w.receipt(s).body)),
        "receipt-signature",
    ),
    "for-another-envelope": (lambda w, s: w.receipt(sealed_by(w, "KAZ", ("MNG",))), "receipt-differs"),
    "for-another-id": (lambda w, s: w.receipt(s, envelope=EnvelopeId(b"another envelope")), "receipt-differs"),
    "for-another-sender": (lambda w, s: w.receipt(s, sender=MemberId("UZB")), "receipt-differs"),
    "for-another-header": (lambda w, s: w.receipt(s, header_digest=sha256(b"another")), "receipt-differs"),
    "for-another-body": (lambda w, s: w.receipt(s, body_digest=sha256(b"another")), "receipt-differs"),
    "for-a-body-of-another-size": (lambda w, s: w.receipt(s, body_size=1), "receipt-differs"),
    "from-the-future": (lambda w, s: w.receipt(s, time=w.now + 121), "receipt-date"),
    "from-before-the-envelope-was-made": (lambda w, s: w.receipt(s, time=w.now - 121), "receipt-date"),
}
LATER: dict[str, tuple[Make, str]] = {
    "under-a-directory-that-nobody-else-sees": (
        lambda w, s: w.receipt(s, directory_size=w.directory.size + 1),
        "directory-behind",
    ),
    "under-the-largest-directory": (lambda w, s: w.receipt(s, directory_size=200_000), "directory-behind"),
}


@pytest.mark.parametrize("name", [*RECEIPTS, *LATER])
async def test_a_false_receipt_is_put_off_by_the_receiver(
    world: World, relay: HostileRelay, mng: TestNode, name: str
) -> None:
    make, code = {**RECEIPTS, **LATER}[name]
    sealed = sealed_by(world, "KAZ", ("MNG",))
    await put_off_by_receiver(mng, relay, sealed, code, make(world, sealed))
    # It has not kept the envelope out: with a true receipt it is delivered.
    await delivered(mng, relay, sealed)


@pytest.mark.parametrize("name", RECEIPTS)
async def test_a_false_receipt_is_not_believed_by_the_sender(
    world: World, relay: HostileRelay, kaz: TestNode, name: str
) -> None:
    make, _ = RECEIPTS[name]
    message = await kaz.write(["MNG"])
    await kaz.sealer.seal_due()
    before = kaz.facts()
    relay.answer = lambda posted: make(world, posted)
    await kaz.send()
    assert (await state(kaz, message), kaz.recipients()) == ("sealed", {"MNG": "pending"})
    (tried,) = kaz.rows("outbox")
    assert (tried["state"], tried["receipt"], tried["attempts"]) == ("sealed", None, 1)
    assert unchanged_but(kaz, before, "outbox")
    # The same bytes again, to a relay that has become honest.
    relay.answer = None
    kaz.clock.time += 100
    await kaz.send()
    assert relay.posted[0].header_bytes == relay.posted[1].header_bytes
    assert await state(kaz, message) == "accepted"


async def test_a_receipt_without_an_acceptance_does_not_make_it_delivered(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    """The relay signs and throws away: the message stays `accepted` until a recipient's own signature is there."""
    message = await kaz.write(["MNG"])
    relay.answer = world.receipt
    await kaz.send()
    assert (await state(kaz, message), kaz.recipients()) == ("accepted", {"MNG": "accepted"})


# Acknowledgements.


async def sent(relay: HostileRelay, kaz: TestNode, to: list[str]) -> Sealed:
    """An envelope that KAZ's node sent and the relay accepted."""
    await kaz.write(to)
    await kaz.send()
    return relay.posted[-1]


def made_by(signer: SigningIdentity, ack: SignedAcknowledgement) -> SignedAcknowledgement:
    return SignedAcknowledgement(ack.body, signer.sign_bytes(Context.ACKNOWLEDGEMENT, ack.body))


def ack(world: World, sealed: Sealed, recipient: str = "MNG", **fields: object) -> SignedAcknowledgement:
    return world.acknowledgement(sealed, recipient, **{"time": world.now, **fields})  # type: ignore[arg-type]  # as its own


ACKNOWLEDGEMENTS: dict[str, Callable[[World, Sealed], SignedAcknowledgement]] = {
    "by-the-relay": lambda w, s: made_by(w.relay, ack(w, s)),
    "by-the-relay-under-its-own-key": lambda w, s: made_by(w.relay, ack(w, s, key_id=w.relay.key_id)),
    "by-another-recipient": lambda w, s: made_by(w.nodes["UZB"], ack(w, s)),
    "by-a-member-that-is-no-recipient": lambda w, s: ack(w, s, "XAA"),
    "by-the-sender-itself": lambda w, s: ack(w, s, "KAZ"),
    "by-the-root": lambda w, s: made_by(w.roots["MNG"], ack(w, s, key_id=KeyId(key_id(w.roots["MNG"].public)))),
    "for-another-header": lambda w, s: ack(w, s, header_digest=sha256(b"another")),
    "for-an-envelope-that-was-never-sent": lambda w, s: ack(w, s, envelope=EnvelopeId(b"another envelope")),
    "for-an-envelope-of-another-sender": lambda w, s: ack(w, s, sender=MemberId("UZB")),
    "from-the-future": lambda w, s: ack(w, s, time=w.now + 121),
    "from-before-it-was-sent": lambda w, s: ack(w, s, time=w.now - 121),
    "a-session-signature": lambda w, s: SignedAcknowledgement(
        ack(w, s).body, w.nodes["MNG"].sign_bytes(Context.SESSION_NODE, ack(w, s).body)
    ),
}


@pytest.mark.parametrize("name", ACKNOWLEDGEMENTS)
async def test_a_false_acknowledgement_moves_no_state_at_the_sender(
    world: World, relay: HostileRelay, kaz: TestNode, name: str
) -> None:
    sealed = await sent(relay, kaz, ["MNG", "UZB"])
    before = kaz.facts()
    relay.notify("KAZ", ACKNOWLEDGEMENTS[name](world, sealed))
    await kaz.pull()
    assert kaz.facts() == before
    assert (kaz.recipients(), kaz.alarms()) == ({"MNG": "accepted", "UZB": "accepted"}, ["bad-notice"])
    assert relay.seen == []


@pytest.mark.parametrize("name", [name for name in ACKNOWLEDGEMENTS if "future" not in name and "before" not in name])
async def test_a_false_acknowledgement_moves_no_state_at_the_relay(world: World, server: Server, name: str) -> None:
    """Nor is the ciphertext deleted before its recipients have it."""
    sealed = sealed_by(world, "KAZ", ("MNG", "UZB"))
    await server.submit(sealed)
    before = relay_facts(server)
    raw = encode(SIGNED_ACKNOWLEDGEMENT, ACKNOWLEDGEMENTS[name](world, sealed))
    answer = await server.request("POST", "/v1/acknowledgements", encode(ACKS, Acks((raw,))))
    assert answer.status in (403, 404, 409)
    assert relay_facts(server) == before


async def test_garbage_as_a_notice_moves_nothing(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    await sent(relay, kaz, ["MNG"])
    before = kaz.facts()
    relay.notices["KAZ"] = [b"\x00", b"garbage", b"\xff" * 1024]
    await kaz.pull()
    assert kaz.facts() == before
    assert set(kaz.alarms()) == {"bad-notice"}


async def test_a_true_notice_behind_a_false_one_counts(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    sealed = await sent(relay, kaz, ["MNG", "UZB"])
    relay.notify("KAZ", ACKNOWLEDGEMENTS["by-the-relay"](world, sealed))
    relay.notify("KAZ", ack(world, sealed, "UZB"))
    await kaz.pull()
    assert kaz.recipients() == {"MNG": "accepted", "UZB": "delivered"}
    assert [item.recipient for item in relay.seen] == ["UZB"]


async def test_a_delivered_acknowledgement_is_not_undone_by_a_later_refusal(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    sealed = await sent(relay, kaz, ["MNG"])
    relay.notify("KAZ", ack(world, sealed))
    await kaz.pull()
    before = kaz.facts()
    relay.notify("KAZ", ack(world, sealed, outcome=Outcome.REFUSED))
    await kaz.pull()
    assert kaz.facts() == before
    assert kaz.recipients() == {"MNG": "delivered"}


async def test_a_refusal_by_a_recipient_is_told_to_its_sender(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    sealed = await sent(relay, kaz, ["MNG"])
    relay.notify("KAZ", ack(world, sealed, outcome=Outcome.REFUSED))
    await kaz.pull()
    assert (kaz.recipients(), kaz.alarms()) == ({"MNG": "refused"}, ["recipient-refused"])


async def state(target: TestNode, message: bytes) -> str:
    found = await target.parts.stores.views.message(message)
    assert found is not None
    return found.state


def unchanged_but(target: TestNode, before: object, table: str) -> bool:
    assert isinstance(before, dict)
    after = target.facts()
    return all(after[key] == before[key] for key in before if key != table)
