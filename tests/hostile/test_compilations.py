"""Attacks on compilations: sources without consent, Provisions left out, lists that lie, floods (1.7)."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import ExchangeError
from exchange.node.compiler import Compiler
from exchange.node.compose import Compiled
from exchange.node.draft import Carried
from exchange.records.compiled import LIST_FILE, MAX_LIST
from keys.digests import provision_digest
from schemas.content import read_manifest
from schemas.provision import SignedProvision
from tests.support.attacks import delivered, refused_by_own_node, refused_by_receiver, refused_by_relay
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, ministry, node
from tests.support.relay import Server
from tests.support.secretariat import CONSENT, ask, record_id, sector_record, stored_edition, submit, submitted
from tests.support.world import Sealed, World

List = dict[str, Any]


@pytest.fixture
def world() -> World:
    return World(secretariat=True)


@pytest.fixture
async def cica(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    async with node(tmp_path, world, "CICA", relay) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Edition:
    """An edition of two sources, as the Secretariat has it: KAZ's is open to members, XAA's has a Grant for MNG."""

    manifest: bytes
    listed: bytes
    own: SignedProvision
    open: SignedProvision
    closed: SignedProvision
    sealed: Sealed


@pytest.fixture
async def edition(cica: TestNode, world: World, relay: HostileRelay) -> Edition:
    """It goes to MNG; its own terms are open to members."""
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    closed = submitted(world, "XAA", sector_record("XAA", 2, handling=CONSENT))
    grant = world.grant(closed.header.core.provisions[0].provision, "XAA", "CICA", ["MNG"])
    await submit(cica, relay, world.forward(closed, "XAA", ["CICA"], grants=[grant]))
    request = ask(["MNG"], onward="members", tlp="GREEN")
    taken, told = await Compiler(cica.parts, cica.composer).compile(request, ministry(), None)
    assert told["sources"] == [record_id(1), record_id(2)]
    manifest, listed, provisions = await stored_edition(cica, taken.message)
    by = {str(signed.provision.providers[0]): signed for signed in provisions}
    sealed = world.envelope(
        ["MNG"], "CICA", manifest=manifest, attachments=listed, provisions=provisions, grants=[grant]
    )
    return Edition(manifest, listed, by["CICA"], by["KAZ"], by["XAA"], sealed)


def with_list(world: World, edition: Edition, change: Callable[[List], object] | bytes, second: bytes = b"") -> Sealed:
    """The Secretariat itself signs an edition whose list says something else."""
    if isinstance(change, bytes):
        data = change
    else:
        value = json.loads(edition.listed)
        change(value)
        data = json.dumps(value).encode()
    lists = [data, second] if second else [data]
    attachments = tuple(world.attachment(one, LIST_FILE, "application/json") for one in lists)
    record = json.loads(read_manifest(edition.manifest).body)
    record["attachments"] = [
        {"filename": a.filename, "media_type": a.media_type, "size": a.size, "sha256": a.sha256.hex()}
        for a in attachments[:1]  # no record names two files alike
    ]
    manifest = world.manifest(("CICA",), json.dumps(record).encode(), attachments=attachments)
    own = world.signed_provision(
        manifest, ("CICA",), ["MNG"], onward=edition.own.provision.onward, tlp=edition.own.provision.tlp
    )
    return world.envelope(
        ["MNG"],
        "CICA",
        manifest=manifest,
        attachments=b"".join(lists),
        provisions=[own, edition.open, edition.closed],
        grants=edition.sealed.header.core.grants,
    )


class TestSourcesWithoutConsent:
    """The Secretariat compiles what a state did not let it pass on."""

    async def test_a_source_without_consent_is_refused_by_the_own_node(
        self, cica: TestNode, world: World, relay: HostileRelay
    ) -> None:
        closed = submitted(world, "XAA", sector_record("XAA", 1, handling=CONSENT)).header.core.provisions
        before = cica.facts()
        record = json.loads(sector_record("CICA", 2, handling={"tlp": "GREEN", "onward": "none"}, recipients=["MNG"]))
        request = {"to": ["MNG"], "measure": "2.3.12", "record": record, "tlp": "GREEN"}
        with pytest.raises(ExchangeError) as caught:
            await cica.composer.send(request, (), ministry(), None, Compiled(request, Carried(closed)))
        assert (caught.value.status, caught.value.code) == (403, "no-consent")
        assert cica.facts() == before

    async def test_a_source_without_consent_is_refused_by_the_relay_and_by_the_receiver(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server, edition: Edition
    ) -> None:
        """The same envelope without the Grant of XAA."""
        without = world.envelope(
            ["MNG"],
            "CICA",
            manifest=edition.manifest,
            attachments=edition.listed,
            provisions=edition.sealed.header.core.provisions,
        )
        await refused_by_relay(server, without, 403, "no-consent")
        await refused_by_receiver(mng, relay, without, "no-consent")

    async def test_an_edition_with_all_of_it_passes_the_relay_and_arrives(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server, edition: Edition
    ) -> None:
        await server.submit(edition.sealed)
        await delivered(mng, relay, edition.sealed)


class TestProvisionsLeftOut:
    """Who leaves out a source's Provision is not asked for its consent; the relay cannot see it."""

    async def test_a_compiler_that_leaves_out_a_source_is_refused_by_the_receiver(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server, edition: Edition
    ) -> None:
        sealed = world.envelope(
            ["MNG"],
            "CICA",
            manifest=edition.manifest,
            attachments=edition.listed,
            provisions=[edition.own, edition.open],
        )
        await server.submit(sealed)
        await refused_by_receiver(mng, relay, sealed, "unreadable")

    async def test_a_forwarder_that_leaves_out_a_source_is_refused_by_the_receiver(
        self, world: World, relay: HostileRelay, mng: TestNode, uzb: TestNode, server: Server, edition: Edition
    ) -> None:
        """XAA let the Secretariat pass it to MNG, not MNG to UZB; the edition's own terms are open."""
        message = await delivered(mng, relay, edition.sealed)
        await refused_by_own_node(mng, message, ["UZB"], "sender-not-holder")
        whole = world.forward(edition.sealed, "MNG", ["UZB"])
        await refused_by_relay(server, whole, 403, "sender-not-holder")
        await refused_by_receiver(uzb, relay, whole, "sender-not-holder")
        cut = world.forward(edition.sealed, "MNG", ["UZB"], provisions=[edition.own, edition.open])
        await server.submit(cut)
        await refused_by_receiver(uzb, relay, cut, "unreadable")

    async def test_anothers_provision_in_the_place_of_the_sources_is_refused_by_the_receiver(
        self, world: World, relay: HostileRelay, mng: TestNode, edition: Edition
    ) -> None:
        stranger = submitted(world, "XAA", sector_record("XAA", 9)).header.core.provisions[0]

        def exchange(value: List) -> None:
            value["rows"][0]["provision"] = provision_digest(edition.closed.body).hex()
            value["rows"].sort(key=lambda row: str(row["record_id"]))
            value["provisions"] = [provision_digest(edition.closed.body).hex()]

        await refused_by_receiver(mng, relay, with_list(world, edition, exchange), "unreadable")
        sealed = world.envelope(
            ["MNG"],
            "CICA",
            manifest=edition.manifest,
            attachments=edition.listed,
            provisions=[edition.own, edition.open, stranger],
        )
        await refused_by_receiver(mng, relay, sealed, "unreadable")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda v: v["rows"].pop(), id="a source of the record is missing"),
        pytest.param(lambda v: v.update(edition=7), id="another edition"),
        pytest.param(lambda v: v.update(measure="3.B", priority_area="tourism"), id="another database"),
        pytest.param(lambda v: v.update(audience=["MNG", "UZB"]), id="another audience"),
        pytest.param(lambda v: v["rows"][1].update(originators=["UZB"]), id="another originator"),
        pytest.param(lambda v: v.update(provisions=[]), id="no Provisions"),
        pytest.param(lambda v: v.update(more=1), id="a member that nobody knows"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"[" * 5000, id="nested without end"),
        pytest.param(b" " * (MAX_LIST + 1), id="too large"),
    ],
)
async def test_a_list_that_lies_is_refused_by_the_receiver(
    world: World,
    relay: HostileRelay,
    mng: TestNode,
    edition: Edition,
    change: Any,  # noqa: ANN401
) -> None:
    await refused_by_receiver(mng, relay, with_list(world, edition, change), "unreadable")


