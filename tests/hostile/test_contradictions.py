"""Attacks by a relay that contradicts itself, or says what cannot be said: no message ends by its word alone."""

import asyncio

import pytest
from aiohttp import web

from exchange.node.transport import RelayRefused
from schemas.receipt import Outcome
from tests.support.hostile_relay import HostileRelay
from tests.support.hostile_server import HostileServer
from tests.support.node import TestNode
from tests.support.waiting import until
from tests.support.world import World


async def test_a_relay_that_refuses_and_delivers_all_the_same(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    relay.refuse = "no-consent"
    await kaz.write(["MNG", "UZB"])
    await kaz.send()
    (sealed,) = relay.posted
    assert kaz.recipients() == {"MNG": "refused", "UZB": "refused"}
    relay.notify("KAZ", world.acknowledgement(sealed, "MNG", time=world.now))
    await kaz.pull()
    assert kaz.recipients() == {"MNG": "delivered", "UZB": "refused"}
    assert kaz.alarms() == ["relay-refused", "relay-contradicts"]
    relay.notify("KAZ", world.acknowledgement(sealed, "UZB", time=world.now))
    await kaz.pull()
    assert [row["state"] for row in kaz.rows("messages")] == ["delivered"]
    assert all(row["acknowledgement"] is not None for row in kaz.rows("recipients"))


async def test_a_recipients_own_refusal_is_not_turned_into_a_delivery(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    relay.refuse = "no-consent"
    await kaz.write(["MNG"])
    await kaz.send()
    (sealed,) = relay.posted
    relay.notify("KAZ", world.acknowledgement(sealed, "MNG", time=world.now, outcome=Outcome.REFUSED))
    await kaz.pull()
    (row,) = kaz.rows("recipients")
    assert (row["state"], row["acknowledgement"] is not None) == ("refused", True)
    before = kaz.facts()
    relay.notify("KAZ", world.acknowledgement(sealed, "MNG", time=world.now))
    await kaz.pull()
    assert kaz.facts() == before


@pytest.mark.parametrize(
    "code", ["untrusted", "bad-signature", "epoch-unknown", "provision-signature", "grant-signature"]
)
async def test_a_relay_restored_without_a_key_does_not_end_the_queue(
    relay: HostileRelay, kaz: TestNode, code: str
) -> None:
    relay.refuse = code
    for _ in range(3):
        await kaz.write(["MNG"])
    await kaz.send()
    assert {(row["state"], row["attempts"]) for row in kaz.rows("outbox")} == {("sealed", 1)}
    assert (kaz.recipients(), kaz.alarms()) == ({"MNG": "pending"}, ["relay-behind"])
    relay.refuse = None
    kaz.clock.time += 100
    await kaz.send()
    assert {row["state"] for row in kaz.rows("messages")} == {"accepted"}


PROBLEMS = {
    "half-a-character": b'{"type":"urn:cbm:problem:x\\ud800","detail":"d"}',
    "no-code": b'{"detail":"d"}',
    "a-code-of-another-alphabet": b'{"type":"urn:cbm:problem:No Consent"}',
    "a-code-without-end": b'{"type":"urn:cbm:problem:' + b"a" * 10_000 + b'"}',
    "another-servers-page": b"<html>not found</html>",
}


@pytest.mark.parametrize("name", PROBLEMS)
async def test_a_refusal_without_a_code_of_the_protocol_is_not_final_and_no_hot_loop(
    hostile: HostileServer, wired: TestNode, name: str
) -> None:
    tries: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        tries.append(1)
        return web.Response(status=403, body=PROBLEMS[name])

    hostile.http["/v1/envelopes"] = answer
    await wired.write(["KAZ"])
    await wired.sealer.seal_due()
    running = asyncio.create_task(wired.sender.run())
    try:
        await until(lambda: wired.rows("outbox")[0]["attempts"] == 1)
        for _ in range(5):
            wired.parts.wakes.to_send.set()
            await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    (row,) = wired.rows("outbox")
    assert (len(tries), row["state"], row["attempts"]) == (1, "sealed", 1)


async def test_what_the_relay_says_is_one_clean_line(hostile: HostileServer, wired: TestNode) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        body = b'{"type":"urn:cbm:problem:no-consent","detail":"a\\u001b[2J\\nb\\ud800' + b"x" * 5000 + b'"}'
        return web.Response(status=403, body=body)

    hostile.http["/v1/envelopes"] = answer
    with pytest.raises(RelayRefused) as caught:
        await wired.parts.relay.post_envelope(b"header", iter([]))
    assert caught.value.detail.startswith("a [2J b xxx")
    assert len(caught.value.detail) <= 300


async def test_a_fault_of_this_node_while_sending_rests_instead_of_trying_without_a_pause(
    relay: HostileRelay, kaz: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kaz.write(["MNG"])
    await kaz.sealer.seal_due()

    async def fail(*_: object) -> None:
        raise ValueError("a fault of the program")

    monkeypatch.setattr(kaz.parts.stores.outbox, "save_accepted", fail)
    running = asyncio.create_task(kaz.sender.run())
    try:
        await until(lambda: kaz.alarms() == ["fault"])
        for _ in range(5):
            kaz.parts.wakes.to_send.set()
            await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (len(relay.posted), kaz.alarms()) == (1, ["fault"])
    detail = kaz.rows("alarms")[0]["detail"]
    assert "ValueError at" in detail
    assert "a fault of the program" not in detail
