"""Messages as the API shows them: stored rows, opened with the local key, as JSON."""

import asyncio
import json

from exchange.errors import Json, TooLarge
from exchange.node.access import Caller
from exchange.node.compose import date_text
from exchange.node.editions import is_adopted
from exchange.node.parts import Parts
from exchange.node.shelf import Shelf
from exchange.node.stored import open_manifest, provision_of
from exchange.node.withdrawal_views import remains_of, withdrawal_name, withdrawn_of
from exchange.records.chain import build
from exchange.records.tree import Line, tree
from exchange.storage.node_values import Message, OutboxEnvelope, RecipientRow
from exchange.storage.withdrawal_port import DestroyedMessage
from schemas.canon import decode
from schemas.content import Manifest
from schemas.envelope import Core, decode_header
from schemas.ids import Digest
from schemas.limits import MAX_SMALL_OBJECT, MAX_TIME
from schemas.provision import Provision
from schemas.receipt import SIGNED_RECEIPT
from schemas.terms import Precedence

# The ways that one message took which are shown, the earliest: any member may send it in thousands of envelopes.
_PATHS = 64


class Views:
    """What a caller sees of messages; access was checked before."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._shelf = Shelf(parts)

    async def summary(self, message: Message) -> dict[str, Json]:
        """One line of a listing."""
        vault = self._parts.keyring.vault
        return {
            **await self._facts(message),
            "title": json.loads(vault.open("title", message.id, message.sealed_title)),
            "attachments": attachments_json(open_manifest(vault, message)),
        }

    async def gone(self, row: DestroyedMessage) -> dict[str, Json]:
        """What is left of a message whose content was destroyed: its facts and its evidence."""
        message = remains_of(row)
        return {
            **await self._facts(message),
            "title": {},
            "attachments": [],
            "record": {},
            "classes": [],
            "provision": provision_json(provision_of(message)),
            "destroyed": {
                "at": date_text(row.time),
                "official": row.official,
                "withdrawal": withdrawal_name(row.provider, row.withdrawal),
            },
            "withdrawn": await withdrawn_of(self._parts, message),
            "envelopes": await self._envelopes(message),
        }

    async def _facts(self, message: Message) -> dict[str, Json]:
        """What is known of a message without opening it."""
        provision = provision_of(message)
        rows = await self._parts.stores.views.recipients(message.id) if message.box == "outbox" else ()
        return {
            "id": message.id.hex(),
            "box": message.box,
            "state": message.state,
            "sender": message.path[-1],
            "recipients": [_recipient(row) for row in rows] or [{"member": self._parts.member, "state": "delivered"}],
            "measure": message.measure,
            "record_type": message.record_type,
            "tlp": provision.tlp.label,
            "onward": provision.onward.label,
            "purpose": provision.purpose.label,
            "precedence": Precedence(message.precedence).label,
            # The provider's own date: a later envelope makes an old record no younger.
            "created": date_text(provision.created),
            "received": date_text(message.due) if message.box == "inbox" else None,
            "expires": date_text(message.expires),
            "waits": message.waits,
            "path": list(message.path),
        }

    async def detail(self, message: Message, caller: Caller) -> dict[str, Json]:
        """Everything of one message, and of its chain what the caller may see."""
        manifest = open_manifest(self._parts.keyring.vault, message)
        shown = await self.summary(message)
        shown["record"] = json.loads(manifest.body)
        shown.update(await self._place(message, caller))
        shown["provision"] = provision_json(provision_of(message))
        shown["classes"] = [{"name": one.name, "tag": one.tag.hex()} for one in manifest.classes or ()]
        shown["withdrawn"] = await withdrawn_of(self._parts, message)
        shown["envelopes"] = await self._envelopes(message)
        return shown

    async def _envelopes(self, message: Message) -> list[Json]:
        """Those that carried a sent message, or brought a received one."""
        if message.box == "outbox":
            envelopes = await self._parts.stores.views.envelopes_of(message.id)
            return [_envelope_json(envelope) for envelope in envelopes]
        paths: list[Json] = []
        for evidence in await self._parts.stores.views.received_of(message.provision, _PATHS):
            core = decode_header(evidence.header).core
            receipt = _receipt_json(evidence.receipt)
            paths.append({**_core_json(core, Digest(evidence.header_digest)), "receipt": receipt})
        return paths

    async def _place(self, message: Message, caller: Caller) -> dict[str, Json]:
        """The record's own digest, its edition, and the chain that it is in."""
        fact = await self._shelf.of(message)
        shown: dict[str, Json] = {
            "record_sha256": fact.digest,
            "edition_adopted": is_adopted(fact.catalogue_id, self._parts.directory.current.charter),
            "chain": [],
            "current": None,
        }
        try:
            held = await self._shelf.around((fact.record_id,), caller)
        except TooLarge as fault:
            return {**shown, "chain_fault": fault.detail}
        chains = await asyncio.to_thread(build, {*held, fact})
        current = chains.current(fact)
        lines: list[Json] = [line_json(line) for line in tree(chains, fact.record_id)]
        return {**shown, "chain": lines, "current": None if current is None else current.message}


