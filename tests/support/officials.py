"""Officials of one ministry at a node that asks several of them, and what they do over its API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from exchange.node.config import FourEyes
from tests.support.node import Api, Reply, TestNode, api_of


@dataclass(frozen=True, slots=True)
class Officials:
    """The author, who may also release what others ask for, and three others; `outsider` is for another measure."""

    api: Api
    author: str
    first: str
    second: str
    third: str
    outsider: str

    async def show(self, ident: str, token: str | None = None) -> dict[str, Any]:
        """The act as its author sees it."""
        reply = await self.api.ask("GET", f"/v1/releases/{ident}", token or self.author)
        assert reply.status == 200, reply.json
        found: dict[str, Any] = reply.json
        return found

    async def approve(self, ident: str, token: str, digest: str | None = None) -> Reply:
        """Approve what it is now, or what had a digest."""
        seen = digest or (await self.show(ident))["digest"]
        return await self.api.ask("POST", f"/v1/releases/{ident}/approve", token, json={"digest": seen})

    async def refuse(self, ident: str, token: str) -> Reply:
        """Refuse it."""
        return await self.api.ask("POST", f"/v1/releases/{ident}/refuse", token, json={"reason": "not like this"})

    def sent(self) -> list[dict[str, Any]]:
        """The messages in the outbox."""
        return [row for row in self.api.node.rows("messages") if row["box"] == "outbox"]


def asking_others(tested: TestNode, **settings: object) -> None:
    """From now on the node asks others, by default two for every measure of 2.1."""
    four_eyes = FourEyes.model_validate({"release": ["2.1.*"], "releases": 2, **settings})
    config = tested.parts.config.model_copy(update={"four_eyes": four_eyes})
    tested.parts = replace(tested.parts, config=config)


@asynccontextmanager
async def officials(tested: TestNode, **settings: object) -> AsyncIterator[Officials]:
    """The API of the node with these settings, and its officials."""
    asking_others(tested, **settings)
    async with api_of(tested) as api:
        yield Officials(
            api=api,
            author=await tested.token("defence", ("send", "read", "release")),
            first=await tested.token("defence", ("read", "release")),
            second=await tested.token("defence", ("read", "release")),
            third=await tested.token("defence", ("read", "release")),
            outsider=await tested.token("health", ("send", "read", "release"), ("2.4.*",)),
        )
