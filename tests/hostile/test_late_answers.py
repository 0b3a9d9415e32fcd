"""Acknowledgements whose key was revoked when their sender sees them: the recipient's of before, or a thief's."""

from dataclasses import replace

import pytest

from schemas.canon import encode
from schemas.evidence import LOGGED_ENTRY, LoggedEntry
from schemas.limits import DAY
from schemas.receipt import SignedAcknowledgement
from schemas.statement import DIRECTORY_ENTRY
from tests.support.answered import logged_answer_of
from tests.support.changes import revocation
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.world import Sealed, World


class Case:
    """KAZ's envelope, MNG's acknowledgement, MNG's revocation; what the relay shows of its log is the test's."""

    def __init__(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        self.world, self.relay, self.kaz = world, relay, kaz
        self.size = len(world.entries)

    async def sent(self) -> Sealed:
        await self.kaz.write(["MNG"])
        await self.kaz.send()
        return self.relay.posted[-1]

    async def revoke(self) -> None:
        world = self.world
        entry = revocation(world.roots["MNG"], world.nodes["MNG"].key_id, self.kaz.clock.now())
        self.relay.entries.append(encode(DIRECTORY_ENTRY, entry))
        await self.follow()

    async def follow(self) -> None:
        await self.kaz.parts.directory.update(self.kaz.parts.relay, self.kaz.clock.now())

    def show(self, sealed: Sealed, ack: SignedAcknowledgement, logged: LoggedEntry | None) -> None:
        if logged is not None:
            self.relay.answered[sealed.header.core.id, "MNG"] = encode(LOGGED_ENTRY, logged)
        self.relay.notify("KAZ", ack)


@pytest.fixture
def case(world: World, relay: HostileRelay, kaz: TestNode) -> Case:
    return Case(world, relay, kaz)


async def test_an_answer_of_before_the_revocation_counts(case: Case) -> None:
    sealed = await case.sent()
    ack = case.world.acknowledgement(sealed, "MNG", time=case.world.now)
    logged = logged_answer_of(case.world, ack, case.size)
    await case.revoke()
    case.show(sealed, ack, logged)
    await case.kaz.pull()
    assert (case.kaz.recipients(), case.kaz.alarms()) == ({"MNG": "delivered"}, [])
    assert [item.recipient for item in case.relay.seen] == ["MNG"]


async def refused(case: Case) -> None:
    """Nothing has moved, and it is an alarm."""
    before = case.kaz.facts()
    await case.kaz.pull()
    assert case.kaz.facts() == before
    assert (case.kaz.recipients(), case.kaz.alarms()) == ({"MNG": "accepted"}, ["bad-notice"])
    assert case.relay.seen == []


async def test_an_answer_by_a_thief_dated_back_and_not_logged(case: Case) -> None:
    sealed = await case.sent()
    await case.revoke()
    case.show(sealed, case.world.acknowledgement(sealed, "MNG", time=case.world.now), None)
    await refused(case)


async def test_an_answer_by_a_thief_that_the_relay_logs_afterwards(case: Case) -> None:
    sealed = await case.sent()
    await case.revoke()
    ack = case.world.acknowledgement(sealed, "MNG", time=case.world.now)
    case.show(sealed, ack, logged_answer_of(case.world, ack, case.size + 1))
    await refused(case)


async def test_an_answer_by_a_thief_that_the_relay_logs_as_if_before(case: Case) -> None:
    """The members' cosignatures say when: by then the relay's directory was larger."""
    sealed = await case.sent()
    await case.revoke()
    case.kaz.clock.time += DAY
    await case.follow()
    ack = case.world.acknowledgement(sealed, "MNG", time=case.world.now)
    case.show(sealed, ack, logged_answer_of(case.world, ack, case.size, time=case.world.now + DAY))
    await refused(case)


async def test_an_answer_by_a_thief_under_the_entry_of_another(case: Case) -> None:
    sealed = await case.sent()
    true = case.world.acknowledgement(sealed, "MNG", time=case.world.now)
    logged = logged_answer_of(case.world, true, case.size)
    await case.revoke()
    case.show(sealed, case.world.acknowledgement(sealed, "MNG", time=case.world.now + 1), logged)
    await refused(case)


async def test_an_answer_by_a_thief_under_a_checkpoint_of_the_relay_alone(case: Case) -> None:
    sealed = await case.sent()
    ack = case.world.acknowledgement(sealed, "MNG", time=case.world.now)
    logged = logged_answer_of(case.world, ack, case.size, by=["KAZ", "MNG"])
    await case.revoke()
    case.show(sealed, ack, logged)
    await refused(case)


async def test_an_entry_that_is_garbage(case: Case) -> None:
    sealed = await case.sent()
    ack = case.world.acknowledgement(sealed, "MNG", time=case.world.now)
    logged = logged_answer_of(case.world, ack, case.size)
    await case.revoke()
    case.show(sealed, ack, replace(logged, leaf=b"\x00"))
    await refused(case)
