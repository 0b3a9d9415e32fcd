"""Backups of a node that runs, and the node that is made of them: no key in the wrong place, nothing twice."""

import hashlib
import shutil
import sqlite3
import tarfile
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from exchange.demo.processes import Processes
from exchange.demo.site import PASSPHRASE
from exchange.node.config import load_config
from exchange.storage.audit_port import AuditQuery
from exchange.storage.audit_reading import audit_reading
from exchange.wiring.custody import open_signing
from keys.ceremony import identity_of
from keys.epochs import read_epoch
from keys.keystore import Keystore
from keys.mortal import MortalKeys
from schemas.audit import AuditKind, read_entry
from schemas.canon import encode
from schemas.endings import WithdrawalTarget
from schemas.relayapi import PATH_DIRECTORY
from schemas.statement import DIRECTORY_ENTRY
from tests.support.cbm import answer, cbm, line
from tests.support.changes import withdrawal
from tests.support.memory import found
from tests.support.running import MEASURE, budget, build, client, in_state, ready_to_receive
from tests.support.secrets import node_secrets
from tests.support.waiting import answered

MEMBERS = ("KAZ", "MNG")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Processes]:
    """A relay and two nodes that run."""
    made = await build(tmp_path / "site", MEMBERS, delivery={"head_after": 1})
    with Processes(made) as processes:
        await processes.start("relay", *MEMBERS)
        await ready_to_receive(processes)
        yield processes


async def send(processes: Processes, sender: str, to: str, title: str, file: Path | None = None) -> str:
    """A message that has arrived; its id."""
    async with client(processes, sender, attempts=10) as node:
        sent = await node.send([to], MEASURE, budget(title), attachments=[file] if file else [])
        await in_state(node, sent.id, "delivered")
        return sent.id


async def titles(processes: Processes, member: str) -> list[str]:
    async with client(processes, member, attempts=10) as node:
        return sorted(row.title for row in [row async for row in node.messages()])


def operated(database: Path) -> list[tuple[str | None, bytes | None]]:
    """What the operator did, by the audit log: reason and subject."""
    with audit_reading(database) as reading:
        found = list(reading.search(AuditQuery(kinds=(AuditKind.OPERATOR,)), None))
    return [(entry.reason, entry.subject) for entry in (read_entry(leaf.leaf or b"") for leaf in found)]


async def back_up(processes: Processes, member: str, folder: Path) -> tuple[Path, Path]:
    """Both backups of a node."""
    data, keys = folder / "data.backup", folder / "keys.backup"
    for out, more in ((data, ()), (keys, ("--keys",))):
        answer(await cbm("node", "backup", "--dir", processes.site.node(member), "--out", out, "--json", *more))
    return data, keys


async def restore(processes: Processes, member: str, backups: tuple[Path, Path]) -> None:
    """In the place of the node's own folder; ministries keep their tokens."""
    home = processes.site.node(member)
    lost = home.with_name("lost")
    shutil.rmtree(lost, ignore_errors=True)
    home.rename(lost)
    data, keys = backups
    environment = {"CBM_PASSPHRASE_FILE": str(processes.site.passphrase_file)}
    result = await cbm("node", "restore", "--dir", home, "--data", data, "--keys", keys, environment=environment)
    assert result[0] == 0, result
    for ministry in ("all", "defence", "emergency"):
        shutil.copy2(lost / f"{ministry}.token", home)


async def test_no_backup_holds_an_epoch_s_private_key_or_the_other_s_part(site: Processes, tmp_path: Path) -> None:
    attachment = tmp_path / "map.bin"
    attachment.write_bytes(b"a map of the border " * 100)
    await send(site, "KAZ", "MNG", "a budget", attachment)
    data, keys = await back_up(site, "MNG", tmp_path)
    folder = site.site.node("MNG") / "keys"
    keystore = Keystore.open(folder, PASSPHRASE)
    mortal = MortalKeys(keystore)
    halves: dict[str, bytes] = {}
    for name in mortal.names():
        seed = bytes(read_epoch(mortal.get(name))[1])
        halves |= {f"{name} lattice": seed[:64], f"{name} curve": seed[64:]}
        halves |= {f"{name} sealed": (folder / "epochs" / f"{name}.key").read_bytes()}
        halves |= {f"{name} veil": (folder / "veils" / f"{name}.veil").read_bytes()}
    assert len(halves) >= 4 * 9
    secrets = node_secrets(site.site, "MNG")
    sealed = {f"sealed {name}": (folder / f"{name}.key").read_bytes() for name in ("store", "signing", "local")}
    stored = {path.name: path.read_bytes()[:64] for path in (site.site.node("MNG") / "content").iterdir()}
    assert stored
    assert found(data, halves | secrets | sealed) == set()
    assert found(keys, halves | secrets) == set()
    # Control: each holds what it has to, sealed, and not what the other has.
    assert found(keys, sealed) == set(sealed)
    assert found(data, stored) == set(stored)
    assert found(keys, stored) == set()
    for path in (data, keys):
        assert path.stat().st_mode & 0o777 == 0o600
        assert found(path, {"passphrase": PASSPHRASE}) == set()


