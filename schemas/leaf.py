"""A leaf of an audit log, whichever of the two forms it has."""

from schemas import limits
from schemas.audit import AUDIT_ENTRY, AuditEntry
from schemas.canon import decode
from schemas.origin import ACCEPTANCE, Acceptance

Leaf = Acceptance | AuditEntry


def read_leaf(data: bytes) -> Leaf:
    """Read any leaf; raises DecodeError."""
    # The field of the kind comes first and no kind is longer than a byte: map header, key, value.
    if data[1:3] == b"\x01\x01":
        return decode(ACCEPTANCE, data, limits.MAX_ACCEPTANCE)
    return decode(AUDIT_ENTRY, data, limits.MAX_AUDIT_ENTRY)
