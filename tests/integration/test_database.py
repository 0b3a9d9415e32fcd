"""The Secretariat's database from end to end: states, an honest relay over HTTP, readers, forwards (1.6, 1.7)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from exchange.node.transport import RelayClient
from exchange.records.compiled import read_compilation
from keys.digests import provision_digest
from keys.verify import Moment, provision_fault, verify_header
from schemas.canon import decode
from schemas.envelope import decode_header
from schemas.limits import MAX_PROVISION
from schemas.provision import SIGNED_PROVISION
from tests.support.attacks import honest_relay
from tests.support.node import Api, TestNode, api_of, node
from tests.support.records import example
from tests.support.relay import Server
from tests.support.secretariat import MEASURE, ask
from tests.support.world import World

MEMBERS = ("CICA", "KAZ", "XAA", "MNG", "UZB")


class States:
    """The Secretariat and four states, each with a ministry's token."""

    def __init__(
        self, server: Server, nodes: dict[str, TestNode], apis: dict[str, Api], tokens: dict[str, str]
    ) -> None:
        self.server = server
        self.world = server.world
        self.nodes = nodes
        self.apis = apis
        self.tokens = tokens

    async def ask(self, member: str, method: str, path: str, **request: Any) -> Any:  # noqa: ANN401
        """A successful request to a member's node; its JSON."""
        reply = await self.apis[member].ask(method, path, self.tokens[member], **request)
        assert reply.status in (200, 202), reply.body
        return reply.json

    async def carry(self) -> None:
        """Every node seals and sends, the relay logs it, then every node takes what waits for it."""
        for one in self.nodes.values():
            await one.send()
        # What carries others' Provisions is taken once its acceptance stands in the log.
        await self.server.logged()
        for one in self.nodes.values():
            await one.pull()
            await one.pull()

    def later(self) -> None:
        """A minute passes everywhere."""
        for clock in (self.server.clock, *(one.clock for one in self.nodes.values())):
            clock.time += 60

    async def submit(self, member: str, **terms: str) -> dict[str, str]:
        """A state submits a sector record to the Secretariat; ids of message and record."""
        return await self._sent(member, {"title": {"en": f"Visas of {member}"}}, **terms)

    async def withdraw(self, member: str, record: str) -> None:
        """A state withdraws a record that it submitted."""
        await self._sent(member, {"action": "withdraw", "references": [record], "body": {}})

    async def _sent(self, member: str, changes: dict[str, Any], **terms: str) -> dict[str, str]:
        record = example("sector-information", "business-visas")
        for name in ("record_id", "originators", "recipients", "copy_secretariat", "handling", "issued_at"):
            record.pop(name, None)
        asked = {"to": ["CICA"], "measure": MEASURE, "record": record | changes, "tlp": "GREEN", **terms}
        queued = await self.ask(member, "POST", "/v1/messages", json=asked)
        shown = await self.ask(member, "GET", f"/v1/messages/{queued['id']}")
        return {"message": queued["id"], "record": shown["record"]["record_id"]}


@pytest.fixture
async def states(tmp_path: Path) -> AsyncIterator[States]:
    world = World(secretariat=True)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(honest_relay(tmp_path, world))
        nodes, apis, tokens = {}, {}, {}
        for member in MEMBERS:
            client = RelayClient(server.url, (), world.nodes[member], server.clock)
            nodes[member] = await stack.enter_async_context(node(tmp_path, world, member, client))
            apis[member] = await stack.enter_async_context(api_of(nodes[member]))
            tokens[member] = await nodes[member].token("trade", ("send", "read"))
        yield States(server, nodes, apis, tokens)


