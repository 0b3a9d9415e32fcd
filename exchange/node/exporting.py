"""Exports: whether a file may leave, what it is marked with, and the proof that stands beside it (provision 1.7).

The file itself stays what its form says, byte for byte, so that marking and proof stand beside it: in headers, in its
name, and in one JSON object that lets a third party check who provided what on which terms.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exchange.consent.decision import Ledger
from exchange.consent.export import authorise_export
from exchange.errors import Json
from exchange.node.access import Caller
from exchange.node.compose import date_text
from exchange.node.consent import require_consent
from exchange.node.files import manifest_name
from exchange.node.obeying import obeying
from exchange.node.origins import OriginKeeper
from exchange.node.parts import Parts
from exchange.node.stored import provision_of
from exchange.node.views import provision_json
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Message
from schemas.canon import decode
from schemas.limits import MAX_PROVISION
from schemas.provision import SIGNED_PROVISION

FORMAT: Final = "cbm/1 export-proof"
INSIDE: Final = "for use inside the receiving state only: it must not be given to any third party (1.7)"
OPEN: Final = "may be given to third parties on these terms"
# The ways that one message took which the proof shows: any member may send it in thousands of envelopes.
_PATHS: Final = 16


@dataclass(frozen=True, slots=True)
class Export:
    """A file that is to be written out. `form`: such as `csv`; `internal`: for use inside this state only."""

    form: str
    media_type: str
    content: bytes
    internal: bool
    note: str | None = None


class Exporting:
    """Judges, marks, proves and logs exports."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._origins = OriginKeeper(parts)

    async def require(self, messages: Sequence[Message]) -> None:
        """That what is in these messages may leave the system. Raises Forbidden with rule and whom to ask."""
        now = self._parts.clock.now()
        for message in messages:
            provisions = tuple(decode(SIGNED_PROVISION, raw, 2 * MAX_PROVISION) for raw in message.signed_provisions)
            ledger = Ledger(origins=await self._origins.proved(provisions, (), now))
            directory = await obeying(self._parts, provisions, ())
            require_consent(authorise_export(self._parts.member, provisions, directory, ledger, now), message.id)

    async def log(self, message: Message, export: Export, caller: Caller) -> None:
        """Write down who took which file out; an export that cannot be written down is not made.

        The digest is keyed: who has the database alone tries no texts against it, also not after they were destroyed.
        """
        digest = self._parts.keyring.vault.request_digest(b"export", export.content).hex()
        told = json.dumps({"form": export.form, "internal": export.internal, "digest": digest})
        event = ConsentEvent(
            self._parts.clock.now(),
            "message.exported",
            message.id.hex(),
            None,
            f"{caller.ministry}/{caller.token}",
            told,
        )
        await self._parts.stores.consent.add_event(event)

    async def proof(self, message: Message, export: Export) -> dict[str, Json]:
        """What stands beside the file.

        `provisions`, `grants`, `envelopes` (header, receipt) and `acknowledgements` are the exact signed bytes in
        hexadecimal, `manifest` those that the Provision commits to, in base64: record and list of attachments.
        """
        views, vault = self._parts.stores.views, self._parts.keyring.vault
        raw = vault.open("manifest", manifest_name(message.id, message.attachments), message.sealed_manifest)
        envelopes: list[Json] = []
        acknowledgements: list[Json] = []
        if message.box == "inbox":
            for received in await views.received_of(message.provision, _PATHS):
                envelopes.append({"header": received.header.hex(), "receipt": received.receipt.hex()})
                acknowledgements.append(received.acknowledgement.hex())
        else:
            envelopes += [
                {"header": sent.header.hex(), "receipt": sent.receipt.hex()}
                for sent in await views.envelopes_of(message.id)
                if sent.receipt is not None
            ]
            rows = await views.recipients(message.id)
            acknowledgements += [row.acknowledgement.hex() for row in rows if row.acknowledgement is not None]
        provision = provision_of(message)
        return {
            "format": FORMAT,
            "member": self._parts.member,
            "exported": date_text(self._parts.clock.now()),
            "message": message.id.hex(),
            "file": {
                "sha256": hashlib.sha256(export.content).hexdigest(),
                "size": len(export.content),
                "form": export.form,
                "media_type": export.media_type,
                "note": export.note,
            },
            "marking": marking(message),
            "handling": INSIDE if export.internal else OPEN,
            "internal": export.internal,
            "terms": provision_json(provision),
            "manifest": base64.b64encode(raw).decode("ascii"),
            "provisions": [signed.hex() for signed in message.signed_provisions],
            "grants": [signed.hex() for signed in message.signed_grants],
            "envelopes": envelopes,
            "acknowledgements": acknowledgements,
        }


def marking(message: Message) -> str:
    """The strictest marking of what is in it, as TLP 2.0 writes it."""
    provisions = (decode(SIGNED_PROVISION, raw, 2 * MAX_PROVISION).provision for raw in message.signed_provisions)
    return f"TLP:{max(provision.tlp for provision in provisions).label}"


def filename(message: Message, suffix: str, internal: bool) -> str:
    """A name that says what it is and how it is marked."""
    tlp = marking(message).removeprefix("TLP:").replace("+", "-").lower()
    inside = ".internal" if internal else ""
    return f"{message.record_type}-{message.id.hex()[:8]}.tlp-{tlp}{inside}.{suffix}"
