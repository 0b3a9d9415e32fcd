"""Vectors of how long a thing may last: envelopes, epochs, and the audience as a ground."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from exchange.consent.decision import Rule
from exchange.delivery.times import TimeRule
from schemas.canon import encode
from schemas.errors import Reason
from schemas.ids import ClassTag
from schemas.limits import DAY, MAX_EPOCH_GRACE, MAX_LIFE
from schemas.statement import EPOCH_KEY, EpochKey, read_entry
from schemas.terms import Onward
from tests.support.world import Sealed
from tests.vectors.gen.model import Vector, decode
from tests.vectors.gen.valid import Story


def lasting(story: Story) -> Iterator[Vector]:
    """An epoch that is kept for a long time, and an envelope that would use it."""
    world, now = story.world, story.world.now
    epoch = read_entry(world.entries[4]).statement
    if not isinstance(epoch, EpochKey):
        raise TypeError
    last = encode(EPOCH_KEY, replace(epoch, destroy_at=epoch.valid_until + MAX_EPOCH_GRACE))
    # The same bytes but for the last second: a statement that no honest encoder makes.
    later = last.replace(_time(epoch.valid_until + MAX_EPOCH_GRACE), _time(epoch.valid_until + MAX_EPOCH_GRACE + 1))
    yield decode("destroyed-as-late-as-may-be", "epoch-key", last)
    yield decode("destroyed-too-late", "epoch-key", later, Reason.CONTRADICTION)
    for_ever = world.envelope(["MNG"], provisions=[story.provision], core={"expires": now + MAX_LIFE + 1})
    given = {"now": now, "hex": for_ever.header_bytes.hex()}
    yield Vector("times", "header-expires-beyond-limit", "header", TimeRule.TOO_LONG, "", given)


def _time(value: int) -> bytes:
    return b"\xce" + value.to_bytes(4, "big")


def late(story: Story) -> Iterator[Vector]:
    """MNG, one of the audience, sends to UZB, another of it, in and after the time for that."""
    world, now = story.world, story.world.now

    def vector(name: str, sealed: Sealed, at: int, *expect: Rule) -> Vector:
        given: dict[str, Any] = {"now": at, "hex": sealed.header_bytes.hex(), "used_by_others": [], "entries": []}
        return Vector("authorise", f"header-audience-{name}", "header", sorted(expect), "", given)

    def sent(to: str = "UZB", onward: Onward = Onward.NONE, granted: bool = False) -> Sealed:
        tag = ClassTag(b"t" * 16)
        signed = world.signed_provision(
            story.manifest, ["KAZ"], ["MNG", "UZB"], onward=onward, send_by=now, class_tags=(tag,)
        )
        grants = [world.grant(None, "KAZ", "MNG", ["UZB"], class_tag=tag)] if granted else []
        return world.envelope([to], "MNG", manifest=story.manifest, provisions=[signed], grants=grants)

    yield vector("to-audience-in-time", sent(), now)
    yield vector("to-audience-late", sent(), now + 1, Rule.SEND_BY)
    yield vector("to-provider-late", sent("KAZ"), now + DAY)
    yield vector("to-audience-late-under-open-terms", sent(onward=Onward.MEMBERS), now + DAY)
    yield vector("to-audience-late-under-a-grant", sent(granted=True), now + DAY)
