"""A node whose Ed25519 key is in a token: everything works, and the key is nowhere else."""

import asyncio
import time
from pathlib import Path

from exchange.demo.processes import Processes
from exchange.demo.site import build_site, free_port
from tests.support.cbm import answer, cbm, line
from tests.support.running import MEASURE, budget, client, in_state, ready_to_receive
from tests.support.token import PIN, SoftToken

SETTINGS = {"retry_most": 1, "directory_every": 1}


async def test_a_node_with_a_token_sends_and_receives_and_does_not_start_without_it(
    tmp_path: Path, token: SoftToken
) -> None:
    site = await asyncio.to_thread(
        build_site,
        tmp_path / "site",
        ("KAZ", "MNG"),
        int(time.time()),
        free_port(),
        delivery=SETTINGS,
        signing={"KAZ": (token.place, PIN)},
    )
    with Processes(site) as processes:
        await processes.start("relay", "KAZ", "MNG")
        await ready_to_receive(processes)
        for sender, to in (("KAZ", "MNG"), ("MNG", "KAZ")):
            async with client(processes, sender, attempts=10) as node:
                sent = await node.send([to], MEASURE, budget(f"from {sender}"))
                await in_state(node, sent.id, "delivered")
        environment = {"CBM_PASSPHRASE_FILE": str(site.passphrase_file)}
        found = answer(await cbm("node", "doctor", "--dir", site.node("KAZ"), "--json", environment=environment))
        assert {row["level"] for row in found if row["check"] == "round-trip"} == {"ok"}
        processes.stop("KAZ")
        # Who has the disk and the passphrase and not the token has no voice.
        elsewhere = tmp_path / "softhsm2.conf"
        (tmp_path / "no-tokens").mkdir()
        elsewhere.write_text(f"directories.tokendir = {tmp_path / 'no-tokens'}\n")
        result = await cbm(
            "node", "run", "--dir", site.node("KAZ"), environment={**environment, "SOFTHSM2_CONF": str(elsewhere)}
        )
        told = line(result, 1)
        assert token.place.label in told
        assert PIN.decode() not in result[2]
    for path in (tmp_path / "site").rglob("*"):
        assert not path.is_file() or PIN not in path.read_bytes()


async def test_init_asks_for_what_a_token_needs(tmp_path: Path, token: SoftToken) -> None:
    charter = tmp_path / "charter.cbm"
    charter.write_bytes(b"")
    common = ("node", "init", "--dir", tmp_path / "node", "--member", "KAZ", "--charter", charter)
    result = await cbm(*common, "--relay", "https://127.0.0.1:1", "--token-module", token.place.module)
    assert result[0] != 0
    assert not (tmp_path / "node").exists()
