"""What it means that an attack failed: where it had to be refused, with which code, and that nothing else changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exchange.errors import ExchangeError
from schemas.canon import decode
from schemas.content import ContentKind
from schemas.ids import EnvelopeId
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, Outcome, SignedReceipt
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Facts, TestNode, ministry
from tests.support.relay import Server, relay
from tests.support.world import Sealed, World

RELAY_STATE = ("envelopes", "contents", "deliveries", "notices", "uses", "directory")


async def refused_by_receiver(
    target: TestNode, relay: HostileRelay, sealed: Sealed, rule: str, **receipt: object
) -> None:
    """A colluding relay delivers it: evidence, one alarm, and a signed refusal that gives no reason; nothing else.

    But for what providers are told of it ("hostile/test_refusals.py").
    """
    before, alarms, answers = target.facts(), target.alarms(), len(relay.acknowledged)
    frame = relay.accept(sealed, (target.parts.member,), **receipt)
    await target.pull()
    relay.waiting[target.parts.member].remove(frame)
    assert _without_notices(target.facts(), before) == before
    assert target.alarms() == [*alarms, rule]
    evidence = evidence_of(target, sealed)
    assert evidence is not None
    assert (evidence["outcome"], evidence["reason"]) == ("refused", rule)
    answer = decode(SIGNED_ACKNOWLEDGEMENT, relay.acknowledged[-1], 2048).acknowledgement
    assert len(relay.acknowledged) == answers + 1
    assert (answer.outcome, answer.header_digest) == (Outcome.REFUSED, sealed.digest)


def _without_notices(facts: Facts, before: Facts) -> Facts:
    """What a node holds, less the messages about consent that it did not have in its outbox before."""
    rows = {table: facts[table] for table in ("messages", "recipients")}
    assert isinstance(rows["messages"], list)
    assert isinstance(rows["recipients"], list)
    new = [row for row in rows["messages"] if row not in before["messages"]]  # type: ignore[operator]  # a list too
    told = {row["id"] for row in new if (row["box"], row["kind"]) == ("outbox", ContentKind.CONSENT)}
    messages = [row for row in rows["messages"] if row["id"] not in told]
    return {**facts, "messages": messages, "recipients": [r for r in rows["recipients"] if r["message"] not in told]}


async def put_off_by_receiver(
    target: TestNode, relay: HostileRelay, sealed: Sealed, code: str, receipt: SignedReceipt | None = None
) -> None:
    """What is the relay's fault: an alarm, and no answer and no evidence in the sender's name."""
    before, alarms, answers = target.facts(), target.alarms(), len(relay.acknowledged)
    frame = relay.put(sealed, receipt or relay.world.receipt(sealed), (target.parts.member,))
    await target.pull()
    relay.waiting[target.parts.member].remove(frame)
    assert target.facts() == before
    assert target.alarms() == [*alarms, code]
    assert evidence_of(target, sealed) is None
    assert len(relay.acknowledged) == answers


async def delivered(target: TestNode, relay: HostileRelay, sealed: Sealed, **receipt: object) -> bytes:
    """It is accepted and becomes a message; its id."""
    before = target.inbox()
    frame = relay.accept(sealed, (target.parts.member,), **receipt)
    await target.pull()
    relay.waiting[target.parts.member].remove(frame)
    (new,) = set(target.inbox()) - set(before)
    return new


async def refused_by_own_node(target: TestNode, message: bytes, to: list[str], rule: str) -> None:
    """The forwarder's own node refuses to pass a message on, and stores nothing."""
    before = target.facts()
    source = await target.parts.stores.views.message(message)
    assert source is not None
    with pytest.raises(ExchangeError) as caught:
        await target.composer.forward(source, {"to": to}, ministry(), None)
    assert (caught.value.status, caught.value.code) == (403, rule)
    assert target.facts() == before


async def refused_by_relay(server: Server, sealed: Sealed, status: int, code: str, body: bytes | None = None) -> None:
    """An honest relay refuses it with a problem, and stores nothing."""
    before = relay_facts(server)
    answer = await server.post(sealed, body)
    assert (answer.status, answer.code) == (status, code)
    assert relay_facts(server) == before


def relay_facts(server: Server) -> dict[str, object]:
    """How much the relay holds."""
    return {**{table: server.rows(table) for table in RELAY_STATE}, "files": server.files()}


def evidence_of(target: TestNode, sealed: Sealed) -> dict[str, object] | None:
    """What a node has on file about an envelope."""
    core = sealed.header.core
    rows = target.rows("received")
    return next((row for row in rows if (row["sender"], row["envelope"]) == (core.sender, core.id)), None)


@asynccontextmanager
async def honest_relay(folder: Path, world: World) -> AsyncIterator[Server]:
    """The product's relay, over HTTP."""
    home = folder / "relay"
    home.mkdir(exist_ok=True)
    async with relay(home, world) as server:
        yield server


def same_id(sealed: Sealed) -> dict[str, object]:
    """For `core`: the id of another envelope."""
    return {"id": EnvelopeId(sealed.header.core.id)}
