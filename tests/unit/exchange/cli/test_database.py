"""`cbm database` against a real node of the Secretariat."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from exchange.cli.main import run
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, api_of, node
from tests.support.secretariat import CONSENT, record_id, sector_record, submit, submitted
from tests.support.world import World

Cbm = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def world() -> World:
    return World(secretariat=True)


@pytest.fixture
def relay(world: World) -> HostileRelay:
    return HostileRelay(world)


@pytest.fixture
async def cica(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    """With one record that is open to members and one that is not."""
    async with node(tmp_path, world, "CICA", relay) as opened:
        await submit(opened, relay, submitted(world, "KAZ", sector_record("KAZ", 1, "Transit of gas")))
        await submit(opened, relay, submitted(world, "XAA", sector_record("XAA", 2, "Visas", handling=CONSENT)))
        yield opened


@pytest.fixture
async def cbm(
    cica: TestNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Cbm]:
    async with api_of(cica) as api:
        token = tmp_path / "token"
        token.write_text(await cica.token("database", ("send", "read")))
        token.chmod(0o600)
        (tmp_path / "content.json").write_text('{"en": "Transit rose."}')
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("CBM_NODE", api.url)
        monkeypatch.setenv("CBM_TOKEN_FILE", str(token))

        async def call(*arguments: str) -> tuple[int, str, str]:
            capsys.readouterr()
            code = await asyncio.to_thread(run, ["database", *arguments])
            shown = capsys.readouterr()
            return code, shown.out, shown.err

        yield call


async def test_search_shows_rows_with_their_provisions_and_grounds(cbm: Cbm) -> None:
    code, out, err = await cbm("search", "gas", "--measure", "2.3.*", "--state", "KAZ")
    assert (code, err) == (0, "")
    cells = out.splitlines()[-1].split("\t")
    assert cells[1:6] == [record_id(1), "2.3.12", "KAZ", "current", "members"]
    assert cells[7:] == ["KAZ (provider), MNG (terms), UZB (terms), XAA (terms)", "Transit of gas"]
    code, out, _ = await cbm("search", "--from", "2027-01-01", "--to", "2027-12-31", "--limit", "1", "--json")
    assert (code, [row["record_id"] for row in json.loads(out)]) == (0, [record_id(2)])


async def test_a_trace_says_who_ended_it(cbm: Cbm, cica: TestNode, relay: HostileRelay, world: World) -> None:
    act = sector_record("KAZ", 3, "The end", action="withdraw", references=[record_id(1)])
    await submit(cica, relay, submitted(world, "KAZ", act), time=world.now + 60)
    _, out, _ = await cbm("search", "gas")
    assert out.splitlines()[-1].split("\t")[-2:] == ["-", "ended 2027-01-15T08:01:00+00:00 by KAZ"]


async def test_compile_tells_what_went_in_and_what_was_left_out(cbm: Cbm) -> None:
    asked = ("compile", "--to", "MNG,UZB", "--measure", "2.3.14", "--content", "content.json")
    code, out, err = await cbm(*asked, "--onward", "members", "--tlp", "GREEN", "--json")
    assert (code, err.splitlines()) == (0, [])
    made = json.loads(out[out.index("{\n") :])
    assert (made["state"], made["edition"], made["sources"]) == ("queued", 1, [record_id(1)])
    assert [row["reason"] for row in made["left_out"]] == ["no consent of XAA for MNG, UZB (1.7)"]
    code, out, _ = await cbm(*asked, "--source", record_id(1), "--idempotency-key", "k")
    assert (code, "edition: 2" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("search", "***"), 1, "one word or more"),
        (("search", "--state", "kaz"), 1, "three capital letters"),
        (("search", "--from", "yesterday"), 2, "no day"),
        (("compile", "--to", "MNG", "--measure", "2.1.1.b", "--content", "content.json"), 1, "2.3.14 and 3.B"),
        (("compile", "--to", "MNG", "--measure", "3.B", "--content", "content.json"), 1, "priority_area"),
        (("compile", "--to", "MNG", "--measure", "2.3.14"), 2, "--content"),
    ],
)
async def test_a_refusal_is_one_line(cbm: Cbm, arguments: tuple[str, ...], code: int, words: str) -> None:
    ended, _, err = await cbm(*arguments)
    assert ended == code
    assert words in err
    assert err.startswith("cbm: ")
    assert err.count("\n") == 1
