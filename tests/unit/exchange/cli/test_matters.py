"""`cbm calendar`, `cbm procedure` and `cbm review` against a small node over real HTTP."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from exchange.cli.main import run
from tests.support.small_node import TOKEN, SmallNode

Cbm = Callable[..., Awaitable[tuple[int, str, str]]]
START = "019bc006-5880-794d-b4f7-c3ff871699a7"
THREAD = {"id": START, "measure": "3.A", "mode": "exercise", "title": {"ru": "Интерес"}, "priority_area": "tourism"}


@pytest.fixture
async def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[SmallNode]:
    """A small node with one procedure, a token for it, and a body, in the present folder."""
    monkeypatch.chdir(tmp_path)
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    (tmp_path / "body.json").write_text('{"by": "chairman"}')
    async with SmallNode().running() as small:
        monkeypatch.setenv("CBM_NODE", small.url)
        monkeypatch.setenv("CBM_TOKEN_FILE", str(token))
        small.told[f"/v1/procedures/{START}"] = THREAD
        yield small


@pytest.fixture
def cbm(capsys: pytest.CaptureFixture[str]) -> Cbm:
    async def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(run, list(arguments))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def advance(thread: str, step: str, *options: str) -> tuple[str, ...]:
    return ("procedure", "advance", thread, "--step", step, "--body", "body.json", "--to", "MNG", *options)


def sent(node: SmallNode, out: str) -> dict[str, Any]:
    message = node.sent[json.loads(out)["id"]]
    assert message["to"] == ["MNG"]
    record: dict[str, Any] = message["record"]
    return record


async def test_a_step_is_a_record_of_its_type_in_the_thread(node: SmallNode, cbm: Cbm) -> None:
    code, out, err = await cbm(*advance(START, "A3", "--tlp", "GREEN", "--json"))
    assert (code, err) == (0, "")
    assert sent(node, out) == {
        "record_type": "modality-decision",
        "schema_version": "1.0.0",
        "language": "en",
        "title": {"en": "A3: request the designated country/countries to prepare a draft Concept Paper"},
        "body": {"by": "chairman", "decision_kind": "coordinator-designation"},
        "references": [START],
        "mode": "exercise",
    }
    assert node.sent[json.loads(out)["id"]]["tlp"] == "GREEN"


async def test_a_new_thread_names_nothing(node: SmallNode, cbm: Cbm) -> None:
    _, out, _ = await cbm(*advance("new", "B1", "--language", "ru", "--title", "Мнение", "--json"))
    record = sent(node, out)
    assert (record["title"], record["language"], record["body"]["intent"]) == ({"ru": "Мнение"}, "ru", "views")
    assert record.keys().isdisjoint({"references", "mode"})


@pytest.mark.filterwarnings("ignore:unread_data")
async def test_a_file_that_the_body_names_is_described_as_it_goes(node: SmallNode, cbm: Cbm, tmp_path: Path) -> None:
    data = b"%PDF paper"
    (tmp_path / "paper.pdf").write_bytes(data)
    body = {"paper": {"filename": "paper.pdf"}, "authors": [{"filename": "else.pdf"}]}
    (tmp_path / "body.json").write_text(json.dumps(body))
    _, out, _ = await cbm(*advance("new", "B6", "--attach", "paper.pdf", "--json"))
    assert sent(node, out)["body"] == {
        "paper": {
            "filename": "paper.pdf",
            "media_type": "application/pdf",
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        },
        "authors": [{"filename": "else.pdf"}],
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (advance("new", "A8"), "there is no step A8: they are A1, A2"),
        (advance(START, "B1"), "that thread is of modality 3.A, step B1 is of 3.B"),
        (advance("new", "A1", "--language", "ru"), "give a title in ru"),
        (advance("new", "A1", "--to", "Mongolia"), "no member code"),
        (("calendar", "--from", "31.12.2026"), "no day such as"),
        (("calendar", "--partner", "xx"), "no member code"),
        (("review", "--start", "2026-01-01"), "--end"),
        (("review", "--start", "2026-01-01", "--end", "2026-12-31", "--merge", "--own-only"), "--own-only"),
    ],
)
async def test_a_wrong_use_is_told_and_nothing_is_sent(
    node: SmallNode, cbm: Cbm, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = await cbm(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not node.sent


async def test_a_body_of_another_step_is_wrong_use(node: SmallNode, cbm: Cbm, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"decision_kind": "soc-approval"}')
    code, _, err = await cbm(*advance(START, "A6"))
    assert (code, err) == (
        2,
        "cbm: body.json: decision_kind is swg-consideration in step A6: correct it, or leave it out\n",
    )
    (tmp_path / "body.json").write_text("[]")
    assert (await cbm(*advance(START, "A6")))[0] == 1
    assert not node.sent


async def test_threads_are_listed_in_lines(node: SmallNode, cbm: Cbm) -> None:
    done = [{"step": "A1"}, {"step": "A3"}]
    row = {**THREAD, "by": ["KAZ", "MNG"], "begun": None, "state": "open", "done": done}
    node.told["/v1/procedures?limit=7"] = {"procedures": [row], "more": False}
    code, out, _ = await cbm("procedure", "list", "--limit", "7")
    assert code == 0
    assert out.rstrip("\n").split("\t") == [START, "3.A", "tourism", "KAZ, MNG", "-", "open", "A1 A3", "Интерес"]


async def test_returns_are_shown_in_lines(node: SmallNode, cbm: Cbm) -> None:
    days = {"due": "2027-01-31", "start": "2026-01-01", "end": "2026-12-31"}
    common = {**days, "measure": "2.1.1.b", "partner": "MNG", "message": None, "evidenced_at": None}
    rows = [
        {**common, "ours": True, "answer": "due", "days_late": 0},
        {**common, "ours": False, "answer": "missing", "days_late": 3},
    ]
    node.told["/v1/calendar?partner=MNG&measure=2.1.1.b&from=2027-01-01&to=2027-12-31"] = {"obligations": rows}
    chosen = ("--partner", "MNG", "--measure", "2.1.1.b", "--from", "2027-01-01", "--to", "2027-12-31")
    code, out, _ = await cbm("calendar", *chosen)
    assert (code, out.splitlines()) == (
        0,
        [
            "2027-01-31\t2.1.1.b\tto MNG\t2026-01-01 to 2026-12-31\tdue\t-\t-\t-",
            "2027-01-31\t2.1.1.b\tfrom MNG\t2026-01-01 to 2026-12-31\tmissing\t3\t-\t-",
        ],
    )


DAYS = ("--start", "2026-01-01", "--end", "2026-12-31")


async def test_numbers_are_shown_in_lines_and_submitted_as_they_are(node: SmallNode, cbm: Cbm) -> None:
    count = {"measure": "2.1.1.b", "state": "KAZ", "records": 2, "nil": 1, "replies": 0}
    report = {"reporter": "KAZ", "start": "2026-01-01", "end": "2026-12-31", "counts": [count]}
    for own in ("true", "false"):
        node.told[f"/v1/review?start=2026-01-01&end=2026-12-31&own_only={own}"] = {**report, "own": own}
    code, out, _ = await cbm("review", *DAYS)
    assert (code, out) == (0, "2.1.1.b\tKAZ\t2\t1\t0\n")
    _, out, _ = await cbm("review", *DAYS, "--own-only", "--submit", "--json")
    message = node.sent[json.loads(out)["id"]]
    assert (message["to"], message["measure"]) == (["CICA"], "1.8")
    assert message["record"]["record_type"] == "implementation-review"
    assert message["record"]["body"] == {**report, "own": "true"}


async def test_merged_numbers_are_shown_in_lines(node: SmallNode, cbm: Cbm) -> None:
    rows = [
        {"measure": "2.1.1.b", "state": "KAZ", "own": {"records": 1}, "seen_by": 2, "seen": 3, "doubtful": True},
        {"measure": "2.4.3", "state": "MNG", "own": None, "seen_by": 1, "seen": 1, "doubtful": False},
    ]
    node.told["/v1/review/merged?start=2026-01-01&end=2026-12-31"] = {"reporters": [], "rows": rows}
    code, out, _ = await cbm("review", *DAYS, "--merge")
    assert (code, out) == (0, "2.1.1.b\tKAZ\t1\t2\t3\tyes\n2.4.3\tMNG\t-\t1\t1\t-\n")