async def test_a_source_in_an_edition_is_traceable_to_its_signed_provision_at_the_reader(states: States) -> None:
    source = await states.submit("KAZ", onward="members")
    await states.submit("XAA", onward="on-consent")
    await states.carry()
    made = await states.ask("CICA", "POST", "/v1/compilations", json=ask(["MNG"], onward="members", tlp="GREEN"))
    assert made["sources"] == [source["record"]]
    await states.carry()

    (row,) = (await states.ask("MNG", "GET", "/v1/database", params={"q": "easier"}))["rows"]
    assert (row["originators"], row["record_type"], row["status"]) == (["CICA"], "database-entry", "current")
    (named,) = row["sources"]
    assert (named["providers"], named["onward"]) == (["KAZ"], "members")
    signed = decode(SIGNED_PROVISION, bytes.fromhex(named["signed"]), 2 * MAX_PROVISION)
    assert provision_fault(signed, Moment(states.world.directory, states.world.now)) is None

    path = f"/v1/messages/{row['message']}/attachments/0"
    listed = read_compilation((await states.apis["MNG"].ask("GET", path, states.tokens["MNG"])).body)
    assert [(one.record_id, one.originators) for one in listed.rows] == [(source["record"], ("KAZ",))]
    assert listed.rows[0].provision == named["digest"] == provision_digest(signed.body).hex()
    assert source["message"] == listed.rows[0].message

    (evidence,) = [one for one in states.nodes["MNG"].rows("received") if one["outcome"] == "delivered"]
    header = verify_header(decode_header(evidence["header"]), states.world.directory, states.world.now)
    assert header.core.sender == "CICA"
    assert signed in header.core.provisions


async def test_what_a_reader_passes_on_is_still_bound_by_the_terms_of_every_source(states: States) -> None:
    """The edition is open to members; one of its sources went to its readers only."""
    await states.submit("KAZ", onward="members")
    reply = await states.submit("MNG", onward="none")
    await states.carry()
    made = await states.ask("CICA", "POST", "/v1/compilations", json=ask(["MNG"], onward="members", tlp="GREEN"))
    assert len(made["sources"]) == 2
    assert reply["record"] in made["sources"]
    await states.carry()
    (row,) = (await states.ask("MNG", "GET", "/v1/database", params={"measure": "2.3.14"}))["rows"]
    # MNG provided that source itself, to the Secretariat and to nobody else.
    assert row["may_receive"] == [{"member": "CICA", "ground": "audience, provider"}]
    refused = await states.apis["MNG"].ask(
        "POST", f"/v1/messages/{row['message']}/forward", states.tokens["MNG"], json={"to": ["UZB"]}
    )
    assert (refused.status, refused.code) == (403, "no-consent")


async def test_a_withdrawn_source_leaves_the_next_edition_and_stays_as_a_trace(states: States) -> None:
    kept, gone = await states.submit("KAZ", onward="members"), await states.submit("XAA", onward="members")
    await states.carry()
    await states.ask("CICA", "POST", "/v1/compilations", json=ask(["MNG"]))
    await states.carry()
    states.later()
    await states.withdraw("XAA", gone["record"])
    await states.carry()
    made = await states.ask("CICA", "POST", "/v1/compilations", json=ask(["MNG"]))
    assert (made["edition"], made["sources"]) == (2, [kept["record"]])
    assert made["void"] == [{"record_id": gone["record"], "reason": "it is withdrawn"}]
    await states.carry()

    rows = (await states.ask("MNG", "GET", "/v1/database", params={"measure": "2.3.14"}))["rows"]
    assert [row["status"] for row in rows] == ["current", "superseded"]
    assert [named["providers"] for named in rows[0]["sources"]] == [["KAZ"]]
    path = f"/v1/messages/{rows[0]['message']}/attachments/0"
    listed = read_compilation((await states.apis["MNG"].ask("GET", path, states.tokens["MNG"])).body)
    assert [(trace.record_id, trace.edition) for trace in listed.traces] == [(gone["record"], 2)]

    (trace,) = (await states.ask("CICA", "GET", "/v1/database", params={"state": "XAA", "q": "visas"}))["rows"][1:]
    assert (trace["status"], trace["ended"]["by"], trace["record_id"]) == ("withdrawn", ["XAA"], gone["record"])
    assert "title" not in trace
