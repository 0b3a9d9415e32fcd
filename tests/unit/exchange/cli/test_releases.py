"""`cbm release` and `cbm group` against a real node: officials at their terminals."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from exchange.cli.main import run
from tests.support.hostile_relay import HostileRelay
from tests.support.node import MEASURE, bare_record, node
from tests.support.officials import Officials, officials
from tests.support.world import World

Cbm = Callable[..., Awaitable[tuple[int, str, str]]]
SEND = ("send", "--to", "MNG", "--measure", MEASURE, "--record", "record.json")


@pytest.fixture
def quiet() -> Iterator[None]:
    """The node is in this process, and its log would stand among what the commands print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
async def four(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch, quiet: None) -> AsyncIterator[Officials]:
    """KAZ's officials, each with a token file in the present folder, and a record."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "record.json").write_text(json.dumps(bare_record()))
    (tmp_path / "map.txt").write_text("a map")
    async with node(tmp_path, world, "KAZ", HostileRelay(world)) as kaz, officials(kaz) as found:
        for name in ("author", "first", "second"):
            path = tmp_path / name
            path.write_text(getattr(found, name))
            path.chmod(0o600)
        monkeypatch.setenv("CBM_NODE", found.api.url)
        yield found


@pytest.fixture
def cbm(capsys: pytest.CaptureFixture[str]) -> Cbm:
    async def call(who: str, *arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(run, [*arguments, "--token-file", who])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


async def done(cbm: Cbm, who: str, *arguments: str) -> Any:  # noqa: ANN401  # a JSON value
    code, out, err = await cbm(who, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


async def test_two_others_release_what_one_sends(four: Officials, cbm: Cbm) -> None:
    sent = await done(cbm, "author", *SEND, "--attach", "map.txt", "--class", "borders")
    assert sent["state"] == "awaiting-release"
    ident = sent["id"]
    (listed,) = await done(cbm, "first", "release", "list")
    assert (listed["id"], listed["needed"]) == (ident, 2)
    shown = await done(cbm, "first", "release", "show", ident)
    assert shown["request"]["classes"] == ["borders"]
    assert [file["filename"] for file in shown["attachments"]] == ["map.txt"]
    digest = ("--digest", shown["digest"])
    assert (await done(cbm, "first", "release", "approve", ident, *digest))["approved"] == 1
    assert (await done(cbm, "second", "release", "approve", ident, *digest))["state"] == "done"
    assert await done(cbm, "first", "release", "list") == []
    (ended,) = await done(cbm, "first", "release", "list", "--all")
    detail = await done(cbm, "author", "show", ended["result"])
    assert [row["name"] for row in detail["classes"]] == ["borders"]


async def test_an_author_changes_terms_and_recipients_and_keeps_the_rest(four: Officials, cbm: Cbm) -> None:
    ident = (await done(cbm, "author", *SEND))["id"]
    seen = await done(cbm, "first", "release", "show", ident)
    changed = await done(cbm, "author", "release", "change", ident, "--to", "UZB", "--tlp", "GREEN")
    request = changed["request"]
    assert (request["to"], request["tlp"], request["record"]["handling"]["tlp"]) == (["UZB"], "GREEN", "GREEN")
    assert request["record"]["body"] == seen["request"]["record"]["body"]
    code, _, err = await cbm("first", "release", "approve", ident, "--digest", seen["digest"])
    assert (code, err.startswith("cbm: refused by the node: it was changed")) == (1, True)


async def test_a_refusal_is_told_in_a_line(four: Officials, cbm: Cbm) -> None:
    ident = (await done(cbm, "author", *SEND))["id"]
    assert (await done(cbm, "first", "release", "refuse", ident, "--reason", "wrong year"))["state"] == "refused"
    shown = await done(cbm, "author", "release", "show", ident)
    assert shown["reason"] == "wrong year"
    code, _, err = await cbm("author", "release", "change", ident, "--to", "UZB")
    assert (code, err.count("\n")) == (1, 1)


async def test_groups_are_set_used_and_removed(four: Officials, cbm: Cbm) -> None:
    made = await done(cbm, "first", "group", "set", "near", "MNG,UZB")
    assert made["members"] == ["MNG", "UZB"]
    assert [row["name"] for row in await done(cbm, "author", "group", "list")] == ["near"]
    assert await done(cbm, "author", "group", "show", "near") == made
    ident = (await done(cbm, "author", "send", "--to", "@near", *SEND[3:]))["id"]
    assert (await done(cbm, "author", "release", "show", ident))["request"]["to"] == ["MNG", "UZB"]
    await done(cbm, "first", "group", "remove", "near")
    code, _, err = await cbm("author", "send", "--to", "@near", *SEND[3:])
    assert (code, "@near" in err) == (1, True)


@pytest.mark.parametrize("to", ["@", "near", "MNG,MNG", "@near,@near"])
async def test_a_recipient_that_is_none_is_wrong_use(four: Officials, cbm: Cbm, to: str) -> None:
    code, _, err = await cbm("author", "send", "--to", to, *SEND[3:])
    assert (code, err.count("\n")) == (2, 1)
