"""Encryption epochs of one node: when they are, which are to be published, what a theft of them exposes. Pure.

An epoch is one slot of seven days of Unix time (slot = time // TERM). Its private half exists from when it was made,
ahead of time, until `destroy_at`. Numbers ascend under each signing key and are mostly the slot's; after the halves
were lost, as after a restore, the same slots are published anew under higher numbers. Senders use the newest epoch of
the directory, whatever its number.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from keys.directory import EpochRecord
from keys.errors import KeystoreFault, Untrusted
from keys.primitives import KEM_SEED
from schemas.canon import Field, Struct, Uint, decode, encode
from schemas.errors import DecodeError
from schemas.ids import TIME, KeyId
from schemas.limits import DAY, MAX_EPOCH, MAX_SMALL_OBJECT

# Seven days to an epoch, at least eight published ahead, so that a node may be unreachable for weeks and still be
# sent to; destroyed 35 days after its end, so that an envelope may take the 30 days that it may wait.
EPOCH_TERM: Final = 7 * DAY
EPOCHS_AHEAD: Final = 8
EPOCH_GRACE: Final = 35 * DAY


@dataclass(frozen=True, slots=True)
class EpochTerms:
    """What a node keeps of an epoch that it made, beside its seed. Times are Unix seconds.

    `created` is when the private half was made, and what its published statement says.
    """

    number: int
    valid_from: int
    valid_until: int
    destroy_at: int
    created: int


_TERMS: Final = Struct(
    EpochTerms,
    Field(1, "number", Uint(0, MAX_EPOCH)),
    Field(2, "valid_from", TIME),
    Field(3, "valid_until", TIME),
    Field(4, "destroy_at", TIME),
    Field(5, "created", TIME),
)


def epoch_secret(terms: EpochTerms, seed: bytes) -> bytes:
    """What the keystore holds of an epoch: the seed (96 bytes), then its terms."""
    return seed + encode(_TERMS, terms)


def read_epoch(secret: bytes) -> tuple[EpochTerms, bytearray]:
    """Terms and seed of what `epoch_secret` made; raises KeystoreFault. The seed can be overwritten."""
    try:
        return decode(_TERMS, secret[KEM_SEED:], MAX_SMALL_OBJECT), bytearray(secret[:KEM_SEED])
    except DecodeError:
        raise KeystoreFault("a file of the epochs opens but holds no epoch: it is a key of another kind") from None


def half_name(number: int, key: KeyId) -> str:
    """How a keystore names the private half. With the key's id: a number may be tried again with another key."""
    return f"epoch-{number}-{key.hex()[:16]}"


def terms_of(slot: int, last: int, now: int) -> EpochTerms:
    """The epoch of a slot, made now; `last` is the highest number under the signing key, -1 when there is none.

    Raises Untrusted when no number is left, which only a thief of that key brings about.
    """
    if last >= MAX_EPOCH:
        raise Untrusted("the signing key has no number of an epoch left: somebody else used it; revoke and replace it")
    start = slot * EPOCH_TERM
    end = start + EPOCH_TERM
    return EpochTerms(max(slot, last + 1), start, end, end + EPOCH_GRACE, now)


def slots_to_publish(held: Iterable[EpochRecord], now: int, certified_until: int) -> tuple[int, ...]:
    """The slots, from the present one to eight ahead, for which no epoch is published whose private half is held.

    `held`: this node's published epochs that are in force and whose private halves it has. None begins after the
    signing key ends. Raises Untrusted when the epochs are ahead of the clock: it was set back.
    """
    held = tuple(held)
    current = now // EPOCH_TERM
    if any(record.valid_from > (current + EPOCHS_AHEAD) * EPOCH_TERM for record in held):
        raise Untrusted("the epochs in the directory are ahead of this clock: check the clock")
    return tuple(
        slot
        for slot in range(current, current + EPOCHS_AHEAD + 1)
        if slot * EPOCH_TERM < certified_until and not any(_covers(record, slot) for record in held)
    )


def _covers(record: EpochRecord, slot: int) -> bool:
    return record.valid_from <= slot * EPOCH_TERM and record.valid_until >= (slot + 1) * EPOCH_TERM


@dataclass(frozen=True, slots=True)
class Exposure:
    """One epoch, and whether a thief at a given time had its private half. Times are Unix seconds."""

    record: EpochRecord
    exposed: bool


def exposure(records: Iterable[EpochRecord], made: Iterable[int], stolen_at: int) -> tuple[Exposure, ...]:
    """Which private halves existed when everything of a node was stolen, from the epochs' statements alone.

    `made`: when each record's half was made, which is what its statement says (`created`). A half that was destroyed
    before, or made afterwards, was not there to be stolen.
    """
    return tuple(
        Exposure(record, created <= stolen_at < record.destroy_at)
        for record, created in zip(records, made, strict=True)
    )


def exposed_keys(exposures: Iterable[Exposure]) -> frozenset[KeyId]:
    """The ids of the epochs that a thief can open wraps of."""
    return frozenset(item.record.key_id for item in exposures if item.exposed)
