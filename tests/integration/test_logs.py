"""What processes write while they succeed, refuse and fail: lines that lead to the audit log, and not one secret."""

import asyncio
import base64
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exchange.demo.processes import Processes
from exchange.demo.site import Site, build_site, free_port
from schemas.audit import AuditEntry, AuditKind
from schemas.leaf import read_leaf
from schemas.origin import Acceptance
from tests.support.canaries import forms, found, log_lines, site_secrets
from tests.support.cbm import cbm
from tests.support.running import MEASURE, budget, client, in_state, ready_to_receive
from tests.support.token import PIN, SoftToken
from tests.support.waiting import PATIENCE, until

MEMBERS = ("KAZ", "MNG", "UZB")
NAMES = ("relay", *MEMBERS)
SETTINGS = {"retry_most": 1, "directory_every": 1, "head_after": 1}


@dataclass
class Run:
    """All that the processes of one run have written, by where it stands.

    Attributes:
        canaries: what was told to them, by name.
        texts: logs, audit logs, metrics, problem documents, what commands print.
        codes: of every problem document.
        envelopes: ids of those that were delivered.
    """

    site: Site
    canaries: dict[str, bytes] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    envelopes: list[str] = field(default_factory=list)

    def canary(self, name: str) -> str:
        """A new secret text; one that begins with `fault` makes trouble (tests.support.faulty)."""
        text = f"{name.partition(' ')[0]} {secrets.token_hex(16)}"
        self.canaries[name] = text.encode()
        return text

    def log(self, name: str) -> list[dict[str, object]]:
        """What a process has logged."""
        return log_lines(self.site.folder / f"{name.lower()}.log")

    def entries(self, name: str) -> dict[int, AuditEntry | Acceptance]:
        """Its audit log, by index."""
        path = self.site.relay / "relay.db" if name == "relay" else self.site.node(name) / "node.db"
        with closing(sqlite3.connect(path)) as store:
            return {index: read_leaf(leaf) for index, leaf in store.execute("SELECT position, leaf FROM audit")}

    async def ask(self, http: aiohttp.ClientSession, method: str, url: str, **rest: Any) -> None:  # noqa: ANN401  # aiohttp's
        """A request, and what comes of it."""
        async with http.request(method, url, ssl=False, **rest) as answer:
            body = await answer.read()
            self.texts[f"answer {len(self.texts)}: {answer.status}"] = body + repr(answer.headers).encode()
            assert answer.content_type == "application/problem+json", (method, url, answer.status)
            self.codes.add(str(json.loads(body)["type"]).rpartition(":")[2])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, one_token: SoftToken) -> Run:
    """A relay and nodes that succeed, refuse and fail; KAZ has its key in a token, and faults of its own."""
    return asyncio.run(_whole(tmp_path_factory.mktemp("logs"), one_token))


async def _whole(folder: Path, token: SoftToken) -> Run:
    place = replace(token.place, key=f"key-{secrets.token_hex(4)}")
    now, port = int(time.time()), free_port()
    site = await asyncio.to_thread(
        build_site, folder / "site", MEMBERS, now, port, delivery=SETTINGS, signing={"KAZ": (place, PIN)}
    )
    run = Run(site, {"PIN": PIN})
    with Processes(site) as processes:
        processes.launch("KAZ", "tests.support.faulty")
        await processes.start("relay", "MNG", "UZB")
        await processes.wait_ready("KAZ")
        await ready_to_receive(processes)
        await _succeed(run, processes, folder)
        async with aiohttp.ClientSession() as http:
            await _refuse(run, processes, http)
            await _refuse_at_relay(run, processes, http)
            await _fail(run, processes, http)
            for name in NAMES:
                async with http.get(f"{processes.url(name)}/metrics", ssl=False) as answer:
                    run.texts[f"{name} metrics"] = await answer.read()
        for name in reversed(NAMES):
            processes.stop(name)
    await _commands(run, folder)
    run.canaries |= site_secrets(site)
    for name in NAMES:
        run.texts[f"{name} log"] = (site.folder / f"{name.lower()}.log").read_bytes()
        run.texts[f"{name} audit"] = repr(run.entries(name)).encode()
    return run


async def _succeed(run: Run, processes: Processes, folder: Path) -> None:
    """A message with an attachment, there; its title, its file and the file's name are nobody else's business."""
    path = folder / f"{run.canary('attachment name').replace(' ', '-')}.bin"
    run.canaries["attachment name"] = path.name.encode()
    path.write_bytes(run.canary("attachment content").encode() * 1000)
    record = budget(run.canary("title"))
    async with client(processes, "KAZ", attempts=10) as node:
        sent = await node.send(["MNG"], MEASURE, record, attachments=[path])
        whole = await in_state(node, sent.id, "delivered")
        run.envelopes.append(str(whole.envelopes[0]["id"]))
    async with client(processes, "MNG", attempts=10) as node:
        (row,) = [row async for row in node.messages()]
        await node.message(row.id)
        assert run.canaries["title"].decode() in str(row.title)


