"""Evidence by the command line: written out by a running node, judged where there is nothing but the charter."""

import asyncio
import shutil
from pathlib import Path

from exchange.demo.processes import Processes
from exchange.wiring.node import create_token
from tests.standards.second_verifier import verify
from tests.support.cbm import answer, cbm, line
from tests.support.running import MEASURE, budget, build, client, in_state, ready_to_receive


async def test_a_message_is_proved_on_a_machine_that_has_only_the_charter(tmp_path: Path) -> None:
    site = await build(tmp_path / "site", ("KAZ", "MNG"))
    token = tmp_path / "audit.token"
    text = await asyncio.to_thread(create_token, site.node("KAZ"), "all", ("audit", "read"), ("*",))
    token.write_text(f"{text}\n")
    token.chmod(0o600)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(site.folder / "charter.cbm", elsewhere)
    with Processes(site) as processes:
        await processes.start("relay", "KAZ", "MNG")
        await ready_to_receive(processes)
        async with client(processes, "KAZ", attempts=10) as node:
            sent = await node.send(["MNG"], MEASURE, budget("A secret title"))
            await in_state(node, sent.id, "delivered")
        access = ("--node", processes.url("KAZ"), "--token-file", token, "--json")
        told = answer(await cbm("evidence", "export", sent.id, "--out", elsewhere / "case.cbm", *access))
        assert (told["subject"], told["content"]) == (sent.id, False)
        again = await cbm("evidence", "export", sent.id, "--out", elsewhere / "case.cbm", *access)
        assert "exists" in line(again, 1)
        opened = elsewhere / "open.cbm"
        answer(await cbm("evidence", "export", sent.id, "--content", "--out", opened, *access))

    judged = answer(await judge(elsewhere, "case.cbm", "--report", "case.html", "--json"))
    found = [row["claim"] for row in judged["findings"]]
    assert (found.count("sent"), found.count("accepted"), found.count("delivered")) == (1, 1, 1)
    assert "content" not in found
    assert (elsewhere / "case.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert b"A secret title" not in (elsewhere / "case.cbm").read_bytes()
    assert b"A secret title" in opened.read_bytes()
    whole = {row["claim"] for row in answer(await judge(elsewhere, "open.cbm", "--json"))["findings"]}
    # Later than the other file, and so with what the relay had logged meanwhile.
    assert whole >= {*found, "content"}

    charter = bytes.fromhex(judged["charter"].replace(" ", ""))
    assert {claim for claim, _ in verify(opened.read_bytes(), charter)} == whole

    data = bytearray((elsewhere / "case.cbm").read_bytes())
    place = data.index(bytes.fromhex(judged["findings"][1]["envelope"]))
    data[place] ^= 1
    (elsewhere / "changed.cbm").write_bytes(data)
    code, _, err = await judge(elsewhere, "changed.cbm")
    assert code == 1
    assert "the claim accepted does not hold" in err


async def judge(folder: Path, file: str, *options: str) -> tuple[int, str, str]:
    """In a folder of its own, and without any setting."""
    return await cbm("evidence", "verify", file, "--charter", "charter.cbm", *options, cwd=folder)
