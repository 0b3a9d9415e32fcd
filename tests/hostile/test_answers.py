"""Attacks by what a relay answers over HTTP: garbage, redirects, answers without end; nothing of it is believed."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from exchange.clock import SetClock
from exchange.errors import ExchangeError
from exchange.node.transport import RelayClient, RelayRefused, RelayUnreachable
from keys.errors import KeyFault
from schemas.relayapi import MAX_MAILBOX
from tests.support.hostile_server import HostileServer
from tests.support.node import TestNode
from tests.support.world import World


def answers(status: int, body: bytes = b"", **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return answer


def endless(limit: int) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(limit // 65_536 + 4):
            await response.write(b"\x00" * 65_536)
        return response

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        answers(200, b"garbage"),
        answers(200),
        answers(302, Location="http://127.0.0.1:1/elsewhere"),
        answers(204),
        answers(500, b"\xff" * 100),
        answers(403, b'{"type": 7, "detail": ["x"]}'),
        answers(403, b"[" * 50_000),
        endless(MAX_MAILBOX),
    ],
    ids=["garbage", "nothing", "redirect", "no-content", "fault", "odd-problem", "nested-problem", "endless"],
)
async def test_a_false_answer_to_a_pull_changes_nothing(
    hostile: HostileServer, wired: TestNode, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> None:
    hostile.http["/v1/mailbox"] = answer
    before = wired.facts()
    await wired.pull()
    assert (wired.facts(), wired.alarms()) == (before, [])


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (answers(202, b"garbage"), "sealed"),
        (answers(202), "sealed"),
        (answers(503, b"busy"), "sealed"),
        (answers(429), "sealed"),
        (answers(302, Location="/v1/envelopes2"), "sealed"),
        (endless(4096), "sealed"),
        (answers(403, b'{"type":"urn:cbm:problem:no-consent","detail":"line\\nline"}'), "refused"),
    ],
    ids=["garbage", "nothing", "busy", "rate", "redirect", "endless", "refusal"],
)
async def test_a_false_answer_to_an_envelope_is_no_receipt(
    hostile: HostileServer,
    wired: TestNode,
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    state: str,
) -> None:
    """Only a refusal is final, and it too is no acceptance."""

    async def read_then_answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return await answer(request)

    hostile.http["/v1/envelopes"] = read_then_answer
    await wired.write(["KAZ"])
    await wired.send()
    (row,) = wired.rows("outbox")
    assert (row["state"], row["receipt"]) == (state, None)
    assert wired.recipients() == {"KAZ": "pending" if state == "sealed" else "refused"}


@pytest.mark.parametrize(
    "page",
    [b"\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x01", b"\x00\x00\x00\x00" * 10, b"\x00\x00\x00\x02\x80\x80"],
    ids=["cut-length", "huge-length", "cut-entry", "empty-entries", "no-entry"],
)
async def test_a_false_page_of_the_directory_is_not_used(hostile: HostileServer, wired: TestNode, page: bytes) -> None:
    hostile.http["/v1/directory"] = answers(200, page)
    before, rows = wired.facts(), wired.rows("directory")
    with pytest.raises((ExchangeError, KeyFault)):
        await wired.parts.directory.update(wired.parts.relay, wired.clock.now())
    assert (wired.facts(), wired.rows("directory")) == (before, rows)


async def test_a_directory_page_without_end_is_cut_off(hostile: HostileServer, wired: TestNode) -> None:
    hostile.http["/v1/directory"] = endless(9 * 2**20)
    with pytest.raises(RelayUnreachable):
        await wired.parts.directory.update(wired.parts.relay, wired.clock.now())


async def test_tls_without_a_pinned_certificate_is_refused_before_anything_is_sent(world: World) -> None:

    with pytest.raises(RelayRefused):
        RelayClient("https://127.0.0.1:1", (), world.nodes["MNG"], SetClock(world.now))