def _token(processes: Processes, member: str, ministry: str = "all") -> str:
    return processes.site.token_file(member, ministry).read_text("ascii").strip()


async def _refuse(run: Run, processes: Processes, http: aiohttp.ClientSession) -> None:
    """What ministries do wrong, with secrets in each place where somebody could put one."""
    url, token = f"{processes.url('KAZ')}/v1/messages", _token(processes, "KAZ")
    bearer = {"Authorization": f"Bearer {token}"}
    stranger = f"cbm_{secrets.token_hex(8)}_{secrets.token_hex(32)}"
    run.canaries["a stranger's token"] = stranger.encode()
    await run.ask(http, "GET", url, headers={"Authorization": f"Bearer {stranger}"})
    await run.ask(http, "GET", f"{url}/{token}?token={token}", headers={"Authorization": stranger})
    await run.ask(http, "GET", f"{url}/{token}?token={token}", headers=bearer)
    await run.ask(http, "GET", f"{processes.url('KAZ')}/{run.canary('path')}?{run.canary('query')}", headers=bearer)
    await run.ask(http, "POST", url, headers=bearer, data=b'{"record": ' + run.canary("broken").encode())
    record = {**budget(run.canary("refused title")), "figures": run.canary("figures")}
    message = {"to": ["MNG"], "measure": MEASURE, "record": record}
    key = {"Idempotency-Key": run.canary("key")[:60]}
    await run.ask(http, "POST", url, headers={**bearer, **key}, json=message)
    narrow = {"Authorization": f"Bearer {_token(processes, 'KAZ', 'emergency')}"}
    await run.ask(http, "POST", url, headers=narrow, json={**message, "record": budget(run.canary("narrow title"))})
    inbox = f"{processes.url('MNG')}/v1/messages"
    held = {"Authorization": f"Bearer {_token(processes, 'MNG')}"}
    async with http.get(f"{inbox}?box=inbox", headers=held) as answer:
        ident = (await answer.json())["messages"][0]["id"]
    await run.ask(http, "POST", f"{inbox}/{ident}/forward", headers=held, json={"to": ["UZB"]})


async def _refuse_at_relay(run: Run, processes: Processes, http: aiohttp.ClientSession) -> None:
    """What strangers do wrong at the relay."""
    url = processes.url("relay")
    await run.ask(http, "POST", f"{url}/v1/envelopes", data=b"\0\0\0\x08" + run.canary("header").encode())
    await run.ask(http, "POST", f"{url}/v1/directory", data=run.canary("entry").encode())
    await run.ask(http, "GET", f"{url}/v1/mailbox", headers={"Signature": run.canary("signature")})
    await run.ask(http, "GET", f"{url}/v1/bodies/KAZ/{run.canary('relay path')}")
    async with http.ws_connect(f"{url}/v1/session", ssl=False) as socket:
        await socket.receive()
        await socket.send_bytes(run.canary("frame").encode())
        await socket.receive()


async def _fail(run: Run, processes: Processes, http: aiohttp.ClientSession) -> None:
    """Faults of the program and of the line to the relay."""
    processes.stop("relay")
    async with client(processes, "KAZ", attempts=10) as node:
        sent = await node.send(["MNG"], MEASURE, budget(run.canary("delayed title")))
        await _told(run, "KAZ", "send.retry")
        await processes.start("relay")
        await in_state(node, sent.id, "delivered")
    bearer = {"Authorization": f"Bearer {_token(processes, 'KAZ')}"}
    message = {"to": ["MNG"], "measure": MEASURE, "record": budget(run.canary("fault title"))}
    await run.ask(http, "POST", f"{processes.url('KAZ')}/v1/messages", headers=bearer, json=message)
    await _told(run, "KAZ", "node.loop-failed")


async def _told(run: Run, name: str, event: str) -> None:
    await until(lambda: any(row["event"] == event for row in run.log(name)), PATIENCE)


async def _commands(run: Run, folder: Path) -> None:
    """A wrong passphrase, and the audit log as everybody may export it."""
    wrong = folder / "wrong-passphrase"
    wrong.write_text(run.canary("wrong passphrase"))
    wrong.chmod(0o600)
    node, relay = run.site.node("MNG"), run.site.relay
    result = await cbm("node", "run", "--dir", node, environment={"CBM_PASSPHRASE_FILE": str(wrong)})
    assert result[0] == 1
    run.texts["node with a wrong passphrase"] = "".join(result[1:]).encode()
    for kind in ("--json", "--csv"):
        for name, source in (("relay", ("--relay", relay)), ("MNG", ("--dir", node))):
            out = folder / f"{name}{kind}"
            options = ("--csv",) if kind == "--csv" else ()
            result = await cbm("audit", "export", *options, "--out", out, *source)
            assert result[0] == 0, result
            run.texts[f"{name} exported {kind}"] = out.read_bytes()


