"""The audit log by the command line: read on a running node, verified offline, found out when it was rewritten."""

import asyncio
import json
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from exchange.demo.processes import Processes
from exchange.storage.audit_reading import audit_reading
from exchange.wiring.node import create_token
from tests.support.cbm import answer, cbm, line
from tests.support.running import MEASURE, budget, build, client, in_state, ready_to_receive
from tests.support.waiting import PATIENCE, until


def has_anchor(relay: Path, member: str) -> bool:
    with audit_reading(relay / "relay.db") as reading:
        return reading.anchored(member) is not None


async def forks_are_written_out(relay: Path, forked: Path) -> None:
    with closing(sqlite3.connect(relay / "relay.db")) as store, store:
        store.execute("INSERT INTO anchor_forks (member, time, held, offered) VALUES ('KAZ', 1, x'61', x'62')")
    code, _, told = await cbm("audit", "anchors", "KAZ", "--relay", relay, "--out", forked)
    assert (code, "contradict each other" in told) == (0, True)
    assert [forked.with_name(f"forked.anchor.fork-1.{end}").read_bytes() for end in ("held", "other")] == [b"a", b"b"]
    answer(await cbm("audit", "export", "--out", forked.with_name("relay.jsonl"), "--relay", relay, "--json"))
    (last,) = answer(await cbm("audit", "tail", "-n", "1", "--relay", relay, "--json"))
    assert (last["kind"], last["actor"], last["reason"]) == ("operator", "operator", "audit.exported")
    code, _, told = await cbm("audit", "verify", "--relay", relay)
    assert (code, told.startswith("KAZ: its node has signed 1 checkpoints that contradict")) == (0, True)


async def export_says_so(folder: Path, to: Path) -> dict[str, Any]:
    """What is taken out of a folder is written down, and out of a copy not; the last entry then."""
    offline = ("--dir", folder, "--json")
    (last,) = answer(await cbm("audit", "tail", "-n", "1", *offline))
    answer(await cbm("audit", "export", "--copy", "--out", to / "copy.jsonl", *offline))
    assert answer(await cbm("audit", "tail", "-n", "1", *offline)) == [last]
    code, out, _ = await cbm("audit", "export", "--csv", "--out", to / "all.csv", "--dir", folder)
    assert (code, "entries" in out) == (0, True)
    assert len((to / "all.csv").read_text("utf-8").splitlines()) == last["index"] + 3
    assert "never overwritten" in line(await cbm("audit", "export", "--out", to / "all.csv", "--dir", folder), 1)
    found: list[dict[str, Any]] = answer(await cbm("audit", "tail", "-n", "1", *offline))
    assert (found[0]["kind"], found[0]["actor"], found[0]["reason"]) == ("exported", "operator", "audit.exported")
    return found[0]


async def test_a_log_is_read_verified_and_found_out(tmp_path: Path) -> None:
    site = await build(tmp_path / "site", ("KAZ", "MNG"))
    token = tmp_path / "audit.token"
    text = await asyncio.to_thread(create_token, site.node("KAZ"), "auditors", ("audit",), ("*",))
    token.write_text(f"{text}\n")
    token.chmod(0o600)
    with Processes(site) as processes:
        await processes.start("relay", "KAZ", "MNG")
        await ready_to_receive(processes)
        async with client(processes, "KAZ", attempts=10) as node:
            sent = await node.send(["MNG"], MEASURE, budget("A secret title"))
            await in_state(node, sent.id, "delivered")
        access = ("--node", processes.url("KAZ"), "--token-file", token)
        await until(partial(has_anchor, site.relay, "KAZ"), PATIENCE)
        online = answer(await cbm("audit", "search", "--event", "submitted,sealed", *access, "--json"))
        assert [row["kind"] for row in online] == ["submitted", "sealed"]
        answer(await cbm("audit", "export", "--out", tmp_path / "online.jsonl", *access, "--json"))
        whole = (tmp_path / "online.jsonl").read_text("utf-8")
        assert "A secret title" not in whole
        rows = [json.loads(row) for row in whole.splitlines()]
        assert {row["index"] for row in rows} == set(range(len(rows)))
        (taken,) = answer(await cbm("audit", "search", "--event", "exported", *access, "--json"))
        assert (taken["reason"], taken["actor"].split("/")[0]) == ("audit.exported", "auditors")

    folder = site.node("KAZ")
    offline = ("--dir", folder, "--json")
    assert answer(await cbm("audit", "search", "--event", "submitted,sealed", *offline)) == online
    shown = answer(await cbm("audit", "show", str(online[0]["index"]), *offline))
    assert shown["leaf"]
    assert shown.items() >= online[0].items()
    (last,) = answer(await cbm("audit", "tail", "-n", "1", *offline))
    assert (last["kind"], last["reason"]) == ("operator", "stopped")
    last = await export_says_so(folder, tmp_path)

    anchor, partner, state = tmp_path / "relay.anchor", tmp_path / "partner.anchor", tmp_path / "state.json"
    answer(await cbm("audit", "anchors", "KAZ", "--relay", site.relay, "--out", anchor, "--json"))
    against = ("--anchors", anchor, "--charter", site.folder / "charter.cbm", "--json")
    found = answer(await cbm("audit", "verify", "--dir", folder, "--state", state, *against))
    assert found["entries"] == last["index"] + 1
    assert 0 < found["under_anchors"] <= found["entries"]
    again = answer(await cbm("audit", "verify", "--dir", folder, "--state", state, *against))
    assert (again["verified_before"], again["root"]) == (found["entries"], found["root"])
    relay = answer(await cbm("audit", "verify", "--relay", site.relay, "--json"))
    assert relay["entries"] > 0
    assert "no checkpoint" in line(await cbm("audit", "anchors", "UZB", "--dir", folder, "--out", partner), 1)

    await forks_are_written_out(site.relay, tmp_path / "forked.anchor")

    with closing(sqlite3.connect(folder / "node.db")) as store, store:
        store.execute("UPDATE audit SET leaf = CAST(leaf || x'00' AS BLOB) WHERE position = 1")
    assert "entry 1: changed" in line(await cbm("audit", "verify", "--dir", folder, "--anchors", anchor), 1)

    with closing(sqlite3.connect(site.relay / "relay.db")) as store, store:
        store.execute("UPDATE audit SET envelope = zeroblob(16) WHERE position = 2")
    assert "entry 2: index-differs" in line(await cbm("audit", "verify", "--relay", site.relay), 1)
