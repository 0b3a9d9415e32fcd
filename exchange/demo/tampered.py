"""An operator who skips the node's own check: seals a received message to a third state with the node's keys."""

from pathlib import Path

from exchange.clock import SystemClock
from exchange.demo.site import PASSPHRASE
from exchange.node.files import manifest_name
from exchange.node.outbound import NextPlace, Parcel, envelope_id, latest_expiry, seal_header, seal_payload
from exchange.node.parts import Parts
from exchange.node.transport import RelayRefused
from exchange.wiring.node import open_parts
from keys.digests import sha256
from keys.primitives import random_bytes
from schemas.canon import decode
from schemas.content import read_manifest
from schemas.envelope import encode_header
from schemas.ids import Digest, MemberId, StreamId
from schemas.limits import MAX_PROVISION
from schemas.provision import SIGNED_PROVISION
from schemas.terms import Precedence, Purpose


async def pass_on(folder: Path, message: bytes, recipient: str) -> str | None:
    """Hand a received message of the node in `folder` to the relay for `recipient`, against its terms.

    Gives the code with which the relay refuses, or None when it accepts.
    """
    parts, database = await open_parts(folder, PASSPHRASE, SystemClock())
    try:
        await parts.directory.update(parts.relay, parts.clock.now())
        header, body = await _seal(parts, message, MemberId(recipient))
        await parts.relay.post_envelope(header, iter([body]))
    except RelayRefused as refusal:
        return refusal.code
    finally:
        await parts.relay.close()
        await database.close()
    return None


async def _seal(parts: Parts, message: bytes, recipient: MemberId) -> tuple[bytes, bytes]:
    """A well-formed envelope, signed by the forwarder, with the provider's unmodified Provision and content."""
    source = await parts.stores.views.message(message)
    if source is None:
        raise LookupError("the message to pass on is not in the node's inbox")
    now = parts.clock.now()
    directory = parts.directory.current
    manifest = parts.keyring.vault.open(
        "manifest", manifest_name(source.id, source.attachments), source.sealed_manifest
    )
    content_key = random_bytes(32)
    pieces = seal_payload(content_key, directory.size, manifest, read_manifest(manifest).attachments, ())
    body = b"".join(pieces)
    parcel = Parcel(
        envelope=envelope_id(now * 1000, random_bytes(10)),
        provisions=tuple(decode(SIGNED_PROVISION, raw, 2 * MAX_PROVISION) for raw in source.signed_provisions),
        grants=(),
        purpose=Purpose(source.purpose),
        precedence=Precedence.ROUTINE,
        created=now,
        expires=latest_expiry(directory, [recipient], now),
    )
    place = NextPlace(recipient, StreamId(random_bytes(16)), 1, Digest(bytes(32)))
    header = seal_header(parts.keyring.signing, directory, parcel, (place,), content_key, len(body), sha256(body))
    return encode_header(header), body
