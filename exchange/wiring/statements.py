"""What a node asks its root to certify, and the root's statements about its signing keys, as files in its folder.

signing-request.cbm     the newest request
signing-key.cbm         the statement about the key in use, once installed
signing-key-next.cbm    the statement about the key that comes next
"""

from pathlib import Path
from typing import Final

from exchange.errors import Invalid
from exchange.node.config import load_config
from exchange.process import write_durably
from exchange.wiring.custody import KEYS, NEXT_SIGNING
from exchange.wiring.epochs import node_directory
from keys.ceremony import request_signing_key
from keys.digests import fingerprint, key_id
from keys.directory import extend
from keys.errors import Untrusted
from keys.identity import SigningIdentity
from schemas.files import ENTRY, SIGNING_REQUEST, decode_file, encode_file
from schemas.ids import KeyId
from schemas.statement import DirectoryEntry, SigningKey

REQUEST: Final = "signing-request.cbm"
STATEMENT: Final = "signing-key.cbm"
NEXT_STATEMENT: Final = "signing-key-next.cbm"


def write_request(folder: Path, identity: SigningIdentity, now: int) -> str:
    """The request that a key be certified, in place of any former one; gives the key's fingerprint."""
    write_durably(folder / REQUEST, encode_file(SIGNING_REQUEST, request_signing_key(identity, now)))
    return fingerprint(identity.key_id)


def install_statement(folder: Path, entry: DirectoryEntry) -> str:
    """Check the root's statement about the key of the newest request against the directory, and keep it.

    Gives the fingerprint of the certified key. Raises Untrusted, BadSignature, StoreFault or Invalid.
    """
    config = load_config(folder)
    statement = entry.statement
    if not isinstance(statement, SigningKey) or statement.member != config.member:
        raise Invalid("wrong-statement", f"this is no statement about a signing key of {config.member}")
    request = decode_file(SIGNING_REQUEST, (folder / REQUEST).read_bytes())
    if key_id(statement.keys) != key_id(request.request.keys):
        raise Untrusted(f"the statement certifies another key than {folder / REQUEST} asks for")
    extend(node_directory(folder), [entry])
    name = NEXT_STATEMENT if (folder / KEYS / f"{NEXT_SIGNING}.key").exists() else STATEMENT
    write_durably(folder / name, encode_file(ENTRY, entry))
    return fingerprint(key_id(statement.keys))


def installed_statement(folder: Path, name: str = STATEMENT) -> DirectoryEntry | None:
    """The root's statement about this node's key, when it has been installed; of the next one with NEXT_STATEMENT."""
    path = folder / name
    return decode_file(ENTRY, path.read_bytes()) if path.exists() else None


def certified_keys(folder: Path) -> frozenset[KeyId]:
    """The signing keys that the root's installed statements are about: the one in use, and the next."""
    entries = (installed_statement(folder, name) for name in (STATEMENT, NEXT_STATEMENT))
    statements = (entry.statement for entry in entries if entry is not None)
    return frozenset(key_id(statement.keys) for statement in statements if isinstance(statement, SigningKey))
