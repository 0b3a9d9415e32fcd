"""What somebody else holds of an audit log, as one file: a signed checkpoint, and behind it the hashes of all leaves.

The hashes (32 bytes each, in order) may be missing: then only that something under the checkpoint was changed is known,
and not what.
"""

from dataclasses import dataclass

from keys.checkpoint import LogKeys, SignedCheckpoint, parse_signed
from keys.errors import BadSignature, Untrusted
from keys.nodelog import node_log_keys, node_origin
from keys.note import signed_by
from keys.quorum import origin_of
from keys.view import Directory
from schemas.errors import DecodeError, Reason
from schemas.ids import MemberId
from schemas.limits import MAX_ORIGIN_NOTE

_HASH = 32
AUDIT = "audit"
HEAD = MAX_ORIGIN_NOTE
"""How much of a file is enough to find its checkpoint."""


@dataclass(frozen=True, slots=True)
class AnchorFile:
    """Where the parts are: `signed`, and the place of the first hash; None when there are none."""

    signed: SignedCheckpoint
    start: int | None

    @property
    def size(self) -> int:
        """How many hashes there are."""
        return 0 if self.start is None else self.signed.checkpoint.size


def read_anchor_file(head: bytes, length: int) -> AnchorFile:
    """By the first bytes of a file (HEAD is enough) and its length. Raises DecodeError."""
    lines = head.split(b"\n", 2)
    if len(lines) < 3 or not lines[1].isdigit() or len(lines[1]) > 16:
        raise DecodeError(Reason.MALFORMED, "AnchorFile")
    start = length - int(lines[1]) * _HASH
    if start <= 0 or b"\n\n" not in head[:start] or head[start - 1 : start] != b"\n":
        return AnchorFile(parse_signed(head[:length]), None)
    if start > len(head):
        raise DecodeError(Reason.TOO_LARGE, "AnchorFile.checkpoint")
    return AnchorFile(parse_signed(head[:start]), start)


def signed_by_node(signed: SignedCheckpoint, member: MemberId, directory: Directory, short: bool = False) -> None:
    """That a key that was ever a signing key of this member has signed a checkpoint of its log, whenever that was.

    `short`: the Ed25519 line is enough. Raises Untrusted or BadSignature.
    """
    if signed.checkpoint.origin != node_origin(member) or signed.checkpoint.extensions:
        raise Untrusted(f"a checkpoint is not one of the audit log of {member}")
    for record in directory.signing.values():
        if record.member != member:
            continue
        keys = node_log_keys(member, record.keys)
        if signed_by(signed.note, keys.ed25519) and (short or signed_by(signed.note, keys.mldsa65)):
            return
    raise BadSignature(f"no signing key of {member} has signed this checkpoint of its audit log")


def signed_by_relay(signed: SignedCheckpoint, directory: Directory, short: bool = False) -> None:
    """That a relay of the charter has signed a checkpoint of its audit log. Raises Untrusted or BadSignature."""
    for key, relay in directory.relays.items():
        origin = origin_of(AUDIT, key)
        if signed.checkpoint.origin == origin:
            keys = LogKeys.of(origin, relay.keys)
            keys.verify_short(signed) if short else keys.verify(signed)
            return
    raise Untrusted("no relay of the charter has this log")
