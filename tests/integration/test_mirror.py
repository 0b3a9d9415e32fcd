"""The relay's audit log in members' hands: mirrored by a node's folder, exported by the operator, verified by both."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from schemas.audit import AuditKind
from tests.support.cbm import answer, cbm, line
from tests.support.running import MEASURE, budget, client, in_state, running
from tests.support.waiting import until


def acknowledgements(relay: Path) -> int:
    """Under the newest published checkpoint."""
    query = (
        "SELECT count(*) FROM audit JOIN audit_classes ON class = id WHERE kind = ? AND position <"
        " (SELECT max(size) FROM checkpoints WHERE log = 'audit' AND published)"
    )
    with closing(sqlite3.connect(relay / "relay.db")) as store:
        return int(store.execute(query, (AuditKind.ACKNOWLEDGED,)).fetchone()[0])


async def test_what_the_operator_hands_over_is_held_against_a_member_s_mirror(tmp_path: Path) -> None:
    mirror = tmp_path / "relay.mirror"
    async with running(tmp_path / "site", ("KAZ", "MNG")) as processes:
        site = processes.site
        secret = {"CBM_PASSPHRASE_FILE": str(site.passphrase_file)}
        asked = ("audit", "mirror", "--dir", site.node("MNG"), "--out", mirror, "--json")
        first = answer(await cbm(*asked, environment=secret))
        async with client(processes, "KAZ", attempts=10) as node:
            sent = await node.send(["MNG"], MEASURE, budget("A title"))
            await in_state(node, sent.id, "delivered")
        await until(lambda: acknowledgements(site.relay) > 0)
        second = answer(await cbm(*asked, environment=secret))
        assert second["before"] == first["entries"] < second["entries"]
    assert mirror.stat().st_mode & 0o777 == 0o600
    relay, charter = site.relay, site.folder / "charter.cbm"
    verify = ("audit", "verify", "--relay", relay, "--anchors", mirror, "--charter", charter)
    found = answer(await cbm(*verify, "--json"))
    assert found["entries"] > found["under_anchors"] >= second["before"]
    out = tmp_path / "relay.jsonl"
    answer(await cbm("audit", "export", "--relay", relay, "--out", out, "--json"))
    rows = [json.loads(row) for row in out.read_text("utf-8").splitlines()]
    assert [row["index"] for row in rows] == list(range(len(rows)))
    assert {"accepted", "acknowledged", "session-begun", "anchored"} <= {row["kind"] for row in rows}
    assert "A title" not in out.read_text("utf-8")
    with closing(sqlite3.connect(relay / "relay.db")) as store, store:
        store.execute("UPDATE audit SET leaf = CAST(leaf || x'00' AS BLOB) WHERE position = 3")
    assert "entry 3: changed" in line(await cbm(*verify), 1)
