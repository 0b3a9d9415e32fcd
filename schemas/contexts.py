"""Registry of every label under which this protocol signs, derives or digests.

A label is never used for two kinds of bytes and never reused after its meaning changes, so that a signature or key
made for one purpose means nothing for another. The framing is injective: a label holds no zero byte, one zero byte
ends it, and each part is preceded by its length as 8 bytes, big-endian.
"""

from enum import StrEnum


class Context(StrEnum):
    """What a signature, a derived key or a digest is for."""

    CHARTER = "cbm/1/charter"
    SIGNING_KEY = "cbm/1/signing-key"
    EPOCH_KEY = "cbm/1/epoch-key"
    REVOCATION = "cbm/1/revocation"
    WITHDRAWAL = "cbm/1/withdrawal"
    PROVISION = "cbm/1/provision"
    GRANT = "cbm/1/grant"
    GROUP = "cbm/1/group"
    HEADER = "cbm/1/header"
    RECEIPT = "cbm/1/relay-receipt"
    ACKNOWLEDGEMENT = "cbm/1/acknowledgement"
    SESSION_NODE = "cbm/1/session-node"
    SESSION_RELAY = "cbm/1/session-relay"
    KEY_REQUEST = "cbm/1/signing-key-request"
    NOTE = "cbm/1/note"
    OBSERVATION = "cbm/1/observation"
    HOLDER_STATEMENT = "cbm/1/holder-statement"
    OPENING = "cbm/1/opening"

    WRAP = "cbm/1/wrap"
    BODY_KEY = "cbm/1/body-key"
    KEY_COMMITMENT = "cbm/1/key-commitment"
    STORED_FILE = "cbm/1/stored-file"
    STORED_ROW = "cbm/1/stored-row"
    STORED_REQUEST = "cbm/1/stored-request"
    SEALED_KEY = "cbm/1/sealed-key"

    KEY_ID = "cbm/1/key-id"
    HEADER_DIGEST = "cbm/1/header-digest"
    CONTENT = "cbm/1/content"
    PROVISION_DIGEST = "cbm/1/provision-digest"
    CHARTER_DIGEST = "cbm/1/charter-digest"
    LOGGED_PROVISION = "cbm/1/logged-provision"
    LOGGED_GRANT = "cbm/1/logged-grant"
    LARGE_ENTRY = "cbm/1/large-entry"


def framed(context: Context, *parts: bytes) -> bytes:
    """Bind `parts` to a label: label, 0x00, then each part after its 8-byte big-endian length."""
    pieces = [context.value.encode("ascii"), b"\x00"]
    for part in parts:
        pieces.append(len(part).to_bytes(8, "big"))
        pieces.append(part)
    return b"".join(pieces)