def line_json(line: Line) -> dict[str, Json]:
    """One record of a chain."""
    return {
        "depth": line.depth,
        "record_id": line.record_id,
        "message": line.message,
        "action": line.action.value,
        "by": list(line.by),
        "language": line.language,
        "issued_at": date_text(min(line.issued_at, MAX_TIME)),
        "evidenced_at": date_text(line.evidenced_at) if line.evidenced_at is not None else None,
        "state": line.state.value,
        "reason": line.reason,
        "missing": list(line.missing),
    }


def _recipient(row: RecipientRow) -> dict[str, Json]:
    return {
        "member": row.member,
        "state": row.state,
        "at": date_text(row.changed),
        "acknowledgement": row.acknowledgement.hex() if row.acknowledgement is not None else None,
    }


def attachments_json(manifest: Manifest) -> list[Json]:
    """The files of a content."""
    return [
        {
            "index": index,
            "filename": attachment.filename,
            "media_type": attachment.media_type,
            "size": attachment.size,
            "sha256": attachment.sha256.hex(),
        }
        for index, attachment in enumerate(manifest.attachments)
    ]


def provision_json(provision: Provision) -> dict[str, Json]:
    """The terms of a Provision."""
    return {
        "id": provision.id.hex(),
        "providers": list(provision.providers),
        "audience": list(provision.audience),
        "onward": provision.onward.label,
        "purpose": provision.purpose.label,
        "tlp": provision.tlp.label,
        "until": date_text(provision.until) if provision.until is not None else None,
        "not_before": date_text(provision.not_before) if provision.not_before is not None else None,
        "created": date_text(provision.created),
        "max_precedence": provision.max_precedence.label,
        "commitment": provision.commitment.hex(),
    }


def _core_json(core: Core, digest: Digest) -> dict[str, Json]:
    return {
        "id": core.id.hex(),
        "sender": core.sender,
        "header_digest": digest.hex(),
        "created": date_text(core.created),
        "expires": date_text(core.expires),
        "body_size": core.body_size,
        "body_digest": core.body_digest.hex(),
    }


def _receipt_json(raw: bytes) -> dict[str, Json]:
    signed = decode(SIGNED_RECEIPT, raw, 2 * MAX_SMALL_OBJECT)
    return {
        "time": date_text(signed.receipt.time),
        "directory_size": signed.receipt.directory_size,
        "relay": signed.receipt.relay.hex(),
        "signed": raw.hex(),
    }


def _envelope_json(envelope: OutboxEnvelope) -> dict[str, Json]:
    core = decode_header(envelope.header).core
    return {
        **_core_json(core, Digest(envelope.header_digest)),
        "state": envelope.state,
        "attempts": envelope.attempts,
        "fault": envelope.fault,
        "receipt": _receipt_json(envelope.receipt) if envelope.receipt is not None else None,
    }
