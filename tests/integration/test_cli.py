"""A whole round by the command line alone: ceremonies, set-up, three nodes and a relay, messages; and wrong uses."""

import asyncio
import json
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from exchange.convert.milex import record_to_milex
from exchange.demo.site import free_port
from tests.support.cbm import answer, cbm, line, start
from tests.support.running import MEASURE, budget
from tests.support.waiting import answered

CODES = ("KAZ", "MNG", "UZB")
CHARTER = """
editions = ["cica-catalogue-draft-2021-09-27"]
chairmanship = {member = "KAZ", from = 2026-01-01, until = 2030-01-01}
relays = [{identity = "relay/relay-identity.cbm"}]
"""
MEMBER = """
[[members]]
code = "{code}"
role = "member"
names = {{en = "{code}"}}
root = "{code}.root.pub"
"""


class Round:
    """One folder in which every command works, with the passphrase in the environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.urls: dict[str, str] = {}
        self.environment = {"CBM_PASSPHRASE_FILE": str(folder / "passphrase")}

    async def do(self, *arguments: str) -> Any:  # noqa: ANN401  # a JSON value
        """A command that succeeds; what it prints with --json."""
        return answer(await self.run(*arguments, "--json"))

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        return await cbm(*arguments, environment=self.environment, cwd=self.folder)

    async def ministry(self, member: str, command: str, *arguments: str) -> Any:  # noqa: ANN401  # a JSON value
        return await self.do(command, *arguments, *self.access(member))

    def access(self, member: str) -> tuple[str, ...]:
        return ("--node", self.urls[member], "--token-file", f"{member}.token")

    async def each(self, work: Callable[[str], Awaitable[Any]]) -> list[Any]:
        return list(await asyncio.gather(*(work(code) for code in CODES)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    passphrase.chmod(0o600)
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "relay.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "relay.key")
    (tmp_path / "relay.key").chmod(0o600)
    (tmp_path / "charter.toml").write_text(CHARTER + "".join(MEMBER.format(code=code) for code in CODES))
    (tmp_path / "budget.json").write_text(json.dumps(budget("A budget")))
    (tmp_path / "annex.bin").write_bytes(bytes(range(256)) * 1024)
    return tmp_path


async def _ceremonies(work: Round, port: int) -> None:
    """Roots, relay, charter, nodes, certificates of keys, tokens."""
    await work.each(lambda code: work.do("keys", "root", "create", "--member", code, "--out", f"{code}.root"))
    tls = ("--tls-cert", "relay.pem", "--tls-key", "relay.key")
    await work.do("relay", "init", "--dir", "relay", "--port", str(port), *tls)
    drafted = await work.do("charter", "draft", "charter.toml", "--out", "draft")
    await work.each(
        lambda code: work.do("charter", "sign", "draft", "--root", f"{code}.root", "--out", f"{code}.signature")
    )
    signatures = [f"{code}.signature" for code in CODES]
    await work.do("charter", "assemble", "draft", *signatures, "--out", "charter.cbm")
    verified = await work.do("charter", "verify", "charter.cbm", "--fingerprint", drafted["fingerprint"])
    assert (verified["verified"], verified["pinned"]) == (True, True)
    assert (await work.do("relay", "charter", "--dir", "relay", "charter.cbm"))["charter"] == drafted["fingerprint"]

    async def node(code: str) -> None:
        made = await work.do(
            *("node", "init", "--dir", code, "--member", code, "--charter", "charter.cbm"),
            *("--relay", f"https://127.0.0.1:{port}", "--port", "0"),
        )
        assert made["charter"] == drafted["fingerprint"]
        await asyncio.to_thread(_look_often, work.folder / code / "node.toml")
        certify = ("keys", "signing", "certify", "--root", f"{code}.root", "--request", f"{code}/signing-request.cbm")
        certified = await work.do(*certify, "--out", f"{code}.key", "--days", "365")
        assert certified["fingerprint"] == made["signing_key"]
        await work.do("node", "certify", "--dir", code, f"{code}.key")
        token = ("node", "token", "create", "--dir", code, "--ministry", "defence", "--scopes", "send,read")
        await work.do(*token, "--measures", "2.1.*", "--out", f"{code}.token")

    await work.each(node)


def _look_often(settings: Path) -> None:
    """As an operator would write it: nodes that start together are to learn of each other at once."""
    settings.write_text(settings.read_text() + "\n[delivery]\ndirectory_every = 1\n")


@asynccontextmanager
async def _servers(work: Round) -> AsyncIterator[dict[str, Process]]:
    """Relay and nodes; each says on its standard output where it is, and ends well when it is told to."""
    running: dict[str, Process] = {}
    try:
        for name, kind in (("relay", "relay"), *((code, "node") for code in CODES)):
            running[name] = await start(
                kind, "run", "--dir", name, "--json", environment=work.environment, cwd=work.folder
            )
        for name, process in running.items():
            assert process.stdout is not None
            async with asyncio.timeout(60):
                work.urls[name] = json.loads(await process.stdout.readuntil(b"}\n"))["url"]
        yield running
    finally:
        for process in running.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        codes = {name: (await process.communicate(), process.returncode)[1] for name, process in running.items()}
    assert codes == dict.fromkeys(running, 0)


async def test_a_whole_round_by_the_command_line(folder: Path) -> None:
    work = Round(folder)
    await _ceremonies(work, free_port())
    async with _servers(work):
        kept = await _send(work, "--attach", "annex.bin", "--tlp", "AMBER")
        shown = await work.ministry("MNG", "show", kept)
        assert shown["record"]["title"] == {"en": "A budget", "ru": "A budget"}
        assert [(file["filename"], file["size"]) for file in shown["attachments"]] == [("annex.bin", 256 * 1024)]
        assert (shown["provision"]["providers"], shown["provision"]["onward"]) == (["KAZ"], "none")

        code, out, err = await work.run("export", kept, *work.access("MNG"), "--json")
        assert (json.loads(out)["rule"], json.loads(out)["provider"]) == ("no-consent", "KAZ")
        assert "ask KAZ" in line((code, "", err), 1)
        await work.ministry("MNG", "export", kept, "--internal", "--as", "csv", "--out", "form.csv")
        assert json.loads((work.folder / "form.csv.proof.json").read_text())["marking"] == "TLP:AMBER"
        assert (work.folder / "form.csv").read_bytes() == await asyncio.to_thread(
            record_to_milex, shown["record"], "csv"
        )
        exported = await work.ministry("MNG", "export", kept, "--internal")
        assert json.loads(exported["content"]) == shown["record"]

        code, out, err = await work.run("forward", kept, "--to", "UZB", *work.access("MNG"), "--json")
        problem = json.loads(out)
        assert (problem["status"], problem["provider"], problem["recipient"]) == (403, "KAZ", "UZB")
        said = line((code, "", err), 1)
        assert "refused by the node" in said
        assert "KAZ" in said

        free = await _send(work, "--onward", "members", "--tlp", "GREEN")
        forwarded = await work.ministry("MNG", "forward", free, "--to", "UZB")
        at_third = await _arrived(work, "UZB", free)
        assert at_third["path"] == ["KAZ", "MNG"]
        await _delivered(work, "MNG", forwarded["id"])

        told = await work.do("node", "status", "--dir", "MNG")
        assert (told["member"], told["relay"]["session"], told["alarms"]) == ("MNG", True, [])
        told = await work.do("relay", "status", "--dir", "relay")
        assert (told["health"], told["accepted"], told["held"]) == ("ok", 3, 0)
        (token,) = [t for t in await work.do("node", "token", "list", "--dir", "KAZ") if t["ministry"] == "defence"]
        await work.do("node", "token", "revoke", token["token"], "--dir", "KAZ")
        assert "token" in line(await work.run("inbox", *work.access("KAZ")), 1)
    assert "does not run" in line(await work.run("node", "status", "--dir", "KAZ"), 1)


async def _send(work: Round, *options: str) -> str:
    """Send the budget from the first member to the second; the id under which it arrived."""
    sent = await work.ministry("KAZ", "send", "--to", "MNG", "--measure", MEASURE, "--record", "budget.json", *options)
    await _delivered(work, "KAZ", sent["id"])
    assert (await _arrived(work, "MNG", sent["id"]))["sender"] == "KAZ"
    ident: str = sent["id"]
    return ident


async def _arrived(work: Round, member: str, ident: str) -> Any:  # noqa: ANN401  # a JSON value
    async def ask() -> Any:  # noqa: ANN401  # a JSON value
        rows = await work.ministry(member, "inbox")
        return next((row for row in rows if row["id"] == ident), None)

    return await answered(ask, f"{member} has {ident} in its inbox")


async def _delivered(work: Round, member: str, ident: str) -> None:
    async def ask() -> bool | None:
        return (await work.ministry(member, "show", ident))["state"] == "delivered" or None

    await answered(ask, f"{ident} is delivered")


async def test_record_types_are_listed_and_records_validated_offline(folder: Path) -> None:
    work = Round(folder)
    assert {"id": "defence-budget", "version": "1.0"}.keys() == (await work.do("schema", "list"))[0].keys()
    schema = await work.do("schema", "show", "defence-budget")
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    code, out, err = await work.run("schema", "validate", "budget.json", "--json")
    told = json.loads(out)
    assert told["valid"] is False
    assert told["faults"]
    line((code, "", err), 1)


WRONG = (
    ("nothing-like-it",),
    ("send", "--to", "MNG"),
    ("send", "--to", "mng", "--measure", MEASURE, "--record", "budget.json", "--node", "http://127.0.0.1:1"),
    ("show", "not-an-id", "--node", "http://127.0.0.1:1", "--token-file", "passphrase"),
    ("inbox", "--node", "http://127.0.0.1:1", "--token-file", "open.token"),
    ("keys", "root", "create", "--member", "Kazakhstan", "--out", "x"),
    ("node", "init", "--dir", "x", "--member", "KAZ", "--charter", "absent", "--relay", "https://127.0.0.1:1"),
    ("node", "run", "--no-such-option"),
    ("schema", "validate", "absent.json"),
    ("schema", "show", "no-such-record"),
)


async def test_a_wrong_use_ends_with_two_and_one_line(folder: Path) -> None:
    (folder / "open.token").write_text("token")
    (folder / "open.token").chmod(0o644)
    work = Round(folder)
    before = _names(folder)
    for arguments in WRONG:
        line(await work.run(*arguments), 2)
    assert _names(folder) == before


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
