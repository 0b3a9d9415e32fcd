"""`cbm send --joint` and `cbm joint` against real nodes: one ministry asks, an official of another state answers."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from exchange.cli.main import run
from tests.support.hostile_relay import HostileRelay
from tests.support.joint import exchange_all
from tests.support.node import MEASURE, Api, TestNode, api_of, bare_record, node
from tests.support.world import World

SEND = ("send", "--to", "UZB", "--measure", MEASURE, "--record", "record.json", "--joint", "MNG")


@dataclass
class Two:
    """KAZ's ministry and MNG's official, each with a token file of its own, and what goes between their nodes."""

    relay: HostileRelay
    kaz: Api
    mng: Api
    capsys: pytest.CaptureFixture[str]

    async def cbm(self, at: str, *arguments: str) -> tuple[int, str, str]:
        """A command at a node."""
        self.capsys.readouterr()
        url = {"kaz": self.kaz, "mng": self.mng}[at].url
        code = await asyncio.to_thread(run, [*arguments, "--node", url, "--token-file", f"{at}.token"])
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err

    async def done(self, at: str, *arguments: str) -> Any:  # noqa: ANN401  # a JSON value
        """Its answer."""
        code, out, err = await self.cbm(at, *arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    async def carry(self) -> None:
        """What waits at either node goes to the other."""
        await exchange_all(self.relay, self.kaz.node, self.mng.node)


@pytest.fixture
def quiet() -> Iterator[None]:
    """The nodes are in this process, and their log would stand among what the commands print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
async def two(
    tmp_path: Path,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    quiet: None,
    capsys: pytest.CaptureFixture[str],
) -> AsyncIterator[Two]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "record.json").write_text(json.dumps(bare_record()))
    (tmp_path / "map.txt").write_text("a map")
    relay = HostileRelay(world)
    async with AsyncExitStack() as stack:
        opened: dict[str, Api] = {}
        for at, scopes in (("kaz", ("send", "read")), ("mng", ("consent",))):
            target: TestNode = await stack.enter_async_context(node(tmp_path, world, at.upper(), relay))
            path = tmp_path / f"{at}.token"
            path.write_text(await target.token("cabinet", scopes))
            path.chmod(0o600)
            opened[at] = await stack.enter_async_context(api_of(target))
        yield Two(relay, opened["kaz"], opened["mng"], capsys)


async def test_an_official_sees_all_of_it_and_signs(two: Two, tmp_path: Path) -> None:
    sent = await two.done("kaz", *SEND, "--attach", "map.txt", "--sign-by", "3d")
    assert sent["state"] == "awaiting-signatures"
    await two.carry()
    (row,) = await two.done("mng", "joint", "list")
    assert (row["message"], row["state"], row["lead"]) == (sent["id"], "collecting", "KAZ")
    code, out, _ = await two.cbm("mng", "joint", "list")
    assert (code, out.split("\t")[:6]) == (0, [sent["id"], "collecting", "KAZ", MEASURE, row["record_type"], "KAZ"])
    shown = await two.done("mng", "joint", "show", row["digest"])
    assert shown["record"]["originators"] == ["KAZ", "MNG"]
    assert await two.done("mng", "joint", "attachment", row["digest"], "0", "--out", "seen.txt") == {
        "out": "seen.txt",
        "size": 5,
    }
    assert ((tmp_path / "seen.txt").read_text(), (tmp_path / "seen.txt").stat().st_mode & 0o777) == ("a map", 0o600)
    assert (await two.done("mng", "joint", "sign", sent["id"]))["state"] == "signed"
    await two.carry()
    assert (await two.done("kaz", "show", sent["id"]))["provision"]["providers"] == ["KAZ", "MNG"]
    assert await two.done("mng", "joint", "list") == []
    assert [one["state"] for one in await two.done("mng", "joint", "list", "--all")] == ["signed"]


async def test_a_refusal_is_told_with_its_reason(two: Two) -> None:
    sent = await two.done("kaz", *SEND)
    await two.carry()
    refused = await two.done("mng", "joint", "refuse", sent["id"], "--reason", "Not these figures.")
    assert refused["state"] == "refused"
    await two.carry()
    row = (await two.done("kaz", "joint", "show", sent["id"]))["providers"][1]
    assert (row["answer"], row["reason"]) == ("refused", "Not these figures.")
    code, out, err = await two.cbm("mng", "joint", "sign", sent["id"])
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "refused" in err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("joint", "sign", "xyz"), 2),
        (("joint", "sign", "0" * 64), 1),
        (("joint", "attachment", "0" * 64, "0", "--out", "none.txt"), 1),
        (("joint", "attachment", "0" * 64, "0", "--out", "map.txt"), 1),
    ],
)
async def test_what_is_not_there_is_told_in_a_line(
    two: Two, tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    ended, out, err = await two.cbm("mng", *arguments)
    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert not (tmp_path / "none.txt").exists()
    assert (tmp_path / "map.txt").read_text() == "a map"
