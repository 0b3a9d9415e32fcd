"""Provision and Grant: terms that contradict each other never become objects."""

from collections.abc import Mapping

import pytest

from schemas.canon import decode, encode
from schemas.errors import Reason
from schemas.grant import GRANT, SIGNED_GRANT
from schemas.limits import MAX_GRANT, MAX_PROVISION, OUTBOX_LIMIT
from schemas.provision import PROVISION, SIGNED_PROVISION
from schemas.signed import SIGNATURE, Signature
from schemas.terms import Onward, Precedence, Purpose, Suite, Tlp, from_label
from tests.support.wire import ABSENT, changed, fields, pack, refused
from tests.support.world import NOW, World

TAG = bytes(16)
WIDEST = {
    "onward": Onward.ON_CONSENT,
    "purpose": Purpose.DISASTER_RESPONSE,
    "until": NOW + 5,
    "not_before": NOW + 5,
    "send_by": NOW + OUTBOX_LIMIT,
    "class_tags": (TAG, b"\x01" * 16),
}


@pytest.fixture
def provision(world: World) -> bytes:
    return encode(PROVISION, world.provision(world.manifest(), ["KAZ", "MNG"], ["UZB", "XAA"]))


def grant(world: World) -> bytes:
    return world.grant(world.provision(world.manifest(), ["KAZ"], ["MNG"]), "KAZ", "MNG", ["UZB"]).body


@pytest.mark.parametrize("terms", [{}, WIDEST], ids=["least", "widest"])
def test_a_provision_is_read_as_it_was_written(world: World, terms: Mapping[str, object]) -> None:
    written = world.provision(world.manifest(), ["KAZ", "MNG"], ["UZB", "XAA"], **terms)
    data = encode(PROVISION, written)
    assert decode(PROVISION, data, MAX_PROVISION) == written
    assert (7 in fields(data), 8 in fields(data)) == (bool(terms), bool(terms))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({9: Tlp.RED.value, 4: Onward.MEMBERS.value}, Reason.CONTRADICTION),
        ({9: Tlp.RED.value, 4: Onward.PUBLIC.value}, Reason.CONTRADICTION),
        ({11: NOW - 1}, Reason.CONTRADICTION),
        ({11: NOW + OUTBOX_LIMIT + 1}, Reason.CONTRADICTION),
        ({7: NOW - 1}, Reason.CONTRADICTION),
        ({7: NOW + 9, 8: NOW + 10}, Reason.CONTRADICTION),
        ({1: bytes(15)}, Reason.OUT_OF_RANGE),
        ({2: []}, Reason.OUT_OF_RANGE),
        ({2: ["MNG", "KAZ"]}, Reason.BAD_ORDER),
        ({2: ["KAZ", "KAZ"]}, Reason.BAD_ORDER),
        ({2: ["kaz"]}, Reason.OUT_OF_RANGE),
        ({2: ["CICB"]}, Reason.OUT_OF_RANGE),
        ({3: []}, Reason.OUT_OF_RANGE),
        ({3: ["XAA", "UZB"]}, Reason.BAD_ORDER),
        ({4: 4}, Reason.OUT_OF_RANGE),
        ({5: 0}, Reason.OUT_OF_RANGE),
        ({6: 8}, Reason.OUT_OF_RANGE),
        ({7: None}, Reason.WRONG_TYPE),
        ({9: 5}, Reason.OUT_OF_RANGE),
        ({10: 1.5}, Reason.WRONG_TYPE),
        ({12: 4}, Reason.OUT_OF_RANGE),
        ({13: [b"\x01" * 16, TAG]}, Reason.BAD_ORDER),
        ({13: [TAG, TAG]}, Reason.BAD_ORDER),
        ({14: bytes(31)}, Reason.OUT_OF_RANGE),
        ({14: ABSENT}, Reason.MISSING_FIELD),
        ({15: 0}, Reason.UNKNOWN_FIELD),
    ],
)
def test_a_provision_outside_the_protocol_is_refused(
    provision: bytes, changes: Mapping[int, object], reason: Reason
) -> None:
    assert refused(PROVISION, changed(provision, changes)) is reason


@pytest.mark.parametrize("onward", [Onward.NONE, Onward.ON_CONSENT])
def test_red_goes_with_terms_that_name_recipients(provision: bytes, onward: Onward) -> None:
    data = changed(provision, {9: Tlp.RED.value, 4: onward.value})
    assert decode(PROVISION, data, MAX_PROVISION).tlp is Tlp.RED


