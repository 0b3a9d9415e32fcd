"""Uploads to a real relay that go wrong: what is false, malformed, slow, cut off or too much leaves no trace."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.storage.port import SMALL_BODY
from schemas.envelope import frame_prefix
from schemas.limits import MAX_HEADER
from tests.support.relay import Server, relay
from tests.support.waiting import until, until_async
from tests.support.world import Sealed, World

LARGE = SMALL_BODY + 1


@pytest.fixture
async def server(tmp_path: Path, world: World) -> AsyncIterator[Server]:
    async with relay(tmp_path, world) as running:
        yield running


def sealed_body(world: World, body: bytes) -> Sealed:
    """An envelope whose body is any bytes: the relay cannot tell."""
    return world.envelope(["MNG"], body=body)


@pytest.mark.parametrize("size", [200, LARGE, 3 * 1024 * 1024])
async def test_a_swapped_body_is_refused_and_its_file_gone(server: Server, size: int) -> None:
    sealed = sealed_body(server.world, b"c" * size)
    answer = await server.post(sealed, b"d" * size)
    assert (answer.status, answer.code) == (422, "body-digest")
    assert server.holds_nothing()


@pytest.mark.parametrize(("change", "status"), [(1, 413), (-1, 422)])
async def test_a_body_of_another_size_is_refused(server: Server, change: int, status: int) -> None:
    sealed = sealed_body(server.world, b"c" * LARGE)
    answer = await server.post(sealed, b"c" * (LARGE + change))
    assert (answer.status, answer.code) == (status, "body-size")
    assert server.holds_nothing()


async def test_an_oversize_body_is_refused_before_it_is_read(tmp_path: Path, world: World) -> None:
    async with relay(tmp_path, world, limits={"max_body": LARGE}) as server:
        await server.submit(sealed_body(world, b"c" * LARGE))
        answer = await server.post(sealed_body(world, b"c" * (LARGE + 1)), b"")
        assert (answer.status, answer.code) == (413, "body-too-large")
        assert server.rows("envelopes") == 1


@pytest.mark.parametrize(
    ("frame", "status", "code"),
    [
        (b"", 400, "truncated"),
        (b"\x00\x00", 400, "truncated"),
        (b"\x00\x00\x00\x00", 413, "header-size"),
        ((MAX_HEADER + 1).to_bytes(4, "big"), 413, "header-size"),
        (MAX_HEADER.to_bytes(4, "big"), 400, "truncated"),
        (b"\x00\x00\x00\x05hello", 400, "trailing-bytes"),
    ],
)
async def test_a_malformed_frame_is_refused(server: Server, frame: bytes, status: int, code: str) -> None:
    answer = await server.request("POST", "/v1/envelopes", frame)
    assert (answer.status, answer.code) == (status, code)
    assert server.holds_nothing()


async def test_an_upload_that_is_cut_off_leaves_nothing(server: Server) -> None:
    sealed = sealed_body(server.world, b"c" * 2_000_000)
    frame = frame_prefix(sealed.header_bytes) + sealed.header_bytes + sealed.body
    host, _, port = server.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/envelopes HTTP/1.1\r\nHost: relay\r\nContent-Length: %d\r\n\r\n" % len(frame))
    writer.write(frame[: len(frame) - 100])
    await writer.drain()
    await until(lambda: len(server.files()) == 1)
    writer.close()
    await until(lambda: server.files() == [])
    assert server.holds_nothing()


async def test_a_slow_upload_is_timed_out(tmp_path: Path, world: World) -> None:
    sealed = sealed_body(world, b"c" * 400_000)
    frame = frame_prefix(sealed.header_bytes) + sealed.header_bytes + sealed.body
    never = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield frame[:-1]
        await never.wait()

    async with relay(tmp_path, world, limits={"body_timeout": 0.3, "body_rate": 10**9}) as server:
        answer = await server.request("POST", "/v1/envelopes", slowly())
        assert (answer.status, answer.code) == (408, "upload-too-slow")
        assert server.holds_nothing()


async def busy(server: Server) -> bool:
    """Whether an upload finds no place."""
    answer = await server.request("POST", "/v1/envelopes", b"")
    return (answer.status, answer.code, answer.headers.get("Retry-After")) == (503, "uploads-busy", "1")


async def test_a_silent_upload_loses_its_place(tmp_path: Path, world: World) -> None:
    never = asyncio.Event()

    async def silently() -> AsyncIterator[bytes]:
        yield b"\x00"
        await never.wait()

    async with relay(tmp_path, world, limits={"header_timeout": 1, "max_uploads": 1}) as server:
        waiting = asyncio.create_task(server.request("POST", "/v1/envelopes", silently()))
        await until_async(lambda: busy(server))
        answer = await waiting
        assert (answer.status, answer.code) == (408, "upload-too-slow")
        await server.submit(world.envelope(["MNG"]))


async def test_one_member_cannot_take_every_place(tmp_path: Path, world: World) -> None:
    first, second = (sealed_body(world, bytes([n]) * 600_000) for n in (1, 2))
    go_on = asyncio.Event()

    async def held_back() -> AsyncIterator[bytes]:
        frame = frame_prefix(first.header_bytes) + first.header_bytes + first.body
        yield frame[:-1]
        await go_on.wait()
        yield frame[-1:]

    async with relay(tmp_path, world, limits={"max_member_large": 1}) as server:
        uploading = asyncio.create_task(server.request("POST", "/v1/envelopes", held_back()))
        await until(lambda: len(server.files()) == 1)
        answer = await server.post(second)
        assert (answer.status, answer.code) == (429, "member-uploads-busy")
        await server.submit(world.envelope(["KAZ"], sender="MNG"))
        go_on.set()
        assert (await uploading).status == 202
        await server.submit(second)


@pytest.mark.parametrize("sent", [b"", b"POST /v1/envelopes HTTP/1.1\r\nHos"])
async def test_a_connection_that_never_asks_is_closed(tmp_path: Path, world: World, sent: bytes) -> None:
    async with relay(tmp_path, world, limits={"idle_timeout": 0.3}) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def test_a_refusal_reaches_a_sender_that_has_much_more_to_send(server: Server) -> None:
    original = server.world.envelope(["MNG"])
    forward = server.world.forward(original, "MNG", ["UZB"], body=b"c" * 8_000_000)
    for _ in range(3):
        answer = await server.post(forward)
        assert (answer.status, answer.code) == (403, "no-consent")
    assert server.holds_nothing()
