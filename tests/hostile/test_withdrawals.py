"""Attacks around a withdrawal of consent: the race for the last transfer, and what a relay hides.

A withdrawal is acknowledged by a cosigned checkpoint that contains it. From then on nothing is accepted against it.
What was accepted before is lawful, whenever it is opened.
"""

import random
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from exchange.errors import Forbidden
from keys.ceremony import withdraw_grant, withdraw_provision
from schemas.canon import encode
from schemas.limits import DAY, MERGE_DELAY
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry
from tests.support.attacks import delivered, refused_by_receiver
from tests.support.cosigners import cosigned_note
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of, ministry
from tests.support.races import RacingRelay, racing
from tests.support.world import Sealed, World

RACES: Final = 1000
OVERUSES: Final = 100
KINDS: Final = ("grant", "provision", "one of two Grants", "one of two providers")


@dataclass(frozen=True)
class Case:
    """A forward by MNG to UZB, and the withdrawal of what it rests on; `code` refuses a late forward."""

    forward: Sealed
    withdrawal: DirectoryEntry
    provider: str
    code: str


def case_of(world: World, kind: str, now: int) -> Case:
    """KAZ, or KAZ and XAA, provided it to MNG, and granted that MNG passes it to UZB; one of them withdraws."""
    providers = ("KAZ", "XAA") if "two" in kind else ("KAZ",)
    manifest = world.manifest(providers) if "two" in kind else manifest_of(world)
    signed = world.signed_provision(manifest, providers, ["MNG"])
    grants = [world.grant(signed.provision, provider, "MNG", ["UZB"]) for provider in providers]
    forward = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[signed], grants=grants)
    who = world.nodes[providers[-1]]
    if "rant" in kind:
        return Case(forward, withdraw_grant(who, grants[-1].grant.id, now), who.owner, "no-consent")
    return Case(forward, withdraw_provision(who, signed.provision.id, now), who.owner, "consent-withdrawn")


# The race.


async def raced(running: RacingRelay, case: Case, draw: random.Random) -> str:
    """One race; never accepted after the acknowledgement, never refused before a quorum has cosigned.

    Gives what kind of race it was.
    """
    index = running.app.keeper.current.size
    tasks = await running.race(
        draw,
        forward=running.submit(case.forward),
        withdrawal=running.withdraw(case.withdrawal),
        log=running.publish(index + 1),
    )
    trace = running.trace
    assert await tasks["withdrawal"] == index
    acknowledged, judged_first = trace.index(f"served:{index + 1}"), trace.index("forward:facts")
    fault = tasks["forward"].exception()
    if fault is None:
        receipt = await tasks["forward"]
        assert receipt.directory_size <= index
        assert trace.index("decided") < trace.index("committed") < acknowledged
        assert await running.submit(case.forward) == receipt
        return "accepted"
    assert isinstance(fault, Forbidden)
    assert fault.code == case.code
    assert fault.extra["ask"] == [case.provider]
    refused = max(n for n, step in enumerate(trace) if step.startswith("forward:") and step != "forward:refusal")
    # The relay decides by what a quorum has cosigned as soon as that is on its disk, and then shows it.
    assert max(n for n, step in enumerate(trace[:acknowledged]) if step == "log:saved") < refused
    with pytest.raises(Forbidden, match=re.escape(fault.detail)):
        await running.submit(case.forward)
    if refused == judged_first:
        return "refused at once"
    return "refused in the transaction" if trace[refused] == "forward:transaction" else "refused after the body"


async def test_a_thousand_races_between_a_withdrawal_and_a_forward(tmp_path: Path) -> None:
    world, seen = World(epochs=1), Counter[tuple[str, str]]()
    async with racing(tmp_path, world) as running:
        for seed in range(RACES):
            draw = random.Random(seed)
            kind = draw.choice(KINDS)
            case = case_of(world, kind, running.app.clock.now())
            seen[kind, await raced(running, case, draw)] += 1
        stored = rows(tmp_path, "SELECT count(*) FROM envelopes")
    assert sum(seen.values()) == RACES
    assert stored == sum(count for (_, outcome), count in seen.items() if outcome.startswith("accepted"))
    by_outcome = Counter[str]()
    for (kind, outcome), count in seen.items():
        by_outcome[outcome] += count
        print(f"{kind}, {outcome}: {count}")  # noqa: T201  # how the races went, with -s
    assert set(by_outcome) == {
        "accepted",
        "refused at once",
        "refused after the body",
        "refused in the transaction",
    }
    for kind in KINDS:
        assert {outcome.split()[0].strip(",") for name, outcome in seen if name == kind} == {"accepted", "refused"}


