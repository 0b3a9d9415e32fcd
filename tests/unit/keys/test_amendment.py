"""Drafts of later charter versions: every change by itself, what is read aloud of it, and mix-ups that are refused."""

from dataclasses import replace

import pytest

from keys.amendment import Changes, amend_charter, draft_changes
from keys.ceremony import assemble_charter, revoke_signing_key, root_public, sign_charter
from keys.digests import fingerprint, key_id
from keys.directory import extend, handover_of
from keys.errors import BadSignature, Untrusted
from schemas.charter import Charter, Handover, Quorums, Role
from schemas.endings import RevocationReason
from schemas.errors import DecodeError
from schemas.ids import Digest, MemberId
from schemas.limits import DAY
from tests.support.changes import ChangingWorld, identity, new_relay, party
from tests.support.world import NOW

KAZ, MNG, UZB = MemberId("KAZ"), MemberId("MNG"), MemberId("UZB")
NEW_ROOT = identity("root", "MNG")


@pytest.fixture
def world() -> ChangingWorld:
    return ChangingWorld(observers=("TUR",))


def amended(world: ChangingWorld, **changes: object) -> Charter:
    return amend_charter(world.charter, Changes(**changes), NOW + DAY)  # type: ignore[arg-type]  # any field


def lines(world: ChangingWorld, **changes: object) -> tuple[str, ...]:
    return draft_changes(world.charter, amended(world, **changes))


def test_each_change_is_read_aloud_and_nothing_else(world: ChangingWorld) -> None:
    chair = world.charter.chairmanship
    mark = fingerprint(key_id(NEW_ROOT.public))
    relay = new_relay()
    end = handover_of(world.directory)
    expected: dict[str, dict[str, object]] = {
        "removes MNG": {"removed": (MNG,), "witness": 3},
        f"replaces the root of MNG by {mark}": {"roots": (root_public(NEW_ROOT),)},
        f"admits ZZZ as observer, root {fingerprint(key_id(identity('root', 'ZZZ').public))}": {
            "admitted": (party("ZZZ", Role.OBSERVER),)
        },
        "gives the Chairmanship to UZB, or changes its term": {"chairmanship": replace(chair, member=UZB)},
        "puts in force: 2021-draft, 2026": {"editions": ("2026", "2021-draft")},
        "changes the quorum to amend from 3 to 4": {"amend": 4},
        "changes the quorum to witness from 3 to 4": {"witness": 4},
    }
    for line, changes in expected.items():
        assert lines(world, **changes) == (line,)
    assert lines(world, relays=(relay,), handover=end) == (
        "names relay relay no more",
        f"names relay relay-2 with key {fingerprint(key_id(relay.keys))}",
        f"ends the directory at {end.size} entries with root hash {fingerprint(end.root_hash)}",
    )
    (known,) = world.charter.relays
    shown = replace(known, tls_digests=(Digest(bytes(32)),))
    assert lines(world, relays=(shown,)) == ("names other certificates of relay relay",)


def test_a_role_and_a_name_that_change_are_read_aloud_too(world: ChangingWorld) -> None:
    draft = amended(world, amend=4)
    rows = [replace(row, role=Role.MEMBER) if row.code == "TUR" else row for row in draft.members]
    rows[0] = replace(rows[0], names=rows[1].names)
    assert draft_changes(world.charter, replace(draft, members=tuple(rows)))[:2] == (
        "names KAZ otherwise",
        "makes TUR member instead of observer",
    )


def test_a_draft_follows_the_version_before(world: ChangingWorld) -> None:
    draft = amended(world, removed=(MNG,))
    assert (draft.version, draft.previous, draft.created) == (2, world.charter_digest, NOW + DAY)
    assert [member.code for member in draft.members] == ["KAZ", "TUR", "UZB", "XAA"]


def test_a_quorum_of_all_and_a_default_one_follow_the_number_of_member_states() -> None:
    world = ChangingWorld()
    world.amend(Changes(amend=4), world.roots)
    quorums = amended(world, removed=(MNG,)).quorums
    assert (quorums.amend, quorums.witness) == (3, 2)
    bigger = amended(world, admitted=(party("YYY"), party("ZZZ"))).quorums
    assert (bigger.amend, bigger.witness) == (6, 4)


