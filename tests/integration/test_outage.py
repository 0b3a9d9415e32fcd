"""The relay is away, or is not the relay; a node is started wrongly: nothing is lost, one line says what is wrong."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import trustme

from exchange.client import Message, NodeClient
from exchange.demo.processes import Processes
from exchange.demo.site import PASSPHRASE, Site
from exchange.process import sole_owner, write_durably
from exchange.relay.config import load_settings
from exchange.wiring.relay import create_relay, install_charter
from keys.ceremony import assemble_charter, draft_charter, sign_charter
from keys.identity import SigningIdentity
from keys.primitives import random_bytes
from schemas.catalogue import edition
from schemas.charter import Chairmanship, Member, Name, Role
from schemas.ids import MemberId
from schemas.limits import DAY
from tests.support.accounts import account
from tests.support.cbm import answer, cbm, line
from tests.support.running import MEASURE, budget, client, in_state, running
from tests.support.waiting import answered

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
        # A session first: what keeps a new node from its first one is another story.
        await _in_session(processes.site, "KAZ")
        before = int(time.time())
        processes.kill("relay")
        async with client(processes, "KAZ") as kaz:
            ident = await send(kaz, "waits")
            message = await _tried(kaz, ident)
            assert message.summary.state == "sealed"
            assert "Connection refused" in message.envelopes[0]["fault"]
            told = await _told(processes.site, "does not answer: Connection refused")
            assert told["messages"]["outbox.sealed"] == 1
            assert told["relay"]["unreachable_since"] >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before))
            await processes.start("relay")
            await in_state(kaz, ident, "delivered")
            told = await _in_session(processes.site, "KAZ")
            assert "why" not in told["relay"]


async def _in_session(site: Site, member: str) -> dict[str, Any]:
    """The status of a node once it has a session with the relay."""

    async def ask() -> dict[str, Any] | None:
        told = await status(site, member)
        return told if told["relay"]["session"] else None

    return await answered(ask, f"{member} has a session")


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


async def test_a_relay_with_another_certificate_gets_nothing_and_is_named(tmp_path: Path) -> None:
    async with running(tmp_path / "site", MEMBERS) as processes:
        site = processes.site
        processes.stop("relay")
        other = trustme.CA().issue_cert("127.0.0.1")
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        other.cert_chain_pems[0].write_to_path(certificate)
        other.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        false = await asyncio.to_thread(_false_relay, tmp_path / "false", site, certificate, key)
        async with client(processes, "KAZ") as kaz:
            with Processes(false) as impostor:
                await impostor.start("relay")
                ident = await send(kaz, "not for the false relay")
                message = await _tried(kaz, ident)
                assert message.summary.state == "sealed"
                why = "a certificate that the charter does not name"
                await _told(site, why)
                assert why in (await _tried(kaz, ident)).envelopes[0]["fault"]
            await processes.start("relay")
            await in_state(kaz, ident, "delivered")


async def test_a_relay_with_the_right_certificate_and_another_key_gets_no_session(tmp_path: Path) -> None:
    async with running(tmp_path / "site", MEMBERS) as processes:
        site = processes.site
        processes.stop("relay")
        certificate, key = site.folder / "relay-cert.pem", site.folder / "relay-key.pem"
        false = await asyncio.to_thread(_false_relay, tmp_path / "false", site, certificate, key)
        with Processes(false) as impostor:
            await impostor.start("relay")
            await _told(site, "no relay")
        await processes.start("relay")
        async with client(processes, "KAZ") as kaz:
            await in_state(kaz, await send(kaz, "for the true relay"), "delivered")


async def _tried(node: NodeClient, ident: str) -> Message:
    """The message after at least one try to send it."""

    async def ask() -> Message | None:
        message = await node.message(ident)
        return message if message.envelopes and message.envelopes[0]["attempts"] else None

    return await answered(ask, "the node has tried to send")


async def _told(site: Site, why: str) -> dict[str, Any]:
    """The node's status, once it gives this reason for having no session."""

    async def ask() -> dict[str, Any] | None:
        told = await status(site, "KAZ")
        relay = told["relay"]
        return told if relay["session"] is False and why in relay.get("why", "") else None

    return await answered(ask, f"the node says {why}")


async def _heads(site: Site) -> None:
    """Wait until the recipient has a head of the sender's stream."""
    path = site.node("MNG") / "node.db"

    async def ask() -> bool | None:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT 1 FROM received WHERE outcome = 'head'").fetchone() and True

    await answered(ask, "a head has arrived")


def _false_relay(folder: Path, site: Site, certificate: Path, key: Path) -> Site:
    """A relay on the same port with an identity and a charter of its own."""
    port = load_settings(site.relay).port
    values = {"name": "false", "host": "127.0.0.1", "port": port, "tls_cert": str(certificate), "tls_key": str(key)}
    relay = create_relay(folder / "relay", values, PASSPHRASE)
    roots = {code: SigningIdentity.from_entropy(MemberId(code), random_bytes(96)) for code in site.members}
    rows = [Member(MemberId(code), Role.MEMBER, (Name("en", code),), root.public) for code, root in roots.items()]
    now = int(time.time())
    chair = Chairmanship(MemberId(site.members[0]), now, now + 730 * DAY)
    draft = draft_charter(rows, chair, [relay], [edition().catalogue_id], (None, None), now)
    charter = assemble_charter(draft, [sign_charter(root, draft) for root in roots.values()])
    install_charter(folder / "relay", charter, relay)
    false = Site(folder, ())
    write_durably(false.passphrase_file, PASSPHRASE, 0o600)
    return false
