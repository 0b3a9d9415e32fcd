"""What a provider's node answers by itself, what takes several officials, and the commands of docs/consent.md."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

from tests.support.cbm import ROOT
from tests.support.desks import SEND, UNTIL, Officials, names, officials
from tests.support.waiting import answered

PURPOSE = "disaster-response"
STEPS = re.compile(r"^```sh\n# ([A-Z]{3})\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETTINGS = re.compile(r"^```toml\n# ([a-z]+\.toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def document(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


async def test_the_commands_of_the_document_run_in_order(tmp_path: Path) -> None:
    """As it stands, with what an earlier command printed in place of the words in capitals."""
    steps = STEPS.findall(document("consent.md"))
    commands = [(who, command) for who, text in steps for command in text.splitlines()]
    assert len(commands) == document("consent.md").count("\ncbm ") > 20
    async with officials(tmp_path, ("KAZ", "MNG", "UZB", "TJK", "KGZ")) as work:
        shutil.copytree(ROOT / "docs" / "examples", work.folder / "docs" / "examples")
        known: dict[str, str] = {}
        for who, command in commands:
            told = await _done(work, who, [known.get(word, word) for word in shlex.split(command)[1:]])
            known |= _named(command, told)
            if command.startswith("cbm forward"):
                await work.arrived("TJK", known["MESSAGE"], "KAZ", "MNG", "UZB")
        said = {"UZB": "ceased", "TJK": "destroyed"}
        await work.seen("MNG", lambda row: _conducts(row) == said, "consent", "withdrawals", known["NAME"])


def _conducts(told: dict[str, Any]) -> dict[str, str]:
    return {row["member"]: row["statements"][-1]["conduct"] for row in told["holders"] if row["statements"]}


async def _done(work: Officials, who: str, words: list[str]) -> Any:  # noqa: ANN401  # a JSON value
    """What a command prints once it succeeds: what it is about may still be on its way."""
    last = (0, "", "")

    async def ask() -> Any:  # noqa: ANN401  # a JSON value
        nonlocal last
        last = await work.run(who, *words)
        assert last[0] != 2, last
        return [json.loads(last[1])] if last[0] == 0 else None

    try:
        return (await answered(ask, f"{who} does cbm {shlex.join(words)}"))[0]
    except AssertionError as fault:
        raise AssertionError(f"{fault}: {last}") from None


def _named(command: str, told: Any) -> dict[str, str]:  # noqa: ANN401  # a JSON value
    """What the document calls by a word in capitals from here on."""
    for begin, word, field in (
        ("cbm send ", "MESSAGE", "id"),
        ("cbm consent request ", "REQUEST", "id"),
        ("cbm consent withdraw ", "NAME", "name"),
    ):
        if command.startswith(begin):
            return {word: told[field]}
    return {}


async def test_a_rule_answers_at_once_and_what_it_leaves_takes_three_officials(tmp_path: Path) -> None:
    """With the settings of docs/node-operation.md."""
    settings = dict(SETTINGS.findall(document("node-operation.md")))
    assert settings.keys() == {"consent.toml", "node.toml"}
    async with officials(tmp_path, ("KAZ", "MNG", "UZB"), settings) as work:
        message: str = (await work.do("KAZ", "send", "--to", "MNG", *SEND))["id"]
        await work.arrived("MNG", message, "KAZ")
        ask = ("request", message, "--to", "UZB", *UNTIL, "--reason", "a neighbour")
        first = await work.consent("MNG", *ask)
        made = await work.settled("MNG", first["id"], "granted")
        assert [(row["provider"], row["state"]) for row in made["answers"]] == [("KAZ", "granted")]
        received, granted = await work.consent("KAZ", "log", "--about", first["id"])
        assert (received["kind"], granted["kind"]) == ("request.received", "request.granted")
        assert granted["official"] == "rule partners"
        assert json.loads(granted["detail"]["rule"])["recipients"] == ["UZB"]
        (grant,) = await work.consent("MNG", "grants")
        assert grant["uses"] == 1
        assert grant["until"] < made["until"]

        second = await work.consent("MNG", *ask, "--purpose", PURPOSE)
        ident: str = second["id"]
        await work.seen("KAZ", lambda rows: ident in names(rows), "consent", "list")
        waiting = await work.consent("KAZ", "grant", ident)
        assert waiting["state"] == "awaiting-release"
        await _approved(work, waiting["id"], ident)
        await work.settled("MNG", ident, "granted")
        await work.do("MNG", "forward", message, "--to", "UZB", "--purpose", PURPOSE)
        await work.arrived("UZB", message, "KAZ", "MNG")


async def _approved(work: Officials, act: str, request: str) -> None:
    """The author's own approval is none; one other official's is not enough."""
    shown = await work.do("KAZ-second", "release", "show", act)
    approve = ("release", "approve", act, "--digest", shown["digest"])
    assert (await work.run("KAZ", *approve))[0] == 1
    assert (await work.do("KAZ-second", *approve))["state"] == "pending"
    assert (await work.consent("KAZ", "show", request))["state"] == "open"
    assert (await work.do("KAZ-third", *approve))["state"] == "done"
