"""`cbm consent withdraw`, `withdrawals`, `state`, `explain` against the real APIs of a provider and a holder."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from exchange.cli.main import run
from tests.support.desk import post, shared
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, api_of, node
from tests.support.withdrawing import in_force
from tests.support.world import World


@dataclass
class Party:
    """A node, and its commands as an official gives them."""

    node: TestNode
    access: list[str]
    capsys: pytest.CaptureFixture[str]

    async def cbm(self, *arguments: str) -> tuple[int, str, str]:
        """Run `cbm consent`; its code and what it printed."""
        self.capsys.readouterr()
        code = await asyncio.to_thread(run, ["consent", *arguments, *self.access])
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err

    async def asked(self, *arguments: str) -> Any:  # noqa: ANN401  # JSON
        """The same with --json."""
        code, out, err = await self.cbm(*arguments, "--json")
        assert (code, err) == (0, ""), (out, err)
        return json.loads(out)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The nodes run in this process: what they log is not what a command prints."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def relay(world: World) -> HostileRelay:
    """It delivers what it is given."""
    return HostileRelay(world)


@pytest.fixture
async def parties(
    tmp_path: Path, world: World, relay: HostileRelay, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[tuple[Party, Party]]:
    """KAZ, which provides, and MNG, which holds."""

    async def party(tested: TestNode, url: str) -> Party:
        file = tmp_path / f"token-{tested.parts.member}"
        file.write_text(await tested.token("foreign-affairs", ("consent", "read")))
        file.chmod(0o600)
        return Party(tested, ["--node", url, "--token-file", str(file)], capsys)

    async with (
        node(tmp_path, world, "KAZ", relay) as kaz,
        node(tmp_path, world, "MNG", relay) as mng,
        api_of(kaz) as kaz_api,
        api_of(mng) as mng_api,
    ):
        yield await party(kaz, kaz_api.url), await party(mng, mng_api.url)


async def test_from_the_withdrawal_to_the_statement(parties: tuple[Party, Party]) -> None:
    kaz, mng = parties
    message = await shared(kaz.node, mng.node)
    made = await kaz.asked("withdraw", message.hex(), "--reason", "a source is in danger")
    assert (made["state"], made["target"], made["reason"]) == ("pending", "provision", "a source is in danger")
    assert [holder["member"] for holder in made["holders"]] == ["MNG"]
    assert (await kaz.asked("withdraw", message.hex(), "--reason", "again"))["reason"] == "a source is in danger"
    await in_force(kaz.node)
    await post(kaz.node, mng.node)
    await mng.node.parts.directory.update(mng.node.parts.relay, mng.node.clock.now())
    listed = await mng.asked("withdrawals")
    assert [(row["name"], row["reason"], row["stated"]) for row in listed["others"]] == [
        (made["name"], "a source is in danger", [])
    ]
    one = await mng.asked("withdrawals", made["name"])
    assert one["messages"] == [{"id": message.hex(), "box": "inbox"}]
    code, out, _ = await mng.cbm("state", made["name"], "--ceased")
    assert (code, "ceased" in out) == (0, True)
    await post(mng.node, kaz.node)
    (row,) = (await kaz.asked("withdrawals"))["own"]
    assert row["state"] == "in-force"
    assert row["index"] == len(kaz.node.rows("directory")) - 1
    assert [said["conduct"] for said in row["holders"][0]["statements"]] == ["ceased"]
    code, out, _ = await kaz.cbm("withdrawals")
    assert out.split("\t") == [made["name"], "provision", "in-force", str(row["index"]), "MNG ceased\n"]


@pytest.mark.parametrize("options", [(), ("--ceased", "--destroyed")])
async def test_one_conduct_is_stated(parties: tuple[Party, Party], options: tuple[str, ...]) -> None:
    code, _, err = await parties[1].cbm("state", "KAZ-" + "0" * 32, *options)
    assert code == 2
    assert "give one of --ceased" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("withdraw", "0" * 32, "--reason", "x"), "no message and no Grant"),
        (("withdraw", "0" * 32, "--reason", "two\nlines"), "a reason of one line"),
        (("withdrawals", "KAZ-" + "0" * 32), "withdrawn nothing of this name"),
        (("withdrawals", "nothing"), "a withdrawal's name is"),
        (("state", "MNG-" + "0" * 32, "--ceased"), "no withdrawal of this name"),
    ],
)
async def test_what_is_not_here_is_refused_in_a_line(
    parties: tuple[Party, Party], arguments: tuple[str, ...], why: str
) -> None:
    code, out, err = await parties[0].cbm(*arguments)
    assert (code, out) == (1, "")
    assert why in err


async def test_explained_at_the_provider_and_at_the_holder(parties: tuple[Party, Party]) -> None:
    kaz, mng = parties
    message = await shared(kaz.node, mng.node)
    code, out, err = await kaz.cbm("explain", message.hex(), "--to", "MNG,UZB")
    assert code == 0, err
    assert "yes: MNG may receive" in out
    assert "no: UZB may not receive" in out
    told = await mng.asked("explain", message.hex(), "--to", "UZB")
    (answer,) = told["answers"]
    assert (told["allowed"], answer["rule"], answer["ask"]) == (False, "no-consent", ["KAZ"])
    other = await mng.asked("explain", message.hex(), "--to", "UZB", "--purpose", "law-enforcement")
    assert other["answers"][0]["ask"] == ["KAZ"]
    await kaz.cbm("withdraw", message.hex(), "--reason", "no more")
    told = await kaz.asked("explain", message.hex(), "--to", "MNG")
    assert told["answers"][0]["rule"] == "consent-withdrawn"
