"""`cbm consent request`, `list`, `show`, `grant`, `give`, `refuse`, `grants`, `log` against the APIs of two nodes."""

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
from tests.support.world import World


@dataclass
class Party:
    """A node, and its commands as an official gives them."""

    node: TestNode
    access: list[str]
    capsys: pytest.CaptureFixture[str]

    async def cbm(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; its code and what it printed."""
        self.capsys.readouterr()
        code = await asyncio.to_thread(run, [*arguments, *self.access])
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err

    async def consent(self, *arguments: str) -> Any:  # noqa: ANN401  # JSON
        """`cbm consent ... --json`."""
        code, out, err = await self.cbm("consent", *arguments, "--json")
        assert (code, err) == (0, ""), (out, err)
        return json.loads(out)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The nodes run in this process: what they log is not what a command prints."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
async def parties(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[tuple[Party, Party, str]]:
    """KAZ, MNG, and a message of KAZ that MNG has received."""
    relay = HostileRelay(world)

    async def party(tested: TestNode, url: str) -> Party:
        file = tmp_path / f"token-{tested.parts.member}"
        file.write_text(await tested.token("foreign-affairs", ("consent", "read", "send", "audit")))
        file.chmod(0o600)
        return Party(tested, ["--node", url, "--token-file", str(file)], capsys)

    async with (
        node(tmp_path, world, "KAZ", relay) as kaz,
        node(tmp_path, world, "MNG", relay) as mng,
        api_of(kaz) as one,
        api_of(mng) as other,
    ):
        yield await party(kaz, one.url), await party(mng, other.url), (await shared(kaz, mng)).hex()


async def test_asked_for_granted_and_passed_on_by_commands_alone(parties: tuple[Party, Party, str]) -> None:
    kaz, mng, message = parties
    code, _, err = await mng.cbm("forward", message, "--to", "UZB")
    assert code == 1
    assert f"cbm consent request {message} --to UZB" in err
    asked = await mng.consent(
        "request", message, "--to", "UZB", "--until", "2027-12-31", "--uses", "3", "--reason", "for relief"
    )
    await post(mng.node, kaz.node)
    (row,) = await kaz.consent("list")
    assert (row["id"], row["state"], row["answers"][0]["state"]) == (asked["id"], "open", "open")
    assert (await kaz.consent("show", asked["id"]))["reason"] == "for relief"
    given = await kaz.consent("grant", asked["id"], "--uses", "2", "--until", "14d")
    assert (given["holder"], given["uses"]) == ("MNG", 2)
    await post(kaz.node, mng.node)
    (made,) = await mng.consent("list", "--made")
    assert made["state"] == "granted"
    code, _, err = await mng.cbm("forward", message, "--to", "UZB")
    assert (code, err) == (0, "")
    (held,) = await mng.consent("grants")
    assert (held["id"], held["used"]) == (given["id"], 1)
    lines = [line["kind"] for line in await kaz.consent("log")]
    assert lines == ["request.received", "request.granted"]
    assert [line["kind"] for line in await kaz.consent("log", "--about", asked["id"])] == lines


async def test_a_refusal_and_a_grant_that_nobody_asked_for(parties: tuple[Party, Party, str]) -> None:
    kaz, mng, message = parties
    asked = await mng.consent("request", message, "--to", "UZB", "--until", "2027-12-31", "--reason", "for relief")
    await post(mng.node, kaz.node)
    assert (await kaz.consent("refuse", asked["id"], "--reason", "not now"))["state"] == "refused"
    code, _, err = await kaz.cbm("consent", "grant", asked["id"])
    assert code == 1
    assert "is answered" in err
    given = await kaz.consent("give", message, "--holder", "MNG", "--to", "UZB", "--until", "30d", "--unlimited")
    assert given["uses"] is None
    assert await kaz.consent("grants", "--given") == [given]
    await post(kaz.node, mng.node)
    assert (await mng.consent("show", asked["id"]))["answers"][0]["reason"] == "not now"
    code, out, _ = await mng.cbm("consent", "grants")
    assert code == 0
    assert out.split("\t")[0] == given["id"]
    assert out.rstrip("\n").endswith("0/any")
    code, out, _ = await mng.cbm("consent", "list", "--made")
    assert out.rstrip("\n").endswith("KAZ refused")


@pytest.mark.parametrize(
    "arguments",
    [
        ("grant", "0" * 32, "--uses", "2", "--unlimited"),
        ("grant", "not-an-id"),
        ("request", "0" * 32, "--to", "UZB,UZB", "--until", "2027-12-31", "--reason", "x"),
        ("request", "0" * 32, "--to", "UZB", "--until", "2027-12-31", "--reason", "x", "--purpose", "fun"),
        ("give", "0" * 32, "--holder", "Mongolia", "--to", "UZB", "--until", "3d"),
        ("refuse", "0" * 32),
    ],
)
async def test_wrong_use_is_told_before_the_node_is_asked(
    parties: tuple[Party, Party, str], arguments: tuple[str, ...]
) -> None:
    code, out, err = await parties[0].cbm("consent", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("cbm: ")
    assert err.count("\n") == 1
