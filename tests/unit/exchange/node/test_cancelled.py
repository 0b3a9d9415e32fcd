"""A node that is told to stop in the middle of a commit keeps the files that the commit names."""

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from exchange.node.draft import Upload
from schemas.content import Attachment
from schemas.envelope import decode_header
from schemas.ids import Digest
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, ministry, node, request_of
from tests.support.waiting import until
from tests.support.world import World

DATA = bytes(200_000)


@pytest.fixture
async def kaz(tmp_path: Path, world: World) -> AsyncIterator[TestNode]:
    async with node(tmp_path, world, "KAZ", HostileRelay(world)) as tested:
        yield tested


@asynccontextmanager
async def _busy_store(tested: TestNode) -> AsyncIterator[None]:
    """While the block lasts, whatever is to be written waits for the writer."""
    go_on, begun = threading.Event(), threading.Event()

    def job(_: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait(20)

    holding = asyncio.create_task(tested.database.write(job))
    await until(begun.is_set)
    try:
        yield
    finally:
        go_on.set()
        await holding


async def _cancelled_in_commit(tested: TestNode, work: Coroutine[Any, Any, Any]) -> None:
    """Run `work` until what it writes waits for the writer, cancel it, and let the writer go on."""
    async with _busy_store(tested):
        task = asyncio.create_task(work)
        await until(lambda: tested.database._jobs.qsize() > 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await tested.database.write(lambda _: None)


def _upload(tested: TestNode) -> Upload:
    name = tested.parts.files.new_name()
    tested.parts.files.write_content(name, [DATA])
    attachment = Attachment("annex.bin", "application/octet-stream", len(DATA), Digest(hashlib.sha256(DATA).digest()))
    return Upload(attachment, name)


async def test_a_message_whose_commit_stands_keeps_its_attachment(kaz: TestNode) -> None:
    upload = _upload(kaz)
    await _cancelled_in_commit(kaz, kaz.composer.send(request_of(["MNG"]), (upload,), ministry(), "key"))
    assert [row["state"] for row in kaz.rows("messages")] == ["queued"]
    assert b"".join(kaz.parts.files.read_content(upload.file)) == DATA


async def test_an_envelope_whose_commit_stands_keeps_its_ciphertext(kaz: TestNode) -> None:
    await kaz.composer.send(request_of(["MNG"]), (_upload(kaz),), ministry(), None)
    await _cancelled_in_commit(kaz, kaz.sealer.seal_due())
    (envelope,) = kaz.rows("outbox")
    assert (envelope["state"], envelope["body"]) == ("sealed", None)
    ciphertext = b"".join(kaz.parts.files.read_body(envelope["envelope"]))
    assert hashlib.sha256(ciphertext).digest() == decode_header(envelope["header"]).core.body_digest
