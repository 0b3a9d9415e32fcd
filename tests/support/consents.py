"""Requests for consent between nodes of a test world, turned by hand, and hostile messages sealed without a node.

await post(kaz, mng)                                    # what waits at KAZ is sent; MNG's desk takes it
request = await ask(mng, message, ["UZB"])
await post(mng, kaz)
await grant(kaz, request)
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from exchange.consent.rules import parse_rules
from exchange.node.access import Caller
from exchange.node.asking import Asker, AskForm
from exchange.node.consent_forms import GiveForm, GrantForm
from exchange.node.consenting import Consenting
from exchange.node.grounds import holding_of
from exchange.storage.node_values import Message
from exchange.storage.request_port import OUT, StoredGrant, StoredRequest
from schemas.consent import ConsentMessage, ConsentRequest, encode_consent
from schemas.content import ContentKind
from schemas.limits import DAY
from schemas.provision import SignedProvision
from schemas.terms import Purpose
from tests.support.desk import without_effect
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.parties import members, replaced
from tests.support.world import Sealed, World

TABLES: Final = ("consent_requests", "consent_answers", "consent_grants", "consent_uses")


def official(measures: tuple[str, ...] = ("*",), token: str = "c" * 16) -> Caller:
    """A caller that asks and answers."""
    return Caller(token, "foreign-affairs", frozenset({"consent", "read", "send"}), measures)


def with_rules(node: TestNode, *rules: Mapping[str, object]) -> None:
    """The node answers by these rules from now on."""
    node.parts = replace(node.parts, rules=parse_rules({"rule": list(rules)}))


async def source(node: TestNode, message: bytes) -> Message:
    """A message that is there."""
    found = await node.parts.stores.views.message(message)
    assert found is not None
    return found


async def ask(holder: TestNode, message: bytes, to: list[str], **form: object) -> bytes:
    """Ask the providers of a received message; the request's id."""
    values = {"message": message.hex(), "to": to, "until": "2027-12-31", "reason": "for relief", **form}
    asked = AskForm.model_validate(values)
    ident, new = await Asker(holder.parts).request(await source(holder, message), asked, official(), None)
    assert new
    return ident


async def grant(provider: TestNode, request: bytes, **form: object) -> StoredGrant:
    """Grant a received request as an official."""
    consenting = Consenting(provider.parts, provider.composer.acts)
    found = await consenting.request(request.hex(), official())
    taken = await consenting.grant(found, GrantForm.model_validate(form), official(), None)
    given = await provider.parts.stores.grants.grant("given", provider.parts.member, taken.message)
    assert given is not None
    return given


async def give(provider: TestNode, message: bytes, holder: str, to: list[str], **form: object) -> bytes:
    """Give a Grant that nobody asked for; its id."""
    values = {"message": message.hex(), "holder": holder, "to": to, "until": "30d", **form}
    consenting = Consenting(provider.parts, provider.composer.acts)
    return (await consenting.give(GiveForm.model_validate(values), official(), None)).message


async def refuse(provider: TestNode, request: bytes, reason: str = "not for them") -> None:
    """Refuse a received request as an official."""
    consenting = Consenting(provider.parts, provider.composer.acts)
    await consenting.refuse(await consenting.request(request.hex(), official()), reason, official(), None)


async def made(holder: TestNode, request: bytes) -> StoredRequest:
    """A request that this node made."""
    found = await holder.parts.stores.requests.request(OUT, request)
    assert found is not None
    return found


async def forward(holder: TestNode, message: bytes, to: list[str], **request: object) -> bytes:
    """Pass a received message on; the new message's id."""
    value = {"to": to, **request}
    return (await holder.composer.forward(await source(holder, message), value, official(), None)).message


def request_of(world: World, provision: SignedProvision, to: tuple[str, ...] = ("UZB",), **fields: object) -> Any:  # noqa: ANN401
    """A request as a hostile holder writes it; `fields` replace its attributes."""
    values: dict[str, Any] = {
        "id": world.random(16),
        "provision": provision,
        "recipients": members(to),
        "purpose": Purpose.CONFIDENCE_BUILDING,
        "until": world.now + 30 * DAY,
        "uses": None,
        "reason": "for relief",
        "created": world.now,
        "answer_by": world.now + 7 * DAY,
    }
    return ConsentRequest(**replaced(values, fields))


def saying(world: World, sender: str, to: str, said: ConsentMessage) -> Sealed:
    """A message about consent, sealed by hand."""
    manifest = world.manifest((sender,), encode_consent(said), kind=ContentKind.CONSENT)
    return world.envelope([to], sender, manifest=manifest)


def facts(target: TestNode) -> dict[str, object]:
    """All of requests and Grants, and what would leave the node."""
    sent = [row["id"] for row in target.rows("messages") if row["box"] == "outbox"]
    return {**{table: target.rows(table) for table in TABLES}, "sent": sent}


def log_of(target: TestNode) -> list[str]:
    """The kinds of all lines of the log."""
    return [row["kind"] for row in target.rows("consent_log")]


async def unheard(target: TestNode, relay: HostileRelay, sealed: Sealed) -> str:
    """What is said has no effect. Gives why."""
    return await without_effect(target, relay, sealed, facts)


async def provision_of(target: TestNode, message: bytes) -> SignedProvision:
    """Of a message that is there."""
    return holding_of(await source(target, message)).own