async def test_two_forwards_at_once_under_a_grant_for_one_use(tmp_path: Path) -> None:
    """To two states; each is judged allowed before the other is counted."""
    world, first = World(epochs=1), Counter[str]()
    async with racing(tmp_path, world) as running:
        for seed in range(OVERUSES):
            manifest = world.manifest()
            signed = world.signed_provision(manifest, ["KAZ"], ["MNG"])
            grant = world.grant(signed.provision, "KAZ", "MNG", ["UZB", "XAA"], uses=1)
            to = {
                code: world.envelope([code], "MNG", manifest=manifest, provisions=[signed], grants=[grant])
                for code in ("UZB", "XAA")
            }
            tasks = await running.race(
                random.Random(seed), UZB=running.submit(to["UZB"]), XAA=running.submit(to["XAA"])
            )
            faults = {code: task.exception() for code, task in tasks.items()}
            (winner,) = (code for code, fault in faults.items() if fault is None)
            (refused,) = (fault for fault in faults.values() if fault is not None)
            assert isinstance(refused, Forbidden)
            assert refused.code == "no-consent"
            first[winner] += 1
        assert rows(tmp_path, "SELECT count(*) FROM uses") == OVERUSES
    assert set(first) == {"UZB", "XAA"}


def rows(folder: Path, query: str) -> int:
    with closing(sqlite3.connect(folder / "relay.db")) as connection:
        return int(connection.execute(query).fetchone()[0])


# What a relay hides, and what it is not to be blamed for.


async def look(tested: TestNode) -> None:
    await tested.parts.directory.update(tested.parts.relay, tested.clock.now())


async def forwarded(mng: TestNode, message: bytes) -> None:
    """MNG's ministry passes a message on to UZB, and its node does what it can."""
    source = await mng.parts.stores.views.message(message)
    assert source is not None
    await mng.composer.forward(source, {"to": ["UZB"]}, ministry(), None)
    await mng.send()


@pytest.mark.parametrize("withdrawn", [True, False])
@pytest.mark.parametrize("kind", ["grant", "provision"])
async def test_a_relay_that_hides_a_withdrawal_gains_the_age_of_a_checkpoint_and_no_more(
    world: World, relay: HostileRelay, mng: TestNode, kind: str, withdrawn: bool
) -> None:
    """It shows MNG the old directory. At the age limit MNG's forward waits, until what is shown is of today."""
    case = case_of(world, kind, world.now)
    original = world.forward(case.forward, "KAZ", ["MNG"], grants=case.forward.header.core.grants)
    message = await delivered(mng, relay, original)
    relay.notes["MNG"] = cosigned_note(world, relay.entries)
    if withdrawn:
        relay.entries.append(encode(DIRECTORY_ENTRY, case.withdrawal))
    mng.clock.time += mng.parts.config.delivery.directory_max_age + 1
    await look(mng)
    await forwarded(mng, message)
    assert relay.posted == []
    assert mng.recipients() == {"UZB": "pending"}
    assert waits_for(mng).startswith("the directory was cosigned 168 hours ago")
    del relay.notes["MNG"]
    await look(mng)
    await mng.send()
    assert len(relay.posted) == (0 if withdrawn else 1)
    if withdrawn:
        assert waits_for(mng).startswith("KAZ has withdrawn" if kind == "provision" else "no valid Grant of KAZ")


def waits_for(tested: TestNode) -> str:
    (row,) = (
        row for row in tested.rows("messages") if (row["box"], row["record_type"] != "consent") == ("outbox", True)
    )
    return str(row["waits"])


@pytest.mark.parametrize("kind", ["grant", "provision"])
async def test_what_was_accepted_before_a_withdrawal_and_is_opened_after_it_is_nobodys_fault(
    world: World, relay: HostileRelay, uzb: TestNode, kind: str
) -> None:
    case = case_of(world, kind, world.now)
    size = len(relay.entries)
    relay.entries.append(encode(DIRECTORY_ENTRY, case.withdrawal))
    uzb.clock.time += DAY // 2
    await look(uzb)
    assert uzb.parts.directory.current.size == size + 1
    await delivered(uzb, relay, case.forward, directory_size=size)
    assert uzb.alarms() == []
    assert uzb.outcomes() == [("delivered", None)]


@pytest.mark.parametrize("kind", ["grant", "provision"])
async def test_a_relay_that_accepts_after_a_withdrawal_and_states_the_size_of_before(
    world: World, relay: HostileRelay, uzb: TestNode, kind: str
) -> None:
    """The true size convicts MNG; the size of before convicts the relay, which had a cosigned checkpoint with it."""
    case = case_of(world, kind, world.now)
    size = len(relay.entries)
    relay.entries.append(encode(DIRECTORY_ENTRY, case.withdrawal))
    await look(uzb)
    later = uzb.clock.time = world.now + MERGE_DELAY + 60
    frame = relay.put(case.forward, world.receipt(case.forward, time=later, directory_size=size))
    await uzb.pull()
    relay.waiting["UZB"].remove(frame)
    assert (uzb.inbox(), relay.acknowledged) == ([], [])
    assert set(uzb.alarms()) == {"receipt-size"}
    await refused_by_receiver(uzb, relay, case.forward, case.code, time=later, directory_size=size + 1)
