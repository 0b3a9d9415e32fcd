"""Officials of several states, who type `cbm` commands against nodes that run as processes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from exchange.demo.processes import Processes
from tests.support.cbm import answer, cbm, line
from tests.support.running import MEASURE, budget, build, ready_to_receive
from tests.support.waiting import answered

UNTIL = ("--until", "30d")
SEND = ("--measure", MEASURE, "--record", "budget.json", "--onward", "on-consent")


class Officials:
    """One official of each state, who types `cbm` commands with a token file; the first state has two more."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self.folder = folder
        self.processes = processes

    async def run(self, who: str, *words: str) -> tuple[int, str, str]:
        url = self.processes.url(who[:3])
        return await cbm(*words, "--node", url, "--token-file", f"{who}.token", "--json", cwd=self.folder)

    async def do(self, who: str, *words: str) -> Any:  # noqa: ANN401  # a JSON value
        return answer(await self.run(who, *words))

    async def consent(self, who: str, *words: str) -> Any:  # noqa: ANN401  # a JSON value
        return await self.do(who, "consent", *words)

    async def refused(self, who: str, *words: str) -> dict[str, Any]:
        """The problem of a command that the node refuses; the one line names the provider that it names."""
        code, out, err = await self.run(who, *words)
        problem: dict[str, Any] = json.loads(out)
        assert problem["provider"] in line((code, "", err), 1)
        return problem

    async def seen(self, who: str, holds: Callable[[Any], bool], *words: str) -> Any:  # noqa: ANN401  # a JSON value
        """What a command prints, once it holds."""

        async def ask() -> Any:  # noqa: ANN401  # a JSON value
            told = await self.do(who, *words)
            return told if holds(told) else None

        return await answered(ask, f"{who} sees it in cbm {' '.join(words)}")

    async def each(self, states: Sequence[str], *words: str) -> list[Any]:
        return list(await asyncio.gather(*(self.do(who, *words) for who in states)))

    async def request(self, who: str, message: str, to: str, providers: Sequence[str]) -> str:
        """Ask the providers; the request's id, once it is at all of them."""
        reason = f"{to} is concerned"
        asked = await self.consent(who, "request", message, "--to", to, *UNTIL, "--reason", reason)
        ident: str = asked["id"]
        assert (asked["state"], asked["recipients"]) == ("open", [to])
        await asyncio.gather(
            *(self.seen(one, lambda rows: ident in names(rows), "consent", "list") for one in providers)
        )
        return ident

    async def settled(self, who: str, request: str, state: str) -> dict[str, Any]:
        told: dict[str, Any] = await self.seen(who, lambda row: row["state"] == state, "consent", "show", request)
        return told

    async def may(self, who: str, message: str, to: str) -> dict[str, Any]:
        told: dict[str, Any] = await self.consent(who, "explain", message, "--to", to)
        return told

    async def arrived(self, who: str, message: str, *path: str) -> None:
        rows = await self.seen(who, lambda rows: message in names(rows), "inbox")
        assert next(row["path"] for row in rows if row["id"] == message) == list(path)

    def log(self, name: str) -> list[dict[str, Any]]:
        """The structured lines that a process has written so far."""
        text = (self.processes.site.folder / f"{name.lower()}.log").read_text("utf-8")
        rows = [json.loads(row) for row in text.splitlines() if row.startswith('{"') and row.endswith("}")]
        assert rows
        return rows


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


@asynccontextmanager
async def officials(
    folder: Path, states: Sequence[str], settings: dict[str, str] | None = None
) -> AsyncIterator[Officials]:
    """Nodes of these states, and an official of each. `settings`: text by file of the first state's node."""
    site = await build(folder / "site", states)
    for name, text in (settings or {}).items():
        with (site.node(states[0]) / name).open("a", encoding="utf-8") as file:
            file.write(text)
    work = folder / "work"
    work.mkdir()
    (work / "budget.json").write_text(json.dumps(budget("Outlays of two states")))
    create = ("--ministry", "foreign-affairs", "--scopes", "send,read,consent", "--measures", "*")
    people = (*states, f"{states[0]}-second", f"{states[0]}-third")
    made = await asyncio.gather(
        *(
            cbm("node", "token", "create", "--dir", site.node(who[:3]), *create, "--out", f"{who}.token", cwd=work)
            for who in people
        )
    )
    assert [code for code, _, _ in made] == [0] * len(people), made
    with Processes(site) as processes:
        await processes.start("relay", *states)
        await ready_to_receive(processes)
        yield Officials(work, processes)
