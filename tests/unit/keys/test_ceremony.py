"""The ceremonies refuse every mix-up that would certify the wrong key or sign the wrong charter."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from keys import ceremony
from keys.digests import charter_digest
from keys.directory import begin, extend
from keys.errors import BadSignature, KeystoreFault, Untrusted
from keys.identity import SigningIdentity
from schemas.canon import encode
from schemas.charter import CHARTER, Chairmanship, Charter, Member, Name, Relay, Role
from schemas.contexts import Context
from schemas.endings import Withdrawal, WithdrawalTarget
from schemas.errors import DecodeError, Reason
from schemas.files import CharterSignature
from schemas.ids import SECRETARIAT, Digest, GrantId, MemberId
from schemas.limits import DAY
from schemas.statement import (
    DIRECTORY_ENTRY,
    KEY_REQUEST,
    DirectoryEntry,
    EntryKind,
    KeyRequest,
    SignedKeyRequest,
    SigningKey,
    read_entry,
)
from tests.support.entropy import derived
from tests.support.world import World

NOW = 1_800_000_000
CODES = ("KAZ", "MNG", "UZB")


def identity(kind: str, code: str) -> SigningIdentity:
    return SigningIdentity.from_entropy(MemberId(code), derived("ceremony", kind, code, size=96))


ROOTS: Mapping[str, SigningIdentity] = MappingProxyType({c: identity("root", c) for c in (*CODES, "XAA", "CICA")})
NODE = identity("node", "KAZ")
RELAY = Relay("relay", identity("relay", "CICA").public, ())
CHAIR = Chairmanship(MemberId("KAZ"), NOW, NOW + 700 * DAY)


def party(code: str, role: Role = Role.MEMBER) -> Member:
    return Member(MemberId(code), role, (Name("en", f"Test state {code}"),), ROOTS[code].public)


def drafted(
    members: tuple[Member, ...] | None = None,
    quorums: tuple[int | None, int | None] = (None, None),
    relays: tuple[Relay, ...] = (RELAY,),
) -> Charter:
    members = members or tuple(party(code) for code in CODES)
    return ceremony.draft_charter(members, CHAIR, relays, ("x",), quorums, NOW)


def signed(draft: Charter, *codes: str) -> list[CharterSignature]:
    return [ceremony.sign_charter(ROOTS[code], draft) for code in codes]


# Root and signing keys.


def test_a_root_key_survives_its_file() -> None:
    secret = ceremony.identity_secret(ROOTS["KAZ"])
    assert ceremony.identity_of(secret) == ROOTS["KAZ"]
    assert ceremony.root_public(ROOTS["KAZ"]).keys == ROOTS["KAZ"].public


@pytest.mark.parametrize("secret", [b"", b"\x00" * 64, b"\xff" * 2000])
def test_a_secret_of_another_kind_is_refused(secret: bytes) -> None:
    with pytest.raises(KeystoreFault, match="no signing identity"):
        ceremony.identity_of(secret)


def test_a_certified_key_enters_the_directory() -> None:
    draft = drafted()
    entry = ceremony.assemble_charter(draft, signed(draft, *CODES))
    certified = ceremony.certify_signing_key(
        ROOTS["KAZ"], ceremony.request_signing_key(NODE, NOW), NOW, NOW + 400 * DAY, NOW
    )
    directory = extend(begin(entry, charter_digest(entry.body)), [certified])
    record = directory.signing_key(MemberId("KAZ"), NODE.key_id, NOW)
    assert (record.valid_from, record.valid_until) == (NOW, NOW + 400 * DAY)
    assert isinstance(certified.statement, SigningKey)


def request(names: SigningIdentity, signer: SigningIdentity, code: str = "KAZ") -> SignedKeyRequest:
    body = encode(KEY_REQUEST, KeyRequest(MemberId(code), names.public, NOW, names.cosigner))
    return SignedKeyRequest(body, signer.sign_hybrid(Context.KEY_REQUEST, body))


def certify(asked: SignedKeyRequest) -> None:
    ceremony.certify_signing_key(ROOTS["KAZ"], asked, NOW, NOW + DAY, NOW)


def test_a_request_for_a_key_that_the_requester_does_not_hold_is_refused() -> None:
    thief = identity("thief", "KAZ")
    asked = request(NODE, thief)
    with pytest.raises(BadSignature):
        certify(asked)
    forged = replace(asked.signature, key_id=NODE.key_id)
    with pytest.raises(BadSignature):
        certify(SignedKeyRequest(asked.body, forged))


@pytest.mark.parametrize("half", ["ed25519", "mldsa65"])
def test_a_request_with_half_a_signature_is_refused(half: str) -> None:
    asked = ceremony.request_signing_key(NODE, NOW)
    changes: dict[str, Any] = {half: bytes(len(getattr(asked.signature, half)))}
    with pytest.raises(BadSignature):
        certify(SignedKeyRequest(asked.body, replace(asked.signature, **changes)))


def test_a_request_signed_for_another_purpose_is_refused() -> None:
    asked = ceremony.request_signing_key(NODE, NOW)
    other = NODE.sign_hybrid(Context.SIGNING_KEY, asked.body)
    with pytest.raises(BadSignature):
        certify(SignedKeyRequest(asked.body, other))


def test_the_root_of_another_state_certifies_nothing() -> None:
    with pytest.raises(Untrusted, match="KAZ's and the root is MNG's"):
        ceremony.certify_signing_key(ROOTS["MNG"], ceremony.request_signing_key(NODE, NOW), NOW, NOW + DAY, NOW)


def test_a_signer_in_another_states_name_is_refused() -> None:
    with pytest.raises(BadSignature, match="request for KAZ is signed by MNG"):
        certify(request(NODE, identity("node", "MNG")))


def test_the_root_does_not_certify_itself() -> None:
    with pytest.raises(Untrusted, match="root key itself"):
        certify(ceremony.request_signing_key(ROOTS["KAZ"], NOW))


@pytest.mark.parametrize(
    ("withdraw", "target"),
    [
        (ceremony.withdraw_grant, WithdrawalTarget.GRANT),
        (ceremony.withdraw_provision, WithdrawalTarget.PROVISION),
    ],
)
def test_a_withdrawal_by_the_node_stands_in_the_directory(
    withdraw: Callable[[SigningIdentity, Any, int], DirectoryEntry], target: WithdrawalTarget
) -> None:
    world = World()
    entry = withdraw(world.nodes["KAZ"], b"n" * 16, NOW)
    assert entry.statement == Withdrawal(MemberId("KAZ"), target, b"n" * 16, NOW)
    after = extend(world.directory, [read_entry(encode(DIRECTORY_ENTRY, entry))])
    (record,) = after.withdrawn.values()
    assert (record.member, record.id, record.index) == ("KAZ", b"n" * 16, world.directory.size)


def test_a_root_withdraws_nothing() -> None:
    world = World()
    with pytest.raises(Untrusted, match="not signed by a valid signing key"):
        extend(world.directory, [ceremony.withdraw_grant(world.roots["KAZ"], GrantId(bytes(16)), NOW)])


def test_an_empty_term_is_refused() -> None:
    with pytest.raises(DecodeError):
        ceremony.certify_signing_key(ROOTS["KAZ"], ceremony.request_signing_key(NODE, NOW), NOW, NOW, NOW)


# Charter.


def test_a_draft_has_one_order_and_the_default_quorums() -> None:
    draft = drafted(members=tuple(party(code) for code in reversed(CODES)))
    assert draft == drafted()
    assert [member.code for member in draft.members] == list(CODES)
    assert (draft.quorums.amend, draft.quorums.witness) == (3, 2)


def test_only_member_states_count_for_the_quorums() -> None:
    members = (party("KAZ"), party("MNG"), party("UZB", Role.OBSERVER), party("CICA", Role.SECRETARIAT))
    assert drafted(members).quorums.amend == 2


@pytest.mark.parametrize("quorums", [(4, None), (None, 4), (1, None), (None, 1), (0, None)])
def test_a_quorum_that_no_vote_or_a_minority_reaches_is_refused(quorums: tuple[int | None, int | None]) -> None:
    with pytest.raises(DecodeError):
        drafted(quorums=quorums)


def test_a_member_named_twice_is_refused() -> None:
    with pytest.raises(DecodeError) as caught:
        drafted(members=(*(party(code) for code in CODES), replace(party("KAZ"), root=ROOTS["XAA"].public)))
    assert caught.value.reason is Reason.BAD_ORDER


def test_two_members_with_one_root_key_are_refused() -> None:
    with pytest.raises(DecodeError) as caught:
        drafted(members=(*(party(code) for code in CODES), replace(party("KAZ"), code=MemberId("ZZZ"))))
    assert (caught.value.reason, caught.value.where) == (Reason.CONTRADICTION, "Charter.members")


def test_a_witness_quorum_of_all_is_warned_of() -> None:
    assert any("witness quorum is all 3" in line for line in ceremony.draft_warnings(drafted(quorums=(None, 3))))
    assert not any("witness" in line for line in ceremony.draft_warnings(drafted()))


def test_a_relay_without_a_certificate_is_warned_of() -> None:
    shown = replace(RELAY, tls_digests=(Digest(bytes(32)),))
    assert any("TLS digest" in line for line in ceremony.draft_warnings(drafted()))
    assert ceremony.draft_warnings(drafted(relays=(shown,))) == ()


def test_a_charter_with_every_signature_is_the_one_that_was_drafted() -> None:
    draft = drafted()
    entry = ceremony.assemble_charter(draft, reversed(signed(draft, *CODES)))
    assert (entry.kind, entry.statement) == (EntryKind.CHARTER, draft)
    assert begin(entry, charter_digest(encode(CHARTER, draft))).charter == draft


def test_a_charter_without_a_members_signature_is_refused_naming_it() -> None:
    draft = drafted()
    with pytest.raises(Untrusted, match="missing: MNG"):
        ceremony.assemble_charter(draft, signed(draft, "KAZ", "UZB"))


def test_a_signature_over_another_draft_is_refused() -> None:
    draft = drafted()
    other = drafted(quorums=(None, 3))
    with pytest.raises(Untrusted, match="KAZ is over another draft"):
        ceremony.assemble_charter(draft, [*signed(other, "KAZ"), *signed(draft, "MNG", "UZB")])


def test_a_signature_over_another_draft_is_refused_when_it_claims_this_one() -> None:
    draft = drafted()
    [stolen] = signed(drafted(quorums=(None, 3)), "KAZ")
    [true] = signed(draft, "MNG")
    with pytest.raises(BadSignature, match="KAZ"):
        ceremony.assemble_charter(draft, [replace(stolen, charter=true.charter), true, *signed(draft, "UZB")])


def test_one_member_does_not_sign_for_two() -> None:
    draft = drafted()
    with pytest.raises(Untrusted, match="KAZ signed twice"):
        ceremony.assemble_charter(draft, signed(draft, "KAZ", "KAZ", "UZB"))


def test_a_stranger_an_observer_and_the_secretariat_do_not_sign() -> None:
    members = (party("KAZ"), party("MNG"), party("UZB", Role.OBSERVER), party("CICA", Role.SECRETARIAT))
    draft = drafted(members)
    for code in ("XAA", "UZB", SECRETARIAT):
        with pytest.raises(Untrusted, match="not a Member State"):
            ceremony.sign_charter(ROOTS[code], draft)


def test_a_member_does_not_sign_a_draft_that_names_another_key_for_it() -> None:
    swapped = replace(party("KAZ"), root=ROOTS["XAA"].public)
    with pytest.raises(Untrusted, match="another root key for KAZ"):
        ceremony.sign_charter(ROOTS["KAZ"], drafted((swapped, party("MNG"), party("UZB"))))