def test_the_largest_provision_fits_its_bound(world: World) -> None:
    codes = ["A" + a + b for a in "ABCDEFGH" for b in "ABCDEFGH"]
    tags = tuple(bytes([n]) * 16 for n in range(8))
    largest = world.provision(world.manifest(), codes[:8], codes, until=2 * NOW, not_before=2 * NOW, class_tags=tags)
    assert len(encode(PROVISION, largest)) < MAX_PROVISION


@pytest.mark.parametrize(
    "signers", [["KAZ"], ["KAZ", "MNG", "UZB"], ["KAZ", "UZB"], ["MNG", "KAZ"], ["KAZ", "KAZ"], []]
)
def test_the_signers_are_exactly_the_providers(world: World, provision: bytes, signers: list[str]) -> None:
    signature = {2: bytes(32), 3: bytes(64)}
    data = pack({1: provision, 2: [{1: signer, **signature} for signer in signers]})
    ordered = {("MNG", "KAZ"): Reason.BAD_ORDER, ("KAZ", "KAZ"): Reason.BAD_ORDER, (): Reason.OUT_OF_RANGE}
    assert refused(SIGNED_PROVISION, data) is ordered.get(tuple(signers), Reason.CONTRADICTION)


def test_a_defect_inside_the_signed_bytes_is_seen_through_the_outer_object(provision: bytes) -> None:
    signatures = [{1: code, 2: bytes(32), 3: bytes(64)} for code in ("KAZ", "MNG")]
    assert refused(SIGNED_PROVISION, pack({1: provision + b"\x00", 2: signatures})) is Reason.TRAILING_BYTES
    assert refused(SIGNED_PROVISION, pack({1: bytes(MAX_PROVISION + 1), 2: signatures})) is Reason.OUT_OF_RANGE


def test_a_grant_is_read_as_it_was_written(world: World) -> None:
    tagged = world.grant(None, "KAZ", "MNG", ["UZB"], class_tag=TAG, uses=1)
    assert decode(SIGNED_GRANT, encode(SIGNED_GRANT, tagged), MAX_GRANT) == tagged
    assert (tagged.grant.class_tag, tagged.grant.provision, tagged.grant.uses) == (TAG, None, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({5: TAG}, Reason.CONTRADICTION),
        ({4: ABSENT}, Reason.CONTRADICTION),
        ({9: NOW - 1}, Reason.CONTRADICTION),
        ({6: []}, Reason.OUT_OF_RANGE),
        ({6: ["XAA", "UZB"]}, Reason.BAD_ORDER),
        ({7: 99}, Reason.OUT_OF_RANGE),
        ({10: 0}, Reason.OUT_OF_RANGE),
        ({10: None}, Reason.WRONG_TYPE),
        ({2: ABSENT}, Reason.MISSING_FIELD),
        ({11: 1}, Reason.UNKNOWN_FIELD),
    ],
)
def test_a_grant_outside_the_protocol_is_refused(world: World, changes: Mapping[int, object], reason: Reason) -> None:
    assert refused(GRANT, changed(grant(world), changes)) is reason


def test_a_grant_is_signed_by_its_provider_and_nobody_else(world: World) -> None:
    signature = Signature(world.nodes["MNG"].owner, world.nodes["MNG"].key_id, bytes(64))
    data = pack({1: grant(world), 2: SIGNATURE.pack(signature)})
    assert refused(SIGNED_GRANT, data) is Reason.CONTRADICTION


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (Onward.ON_CONSENT, "on-consent"),
        (Precedence.FLASH, "flash"),
        (Purpose.CONFIDENCE_BUILDING, "confidence-building"),
        (Tlp.AMBER_STRICT, "AMBER+STRICT"),
        (Suite.HYBRID_1, "hybrid-1"),
    ],
)
def test_labels_are_what_people_write(value: Onward | Precedence | Purpose | Tlp | Suite, label: str) -> None:
    assert value.label == label
    assert from_label(type(value), label) is value


def test_an_unknown_label_names_the_choices() -> None:
    with pytest.raises(ValueError, match="'secret' is not one of: none, on-consent, members, public"):
        from_label(Onward, "secret")
