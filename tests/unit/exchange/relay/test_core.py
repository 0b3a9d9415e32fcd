"""The relay's decisions from facts alone."""

from dataclasses import replace

import pytest

from exchange.consent.decision import Ledger, Use
from exchange.consent.problem import MAX_REFUSALS
from exchange.errors import Conflict, ExchangeError, Forbidden, Invalid, NotFound, TooLarge, TooMany, Unauthenticated
from exchange.relay import core
from exchange.relay.limits import JUDGEMENT_AGE, SESSION_SKEW, URGENT_PART
from keys.digests import logged_provision
from keys.errors import BadSignature, KeyFault, Untrusted
from keys.identity import EpochIdentity, SigningIdentity
from schemas.canon import decode
from schemas.errors import DecodeError
from schemas.ids import SECRETARIAT, Digest, GrantId, MemberId
from schemas.limits import LOG_BY, MAX_ACCEPTANCE, MAX_CLOCK_AHEAD, MAX_DIRECTORY_SIZE, MAX_MEMBER_ENTRIES, OUTBOX_LIMIT
from schemas.origin import ACCEPTANCE
from schemas.relayapi import Challenge, Proof
from schemas.statement import read_entry
from schemas.terms import Onward, Precedence
from tests.support.charters import relay_change
from tests.support.entropy import derived
from tests.support.realm import epoch_entry, epoch_statement
from tests.support.world import World

NONCE = b"n" * 32


def judged(world: World) -> core.Judged:
    return core.judge(world.envelope(["MNG"]).header, world.directory, Ledger(), world.now)


def test_a_lawful_envelope_is_accepted_and_the_receipt_states_the_facts(world: World) -> None:
    sealed = world.envelope(["MNG"])
    accepted = core.judge(sealed.header, world.directory, Ledger(), world.now + 5)
    receipt = core.receipt_for(accepted, world.relay.key_id)
    assert receipt == world.receipt(sealed, time=world.now + 5, log_by=world.now + 5 + LOG_BY).receipt


@pytest.mark.parametrize(
    ("created", "now", "kind", "code"),
    [
        (MAX_CLOCK_AHEAD, 0, None, ""),
        (MAX_CLOCK_AHEAD + 1, 0, core.TooEarly, "created-ahead"),
        (0, 86_399, None, ""),
        (0, 86_400, Invalid, "envelope-expired"),
        (-OUTBOX_LIMIT - 1, 0, Invalid, "envelope-stale"),
    ],
)
def test_times_are_judged_at_the_moment_of_acceptance(
    world: World, created: int, now: int, kind: type[ExchangeError] | None, code: str
) -> None:
    header = world.envelope(["MNG"], core={"created": world.now + created}).header
    if kind is None:
        core.judge(header, world.directory, Ledger(), world.now + now)
        return
    with pytest.raises(kind) as refused:
        core.judge(header, world.directory, Ledger(), world.now + now)
    assert (type(refused.value), refused.value.code) == (kind, code)


def test_a_signature_is_checked_before_anything_else(world: World) -> None:
    sealed = world.envelope(["MNG"], signer=world.nodes["UZB"], core={"expires": world.now + 1})
    with pytest.raises(BadSignature):
        core.judge(sealed.header, world.directory, Ledger(), world.now + 100)


def test_a_refusal_names_every_missing_consent_and_the_first_of_them_as_its_own(world: World) -> None:
    manifest = world.manifest(("KAZ", "XAA"))
    signed = world.signed_provision(manifest, ("KAZ", "XAA"), ["MNG"])
    original = world.envelope(["MNG"], manifest=manifest, provisions=[signed])
    forward = world.forward(original, "MNG", ["UZB"])
    with pytest.raises(Forbidden) as refused:
        core.judge(forward.header, world.directory, Ledger(), world.now)
    assert refused.value.code == "no-consent"
    assert (refused.value.extra["recipient"], refused.value.extra["provider"]) == ("UZB", "KAZ")
    refusals = refused.value.extra["refusals"]
    assert isinstance(refusals, list)
    assert [item["provider"] for item in refusals if isinstance(item, dict)] == ["KAZ", "XAA"]


def test_equal_facts_of_a_moment_ago_are_not_judged_twice_and_other_facts_are(world: World) -> None:
    first, now = judged(world), world.now
    for later in (now, now + JUDGEMENT_AGE):
        assert core.rejudge(first, world.directory, Ledger(), later, now) is first
    again = core.rejudge(first, world.directory, Ledger(), now + JUDGEMENT_AGE + 1, now)
    assert (again.time, again.decision) == (now + JUDGEMENT_AGE + 1, first.decision)
    other = Ledger(others=frozenset({(MemberId("KAZ"), GrantId(bytes(16)), 1)}))
    assert core.rejudge(first, world.directory, other, now, now) is not first
    assert core.rejudge(first, replace(world.directory), Ledger(), now, now) is not first
    with pytest.raises(Invalid):
        core.rejudge(first, world.directory, Ledger(), now + 100_000, now)


