"""Which epochs are due, and what a theft exposes: pure functions of records and times."""

from dataclasses import replace

import pytest

from keys.directory import EpochRecord
from keys.epochs import (
    EPOCH_TERM,
    EPOCHS_AHEAD,
    EpochTerms,
    epoch_secret,
    exposed_keys,
    exposure,
    read_epoch,
    slots_to_publish,
    terms_of,
)
from keys.errors import KeystoreFault, Untrusted
from schemas.limits import DAY, MAX_EPOCH
from tests.support.world import NOW, World

SLOT = NOW // EPOCH_TERM
LONG = NOW + 1000 * DAY


@pytest.fixture
def record(world: World) -> EpochRecord:
    return next(iter(world.directory.epochs.values()))[0]


def at(record: EpochRecord, slot: int) -> EpochRecord:
    """The record as if it were of a slot."""
    terms = terms_of(slot, -1, NOW)
    return replace(record, valid_from=terms.valid_from, valid_until=terms.valid_until, destroy_at=terms.destroy_at)


def test_a_secret_comes_back_and_its_seed_can_be_overwritten() -> None:
    terms = EpochTerms(7, 1, 2, 3, 4)
    read, seed = read_epoch(epoch_secret(terms, b"s" * 96))
    assert (read, seed) == (terms, bytearray(b"s" * 96))
    seed[:] = bytes(96)


@pytest.mark.parametrize("secret", [b"", b"s" * 96, b"s" * 97, epoch_secret(EpochTerms(7, 1, 2, 3, 4), b"s" * 95)])
def test_another_secret_is_no_epoch(secret: bytes) -> None:
    with pytest.raises(KeystoreFault):
        read_epoch(secret)


def test_the_present_slot_and_eight_ahead_are_due() -> None:
    assert slots_to_publish((), NOW, LONG) == tuple(range(SLOT, SLOT + EPOCHS_AHEAD + 1))


def test_a_slot_that_is_covered_is_not_due(record: EpochRecord) -> None:
    held = [at(record, SLOT), at(record, SLOT + 2)]
    wanted = [SLOT + 1, *range(SLOT + 3, SLOT + EPOCHS_AHEAD + 1)]
    assert slots_to_publish(held, NOW, LONG) == tuple(wanted)


def test_nothing_begins_after_the_signing_key_has_ended() -> None:
    assert slots_to_publish((), NOW, (SLOT + 2) * EPOCH_TERM) == (SLOT, SLOT + 1)


def test_a_clock_that_was_set_back_is_told(record: EpochRecord) -> None:
    slots_to_publish([at(record, SLOT + EPOCHS_AHEAD)], NOW, LONG)
    with pytest.raises(Untrusted, match="clock"):
        slots_to_publish([at(record, SLOT + EPOCHS_AHEAD + 1)], NOW, LONG)


@pytest.mark.parametrize(("last", "number"), [(-1, SLOT), (SLOT - 5, SLOT), (SLOT - 1, SLOT), (SLOT, SLOT + 1)])
def test_numbers_ascend_and_are_the_slots_where_they_can(last: int, number: int) -> None:
    assert terms_of(SLOT, last, NOW).number == number


def test_the_last_number_is_used_and_none_beyond_it() -> None:
    assert terms_of(SLOT, MAX_EPOCH - 1, NOW).number == MAX_EPOCH
    with pytest.raises(Untrusted, match="revoke and replace"):
        terms_of(SLOT, MAX_EPOCH, NOW)


@pytest.mark.parametrize(
    ("stolen", "exposed"), [(-1, False), (0, True), (EPOCH_TERM, True), (41 * DAY, True), (42 * DAY, False)]
)
def test_a_half_is_exposed_from_its_making_to_its_destruction(record: EpochRecord, stolen: int, exposed: bool) -> None:
    one = at(record, SLOT)
    start = SLOT * EPOCH_TERM
    (told,) = exposure([one], [start], start + stolen)
    assert told.exposed is exposed
    assert exposed_keys([told]) == (frozenset({one.key_id}) if exposed else frozenset())
