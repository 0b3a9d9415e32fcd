"""Acknowledgements under keys that have ended since: judged by their place in a relay's log, as consent is.

The entry of an acknowledgement states its digest and the size of the directory by which the relay took it. It is
believed as an acceptance is (`keys.origin`): under a checkpoint that a quorum cosigned, and not with a size that was
out of date by then.
"""

from dataclasses import replace

from keys import primitives
from keys.digests import sha256
from keys.errors import BadSignature, KeyFault, Untrusted
from keys.merkle import verify_inclusion
from keys.origin import Checkpoints, LeastSize, Origin, cosigned_audit, stood
from keys.tiles import entry_hash
from keys.verify import verify_acknowledgement
from keys.view import Directory
from schemas.audit import AuditKind, read_entry
from schemas.canon import encode
from schemas.contexts import Context, framed
from schemas.errors import DecodeError
from schemas.evidence import LoggedEntry
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, Acknowledgement, SignedAcknowledgement


def logged_answer(
    logged: LoggedEntry, directory: Directory, least_size: LeastSize, checkpoints: Checkpoints = cosigned_audit
) -> frozenset[Origin]:
    """That an acknowledgement stood in a log, by its SHA-256; nothing when the proof does not hold."""
    keys = replace(directory, epochs={}, withdrawn={}, tree=None)
    try:
        entry = read_entry(logged.leaf)
        size = entry.directory_size
        if entry.kind is not AuditKind.ACKNOWLEDGED or entry.evidence is None or size is None:
            return frozenset()
        cosigned = checkpoints(logged.note, keys.as_of(size))
        verify_inclusion(entry_hash(logged.leaf), logged.index, cosigned.size, logged.path, cosigned.root)
    except (KeyFault, DecodeError):
        return frozenset()
    if size < least_size(cosigned.time):
        return frozenset()
    return frozenset({Origin(entry.evidence, cosigned.time, size)})


def verify_logged_acknowledgement(
    signed: SignedAcknowledgement, directory: Directory, at: int, origins: frozenset[Origin]
) -> Acknowledgement:
    """A recipient's acknowledgement by a key that is valid at `at`, or was when it was logged.

    Raises BadSignature or Untrusted.
    """
    ack = signed.acknowledgement
    try:
        return verify_acknowledgement(signed, directory, at)
    except Untrusted:
        member, key = ack.recipient, ack.key_id
        if not directory.knows(member, key) or not stood(
            origins, sha256(encode(SIGNED_ACKNOWLEDGEMENT, signed)), directory, member, key
        ):
            raise
    record = directory.signing[member, key]
    if not primitives.ed25519_verify(
        record.keys.ed25519, framed(Context.ACKNOWLEDGEMENT, signed.body), signed.signature
    ):
        raise BadSignature(f"the signature of {member} for {Context.ACKNOWLEDGEMENT.value} does not verify")
    return ack
