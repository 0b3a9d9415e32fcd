"""Opens an envelope that may be opened: content, attachments sealed for this node's disk, and what they mean."""

from collections.abc import Iterator
from dataclasses import dataclass

from exchange.errors import ExchangeError, Invalid
from exchange.node.alarms import place_of
from exchange.node.inbound import Content, Judged, Payload, RefusedEnvelope, Unreadable, unwrap
from exchange.node.parts import Parts
from exchange.node.request import validated
from keys.errors import KeyFault
from schemas.canon import decode
from schemas.content import HEAD, ContentKind, Head
from schemas.errors import DecodeError
from schemas.ids import MemberId
from schemas.limits import MAX_SERVICE
from schemas.record_errors import RecordError
from schemas.validate import load_json
from schemas.wrap import Wrap, WrapSecret

_DECLARED = (RefusedEnvelope, ExchangeError, OSError, MemoryError)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was inside. `files`: names of the attachments' sealed files, which no row names yet."""

    secret: WrapSecret
    content: Content
    files: tuple[str, ...]
    record: dict[str, object] | None
    head: Head | None


def open_envelope(parts: Parts, judged: Judged, wrap: Wrap, ciphertext: Iterator[bytes]) -> Opened:
    """Everything that needs the private key; call it in a thread.

    Raises Unreadable for whatever the sender put inside, StoreFault or OSError for this node's own trouble; on any
    fault no file is left.
    """
    written: list[str] = []
    try:
        return _opened(parts, judged, wrap, ciphertext, written)
    except BaseException as fault:
        parts.files.remove_content(written)
        if isinstance(fault, Exception) and not isinstance(fault, _DECLARED):
            # The same bytes would meet the same fault of this program for ever: they are answered, once.
            raise Unreadable("unreadable", f"it meets a fault of this program: {place_of(fault)}") from None
        raise


def _opened(parts: Parts, judged: Judged, wrap: Wrap, ciphertext: Iterator[bytes], written: list[str]) -> Opened:
    """`written` takes the names of the files, whatever happens."""
    try:
        epoch = parts.keyring.epoch(wrap.key_id)
    except KeyFault as fault:
        raise Unreadable("unreadable", str(fault)) from None
    secret = unwrap(judged, wrap, epoch)
    payload = Payload(judged, secret, ciphertext)
    content = payload.content()
    for attachment in content.manifest.attachments:
        name = parts.files.new_name()
        parts.files.write_content(name, payload.attachment(attachment))
        written.append(name)
    payload.finish()
    record, head = _meaning(content, judged.header.core.sender)
    return Opened(secret, content, tuple(written), record, head)


def _meaning(content: Content, sender: MemberId) -> tuple[dict[str, object] | None, Head | None]:
    """The record, validated as before signing, or the sender's own head. Raises Unreadable."""
    manifest, provision = content.manifest, content.provision
    try:
        if manifest.kind is ContentKind.HEAD:
            if manifest.providers != (sender,) or manifest.attachments:
                raise Unreadable("unreadable", "a head speaks for its sender only")
            return None, decode(HEAD, manifest.body, MAX_SERVICE)
        record = load_json(manifest.body)
        validated(record, manifest.providers, provision.tlp.label, provision.onward.label)
    except RecordError as fault:
        raise Unreadable("unreadable", f"the record is not valid: {fault}") from None
    except (DecodeError, Invalid) as fault:
        raise Unreadable("unreadable", f"the content is not valid: {type(fault).__name__}") from None
    if not isinstance(record, dict):
        raise Unreadable("unreadable", "the record is no object")
    return record, None
