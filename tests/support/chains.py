"""Records that refer to each other, as honest ministries write them and as hostile states seal them by hand."""

import json
from dataclasses import dataclass
from typing import Any

from exchange.node.shelf import Shelf
from exchange.node.views import Views
from exchange.records.facts import RecordFact
from tests.support.attacks import delivered
from tests.support.hostile_relay import HostileRelay
from tests.support.node import ROUTED, TestNode, bare_record, ministry
from tests.support.records import example
from tests.support.world import World

Record = dict[str, Any]
HANDLING = {"tlp": "AMBER", "onward": "none"}


def uuid(number: int) -> str:
    """A record's id."""
    return f"019d8f82-b080-7353-acdc-{number:012x}"


def notification(**changes: object) -> Record:
    """A notification without what the node fills in; `changes` are members of it."""
    return {**bare_record(), **changes}


def step(record_type: str, name: str, body: Record | None = None, **changes: object) -> Record:
    """A worked example of section 3 without what the node fills in; `body` changes members of its body."""
    record = {key: value for key, value in example(record_type, name).items() if key not in ROUTED}
    record["body"] = {**record["body"], **(body or {})}
    return {**record, **changes}


@dataclass(frozen=True, slots=True)
class Act:
    """What a state does with a record."""

    sender: str
    to: tuple[str, ...]
    record: Record

    async def asked_of(self, own: TestNode) -> bytes:
        """Sent through the sender's own node; raises what that refuses."""
        request = {"to": list(self.to), "measure": self.record["measure"], "record": self.record, "tlp": "AMBER"}
        return (await own.composer.send(request, (), ministry(), None)).message

    async def forced_on(
        self, target: TestNode, relay: HostileRelay, world: World, number: int, later: int = 1
    ) -> bytes:
        """Sealed by hand and delivered, `later` seconds after the present; the message's id at the target."""
        whole = {
            "record_id": uuid(number),
            "originators": [self.sender],
            "recipients": sorted(self.to),
            "handling": HANDLING,
            **self.record,
        }
        manifest = world.manifest((self.sender,), json.dumps(whole, ensure_ascii=False).encode("utf-8"))
        sealed = world.envelope(self.to, self.sender, manifest=manifest)
        return await delivered(target, relay, sealed, time=world.now + later)


async def fact_of(node: TestNode, message: bytes) -> RecordFact:
    """What a node knows of a message's record."""
    found = await node.parts.stores.views.message(message)
    assert found is not None
    return await Shelf(node.parts).of(found)


async def shown(node: TestNode, message: bytes) -> Any:  # noqa: ANN401  # JSON
    """A message as its node shows it to a ministry that may see everything."""
    found = await node.parts.stores.views.message(message)
    assert found is not None
    return await Views(node.parts).detail(found, ministry())


async def states(node: TestNode, message: bytes) -> list[tuple[str, str]]:
    """Action and state of every record of a message's chain."""
    return [(line["action"], line["state"]) for line in (await shown(node, message))["chain"]]
