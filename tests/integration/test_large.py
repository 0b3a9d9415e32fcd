"""A large attachment streams: no process ever holds it whole."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from random import Random

from exchange.client import NodeClient
from tests.support.memory import peak_memory
from tests.support.running import MEASURE, budget, client, in_state, running

MIB = 1024 * 1024
SIZE = 64 * MIB
MOST = 200 * 1024  # KiB
MEMBERS = ("KAZ", "MNG")


async def test_an_attachment_of_64_mib_arrives_whole_and_no_process_needs_200_mib(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    path = tmp_path / "large.bin"
    random = Random(64)
    with path.open("wb") as file:
        for _ in range(SIZE // MIB):
            file.write(random.randbytes(MIB))
    async with running(tmp_path / "site", MEMBERS) as processes:
        async with client(processes, "KAZ") as kaz, client(processes, "MNG") as mng:
            sent = await kaz.send(["MNG"], MEASURE, budget("large"), attachments=[path])
            await in_state(kaz, sent.id, "delivered")
            got = tmp_path / "got.bin"
            await _download(mng, sent.id, got)
        peaks = {name: peak_memory(processes.pid(name)) for name in ("relay", *MEMBERS)}
    assert got.stat().st_size == SIZE
    assert _digest(got) == _digest(path)
    tell(f"64 MiB end to end, most resident memory in MiB: { {n: kib // 1024 for n, kib in peaks.items()} }")
    assert max(peaks.values()) < MOST


async def _download(node: NodeClient, message_id: str, path: Path) -> None:
    with path.open("wb") as file:
        async for piece in node.attachment(message_id, 0):
            file.write(piece)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
