"""The wire objects by name, as vectors and documents call them: how to read one, and write it again."""

from collections.abc import Callable
from typing import Any, Final

from schemas import limits
from schemas.anchor import ANCHOR, ANCHORED
from schemas.audit import AUDIT_ENTRY
from schemas.canon import Struct, decode, encode
from schemas.charter import CHARTER
from schemas.consent import HOLDER_STATEMENT, JOINT_DRAFT, SIGNED_STATEMENT, decode_consent, encode_consent
from schemas.content import HEAD, MANIFEST, RESEND, TRANSPORT
from schemas.endings import REVOCATION, WITHDRAWAL
from schemas.envelope import CORE, HEADER, header_length
from schemas.evidence import ENVELOPE_EVIDENCE, EVIDENCE, LOGGED_ENTRY
from schemas.grant import GRANT, SIGNED_GRANT
from schemas.group import GROUP, SIGNED_GROUP
from schemas.observation import OBSERVATION, SIGNED_OBSERVATION
from schemas.opening import OPENING, SIGNED_OPENING
from schemas.origin import ACCEPTANCE, ORIGINS
from schemas.provision import PROVISION, SIGNED_PROVISION
from schemas.receipt import ACKNOWLEDGEMENT, RECEIPT, SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT
from schemas.refused import MAX_REFUSED, REFUSED_TRANSFER
from schemas.relayapi import ACKS, MAILBOX, MAX_MAILBOX, SEEN, SESSION_STATEMENT, decode_frame, encode_frame
from schemas.statement import DIRECTORY_ENTRY, EPOCH_KEY, SIGNED_KEY_REQUEST, SIGNING_KEY
from schemas.wrap import WRAPS, WrapSecret

STRUCTS: Final[dict[str, tuple[Struct[Any], int]]] = {
    "provision": (PROVISION, limits.MAX_PROVISION),
    "signed-provision": (SIGNED_PROVISION, 2 * limits.MAX_PROVISION),
    "grant": (GRANT, limits.MAX_GRANT),
    "signed-grant": (SIGNED_GRANT, 2 * limits.MAX_GRANT),
    "group": (GROUP, limits.MAX_SMALL_OBJECT),
    "signed-group": (SIGNED_GROUP, 2 * limits.MAX_SMALL_OBJECT),
    "core": (CORE, limits.MAX_CORE),
    "wraps": (WRAPS, limits.MAX_WRAPS),
    "header": (HEADER, limits.MAX_HEADER),
    "manifest": (MANIFEST, limits.MAX_MANIFEST),
    "transport": (TRANSPORT, limits.MAX_TRANSPORT),
    "head": (HEAD, limits.MAX_SERVICE),
    "resend": (RESEND, limits.MAX_SERVICE),
    "holder-statement": (HOLDER_STATEMENT, limits.MAX_SERVICE),
    "signed-statement": (SIGNED_STATEMENT, limits.MAX_CONSENT),
    "joint-draft": (JOINT_DRAFT, limits.MAX_RECORD),
    "refused-transfer": (REFUSED_TRANSFER, MAX_REFUSED),
    "receipt": (RECEIPT, limits.MAX_SMALL_OBJECT),
    "signed-receipt": (SIGNED_RECEIPT, 2 * limits.MAX_SMALL_OBJECT),
    "acknowledgement": (ACKNOWLEDGEMENT, limits.MAX_SMALL_OBJECT),
    "signed-acknowledgement": (SIGNED_ACKNOWLEDGEMENT, limits.MAX_SMALL_OBJECT),
    "charter": (CHARTER, limits.MAX_CHARTER),
    "signing-key": (SIGNING_KEY, limits.MAX_CHARTER),
    "epoch-key": (EPOCH_KEY, limits.MAX_CHARTER),
    "directory-entry": (DIRECTORY_ENTRY, limits.MAX_DIRECTORY_ENTRY),
    "revocation": (REVOCATION, limits.MAX_CHARTER),
    "withdrawal": (WITHDRAWAL, limits.MAX_CHARTER),
    "acceptance": (ACCEPTANCE, limits.MAX_ACCEPTANCE),
    "origins": (ORIGINS, limits.MAX_CORE),
    "signed-key-request": (SIGNED_KEY_REQUEST, limits.MAX_KEY_FILE),
    "observation": (OBSERVATION, limits.MAX_OBSERVATION),
    "signed-observation": (SIGNED_OBSERVATION, limits.MAX_OBSERVATION + limits.KIB),
    "opening": (OPENING, limits.MAX_SMALL_OBJECT),
    "signed-opening": (SIGNED_OPENING, limits.MAX_SMALL_OBJECT),
    "audit-entry": (AUDIT_ENTRY, limits.MAX_AUDIT_ENTRY),
    "anchor": (ANCHOR, limits.MAX_ANCHOR),
    "anchored": (ANCHORED, limits.MAX_SMALL_OBJECT),
    "logged-entry": (LOGGED_ENTRY, limits.MAX_EVIDENCE),
    "envelope-evidence": (ENVELOPE_EVIDENCE, limits.MAX_EVIDENCE),
    "evidence": (EVIDENCE, limits.MAX_EVIDENCE),
    "session-statement": (SESSION_STATEMENT, limits.MAX_SMALL_OBJECT),
    "acks": (ACKS, MAX_MAILBOX),
    "seen": (SEEN, MAX_MAILBOX),
    "mailbox": (MAILBOX, MAX_MAILBOX),
}
_OTHERS: Final[dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]]] = {
    "wrap-secret": (WrapSecret.decode, WrapSecret.encode),
    "consent-message": (decode_consent, encode_consent),
    "frame": (decode_frame, encode_frame),
    "frame-length": (header_length, lambda length: int(length).to_bytes(4, "big")),
}
NAMES: Final = (*STRUCTS, *_OTHERS)


def read(name: str, data: bytes) -> object:
    """The object in `data`; raises DecodeError."""
    if name in _OTHERS:
        value: object = _OTHERS[name][0](data)
        return value
    codec, most = STRUCTS[name]
    return decode(codec, data, most)


def write(name: str, value: object) -> bytes:
    """Its bytes."""
    return _OTHERS[name][1](value) if name in _OTHERS else encode(STRUCTS[name][0], value)