async def test_two_lists_are_refused_by_the_receiver(
    world: World, relay: HostileRelay, mng: TestNode, edition: Edition
) -> None:
    await refused_by_receiver(mng, relay, with_list(world, edition, edition.listed, b"{}"), "unreadable")
    await delivered(mng, relay, with_list(world, edition, edition.listed))


async def test_an_edition_that_comes_first_does_not_keep_the_source_itself_out(
    world: World, relay: HostileRelay, mng: TestNode, cica: TestNode
) -> None:
    """Its Provision is in the edition's header; it was not delivered by that."""
    source = submitted(world, "KAZ", sector_record("KAZ", 1), to=["CICA", "MNG"])
    await submit(cica, relay, source)
    await Compiler(cica.parts, cica.composer).compile(ask(["MNG"]), ministry(), None)
    relay.waiting.clear()
    await cica.send()
    await mng.pull()
    assert len(mng.inbox()) == 1
    relay.waiting.clear()
    await delivered(mng, relay, source)
    assert len(mng.inbox()) == 2


async def test_a_cancellation_by_another_state_takes_nothing_out(
    world: World, relay: HostileRelay, cica: TestNode
) -> None:
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    act = sector_record("XAA", 2, "The end", action="cancel", references=[record_id(1)])
    await submit(cica, relay, submitted(world, "XAA", act), time=world.now + 60)
    _, told = await Compiler(cica.parts, cica.composer).compile(ask(["MNG"]), ministry(), None)
    assert told["sources"] == [record_id(1)]


