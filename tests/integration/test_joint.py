"""Two states report a contingent together, as real processes: one proposes, one signs, a third receives (2.1.1.c)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from exchange.client import Attachment, NodeClient, Problem
from exchange.demo.processes import Processes
from exchange.wiring.node import create_token
from tests.support.records import example
from tests.support.running import client, in_state, running
from tests.support.waiting import answered

MEASURE = "2.1.1.c"


def report(host: str, sending: str) -> dict[str, Any]:
    record = example("foreign-contingents", "training-mission")
    record["body"] |= {"host": host, "sending_state": sending}
    record["body"]["release_permission"]["granted_by"] = sending
    return {name: value for name, value in record.items() if name not in ("originators", "recipients", "issued_at")}


@asynccontextmanager
async def official(processes: Processes, member: str) -> AsyncIterator[NodeClient]:
    """A client that may consent."""
    folder = processes.site.node(member)
    token = await asyncio.to_thread(create_token, folder, "cabinet", ("consent",), (MEASURE,))
    async with NodeClient(processes.url(member), token) as client:
        yield client


async def test_the_host_reports_a_contingent_with_the_state_that_deploys_it(tmp_path: Path) -> None:
    annex = tmp_path / "annex.txt"
    annex.write_text("strength by place", "utf-8")
    async with (
        running(tmp_path / "site", ["KAZ", "MNG", "UZB"]) as processes,
        client(processes, "KAZ") as kaz,
        client(processes, "MNG") as mng,
        client(processes, "UZB") as uzb,
        official(processes, "MNG") as cabinet,
    ):
        record = report("KAZ", "MNG")
        with pytest.raises(Problem) as alone:
            await kaz.send(["UZB"], MEASURE, record)
        assert (alone.value.status, alone.value.type) == (422, "urn:cbm:problem:invalid-record")
        assert "--joint MNG" in alone.value.detail
        queued = await kaz.send(
            ["UZB"], MEASURE, record, attachments=[Attachment.of(annex)], joint=["MNG"], **record["handling"]
        )
        assert queued.state == "awaiting-signatures"

        async def waits() -> dict[str, Any] | None:
            return next(iter([row async for row in cabinet.joint()]), None)

        row = await answered(waits, "MNG is asked to sign")
        assert row["message"] == queued.id
        shown = await cabinet.joint_draft(row["digest"])
        assert shown["record"]["originators"] == ["KAZ", "MNG"]
        pieces = [piece async for piece in cabinet.joint_attachment(row["digest"], 0)]
        assert b"".join(pieces) == b"strength by place"
        assert [message async for message in uzb.messages()] == []
        assert (await cabinet.sign_joint(row["digest"]))["state"] == "signed"
        await answered(lambda: _found(kaz, queued.id), "KAZ has every signature")
        await in_state(kaz, queued.id, "delivered")
        for reader in (uzb, mng):
            message = await reader.message(queued.id)
            assert message.record["originators"] == ["KAZ", "MNG"]
            assert message.provision["providers"] == ["KAZ", "MNG"]
            assert message.summary.sender == "KAZ"


async def _found(node: NodeClient, ident: str) -> bool | None:
    try:
        await node.message(ident)
    except Problem:
        return None
    return True