class TestSecrets:
    def test_none_is_in_what_the_processes_wrote(self, run: Run, tell: Callable[[str], None]) -> None:
        assert found(run.texts, run.canaries) == set()
        size = sum(len(text) for text in run.texts.values())
        tell(f"looked for {len(run.canaries)} secrets in {size // 1024} KiB of {len(run.texts)} logs and answers: none")

    def test_the_search_would_find_one_in_each_form(self, run: Run) -> None:
        """Planted beside what was written; and what may be there is there."""
        for name, secret in run.canaries.items():
            for form in forms(secret):
                planted = {**run.texts, "planted": run.texts["KAZ log"] + b'{"why": "' + form + b'"}\n'}
                assert ("planted", name) in found({"planted": planted["planted"]}, {name: secret})
            encoded = base64.b64encode(b"before" + secret + b"after")
            assert found({"planted": encoded}, {name: secret}) == {("planted", name)}
        where = {place for place, _ in found(run.texts, {"envelope": run.envelopes[0].encode()})}
        assert {"KAZ log", "MNG log", "relay log", "relay exported --json", "MNG exported --csv"} <= where

    def test_they_were_told_to_processes_that_succeeded_refused_and_failed(self, run: Run) -> None:
        wanted = {
            "bad-token",
            "bad-json",
            "invalid-record",
            "measure-not-allowed",
            "no-consent",
            "internal",
            "request-signature",
        }
        assert wanted <= run.codes
        names = {type(entry).__name__ if isinstance(entry, Acceptance) else entry.kind.label for entry in _all(run)}
        assert {"submitted", "sealed", "received", "submission-refused", "login-denied", "session-denied"} <= names


def _all(run: Run) -> Iterator[AuditEntry | Acceptance]:
    for name in NAMES:
        yield from run.entries(name).values()


class TestLines:
    @pytest.mark.parametrize("name", NAMES)
    def test_each_is_an_event_with_a_level_and_a_time(self, run: Run, name: str) -> None:
        rows = run.log(name)
        assert len(rows) > 10
        for row in rows:
            assert {"event", "level", "timestamp", "part"} <= row.keys(), row
        assert {"info", "warning"} <= {row["level"] for row in rows}

    @pytest.mark.parametrize("name", NAMES)
    def test_an_index_leads_to_the_entry_that_the_line_is_about(self, run: Run, name: str) -> None:
        entries = run.entries(name)
        linked = [row for row in run.log(name) if "audit" in row]
        assert linked
        for row in linked:
            index = row["audit"]
            assert isinstance(index, int)
            entry = entries[index]
            assert row["event"] == ("accepted" if isinstance(entry, Acceptance) else entry.kind.label), row
            assert row.get("envelope") == (None if entry.envelope is None else entry.envelope.hex()), row
            if isinstance(entry, AuditEntry):
                assert (row.get("reason"), row.get("member")) == (entry.reason, entry.member), row

    @pytest.mark.parametrize("name", NAMES)
    def test_each_entry_has_one_line_unless_it_only_follows_from_another(self, run: Run, name: str) -> None:
        told = [row["audit"] for row in run.log(name) if "audit" in row]
        assert len(told) == len(set(told))
        quiet = {AuditKind.PUSHED, AuditKind.DELETED}
        untold = {index: entry for index, entry in run.entries(name).items() if index not in told}
        # Commands write beside the process.
        left = {entry.reason for entry in untold.values() if isinstance(entry, AuditEntry) and entry.kind not in quiet}
        assert left <= {"charter", "token-added", "audit.exported"}, untold

    def test_an_envelope_is_followed_through_all_three_logs(self, run: Run) -> None:
        said = {
            name: [row["event"] for row in run.log(name) if row.get("envelope") == run.envelopes[0] and "audit" in row]
            for name in NAMES
        }
        assert said == {
            "KAZ": ["sealed", "relayed", "answered"],
            "relay": ["accepted", "acknowledged"],
            "MNG": ["received"],
            "UZB": [],
        }

    def test_a_fault_is_told_by_its_place(self, run: Run) -> None:
        rows = {row["event"]: row for row in run.log("KAZ")}
        assert rows["request.fault"]["fault"] == rows["thread.failed"]["fault"] == "ValueError"
        assert "support/faulty.py:" in str(rows["request.fault"]["places"])
        says = {row["says"] for row in run.log("KAZ") if row["event"] == "library"}
        assert {"it does not like %s", "Task exception was never retrieved"} <= says
