"""The relay is away, or is not the relay; a node is started wrongly: nothing is lost, and one line says what is wrong."""

import asyncio
import time
from pathlib import Path
from typing import Any

from exchange.client import Message, NodeClient
from exchange.demo.processes import Processes
from exchange.demo.site import PASSPHRASE, Site, build_site
from exchange.process import sole_owner
from exchange.storage.node_values import Message as StoredMessage
from exchange.storage.relay_sqlite import read_holdings
from tests.support.accounts import account
from tests.support.cbm import answer, cbm, line
from tests.support.running import MEASURE, budget, client, in_state, running, until

MEMBERS = ("KAZ", "MNG")


async def status(site: Site, member: str) -> dict[str, Any]:
    told: dict[str, Any] = answer(await cbm("node", "status", "--dir", site.node(member), "--json"))
    return told


async def send(node: NodeClient, title: str, **terms: Any) -> str:  # noqa: ANN401  # terms of the client
    return (await node.send(["MNG"], MEASURE, budget(title), **terms)).id


async def test_while_the_relay_is_away_a_message_waits_the_status_says_why_and_then_it_is_delivered(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "site", MEMBERS) as processes:
        before = int(time.time())
        processes.kill("relay")
        async with client(processes, "KAZ") as kaz:
            ident = await send(kaz, "waits")
            message = await _tried(kaz, ident)
            assert message.summary.state == "sealed"
            assert "Connection refused" in message.envelopes[0]["fault"]
            told = await status(processes.site, "KAZ")
            assert told["messages"]["outbox.sealed"] == 1
            assert told["relay"]["session"] is False
            assert told["relay"]["why"].endswith("does not answer: Connection refused")
            assert told["relay"]["unreachable_since"] >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before))
            await processes.start("relay")
            await in_state(kaz, ident, "delivered")
            told = await status(processes.site, "KAZ")
            assert (told["relay"]["session"], "why" in told["relay"]) == (True, False)


async def test_a_message_that_expires_while_the_relay_is_away_is_never_sent_and_leaves_no_gap(tmp_path: Path) -> None:
    settings = {"gap_deadline": 1, "head_after": 1}
    async with running(tmp_path / "site", MEMBERS, delivery=settings) as processes:
        site = processes.site
        processes.kill("relay")
        async with client(processes, "KAZ") as kaz:
            expired = await send(kaz, "expires", expires=2)
            message = await in_state(kaz, expired, "expired")
            assert [row.state for row in message.summary.recipients] == ["expired"]
            await processes.start("relay")
            later = await send(kaz, "later")
            await in_state(kaz, later, "delivered")
            # The head says that the number of the expired one is void.
            await _heads(site)
        for name in ("KAZ", "MNG", "relay"):
            processes.stop(name)
    books = await account(site, "MNG")
    assert [stored.id.hex() for stored in books.inbox] == [later]
    assert (books.open_streams, books.alarms) == (0, ())
    assert {sent.message.id.hex(): sent.envelope.state for sent in (await account(site, "KAZ")).sent} == {
        expired: "expired",
        later: "accepted",
    }


async def test_a_node_with_the_wrong_passphrase_says_so_in_one_line(tmp_path: Path) -> None:
    async with running(tmp_path / "site", MEMBERS) as processes:
        site = processes.site
        processes.stop("KAZ")
        wrong = tmp_path / "wrong"
        wrong.write_bytes(PASSPHRASE + b"!\n")
        wrong.chmod(0o600)
        said = line(await cbm("node", "run", "--dir", site.node("KAZ"), "--passphrase-file", wrong), 1)
        assert "wrong passphrase" in said
        await processes.start("KAZ")


async def test_a_second_process_on_a_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path / "site", MEMBERS) as processes:
        site = processes.site
        for kind, folder in (("node", site.node("KAZ")), ("relay", site.relay)):
            said = line(await cbm(kind, "run", "--dir", folder, "--passphrase-file", site.passphrase_file), 1)
            assert "another process runs on" in said
        async with client(processes, "KAZ") as kaz:
            await in_state(kaz, await send(kaz, "undisturbed"), "delivered")
        # A process that was killed leaves no lock behind.
        processes.kill("KAZ")
        assert (await cbm("node", "status", "--dir", site.node("KAZ")))[0] == 1
        with sole_owner(site.node("KAZ")):
            pass
        await processes.start("KAZ")


async def test_a_relay_with_another_certificate_or_another_key_gets_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "site", MEMBERS) as processes:
        site = processes.site
        processes.stop("relay")
        false = await asyncio.to_thread(_false_relay, tmp_path / "false", site)
        async with client(processes, "KAZ") as kaz:
            for same_certificate, why in ((False, "a certificate that the charter does not name"), (True, "relay")):
                if same_certificate:
                    _give_certificate(false, site)
                with Processes(false) as impostor:
                    await impostor.start("relay")
                    ident = await send(kaz, "not for the false relay")
                    told = await _refused(site, why)
                    assert told["relay"]["session"] is False
                assert read_holdings(false.relay).accepted == 0
                await processes.start("relay")
                await in_state(kaz, ident, "delivered")
                processes.stop("relay")
