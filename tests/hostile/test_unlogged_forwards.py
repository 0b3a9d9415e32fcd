"""Attacks on the moment of decision: a relay that says it accepted a forward, and whose log does not.

A forward waits until its acceptance stands in a cosigned checkpoint. What its provider sends itself does not wait.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.canon import decode, encode
from schemas.ids import Digest
from schemas.limits import HOUR, LOG_BY
from schemas.origin import ORIGINS, Origins
from schemas.terms import Onward
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.hostile_relay import HostileRelay, Line
from tests.support.node import TestNode, manifest_of, sealed_by
from tests.support.origins import AuditLog
from tests.support.world import Sealed, World


def original(world: World) -> Sealed:
    """KAZ to MNG, to be passed on to any member."""
    manifest = manifest_of(world, onward="members")
    provision = world.signed_provision(manifest, ("KAZ",), ["MNG"], onward=Onward.MEMBERS)
    return world.envelope(["MNG"], "KAZ", manifest=manifest, provisions=[provision])


def forward(world: World) -> Sealed:
    return world.forward(original(world), "MNG", ["UZB"])


class Proofs:
    """The proof that the relay gives; `give` replaces it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.give: Origins | None = None

        async def origin(line: Line, sender: str, envelope: bytes, recipient: str | None = None) -> bytes | None:
            return None if self.give is None else encode(ORIGINS, self.give)

        monkeypatch.setattr(Line, "origin", origin)


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> Proofs:
    return Proofs(monkeypatch)


async def waits(uzb: TestNode) -> None:
    before = uzb.facts()
    await uzb.pull()
    assert uzb.facts() == before
    assert (uzb.rows("received"), uzb.rows("origins")) == ([], [])


async def test_a_forward_waits_for_its_proof_and_is_taken_with_it(
    world: World, relay: HostileRelay, uzb: TestNode, proofs: Proofs
) -> None:
    """The control."""
    sealed = forward(world)
    relay.accept(sealed)
    await waits(uzb)
    proofs.give = relay.audit.proof(relay.logged["MNG", sealed.header.core.id])
    await uzb.pull()
    assert len(uzb.inbox()) == 1
    assert uzb.rows("origins")[0]["leaf"] == relay.audit.leaves[0]
    assert uzb.rows("origins_due") == []


async def test_what_a_provider_sends_itself_waits_for_nothing(
    world: World, relay: HostileRelay, uzb: TestNode, proofs: Proofs
) -> None:
    relay.accept(sealed_by(world, "KAZ", ("UZB",)))
    await uzb.pull()
    assert len(uzb.inbox()) == 1


def by(members: list[str] | None) -> Callable[[World, HostileRelay, Sealed, Origins], Origins]:
    return lambda world, relay, sealed, proof: relay.audit.proof(proof.proofs[0].index, by=members)


def of_other(world: World, relay: HostileRelay, sealed: Sealed, proof: Origins) -> Origins:
    log = AuditLog(world)
    return log.proof(log.accept(world.forward(original(world), "MNG", ["UZB"])))


def stating(**fields: object) -> Callable[[World, HostileRelay, Sealed, Origins], Origins]:
    """A leaf about the same envelope that states something else than the receipt."""

    def make(world: World, relay: HostileRelay, sealed: Sealed, proof: Origins) -> Origins:
        log = AuditLog(world)
        return log.proof(log.accept(sealed, **fields))

    return make


def with_other_consent(world: World, relay: HostileRelay, sealed: Sealed, proof: Origins) -> Origins:
    log = AuditLog(world)
    return log.proof(log.accept(sealed, provisions=original(world).header.core.provisions))


def in_the_directory(world: World, relay: HostileRelay, sealed: Sealed, proof: Origins) -> Origins:
    note = cosigned(world, signed_checkpoint(world, "directory", relay.audit.leaves)).encode()
    return replace(proof, checkpoints=(note,))


FALSE: dict[str, Callable[[World, HostileRelay, Sealed, Origins], Origins]] = {
    "one-less-than-the-quorum": by(["KAZ", "MNG"]),
    "nobody-cosigned": by([]),
    "the-proof-of-another-envelope": of_other,
    "accepted-later-than-the-receipt-says": stating(time=1_800_000_100),
    "decided-under-another-directory": stating(directory_size=3),
    "another-signature": stating(signature=bytes(64)),
    "other-consent": with_other_consent,
    "a-checkpoint-of-another-log": in_the_directory,
    "a-path-to-nowhere": lambda w, r, s, p: replace(p, proofs=(replace(p.proofs[0], path=(Digest(bytes(32)),)),)),
    "garbage-for-a-checkpoint": lambda w, r, s, p: replace(p, checkpoints=(b"\xff" * 40,)),
}


@pytest.mark.parametrize("name", FALSE)
async def test_a_forward_with_a_false_proof_waits(
    world: World, relay: HostileRelay, uzb: TestNode, proofs: Proofs, name: str
) -> None:
    sealed = forward(world)
    relay.accept(sealed)
    proofs.give = FALSE[name](world, relay, sealed, relay.audit.proof(0))
    await waits(uzb)


async def test_what_the_relay_does_not_log_in_time_is_an_alarm(
    world: World, relay: HostileRelay, uzb: TestNode, proofs: Proofs
) -> None:
    relay.accept(forward(world))
    uzb.clock.time += LOG_BY + HOUR
    await waits(uzb)
    assert uzb.alarms() == []
    uzb.clock.time += 1
    await waits(uzb)
    assert uzb.alarms() == ["not-logged"]


async def test_an_acceptance_that_is_dated_back_before_the_withdrawal_of_a_right(
    world: World, relay: HostileRelay, uzb: TestNode, proofs: Proofs
) -> None:
    """The relay's receipt says that it accepted in time. Its log would have to say so too, and others cosign it now."""
    sealed = forward(world)
    relay.accept(sealed, time=world.now - 60)
    late = AuditLog(world)
    proofs.give = late.proof(late.accept(sealed, time=world.now))
    await waits(uzb)
    assert decode(ORIGINS, encode(ORIGINS, proofs.give), 2**20) == proofs.give