@pytest.mark.parametrize("clock", [-3600, 0, 1])
def test_a_judgement_never_stands_with_a_time_before_the_last_acceptance(world: World, clock: int) -> None:
    first = judged(world)
    assert core.rejudge(first, world.directory, Ledger(), world.now + clock, world.now + 1).time == world.now + 1


def test_a_problem_lists_so_many_refusals_and_no_more() -> None:
    world = World(codes=("KAZ", "MNG", "UZB", *(f"XA{letter}" for letter in "BCDEFGHIJ")))
    provisions = [world.signed_provision(world.manifest(), ("KAZ",), ["MNG"]) for _ in range(8)]
    stolen = world.envelope([f"XA{letter}" for letter in "BCDEFGHIJ"], "MNG", provisions=provisions)
    with pytest.raises(Forbidden) as refused:
        core.judge(stolen.header, world.directory, Ledger(), world.now)
    refusals = refused.value.extra["refusals"]
    assert isinstance(refusals, list)
    assert len(refusals) == MAX_REFUSALS < 8 * 9


@pytest.mark.parametrize("precedence", [Precedence.ROUTINE, Precedence.PRIORITY])
def test_a_quota_is_full_at_its_last_byte_and_routine_leaves_a_part_of_it(world: World, precedence: Precedence) -> None:
    envelope = world.envelope(["MNG", "UZB"], core={"precedence": precedence}).header.core
    quotas = core.Quotas(sender=4000, mailbox=8000)
    part = URGENT_PART if precedence is Precedence.ROUTINE else 10**9
    of_sender, of_mailbox = 4000 - 4000 // part, 8000 - 8000 // part
    mailboxes = [(MemberId("MNG"), 0), (MemberId("UZB"), of_mailbox - 100)]
    core.check_quotas(envelope, 100, of_sender - 100, mailboxes, quotas)
    with pytest.raises(TooMany) as sender:
        core.check_quotas(envelope, 100, of_sender - 99, mailboxes, quotas)
    with pytest.raises(TooMany) as mailbox:
        core.check_quotas(envelope, 101, 0, mailboxes, quotas)
    assert (sender.value.code, mailbox.value.code) == ("sender-quota", "mailbox-quota")
    assert mailbox.value.extra == {"recipient": "UZB"}


def test_a_use_that_was_counted_meanwhile_refuses(world: World) -> None:
    manifest = world.manifest(("KAZ",))
    signed = world.signed_provision(manifest, ("KAZ",), ["MNG"], onward=Onward.ON_CONSENT)
    original = world.envelope(["MNG"], manifest=manifest, provisions=[signed])
    grant = world.grant(signed.provision, "KAZ", "MNG", ["UZB", "XAA"], uses=1)
    forward = world.forward(original, "MNG", ["UZB"], grants=[grant])
    first = core.judge(forward.header, world.directory, Ledger(), world.now)
    spent = Use(MemberId("KAZ"), grant.grant.id, MemberId("XAA"), signed.provision.id)
    with pytest.raises(Forbidden, match="UZB"):
        core.rejudge(first, world.directory, Ledger(uses=frozenset({spent})), world.now, world.now)
    counted = first.decision.uses
    again = core.rejudge(first, world.directory, Ledger(uses=frozenset(counted)), world.now, world.now)
    assert again.decision.uses == counted


def test_one_id_stands_for_one_header() -> None:
    core.check_same(Digest(bytes(32)), Digest(bytes(32)))
    with pytest.raises(Conflict) as refused:
        core.check_same(Digest(bytes(32)), Digest(b"1" * 32))
    assert refused.value.code == "equivocation"


@pytest.mark.parametrize("cuts", [[], [1], [10, 20, 30], list(range(1, 100))])
def test_a_body_is_checked_however_it_is_cut(world: World, cuts: list[int]) -> None:
    sealed = world.envelope(["MNG"], body=bytes(range(200)))
    check = core.BodyCheck(sealed.header.core)
    for start, end in zip([0, *cuts], [*cuts, 200], strict=True):
        check.update(sealed.body[start:end])
    check.finish()


def test_a_body_that_differs_is_refused(world: World) -> None:
    sealed = world.envelope(["MNG"], body=b"c" * 100)
    longer, shorter, other = (core.BodyCheck(sealed.header.core) for _ in range(3))
    longer.update(b"c" * 100)
    with pytest.raises(TooLarge, match="longer"):
        longer.update(b"c")
    shorter.update(b"c" * 99)
    with pytest.raises(Invalid, match="99 of 100"):
        shorter.finish()
    other.update(b"c" * 99 + b"d")
    with pytest.raises(Invalid, match="not the one"):
        other.finish()


