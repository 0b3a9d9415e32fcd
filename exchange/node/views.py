"""Messages as the API shows them: stored rows, opened with the local key, as JSON."""

import json

from exchange.errors import Json
from exchange.node.compose import date_text
from exchange.node.files import manifest_name
from exchange.node.parts import Parts
from exchange.storage.node_values import Message, OutboxEnvelope, RecipientRow
from keys.digests import provision_digest
from keys.vault import Vault
from schemas.canon import decode
from schemas.content import Manifest, read_manifest
from schemas.envelope import Core, decode_header
from schemas.ids import Digest
from schemas.limits import MAX_PROVISION, MAX_SMALL_OBJECT
from schemas.provision import SIGNED_PROVISION, Provision
from schemas.receipt import SIGNED_RECEIPT
from schemas.terms import Precedence


class Views:
    """What a caller sees of messages; access was checked before."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts

    async def summary(self, message: Message) -> dict[str, Json]:
        """One line of a listing."""
        manifest = open_manifest(self._parts.keyring.vault, message)
        provision = _provision(message)
        rows = await self._parts.stores.views.recipients(message.id) if message.box == "outbox" else ()
        return {
            "id": message.id.hex(),
            "box": message.box,
            "state": message.state,
            "sender": message.path[-1],
            "recipients": [_recipient(row) for row in rows] or [{"member": self._parts.member, "state": "delivered"}],
            "measure": message.measure,
            "record_type": message.record_type,
            "title": json.loads(self._parts.keyring.vault.open("title", message.id, message.sealed_title)),
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
            "attachments": _attachments(manifest),
        }

    async def detail(self, message: Message) -> dict[str, Json]:
        """Everything of one message."""
        manifest = open_manifest(self._parts.keyring.vault, message)
        shown = await self.summary(message)
        shown["record"] = json.loads(manifest.body)
        shown["provision"] = _provision_json(_provision(message))
        if message.box == "outbox":
            envelopes = await self._parts.stores.views.envelopes_of(message.id)
            shown["envelopes"] = [_envelope_json(envelope) for envelope in envelopes]
        else:
            paths: list[Json] = []
            for evidence in await self._parts.stores.views.received_of(message.provision):
                core = decode_header(evidence.header).core
                receipt = _receipt_json(evidence.receipt)
                paths.append({**_core_json(core, Digest(evidence.header_digest)), "receipt": receipt})
            shown["envelopes"] = paths
        return shown


def open_manifest(vault: Vault, message: Message) -> Manifest:
    """What a message was stored with; raises Undecryptable for another's, or one whose files were exchanged."""
    return read_manifest(
        vault.open("manifest", manifest_name(message.id, message.attachments), message.sealed_manifest)
    )


def _provision(message: Message) -> Provision:
    all_signed = (decode(SIGNED_PROVISION, raw, 2 * MAX_PROVISION) for raw in message.signed_provisions)
    return next(signed.provision for signed in all_signed if provision_digest(signed.body) == message.provision)


def _recipient(row: RecipientRow) -> dict[str, Json]:
    return {
        "member": row.member,
        "state": row.state,
        "at": date_text(row.changed),
        "acknowledgement": row.acknowledgement.hex() if row.acknowledgement is not None else None,
    }


def _attachments(manifest: Manifest) -> list[Json]:
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


def _provision_json(provision: Provision) -> dict[str, Json]:
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
