"""A stored message as what is sealed: its exact content, and the envelope's other parts."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from exchange.node.files import manifest_name
from exchange.node.outbound import Parcel, envelope_id, latest_expiry
from exchange.node.parts import Parts
from exchange.storage.node_values import Message
from keys.primitives import random_bytes
from schemas.canon import decode
from schemas.content import Attachment, read_manifest
from schemas.grant import SIGNED_GRANT
from schemas.ids import EnvelopeId, MemberId
from schemas.limits import MAX_GRANT, MAX_PROVISION
from schemas.provision import SIGNED_PROVISION
from schemas.terms import Precedence, Purpose


@dataclass(frozen=True, slots=True)
class Matter:
    """A manifest's exact bytes, what it says of attachments, and their bytes, one after another."""

    manifest: bytes
    attachments: tuple[Attachment, ...] = ()
    pieces: Iterable[bytes] = ()


def matter_of(parts: Parts, message: Message) -> Matter:
    """The content of a message as it is stored. Raises Undecryptable when a row or a file was changed."""
    name = manifest_name(message.id, message.attachments)
    raw = parts.keyring.vault.open("manifest", name, message.sealed_manifest)
    pieces = chain.from_iterable(parts.files.read_content(file.file) for file in message.attachments)
    return Matter(raw, read_manifest(raw).attachments, pieces)


def parcel_of(
    parts: Parts, message: Message, recipients: tuple[MemberId, ...], now: int, replaces: EnvelopeId | None = None
) -> Parcel:
    """The envelope of a message for these recipients. Raises Untrusted when one has no valid epoch."""
    return Parcel(
        envelope=envelope_id(now * 1000, random_bytes(10)),
        provisions=tuple(decode(SIGNED_PROVISION, s, 2 * MAX_PROVISION) for s in message.signed_provisions),
        grants=tuple(decode(SIGNED_GRANT, s, 2 * MAX_GRANT) for s in message.signed_grants),
        purpose=Purpose(message.purpose),
        precedence=Precedence(message.precedence),
        created=now,
        expires=min(message.expires, latest_expiry(parts.directory.current, recipients, now)),
        replaces=replaces,
    )
