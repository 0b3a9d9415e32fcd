"""Charter: quorums that decide, one Secretariat, a chain from version 1."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from schemas.canon import decode, encode
from schemas.charter import CHARTER, Handover, Quorums, Role, default_witness_quorum
from schemas.errors import Reason
from schemas.ids import Digest
from schemas.limits import MAX_CHARTER, MAX_DIRECTORY_SIZE
from tests.support.wire import ABSENT, changed, fields, refusal, refused
from tests.support.world import World


@pytest.fixture
def charter(world: World) -> bytes:
    return encode(CHARTER, world.charter)


def test_a_charter_is_read_as_it_was_written(world: World, charter: bytes) -> None:
    assert decode(CHARTER, charter, MAX_CHARTER) == world.charter
    assert world.charter.voters() == ("KAZ", "MNG", "UZB", "XAA")


def test_observers_and_the_secretariat_have_no_vote() -> None:
    charter = World(codes=("KAZ", "MNG"), observers=("TUR",), secretariat=True).charter
    assert [member.code for member in charter.members] == ["CICA", "KAZ", "MNG", "TUR"]
    assert charter.voters() == ("KAZ", "MNG")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({1: 0}, Reason.OUT_OF_RANGE),
        ({1: 2}, Reason.CONTRADICTION),
        ({2: bytes(32)}, Reason.CONTRADICTION),
        ({3: []}, Reason.OUT_OF_RANGE),
        ({4: {1: "TUR", 2: 1, 3: 2}}, Reason.CONTRADICTION),
        ({4: {1: "KAZ", 2: 2, 3: 2}}, Reason.CONTRADICTION),
        ({5: []}, Reason.OUT_OF_RANGE),
        ({6: []}, Reason.OUT_OF_RANGE),
        ({6: ["b", "a"]}, Reason.BAD_ORDER),
        ({7: {1: 2, 2: 3}}, Reason.CONTRADICTION),
        ({7: {1: 3, 2: 2}}, Reason.CONTRADICTION),
        ({7: {1: 5, 2: 3}}, Reason.CONTRADICTION),
        ({7: {1: 3, 2: 5}}, Reason.CONTRADICTION),
        ({7: {1: 0, 2: 3}}, Reason.OUT_OF_RANGE),
        ({8: ABSENT}, Reason.MISSING_FIELD),
        ({9: {1: 9, 2: bytes(32)}}, Reason.CONTRADICTION),
        ({10: 1}, Reason.UNKNOWN_FIELD),
    ],
)
def test_a_charter_outside_the_protocol_is_refused(
    charter: bytes, changes: Mapping[int, object], reason: Reason
) -> None:
    assert refused(CHARTER, changed(charter, changes), MAX_CHARTER) is reason


def rows(charter: bytes) -> list[dict[int, object]]:
    found: list[dict[int, object]] = fields(charter)[3]
    return found


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({1: "CICA"}, Reason.CONTRADICTION),
        ({2: Role.SECRETARIAT.value}, Reason.CONTRADICTION),
        ({2: 4}, Reason.OUT_OF_RANGE),
        ({3: []}, Reason.OUT_OF_RANGE),
        ({3: [{1: "ru", 2: "a"}, {1: "en", 2: "a"}]}, Reason.BAD_ORDER),
        ({3: [{1: "en", 2: "a\u0007"}]}, Reason.OUT_OF_RANGE),
        ({4: {1: bytes(31), 2: bytes(1952)}}, Reason.OUT_OF_RANGE),
        ({4: {1: bytes(32), 2: bytes(1951)}}, Reason.OUT_OF_RANGE),
    ],
)
def test_a_member_outside_the_protocol_is_refused(charter: bytes, row: dict[int, object], reason: Reason) -> None:
    listed = rows(charter)
    data = changed(charter, {3: [listed[0] | row, *listed[1:]]})
    assert refused(CHARTER, data, MAX_CHARTER) is reason


def test_members_ascend_by_code(charter: bytes) -> None:
    listed = rows(charter)
    for order in ([listed[1], listed[0]], [listed[0], listed[0]]):
        assert refused(CHARTER, changed(charter, {3: order}), MAX_CHARTER) is Reason.BAD_ORDER


def test_relays_ascend_by_name_and_their_digests_ascend(charter: bytes) -> None:
    (relay,) = fields(charter)[5]
    assert refused(CHARTER, changed(charter, {5: [relay, relay]}), MAX_CHARTER) is Reason.BAD_ORDER
    twice = relay | {3: [bytes(32), bytes(32)]}
    assert refused(CHARTER, changed(charter, {5: [twice]}), MAX_CHARTER) is Reason.BAD_ORDER


def test_two_relays_with_one_key_are_refused(world: World) -> None:
    (relay,) = world.charter.relays
    assert refusal(lambda: replace(world.charter, relays=(relay, replace(relay, name="z")))) is Reason.CONTRADICTION


def test_a_later_version_may_take_a_directory_over(world: World) -> None:
    last = Handover(MAX_DIRECTORY_SIZE, Digest(bytes(32)))
    later = replace(world.charter, version=2, previous=Digest(bytes(32)), handover=last)
    assert decode(CHARTER, encode(CHARTER, later), MAX_CHARTER) == later
    for size in (0, MAX_DIRECTORY_SIZE + 1):
        assert refused(CHARTER, changed(encode(CHARTER, later), {9: {1: size, 2: bytes(32)}})) is Reason.OUT_OF_RANGE


def test_a_later_version_names_the_one_before(world: World) -> None:
    later = replace(world.charter, version=2, previous=Digest(bytes(32)))
    assert decode(CHARTER, encode(CHARTER, later), MAX_CHARTER) == later
    assert refusal(lambda: replace(world.charter, version=2)) is Reason.CONTRADICTION


@pytest.mark.parametrize(("members", "quorum"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (27, 18), (28, 19)])
def test_the_default_quorum_is_two_thirds_and_more_than_half(members: int, quorum: int) -> None:
    assert default_witness_quorum(members) == quorum


@pytest.mark.parametrize("members", range(1, 30))
def test_the_default_quorum_is_one_that_a_charter_may_have(members: int) -> None:
    quorum = default_witness_quorum(members)
    assert members < 2 * quorum <= 2 * members


def test_a_quorum_of_all_is_allowed_and_half_is_not(world: World) -> None:
    assert replace(world.charter, quorums=Quorums(4, 4)).quorums.witness == 4
    assert refusal(lambda: replace(world.charter, quorums=Quorums(4, 2))) is Reason.CONTRADICTION
