"""When an envelope may still be accepted, and to which epoch keys it may be sealed."""

from dataclasses import replace

import pytest

from exchange.delivery.times import TimeFault, TimeRule, time_fault
from keys.directory import Directory, extend
from keys.identity import EpochIdentity
from schemas.ids import KeyId
from schemas.limits import DAY, EXPIRY_MARGIN, HOUR, MAX_CLOCK_AHEAD, MAX_EPOCH_GRACE, MAX_LIFE, OUTBOX_LIMIT
from schemas.statement import read_entry
from tests.support.changes import ChangingWorld, revocation
from tests.support.realm import EPOCH_GRACE, EPOCH_TERM, epoch_entry, epoch_statement
from tests.support.world import NOW, Sealed, World

EPOCH_END = NOW - DAY + EPOCH_TERM
DESTROY = EPOCH_END + EPOCH_GRACE


def fault(world: World, sealed: Sealed, now: int = NOW, directory: Directory | None = None) -> TimeFault | None:
    return time_fault(world.verified(sealed), directory or world.directory, now)


def rule(world: World, sealed: Sealed, now: int = NOW) -> TimeRule | None:
    found = fault(world, sealed, now)
    return found.rule if found else None


def sealed_at(world: World, created: int, expires: int, to: tuple[str, ...] = ("MNG",)) -> Sealed:
    return world.envelope(to, core={"created": created, "expires": expires})


@pytest.mark.parametrize(
    ("created", "expires", "now", "expected"),
    [
        (NOW, NOW + DAY, NOW, None),
        (NOW + MAX_CLOCK_AHEAD, NOW + DAY, NOW, None),
        (NOW + MAX_CLOCK_AHEAD + 1, NOW + DAY, NOW, TimeRule.AHEAD),
        (NOW, NOW + 31 * DAY, NOW + OUTBOX_LIMIT, None),
        (NOW, NOW + 31 * DAY, NOW + OUTBOX_LIMIT + 1, TimeRule.STALE),
        (NOW, NOW + HOUR, NOW + HOUR - 1, None),
        (NOW, NOW + HOUR, NOW + HOUR, TimeRule.EXPIRED),
        (NOW, NOW + HOUR, NOW + DAY, TimeRule.EXPIRED),
    ],
)
def test_an_envelope_is_accepted_within_its_time(
    world: World, created: int, expires: int, now: int, expected: TimeRule | None
) -> None:
    assert rule(world, sealed_at(world, created, expires), now) is expected


@pytest.mark.parametrize(("life", "expected"), [(MAX_LIFE, None), (MAX_LIFE + 1, TimeRule.TOO_LONG)])
def test_no_envelope_lives_longer_than_any_needs_to(world: World, life: int, expected: TimeRule | None) -> None:
    """Whatever the recipient's key would allow: its node may collude."""
    key = EpochIdentity(b"k" * 96)
    kept_long = replace(epoch_statement("MNG", 9, key, NOW - 56 * DAY), created=NOW)
    kept_long = replace(kept_long, destroy_at=kept_long.valid_until + MAX_EPOCH_GRACE)
    directory = extend(world.directory, [read_entry(epoch_entry(kept_long, world.nodes["MNG"]))])
    core = {"created": NOW, "expires": NOW + life}
    first = world.envelope(["MNG"], core=core)
    wrap = world.wrap(first.secrets["MNG"], first.header.core_bytes, "MNG", key.public, key.key_id)
    found = fault(world, world.envelope(["MNG"], core=core, wraps={"MNG": wrap}), directory=directory)
    assert (found and found.rule) == expected


def test_it_expires_an_hour_before_the_key_is_destroyed_at_the_latest(world: World) -> None:
    assert rule(world, sealed_at(world, NOW, DESTROY - EXPIRY_MARGIN)) is None
    found = fault(world, sealed_at(world, NOW, DESTROY - EXPIRY_MARGIN + 1))
    assert found is not None
    assert (found.rule, found.recipient) == (TimeRule.EXPIRES_LATE, "MNG")


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        (NOW - DAY, None),
        (NOW - DAY - 1, TimeRule.EPOCH_NOT_VALID),
        (EPOCH_END, None),
        (EPOCH_END + 1, TimeRule.EPOCH_NOT_VALID),
    ],
)
def test_the_epoch_was_valid_when_the_envelope_was_sealed(
    world: World, created: int, expected: TimeRule | None
) -> None:
    assert rule(world, sealed_at(world, created, NOW + 8 * DAY), max(created, NOW)) is expected


def test_a_retry_after_the_epoch_has_ended_is_accepted(world: World) -> None:
    assert rule(world, sealed_at(world, NOW, NOW + 20 * DAY), EPOCH_END + DAY) is None


def test_a_wrap_to_an_unknown_key_is_refused(world: World) -> None:
    sealed = world.envelope(["MNG"])
    wrap = world.wrap(sealed.secrets["MNG"], sealed.header.core_bytes, "MNG", key_id=KeyId(bytes(32)))
    found = fault(world, world.envelope(["MNG"], wraps={"MNG": wrap}))
    assert found is not None
    assert (found.rule, found.recipient) == (TimeRule.EPOCH_UNKNOWN, "MNG")


def test_a_wrap_to_a_key_of_another_member_is_refused(world: World) -> None:
    stolen = world.epochs["UZB"][0]
    sealed = world.envelope(["MNG"])
    wrap = world.wrap(sealed.secrets["MNG"], sealed.header.core_bytes, "MNG", stolen.public, stolen.key_id)
    assert rule(world, world.envelope(["MNG"], wraps={"MNG": wrap})) is TimeRule.EPOCH_UNKNOWN


def test_every_recipient_is_judged_and_the_fault_names_the_one(world: World) -> None:
    other = World(seed="other keys")
    odd = other.epochs["UZB"][0]
    ended = replace(epoch_statement("UZB", 9, odd, NOW - 100 * DAY), created=NOW)
    directory = extend(world.directory, [read_entry(epoch_entry(ended, world.nodes["UZB"]))])
    first = world.envelope(["MNG", "UZB"])
    wrap = world.wrap(first.secrets["UZB"], first.header.core_bytes, "UZB", odd.public, odd.key_id)
    found = fault(world, world.envelope(["MNG", "UZB"], wraps={"UZB": wrap}), directory=directory)
    assert found is not None
    assert (found.rule, found.recipient) == (TimeRule.EPOCH_NOT_VALID, "UZB")


def test_a_fault_says_what_to_do_in_one_line(world: World) -> None:
    for created, expires, now in ((NOW + 999, NOW + DAY, NOW), (NOW, NOW + 1, NOW + 1), (NOW, DESTROY, NOW)):
        found = fault(world, sealed_at(world, created, expires), now)
        assert found is not None
        assert found.detail
        assert "\n" not in found.detail


def test_an_envelope_sealed_to_an_epoch_that_was_ended_has_to_be_sealed_anew() -> None:
    world = ChangingWorld()
    sealed = world.envelope(["MNG", "UZB"])
    before = world.directory.size
    after = world.publish(revocation(world.roots["MNG"], world.nodes["MNG"].key_id, NOW))
    found = time_fault(world.verified(sealed), after, NOW)
    assert found is not None
    assert (found.rule, found.recipient) == (TimeRule.EPOCH_ENDED, "MNG")
    # What was accepted below the index of that stands.
    assert time_fault(world.verified(sealed), after.as_of(before), NOW) is None
