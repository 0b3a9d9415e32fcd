"""Exports over the node's real API: what may leave, how it is marked, what its proof proves, what is written down."""

import base64
import hashlib
import json
from typing import Any

import pytest

from keys.digests import content_commitment
from keys.verify import Moment, provision_fault, verify_header, verify_receipt
from schemas.canon import decode
from schemas.content import read_manifest
from schemas.envelope import decode_header
from schemas.provision import SIGNED_PROVISION
from schemas.receipt import SIGNED_RECEIPT
from schemas.terms import Onward, Tlp
from tests.support.attacks import delivered
from tests.support.hostile_relay import HostileRelay
from tests.support.node import ROUTED, Api, Reply, manifest_of, sealed_by
from tests.support.records import example
from tests.support.world import World
from tests.unit.exchange.node.test_api_matters import receive


async def export(api: Api, token: str, ident: str, query: str = "") -> Reply:
    return await api.ask("GET", f"/v1/messages/{ident}/export?as=json{query}", token)


async def received(api: Api, relay: HostileRelay, onward: Onward = Onward.NONE, tlp: Tlp = Tlp.AMBER) -> str:
    """A record of MNG at KAZ's node, under these terms."""
    world = relay.world
    manifest = manifest_of(world, "MNG", tlp.label, onward.label)
    provision = world.signed_provision(manifest, ("MNG",), ["KAZ"], onward=onward, tlp=tlp)
    sealed = sealed_by(world, "MNG", ("KAZ",), manifest=manifest, provisions=[provision])
    return (await delivered(api.node, relay, sealed)).hex()


@pytest.mark.parametrize("onward", [Onward.NONE, Onward.ON_CONSENT, Onward.MEMBERS])
async def test_what_is_not_public_leaves_no_receiver_and_the_refusal_says_whom_to_ask(
    api: Api, token: str, relay: HostileRelay, onward: Onward
) -> None:
    ident = await received(api, relay, onward)
    before = api.node.rows("consent_log")
    for form in ("json", "csv", "geojson", "ical"):
        reply = await api.ask("GET", f"/v1/messages/{ident}/export?as={form}", token)
        assert (reply.status, reply.code) == (403, "no-consent")
        assert (reply.json["rule"], reply.json["provider"], reply.json["ask"]) == ("no-consent", "MNG", ["MNG"])
    assert api.node.rows("consent_log") == before


async def test_its_own_ministries_take_it_out_for_use_inside_and_it_is_marked_so(
    api: Api, token: str, relay: HostileRelay
) -> None:
    ident = await received(api, relay)
    reply = await export(api, token, ident, "&internal=true")
    assert reply.status == 200
    assert reply.headers["CBM-Marking"] == "TLP:AMBER"
    assert "inside the receiving state only" in reply.headers["CBM-Handling"]
    assert reply.headers["Content-Disposition"].endswith('.tlp-amber.internal.json"')
    (line,) = [row for row in api.node.rows("consent_log") if row["kind"] == "message.exported"]
    assert (line["subject"], line["official"]) == (ident, f"defence/{token.split('_')[1]}")
    told = json.loads(line["detail"])
    digest = api.node.parts.keyring.vault.request_digest(b"export", reply.body).hex()
    assert told == {"form": "json", "internal": True, "digest": digest}


async def test_what_is_public_leaves(api: Api, token: str, relay: HostileRelay) -> None:
    ident = await received(api, relay, Onward.PUBLIC, Tlp.CLEAR)
    reply = await export(api, token, ident)
    assert (reply.status, reply.headers["CBM-Marking"]) == (200, "TLP:CLEAR")
    assert ".internal" not in reply.headers["Content-Disposition"]


async def test_ones_own_leaves_on_any_terms(api: Api, token: str) -> None:
    ident = (await api.send(token, ["MNG"], tlp="RED")).json["id"]
    reply = await export(api, token, ident)
    assert (reply.status, reply.headers["CBM-Marking"]) == (200, "TLP:RED")


async def test_the_proof_lets_a_third_party_check_who_provided_what(
    api: Api, token: str, relay: HostileRelay, world: World
) -> None:
    ident = await received(api, relay, Onward.PUBLIC, Tlp.CLEAR)
    whole = (await export(api, token, ident, "&proof=true")).json
    content, proof = base64.b64decode(whole["content"]), whole["proof"]
    assert proof["file"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert (proof["marking"], proof["terms"]["onward"], proof["internal"]) == ("TLP:CLEAR", "public", False)
    manifest = base64.b64decode(proof["manifest"])
    assert read_manifest(manifest).body == content
    (signed,) = [decode(SIGNED_PROVISION, bytes.fromhex(text), 4096) for text in proof["provisions"]]
    assert signed.provision.commitment == content_commitment(manifest)
    assert provision_fault(signed, Moment(world.directory, world.now)) is None
    (envelope,) = proof["envelopes"]
    header = verify_header(decode_header(bytes.fromhex(envelope["header"])), world.directory, world.now)
    receipt = verify_receipt(decode(SIGNED_RECEIPT, bytes.fromhex(envelope["receipt"]), 4096), world.directory)
    assert (header.core.sender, receipt.header_digest) == ("MNG", header.digest)


async def test_an_event_leaves_only_when_all_that_changes_it_may(api: Api, token: str, relay: HostileRelay) -> None:
    content: dict[str, Any] = {
        name: {k: v for k, v in example("military-activity-notification", name).items() if k not in ROUTED}
        for name in ("field-exercise", "cancellation")
    }
    own = {**content["field-exercise"], "record_id": "urn:kaz:1"}
    ident = (await api.send(token, ["MNG"], record=own)).json["id"]
    path = f"/v1/messages/{ident}/export?as=ical"
    assert (await api.ask("GET", path, token)).status == 200
    # What another state says of it does not change it.
    await receive(api, relay, "MNG", content["cancellation"] | {"references": ["urn:kaz:1"]}, "urn:mng:2")
    assert (await api.ask("GET", path, token)).status == 200
    theirs = await receive(api, relay, "MNG", content["field-exercise"], "urn:mng:3")
    assert (await api.ask("GET", f"/v1/messages/{theirs}/export?as=ical", token)).code == "no-consent"


@pytest.mark.parametrize("query", ["&internal=yes", "&proof=1"])
async def test_a_flag_is_true_or_false(api: Api, token: str, query: str) -> None:
    ident = (await api.send(token, ["MNG"])).json["id"]
    assert (await export(api, token, ident, query)).code == "bad-request"