async def test_a_flood_of_submissions_does_not_end_the_database(
    world: World, relay: HostileRelay, cica: TestNode
) -> None:
    """An envelope carries 63 sources; the Secretariat chooses among more."""
    for number in range(1, 65):
        await submit(cica, relay, submitted(world, "XAA", sector_record("XAA", number)))
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 99)))
    compiler = Compiler(cica.parts, cica.composer)
    with pytest.raises(ExchangeError) as caught:
        await compiler.compile(ask(["MNG"]), ministry(), None)
    assert caught.value.code == "compilation-too-large"
    chosen = [record_id(1), record_id(99)]
    _, told = await compiler.compile(ask(["MNG"], sources=chosen), ministry(), None)
    assert sorted(str(source) for source in told["sources"]) == chosen  # type: ignore[union-attr]  # a list


async def test_a_grant_that_has_ended_takes_only_its_own_source_out(
    world: World, relay: HostileRelay, cica: TestNode
) -> None:
    """An envelope with that source would be refused as a whole."""
    await submit(cica, relay, submitted(world, "KAZ", sector_record("KAZ", 1)))
    closed = submitted(world, "XAA", sector_record("XAA", 2, handling=CONSENT))
    grant = world.grant(closed.header.core.provisions[0].provision, "XAA", "CICA", ["MNG"], until=world.now + 10)
    await submit(cica, relay, world.forward(closed, "XAA", ["CICA"], grants=[grant]))
    cica.clock.time = world.now + 11
    _, told = await Compiler(cica.parts, cica.composer).compile(ask(["MNG"]), ministry(), None)
    assert told["sources"] == [record_id(1)]