def test_any_other_quorum_stays_as_far_as_it_can() -> None:
    world = ChangingWorld(codes=("KAZ", "MNG", "UZB", "XAA", "XAB"))
    world.amend(Changes(amend=3, witness=5), world.roots)
    further = tuple(party(f"ZZ{letter}") for letter in "ABCD")
    assert amended(world, removed=(MNG,)).quorums == Quorums(3, 4)
    assert amended(world, admitted=further).quorums == Quorums(5, 5)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "changes nothing"),
        ({"removed": (MemberId("ZZZ"),)}, "no member that could be removed"),
        ({"admitted": (party("MNG"),)}, "a member already"),
        ({"roots": (root_public(identity("root", "ZZZ")),)}, "no member that stays"),
        ({"removed": (MNG,), "roots": (root_public(NEW_ROOT),)}, "no member that stays"),
        ({"relays": (new_relay(),)}, "only then"),
        ({"amend": 4, "handover": Handover(9, Digest(bytes(32)))}, "only then"),
        ({"removed": (MNG, UZB)}, "change fewer at once"),
    ],
)
def test_a_change_without_an_object_is_refused(world: ChangingWorld, changes: dict[str, object], why: str) -> None:
    with pytest.raises(Untrusted, match=why):
        amended(world, **changes)


def test_the_root_that_a_member_has_already_is_no_new_one(world: ChangingWorld) -> None:
    with pytest.raises(Untrusted, match="its root already"):
        amended(world, roots=(root_public(world.roots["MNG"]),))


@pytest.mark.parametrize(
    "changes",
    [
        {"removed": (KAZ,)},
        {"amend": 2},
        {"witness": 5},
        {"admitted": (party("ZZZ", root=identity("root", "YYY")), party("YYY"))},
    ],
    ids=["the-chair-leaves", "half-amend", "more-than-all-witness", "two-with-one-root"],
)
def test_what_the_format_refuses_is_no_draft(world: ChangingWorld, changes: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        amended(world, **changes)


def test_signed_by_the_quorum_a_draft_becomes_an_entry(world: ChangingWorld) -> None:
    draft = amended(world, roots=(root_public(NEW_ROOT),))
    signers = [NEW_ROOT, *(world.roots[code] for code in ("KAZ", "UZB", "XAA"))]
    entry = assemble_charter(draft, [sign_charter(root, draft) for root in signers], world.charter)
    assert extend(world.directory, [entry]).member(MNG).root == NEW_ROOT.public
    with pytest.raises(Untrusted, match="does not begin"):
        assemble_charter(draft, [sign_charter(root, draft) for root in signers])


def test_who_a_draft_removes_and_a_root_that_it_replaces_do_not_sign(world: ChangingWorld) -> None:
    with pytest.raises(Untrusted, match="not a Member State of this draft"):
        sign_charter(world.roots["MNG"], amended(world, removed=(MNG,)))
    with pytest.raises(Untrusted, match="another root key for MNG"):
        sign_charter(world.roots["MNG"], amended(world, roots=(root_public(NEW_ROOT),)))


def test_a_root_revokes_a_key_of_its_node(world: ChangingWorld) -> None:
    node, root = world.nodes["MNG"], world.roots["MNG"]
    entry = revoke_signing_key(root, node.key_id, RevocationReason.LOST, NOW - DAY, NOW)
    record = extend(world.directory, [entry]).revoked[MNG, node.key_id]
    assert (record.reason, record.compromised_at, record.created) == (RevocationReason.LOST, NOW - DAY, NOW)
    with pytest.raises(DecodeError):
        revoke_signing_key(root, node.key_id, RevocationReason.LOST, NOW + 1, NOW)
    with pytest.raises(Untrusted, match="does not revoke itself"):
        revoke_signing_key(root, root.key_id, RevocationReason.LOST, None, NOW)
    with pytest.raises(BadSignature):
        extend(world.directory, [replace(entry, signatures=(replace(entry.signatures[0], mldsa65=bytes(3309)),))])
