"""Calendar and review by the command line, over a relay and nodes as processes; and the commands of the page on them.

KAZ and MNG agreed on a yearly return; the third node is the Secretariat's.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from icalendar import Calendar

from exchange.demo.processes import Processes
from tests.support.cbm import answer, cbm, line
from tests.support.running import budget, build, client, in_state, ready_to_receive
from tests.support.waiting import answered

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ministry.md").read_text("utf-8")
MEMBERS = ("KAZ", "MNG", "CICA")
YEAR = datetime.now(UTC).year
PERIOD = ("--start", f"{YEAR}-01-01", "--end", f"{YEAR + 1}-12-31")


def blocks(kind: str) -> list[str]:
    """The fenced blocks of the page."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@asynccontextmanager
async def returns(folder: Path, declaration: str) -> AsyncIterator[Processes]:
    """Three nodes; that of KAZ has the declaration."""
    site = await build(folder / "site", MEMBERS)
    (site.node("KAZ") / "participation.toml").write_text(declaration)
    with Processes(site) as processes:
        await processes.start("relay", *MEMBERS)
        await ready_to_receive(processes)
        yield processes


async def run(processes: Processes, member: str, *arguments: str, ministry: str = "all") -> tuple[int, str, str]:
    access = ("--node", processes.url(member), "--token-file", str(processes.site.token_file(member, ministry)))
    return await cbm(*arguments, *access, "--json")


async def test_returns_are_followed_and_reviewed(tmp_path: Path) -> None:
    declared = (
        'member = "KAZ"\ncatalogue = "cica-catalogue-draft-2021-09-27"\n[[agreement]]\nmeasure = "2.1.1.b"\n'
        f'partners = ["MNG"]\nsince = {YEAR}-01-01\ndue = ["12-31"]\ncovers = "same-year"\n'
    )
    record = budget("Outlay")
    record["body"]["fiscal_year"] = {"start": f"{YEAR}-01-01", "end": f"{YEAR}-12-31"}
    async with returns(tmp_path, declared) as processes, client(processes, "KAZ") as kaz:
        queued = await kaz.send(["MNG"], "2.1.1.b", record)
        await in_state(kaz, queued.id, "delivered")
        asked = ("calendar", "--partner", "MNG", "--from", f"{YEAR}-12-31", "--to", f"{YEAR}-12-31")
        rows = answer(await run(processes, "KAZ", *asked))
        assert [(row["ours"], row["answer"], row["message"]) for row in rows] == [
            (True, "sent", queued.id),
            (False, "due", None),
        ]
        assert rows[0]["delivered_at"] >= rows[0]["evidenced_at"]
        feed = tmp_path / "returns.ics"
        for _ in range(2):
            assert answer(await run(processes, "KAZ", *asked, "--ics", str(feed))) == {"written": str(feed)}
        events = list(Calendar.from_ical(feed.read_bytes()).walk("VEVENT"))
        assert [str(event["SUMMARY"]).rpartition(": ")[2] for event in events] == ["sent", "due"]
        code, out, err = await run(processes, "MNG", "calendar")
        assert (json.loads(out)["type"], code) == ("urn:cbm:problem:no-declaration", 1)
        assert "participation.toml" in line((code, "", err), 1)
        await _reviewed(processes)


async def _reviewed(processes: Processes) -> None:
    own = {"measure": "2.1.1.b", "state": "KAZ", "records": 1, "nil": 0, "replies": 0}
    for member in ("KAZ", "MNG"):
        told = answer(await run(processes, member, "review", *PERIOD))
        assert (told["reporter"], told["counts"]) == (member, [own])
    assert answer(await run(processes, "MNG", "review", *PERIOD, "--own-only"))["counts"] == []
    code, out, _ = await run(processes, "KAZ", "review", *PERIOD, ministry="defence")
    assert (code, json.loads(out)["type"]) == (1, "urn:cbm:problem:measure-not-allowed")
    for member in ("KAZ", "MNG"):
        code, out, err = await run(processes, member, "review", *PERIOD, "--submit")
        # The period of this test is not over, which the node says.
        assert (code, err.count("\n")) == (0, 1), err
        async with client(processes, member) as node:
            await in_state(node, json.loads(out)["id"], "delivered")

    async def merged() -> dict[str, Any] | None:
        found: dict[str, Any] = answer(await run(processes, "CICA", "review", *PERIOD, "--merge"))
        return found if found["reporters"] == ["KAZ", "MNG"] else None

    (row,) = (await answered(merged, "both reports are at the Secretariat"))["rows"]
    assert (row["state"], row["own"]["records"], row["seen_by"], row["doubtful"]) == ("KAZ", 1, 1, False)
    line(await run(processes, "CICA", "review", *PERIOD, "--merge", "--submit"), 2)


async def test_the_commands_of_the_page_run_in_order(tmp_path: Path) -> None:
    (declared,) = blocks("toml")
    assert tomllib.loads(declared)["member"] == "KAZ"
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    async with returns(tmp_path, declared) as processes:
        first, *commands = blocks("sh")
        assert first.startswith("export CBM_NODE=")
        assert sum(block.count("\ncbm ") + 1 for block in commands) == 9
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CBM_NODE": processes.url("KAZ"),
            "CBM_TOKEN_FILE": str(processes.site.token_file("KAZ")),
        }
        script = ["bash", "-euo", "pipefail", "-c", "\n".join(commands)]
        ran = await asyncio.to_thread(_ran, script, tmp_path, environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2.1.1.b\tto MNG\t" in ran.stdout
    assert "\t3.A\tenergy-security\tKAZ\t" in ran.stdout
    assert "\npriority_area: energy-security\n" in ran.stdout
    assert "act: prepare the draft Concept Paper" in ran.stdout
    assert (tmp_path / "returns.ics").read_bytes().startswith(b"BEGIN:VCALENDAR\r\n")


def _ran(script: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