async def test_a_restored_node_reads_what_it_had_and_both_ways_go_on(site: Processes, tmp_path: Path) -> None:
    attachment = tmp_path / "map.bin"
    attachment.write_bytes(b"a map of the border " * 10_000)
    ident = await send(site, "KAZ", "MNG", "before", attachment)
    await send(site, "MNG", "KAZ", "answer before")
    backups = await back_up(site, "MNG", tmp_path)
    await send(site, "MNG", "KAZ", "answer after")
    await send(site, "KAZ", "MNG", "after")
    site.kill("MNG")
    async with client(site, "KAZ", attempts=10) as node:
        waiting = await node.send(["MNG"], MEASURE, budget("while it was dead"))
    await restore(site, "MNG", backups)
    await site.start("MNG")
    async with client(site, "KAZ", attempts=10) as node:
        await in_state(node, waiting.id, "delivered")

    async def all_there() -> bool | None:
        return await titles(site, "MNG") == ["after", "before", "while it was dead"] or None

    await answered(all_there, "what came after the backup comes again")
    async with client(site, "MNG", attempts=10) as node:
        whole = b"".join([piece async for piece in node.attachment(ident, 0)])
    assert whole == attachment.read_bytes()
    # It publishes new epochs; what is sealed to the lost ones meanwhile comes once more, sealed to those.
    await send(site, "KAZ", "MNG", "afterwards")
    await send(site, "MNG", "KAZ", "answer afterwards")
    assert await titles(site, "KAZ") == ["answer after", "answer afterwards", "answer before"]

    async def told() -> bool | None:
        return "sender-restored" in alarms(site.site.node("KAZ")) or None

    await answered(told, "KAZ is told that MNG was restored")
    assert not {"number-reused", "chain-broken", "missing", "equivocation"} & alarms(site.site.node("KAZ"))
    assert "bad-notice" not in alarms(site.site.node("MNG"))


def alarms(folder: Path) -> set[str]:
    with closing(sqlite3.connect(f"{(folder / 'node.db').as_uri()}?mode=ro", uri=True)) as connection:
        return {row[0] for row in connection.execute("SELECT kind FROM alarms")}


async def test_the_proof_of_an_alarm_outlives_the_node_s_disk(site: Processes, tmp_path: Path) -> None:
    """Somebody publishes with MNG's key, which MNG's node can prove; the restored file proves it as well."""
    home = site.site.node("MNG")
    stolen = open_signing(home, load_config(home), PASSPHRASE)
    entry = encode(DIRECTORY_ENTRY, withdrawal(stolen, WithdrawalTarget.PROVISION, bytes(16), int(time.time())))
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{site.url('relay')}{PATH_DIRECTORY}", data=entry, ssl=False) as published,
    ):
        assert published.status == 200

    async def told() -> bool | None:
        return "foreign-entry" in alarms(home) or None

    await answered(told, "MNG's node knows that it did not make the entry")
    (proof,) = (home / "proofs").glob("*.cbm")
    (home / "proofs" / "letter to the members.odt").write_bytes(b"the operators' own file")
    made = proof.read_bytes()
    backups = await back_up(site, "MNG", tmp_path)
    site.kill("MNG")
    await restore(site, "MNG", backups)
    assert [(path.name, path.read_bytes()) for path in (home / "proofs").iterdir()] == [(proof.name, made)]
    assert proof.stat().st_mode & 0o777 == 0o600
    charter = site.site.folder / "charter.cbm"
    found = answer(await cbm("audit", "verify", proof, "--charter", charter, "--json"))
    assert (found["kind"], found["observer"]) == ("foreign-entry", "MNG")


