"""The Secretariat's node with what states submitted to it, and the editions that it compiles of that."""

import json
from collections.abc import Sequence
from typing import Any

from exchange.node.files import manifest_name
from exchange.node.request import code
from exchange.records.compiled import LIST_FILE, read_compilation
from exchange.records.database import Compilation
from schemas.canon import decode
from schemas.content import ClassMeaning
from schemas.grant import SignedGrant
from schemas.limits import MAX_PROVISION
from schemas.provision import SIGNED_PROVISION, SignedProvision
from schemas.terms import Onward, Tlp
from tests.support.attacks import delivered
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, Reply, TestNode, api_of
from tests.support.records import example
from tests.support.world import Sealed, World

MEASURE = "2.3.12"
DATABASE = "2.3.14"
CONSENT = {"tlp": "GREEN", "onward": "on-consent"}


def record_id(number: int) -> str:
    """A record's id."""
    return f"019d99cf-6880-797e-8aad-{number:012x}"


def sector_record(sender: str, number: int, title: str = "Business visas", **fields: Any) -> bytes:  # noqa: ANN401
    """A sector record of one state, open to members; `fields` replace members of the record."""
    record = example("sector-information", "business-visas")
    record |= {
        "record_id": record_id(number),
        "originators": [sender],
        "recipients": ["CICA"],
        "copy_secretariat": False,
        "handling": {"tlp": "GREEN", "onward": "members"},
        "title": {"en": title},
        **fields,
    }
    if record["action"] in {"cancel", "withdraw"}:
        record["body"] = {}
    return json.dumps(record, ensure_ascii=False).encode("utf-8")


def submitted(
    world: World,
    sender: str,
    record: bytes,
    to: Sequence[str] = ("CICA",),
    grants: Sequence[SignedGrant] = (),
    **terms: object,
) -> Sealed:
    """A record on its way to the Secretariat, under the terms that it states; `terms` replace others."""
    handling = json.loads(record)["handling"]
    tags = terms.get("class_tags", ())
    assert isinstance(tags, tuple)
    classes = tuple(ClassMeaning(tag, "a class") for tag in tags)
    manifest = world.manifest((sender,), record, classes=classes or None)
    stated = {
        "onward": code(Onward, handling["onward"], "onward"),
        "tlp": code(Tlp, handling["tlp"], "tlp"),
        **terms,
    }
    provision = world.signed_provision(manifest, (sender,), to, **stated)
    return world.envelope(to, sender, manifest=manifest, provisions=[provision], grants=grants)


async def submit(node: TestNode, relay: HostileRelay, sealed: Sealed, **receipt: object) -> str:
    """It has arrived; the message's id in hexadecimal."""
    return (await delivered(node, relay, sealed, **receipt)).hex()


def ask(to: Sequence[str] = ("MNG", "UZB"), **fields: object) -> dict[str, object]:
    """A request for an edition of the common database."""
    return {"measure": DATABASE, "to": list(to), "content": {"en": "Visas are easier."}, **fields}


async def stored_edition(cica: TestNode, ident: bytes) -> tuple[bytes, bytes, tuple[SignedProvision, ...]]:
    """Of an edition at the Secretariat's node: its manifest, the bytes of its list, all its Provisions."""
    message = await cica.parts.stores.views.message(ident)
    assert message is not None
    raw = cica.parts.keyring.vault.open(
        "manifest", manifest_name(message.id, message.attachments), message.sealed_manifest
    )
    listed = b"".join(cica.parts.files.read_content(message.attachments[0].file))
    return raw, listed, tuple(decode(SIGNED_PROVISION, s, 2 * MAX_PROVISION) for s in message.signed_provisions)


async def compiled(api: Api, token: str, key: str | None = None, **fields: Any) -> Reply:  # noqa: ANN401
    """Ask for an edition."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return await api.ask("POST", "/v1/compilations", token, json=ask(**fields), headers=headers)


async def made(api: Api, token: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """An edition that is compiled; what the Secretariat is told."""
    reply = await compiled(api, token, **fields)
    assert reply.status == 202, reply.body
    answer: dict[str, Any] = reply.json
    return answer


async def edition(cica: TestNode, answer: dict[str, Any]) -> tuple[dict[str, Any], Compilation]:
    """The record and the list of an edition, as they were stored."""
    async with api_of(cica) as api:
        reader = await cica.token("database", ("read",))
        shown = (await api.ask("GET", f"/v1/messages/{answer['id']}", reader)).json
        (attached,) = shown["attachments"]
        assert attached["filename"] == LIST_FILE
        data = await api.ask("GET", f"/v1/messages/{answer['id']}/attachments/0", reader)
        return shown["record"], read_compilation(data.body)