def test_an_acknowledgement_is_for_an_envelope_that_stands_by_one_of_its_recipients(world: World) -> None:
    sealed = world.envelope(["MNG"])
    ack = world.acknowledgement(sealed, "MNG").acknowledgement
    core.check_acknowledgement(ack, sealed.digest, is_recipient=True)
    for standing, is_recipient, kind in (
        (None, True, NotFound),
        (sealed.digest, False, Forbidden),
        (Digest(bytes(32)), True, Conflict),
    ):
        with pytest.raises(kind):
            core.check_acknowledgement(ack, standing, is_recipient)


def challenge(world: World) -> Challenge:
    return Challenge(NONCE, world.relay.key_id, world.now)


@pytest.mark.parametrize("tls", [None, Digest(b"t" * 32)])
def test_a_proof_for_this_connection_gives_its_statement(world: World, tls: Digest | None) -> None:
    proof, _ = world.session("MNG", NONCE, tls_digest=tls)
    for skew in (-SESSION_SKEW, SESSION_SKEW):
        statement = core.check_proof(proof, challenge(world), tls, world.directory, world.now + skew)
        assert statement.member == "MNG"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"nonce": bytes(32)}, "session-nonce"),
        ({"relay": bytes(32)}, "session-relay"),
        ({"tls_digest": bytes(32)}, "session-certificate"),
        ({"time": 0}, "session-time"),
    ],
)
def test_a_proof_of_something_else_is_refused(world: World, fields: dict[str, object], code: str) -> None:
    nonce = fields.pop("nonce", NONCE)
    assert isinstance(nonce, bytes)
    proof, _ = world.session("MNG", nonce, **fields)  # type: ignore[arg-type]  # parts of the statement
    with pytest.raises(Unauthenticated) as refused:
        core.check_proof(proof, challenge(world), None, world.directory, world.now)
    assert refused.value.code == code


def test_a_proof_by_another_key_or_without_sense_is_refused(world: World) -> None:
    for code in ("UZB", "relay"):
        signer = world.relay if code == "relay" else world.nodes[code]
        proof, _ = world.session("MNG", NONCE, signer=signer)
        with pytest.raises(Unauthenticated):
            core.check_proof(proof, challenge(world), None, world.directory, world.now)
    with pytest.raises(DecodeError):
        core.check_proof(Proof(b"\x80", bytes(32), bytes(64)), challenge(world), None, world.directory, world.now)  # type: ignore[arg-type]


def test_one_member_cannot_fill_the_directory(world: World) -> None:
    key = EpochIdentity(derived("more", size=96))
    entry = read_entry(epoch_entry(epoch_statement("KAZ", 9, key, world.now), world.nodes["KAZ"]))
    assert core.extended(world.directory, entry, world.relay.key_id).size == world.directory.size + 1
    known = world.directory.epochs[MemberId("KAZ")]
    # One signing key, and as many epochs as are left.
    many = {**world.directory.epochs, MemberId("KAZ"): known[:1] * (MAX_MEMBER_ENTRIES - 1)}
    with pytest.raises(Forbidden) as refused:
        core.extended(replace(world.directory, epochs=many), entry, world.relay.key_id)
    assert refused.value.code == "directory-quota"
    with pytest.raises(Conflict) as full:
        core.extended(replace(world.directory, size=MAX_DIRECTORY_SIZE), entry, world.relay.key_id)
    assert full.value.code == "directory-full"


def test_an_entry_that_does_not_verify_is_refused(world: World) -> None:
    key = EpochIdentity(derived("more", size=96))
    forged = read_entry(epoch_entry(epoch_statement("KAZ", 9, key, world.now), world.nodes["MNG"]))
    with pytest.raises(KeyFault):
        core.extended(world.directory, forged, world.relay.key_id)
    with pytest.raises(Untrusted):
        core.extended(world.directory, read_entry(world.entries[0]), world.relay.key_id)


def test_a_charter_that_names_another_relay_is_not_this_relays_to_keep(world: World) -> None:
    other = SigningIdentity.from_entropy(SECRETARIAT, derived("other relay", size=96))
    entry = read_entry(relay_change(world, other))
    with pytest.raises(Conflict) as refused:
        core.extended(world.directory, entry, world.relay.key_id)
    assert refused.value.code == "relay-replaced"
    assert core.extended(world.directory, entry, other.key_id).size == world.directory.size + 1


def test_a_leaf_states_the_acceptance_and_cannot_be_guessed(world: World) -> None:
    accepted = judged(world)
    leaf = decode(ACCEPTANCE, core.leaf_for(accepted, b"s" * 32), MAX_ACCEPTANCE)
    receipt = core.receipt_for(accepted, world.relay.key_id)
    assert (leaf.time, leaf.directory_size, leaf.header_digest) == (
        receipt.time,
        receipt.directory_size,
        receipt.header_digest,
    )
    assert leaf.provisions == (logged_provision(accepted.header.core.provisions[0]),)
    assert core.leaf_for(accepted, b"t" * 32) != core.leaf_for(accepted, b"s" * 32)
