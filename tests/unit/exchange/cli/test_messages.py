"""The message commands against a small node over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from exchange.cli.main import run
from tests.support.small_node import TOKEN, SmallNode

A, B = "a" * 32, "b" * 32
Cbm = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[SmallNode]:
    """A small node, a token for it, and a record, in the present folder."""
    monkeypatch.chdir(tmp_path)
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    (tmp_path / "record.json").write_text('{"record_type": "defence-budget", "title": "Қ"}')
    async with SmallNode().running() as small:
        monkeypatch.setenv("CBM_NODE", small.url)
        monkeypatch.setenv("CBM_TOKEN_FILE", str(token))
        yield small


@pytest.fixture
def cbm(capsys: pytest.CaptureFixture[str]) -> Cbm:
    async def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(run, list(arguments))
        shown = capsys.readouterr()
        assert TOKEN not in shown.out + shown.err
        return code, shown.out, shown.err

    return call


SEND = ("send", "--to", "IND,PAK", "--measure", "2.1.1.b", "--record", "record.json")


async def test_a_record_is_sent_with_its_terms(node: SmallNode, cbm: Cbm) -> None:
    terms: dict[str, Any] = {
        "onward": "on-consent",
        "purpose": "verification",
        "until": "2028-01-01",
        "not_before": "2027-02-01T00:00:00+00:00",
        "tlp": "AMBER+STRICT",
        "precedence": "immediate",
        "expires": "12h",
    }
    options = [part for name, value in terms.items() for part in (f"--{name.replace('_', '-')}", value)]
    code, out, err = await cbm(*SEND, *options, "--copy-secretariat", "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["state"] == "queued"
    assert node.sent[answer["id"]] == {
        "to": ["IND", "PAK"],
        "measure": "2.1.1.b",
        "record": {"record_type": "defence-budget", "title": "Қ"},
        "copy_secretariat": True,
        **terms,
    }


@pytest.mark.filterwarnings("ignore:unread_data")
async def test_attachments_go_along(node: SmallNode, cbm: Cbm, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    code, out, _ = await cbm(*SEND, "--attach", "a.pdf", "--attach", "record.json", "--json")
    assert code == 0
    sent = node.files[json.loads(out)["id"]]
    assert [(name, len(data)) for name, _, data in sent] == [("a.pdf", 4), ("record.json", 48)]


async def test_what_the_user_leaves_out_is_left_to_the_node(node: SmallNode, cbm: Cbm) -> None:
    _, out, _ = await cbm(*SEND, "--json")
    assert node.sent[json.loads(out)["id"]].keys() == {"to", "measure", "record"}


async def test_a_thread_is_named_and_warnings_are_lines_of_diagnostics(node: SmallNode, cbm: Cbm) -> None:
    node.warnings = [{"code": "partner-not-agreed", "detail": "not agreed with IND\x1b[2J"}]
    code, out, err = await cbm(*SEND, "--thread", A, "--json")
    answer = json.loads(out)
    assert (code, answer["warnings"]) == (0, node.warnings)
    assert node.sent[answer["id"]]["thread"] == A
    assert err == "warning: not agreed with IND\\x1b[2J (partner-not-agreed)\n"
    code, out, err = await cbm(*SEND)
    assert (code, out.splitlines()[1:], err.count("\n")) == (0, ["state: queued"], 1)


async def test_the_same_key_sends_once(node: SmallNode, cbm: Cbm) -> None:
    first = await cbm(*SEND, "--idempotency-key", "k1", "--json")
    assert await cbm(*SEND, "--idempotency-key", "k1", "--json") == first
    assert len(node.queued) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ("--onward", "everyone"),
        ("--tlp", "PURPLE"),
        ("--precedence", "fast"),
        ("--purpose", "fun"),
        ("--to", "india"),
        ("--to", "IND,IND"),
        ("--attach", "nowhere"),
        ("--record", "nowhere"),
        ("--node", "http://192.0.2.1"),
        ("--token-file", "record.json"),
        ("--ca-file", "record.json"),
    ],
)
async def test_wrong_use_is_said_in_one_line_and_sends_nothing(
    node: SmallNode, cbm: Cbm, wrong: tuple[str, str]
) -> None:
    code, out, err = await cbm(*SEND, *wrong)
    assert (code, out) == (2, "")
    assert err.startswith("cbm: ")
    assert err.count("\n") == 1
    assert node.seen == []


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "[1]", "{", '{"a": NaN}'])
async def test_a_record_that_is_no_strict_json_object_is_refused(
    node: SmallNode, cbm: Cbm, tmp_path: Path, text: str
) -> None:
    (tmp_path / "record.json").write_text(text)
    code, out, err = await cbm(*SEND)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert node.seen == []


async def test_the_inbox_is_lines_when_piped_and_the_nodes_objects_as_json(node: SmallNode, cbm: Cbm) -> None:
    node.add(A, title={"ru": "Tabs\tand\x1b[2Jcontrols\u202e"})
    node.add(B, box="outbox")
    _, out, _ = await cbm("inbox")
    [line] = out.splitlines()
    assert line.split("\t") == [
        A,
        "2027-01-15T08:00:01Z",
        "KAZ",
        "2.1.1.b",
        "defence-budget",
        "routine",
        "AMBER",
        r"Tabs\tand\x1b[2Jcontrols\u202e",
    ]
    _, out, _ = await cbm("inbox", "--json")
    assert json.loads(out) == [node.rows[A]]
    assert "\u202e" not in out


async def test_of_a_long_inbox_the_newest_are_shown(node: SmallNode, cbm: Cbm) -> None:
    for number in range(5):
        node.add(f"{number:032x}")
    _, out, _ = await cbm("inbox", "--limit", "3")
    assert [int(line.split("\t")[0]) for line in out.splitlines()] == [2, 3, 4]


async def test_a_message_is_shown_with_record_and_terms(node: SmallNode, cbm: Cbm) -> None:
    node.add(A)
    _, out, _ = await cbm("show", A, "--json")
    told = json.loads(out)
    assert (told["id"], told["record"], told["provision"]) == (A, {"record_type": "x"}, {"id": "p"})
    code, out, _ = await cbm("show", A)
    assert code == 0
    assert "record:\n  record_type: x" in out


def line(number: int, **changes: object) -> dict[str, Any]:
    """A row of a chain as the node writes it."""
    return {
        "depth": number,
        "record_id": f"r{number}",
        "message": f"{number:032x}",
        "action": "correction",
        "by": ["KAZ"],
        "language": "en",
        "issued_at": "2027-01-15T08:00:00Z",
        "evidenced_at": "2027-01-15T08:00:01Z",
        "state": "current",
        "reason": None,
        "missing": [],
    } | changes


async def test_a_chain_is_shown_as_lines_with_what_holds_now(node: SmallNode, cbm: Cbm) -> None:
    node.add(A)
    chain = [
        line(0, action="new", state="superseded", by=["KAZ", "UZB"]),
        line(1, language="kk\x1b[2J"),
        line(2, state="refused", reason="only KAZ may correct it, not MNG", by=["MNG"]),
        line(2, state="unresolved", missing=["r8", "r9"], evidenced_at=None),
    ]
    node.whole |= {"chain": chain, "current": chain[1]["message"], "record_sha256": "ab" * 32}
    code, out, _ = await cbm("show", A)
    assert code == 0
    assert f"record_sha256: {'ab' * 32}" in out
    when = "2027-01-15T08:00:01Z"
    assert out[out.index("chain:") :].splitlines() == [
        "chain:",
        f"  new by KAZ and UZB, {when}, en: superseded",
        f"    record r0, message {0:032x}",
        f"    correction by KAZ, {when}, kk\\x1b[2J: current <- holds now",
        f"      record r1, message {1:032x}",
        f"      correction by MNG, {when}, en: refused",
        f"        record r2, message {2:032x}",
        "        because: only KAZ may correct it, not MNG",
        "      correction by KAZ, not accepted yet, en: unresolved",
        f"        record r2, message {2:032x}",
        "        refers to what is not here: r8, r9",
    ]
    _, out, _ = await cbm("show", A, "--json")
    told = json.loads(out)
    assert (told["chain"], told["current"]) == (chain, chain[1]["message"])
    node.whole |= {"current": None}
    _, out, _ = await cbm("show", A)
    assert out.splitlines()[-1] == "  nothing of this chain that this token may see holds now"


async def test_a_message_is_forwarded(node: SmallNode, cbm: Cbm) -> None:
    code, out, _ = await cbm("forward", A, "--to", "UZB", "--precedence", "priority", "--json")
    assert code == 0
    assert node.sent[json.loads(out)["id"]] == {"forwarded": A, "to": ["UZB"], "precedence": "priority"}


async def test_a_refused_forward_names_who_has_not_consented(node: SmallNode, cbm: Cbm) -> None:
    node.refusal = {
        "type": "urn:cbm:problem:no-consent",
        "title": "Refused",
        "status": 403,
        "detail": "the provider has not consented",
        "provider": "KAZ",
        "recipient": "UZB",
    }
    code, out, err = await cbm("forward", A, "--to", "UZB")
    assert (code, out) == (1, "")
    assert err == ("cbm: refused by the node: the provider has not consented (provider KAZ, recipient UZB)\n")
    code, out, _ = await cbm("forward", A, "--to", "UZB", "--json")
    assert (code, json.loads(out)) == (1, node.refusal)


@pytest.mark.parametrize("ident", ["../status", "A" * 32, "a" * 31, ""])
async def test_what_is_no_id_is_wrong_use(node: SmallNode, cbm: Cbm, ident: str) -> None:
    code, _, err = await cbm("show", ident)
    assert (code, err.count("\n")) == (2, 1)
    assert node.seen == []