async def test_a_backup_of_a_busy_node_is_of_one_moment(site: Processes, tmp_path: Path) -> None:
    """Attachments come and go while it is taken; every row of the snapshot has its file, and no file is without one."""
    attachment = tmp_path / "map.bin"
    attachment.write_bytes(b"x" * 300_000)
    async with client(site, "KAZ", attempts=10) as node:
        sent = [await node.send(["MNG"], MEASURE, budget(f"number {n}"), attachments=[attachment]) for n in range(8)]
        data, _ = await back_up(site, "KAZ", tmp_path)
        for message in sent:
            await in_state(node, message.id, "delivered")
    with tarfile.open(data) as tar:
        database = tar.extractfile("node.db")
        assert database is not None
        (tmp_path / "node.db").write_bytes(database.read())
        names = {name for name in tar.getnames() if name.startswith(("content/", "spool/"))}
    with closing(sqlite3.connect(tmp_path / "node.db")) as connection:
        rows = {f"content/{row[0]}" for row in connection.execute("SELECT file FROM attachments")}
        spooled = connection.execute("SELECT envelope FROM outbox WHERE state = 'sealed' AND body IS NULL")
        rows |= {f"spool/{row[0].hex()}.body" for row in spooled}
    assert names == rows
    assert len(names) >= 8
    left = [path.name for path in site.site.folder.iterdir() if path.name.startswith(".")]
    assert left == []


async def test_a_relay_goes_on_from_its_backup(site: Processes, tmp_path: Path) -> None:
    """Nothing was published since; what waited in it, a large body too, is delivered."""
    site.stop("MNG")
    attachment = tmp_path / "map.bin"
    attachment.write_bytes(b"x" * 300_000)
    async with client(site, "KAZ", attempts=10) as node:
        sent = await node.send(["MNG"], MEASURE, budget("waits"), attachments=[attachment])
        await in_state(node, sent.id, "accepted")
    home = site.site.relay
    data, keys = tmp_path / "data.backup", tmp_path / "keys.backup"
    answer(await cbm("relay", "backup", "--dir", home, "--out", keys, "--keys", "--json"))
    site.stop("relay")
    answer(await cbm("relay", "backup", "--dir", home, "--out", data, "--json"))
    seed = identity_of(Keystore.open(home / "keys", PASSPHRASE).get("relay-signing")).ed25519_seed
    assert found(data, {"seed": seed, "sealed": (home / "keys" / "relay-signing.key").read_bytes()}) == set()
    assert operated(home / "relay.db")[-2:] == [
        ("stopped", None),
        ("backed-up", hashlib.sha256(data.read_bytes()).digest()),
    ]
    shutil.rmtree(home)
    environment = {"CBM_PASSPHRASE_FILE": str(site.site.passphrase_file)}
    made = await cbm("relay", "restore", "--dir", home, "--data", data, "--keys", keys, environment=environment)
    assert made[0] == 0, made
    assert [reason for reason, _ in operated(home / "relay.db")][-3:] == ["keys-backed-up", "stopped", "restored"]
    await site.start("relay", "MNG")
    async with client(site, "KAZ", attempts=10) as node:
        await in_state(node, sent.id, "delivered")
    assert await titles(site, "MNG") == ["waits"]


async def test_what_is_no_backup_of_this_node_restores_nothing(site: Processes, tmp_path: Path) -> None:
    await send(site, "KAZ", "MNG", "a budget")
    (tmp_path / "mng").mkdir()
    (tmp_path / "kaz").mkdir()
    data, keys = await back_up(site, "MNG", tmp_path / "mng")
    assert operated(site.site.node("MNG") / "node.db")[-2:] == [
        ("backed-up", hashlib.sha256(data.read_bytes()).digest()),
        ("keys-backed-up", hashlib.sha256(keys.read_bytes()).digest()),
    ]
    others = await back_up(site, "KAZ", tmp_path / "kaz")
    cut = tmp_path / "cut.backup"
    cut.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    bent = tmp_path / "bent.backup"
    whole = bytearray(data.read_bytes())
    whole[len(whole) // 3] ^= 1
    bent.write_bytes(whole)
    environment = {"CBM_PASSPHRASE_FILE": str(site.site.passphrase_file)}
    for first, second, told in (
        (cut, keys, "whole"),
        (bent, keys, "damaged|whole"),
        (keys, data, "no place"),
        (others[0], keys, "two members"),
        (data, others[1], "two members"),
    ):
        target = tmp_path / "restored"
        result = await cbm(
            "node", "restore", "--dir", target, "--data", first, "--keys", second, environment=environment
        )
        assert any(word in line(result, 1) for word in told.split("|")), result
        assert not target.exists()
    standing = site.site.node("KAZ")
    result = await cbm("node", "restore", "--dir", standing, "--data", data, "--keys", keys, environment=environment)
    assert "not empty" in line(result, 1)
    again = await cbm("node", "backup", "--dir", standing, "--out", data)
    assert "never overwritten" in line(again, 1)
