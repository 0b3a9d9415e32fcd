"""An operator changes a store by hand and not its audit log, or the other way round: `cbm audit reconcile` names it."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from exchange.audit.reconcile import Difference, Tally, compare, unproved
from exchange.storage.audit_reconciling import reconciling
from exchange.storage.node_reconciling import node_sides, node_unproved
from exchange.storage.relay_reconciling import relay_sides, relay_unproved
from schemas.canon import encode
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT
from schemas.relayapi import ACKS, Acks
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, api_of, node
from tests.support.node_log import NodeLog
from tests.support.relay import relay as running_relay
from tests.support.world import World


@pytest.fixture
async def mng(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    async with node(tmp_path, world, "MNG", relay) as opened:
        yield opened


async def exchanged(relay: HostileRelay, kaz: TestNode, mng: TestNode) -> None:
    """KAZ sends two messages, of which one is opened at MNG, and answers come back; a third waits for its receipt."""
    for _ in range(2):
        await kaz.write(["MNG"])
    await kaz.send()
    await mng.pull()
    relay.pass_on_answers()
    await kaz.pull()
    async with api_of(mng) as api:
        token = await mng.token("defence", ("read",))
        ident = mng.inbox()[0].hex()
        assert (await api.ask("GET", f"/v1/messages/{ident}/export?internal=true", token)).status == 200
    relay.down = True
    await kaz.write(["MNG"])
    await kaz.send()


def told(folder: Path, tally: Tally | None = None) -> list[str]:
    """Each finding: what it is about, and what is lacking."""
    tally, found = tally or Tally(), list[Difference]()
    of_node = (folder / "node.db").exists()
    sides, lacking = (node_sides, node_unproved) if of_node else (relay_sides, relay_unproved)
    with reconciling(folder / ("node.db" if of_node else "relay.db")) as connection:
        for side in sides(connection):
            found += compare(side.rule, side.rows, side.entries, tally)
        for rule, rows in lacking(connection):
            found += unproved(rule, rows, tally)
    assert tally.differences == len(found)
    return sorted(f"{one.rule.entry}: {one.lack.value}" for one in found)


async def test_an_honest_exchange_matches(relay: HostileRelay, kaz: TestNode, mng: TestNode) -> None:
    await exchanged(relay, kaz, mng)
    for tested in (kaz, mng):
        tally = Tally()
        assert told(tested.folder, tally) == []
        assert tally.compared > 10


COPIED = (
    "INSERT INTO openings_due SELECT zeroblob(16), sender, envelope, header_digest, opened, due, NULL FROM openings_due"
)
MARKED = (
    "INSERT INTO destroyed SELECT id, box, provision, ministry, measure, record_type, precedence, created, due,"
    " expires, signed_provisions, signed_grants, purpose, path, 1, 'operator', 'KAZ', zeroblob(16)"
    " FROM messages WHERE id IN (SELECT message FROM openings_due)"
)
# The first entry of a kind.
GONE = (
    "UPDATE audit SET leaf = NULL, hash = zeroblob(32) WHERE position ="
    " (SELECT min(position) FROM audit WHERE class IN (SELECT id FROM audit_classes WHERE kind = {0}))"
)


@pytest.mark.parametrize(
    ("who", "statement", "found"),
    [
        ("KAZ", "DELETE FROM messages WHERE state = 'sealed'", ["submitted: no-row"]),
        (
            "KAZ",
            "UPDATE messages SET id = zeroblob(16) WHERE state = 'sealed'",
            ["submitted: no-entry", "submitted: no-row"],
        ),
        ("KAZ", "DELETE FROM outbox WHERE state = 'sealed'", ["sealed: no-row"]),
        ("KAZ", "UPDATE outbox SET header_digest = zeroblob(32) WHERE state = 'sealed'", ["sealed: differs"]),
        ("KAZ", "UPDATE numbers_out SET recipient = 'UZB' WHERE settled = 0", ["sealed: differs"]),
        ("KAZ", "UPDATE outbox SET receipt = zeroblob(9) WHERE receipt NOT NULL", ["relayed: differs"] * 2),
        ("KAZ", "UPDATE outbox SET receipt = zeroblob(9) WHERE state = 'sealed'", ["relayed: no-entry"]),
        ("KAZ", "UPDATE outbox SET receipt = NULL", ["relayed: no-proof"] * 2 + ["relayed: no-row"] * 2),
        ("KAZ", "UPDATE outbox SET state = 'refused' WHERE state = 'sealed'", ["relay-refused or expired: no-entry"]),
        (
            "KAZ",
            "UPDATE recipients SET acknowledgement = NULL",
            ["answered: no-proof"] * 2 + ["answered: no-row"] * 2,
        ),
        ("KAZ", "UPDATE recipients SET acknowledgement = x'00' WHERE state = 'pending'", ["answered: no-entry"]),
        ("KAZ", "UPDATE recipients SET member = 'UZB' WHERE state = 'delivered'", ["answered: differs"] * 2),
        ("MNG", "DELETE FROM received WHERE envelope = (SELECT min(envelope) FROM received)", ["received: no-row"]),
        ("MNG", "UPDATE received SET sender = 'UZB'", ["received: differs"] * 2),
        ("MNG", "DELETE FROM messages WHERE id IN (SELECT message FROM openings_due)", ["received: no-row"]),
        (
            "MNG",
            COPIED,
            ["opened: no-entry"],
        ),
        ("MNG", "DELETE FROM consent_log", ["consent, release or exported: no-row"]),
        ("MNG", "UPDATE consent_log SET kind = 'evidence.exported'", ["consent, release or exported: differs"]),
        ("MNG", "INSERT INTO alarms (fact, kind, detail, time) VALUES ('x', 'gap', '', 9)", ["alarm: no-entry"]),
        (
            "MNG",
            MARKED,
            ["purged: no-entry", "received: no-entry"],
        ),
        # The log is changed, and the store is not.
        (
            "KAZ",
            GONE.format(66),
            ["sealed: no-entry"],
        ),
        (
            "MNG",
            GONE.format(72),
            ["opened: no-entry"],
        ),
    ],
)
async def test_a_store_of_a_node_changed_by_hand(
    relay: HostileRelay, kaz: TestNode, mng: TestNode, who: str, statement: str, found: list[str]
) -> None:
    await exchanged(relay, kaz, mng)
    tested = {"KAZ": kaz, "MNG": mng}[who]
    await tested.database.write(lambda c: c.execute(statement))
    assert told(tested.folder) == sorted(found)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE envelopes SET sender = 'UZB'", ["accepted: differs"] * 2),
        ("UPDATE envelopes SET id = zeroblob(16) WHERE open = 1", ["accepted: no-entry", "accepted: no-row"]),
        ("UPDATE deliveries SET acknowledgement = x'00' WHERE acknowledgement NOT NULL", ["acknowledged: differs"]),
        (
            "UPDATE deliveries SET acknowledgement = NULL WHERE acknowledgement NOT NULL",
            ["acknowledged: no-proof", "acknowledged: no-row"],
        ),
        ("UPDATE deliveries SET pushed = 1", ["pushed: no-entry"] * 2),
        ("UPDATE deliveries SET state = 2 WHERE state = 0", ["expired: no-entry"]),
        ("DELETE FROM contents", ["deleted: no-entry"]),
        ("UPDATE anchors SET root = zeroblob(32)", ["anchored: differs"]),
        ("DELETE FROM anchors", ["anchored: no-row"]),
    ],
)
async def test_a_store_of_a_relay_changed_by_hand(
    tmp_path: Path, world: World, statement: str, found: list[str]
) -> None:
    (tmp_path / "relay").mkdir()
    async with running_relay(tmp_path / "relay", world) as server:
        sealed = world.envelope(["MNG"])
        for one in (sealed, world.envelope(["MNG"])):
            await server.submit(one)
        ack = encode(SIGNED_ACKNOWLEDGEMENT, world.acknowledgement(sealed, "MNG", time=world.now))
        assert (await server.request("POST", "/v1/acknowledgements", encode(ACKS, Acks((ack,))))).status == 204
        log = NodeLog(world, "KAZ")
        log.grow(3)
        assert (await server.signed(log.anchor())).status == 200
    tally = Tally()
    assert told(tmp_path / "relay", tally) == []
    assert tally.compared > 5
    with closing(sqlite3.connect(tmp_path / "relay" / "relay.db")) as store, store:
        store.execute(statement)
    assert told(tmp_path / "relay") == sorted(found)
