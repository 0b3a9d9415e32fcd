"""What stands beside a stored leaf so that it is found, against the leaf itself (pure).

A search that trusts a column finds what whoever wrote to the store wants it to find.
"""

from collections.abc import Mapping, Sequence

from schemas.audit import AuditKind
from schemas.canon import glimpse
from schemas.errors import DecodeError
from schemas.leaf import read_leaf
from schemas.origin import Acceptance

Row = tuple[int, int, bytes | None, bytes | None, bytes | None]
"""Class, time, envelope, subject, leaf (None: pruned)."""
Classes = Mapping[int, tuple[int, bytes | None, bytes | None, bytes | None]]
"""By their number: kind, member, actor, reason."""

# Keys of `schemas.audit.AUDIT_ENTRY`; an Acceptance has sender, envelope and time at 3, 4 and 7.
_KIND, _TIME, _ACTOR, _MEMBER, _ENVELOPE, _SUBJECT, _REASON = 1, 4, 5, 6, 7, 10, 11


def agree(rows: Sequence[Row], classes: Classes) -> bool:
    """Whether every row with a leaf certainly says what its leaf says; False is no verdict: see `differing`.

    A million leaves are not read field by field: all of a page are taken apart at once, as a list of maps.
    """
    leaves = [leaf for row in rows if (leaf := row[4]) is not None]
    if len(leaves) < len(rows):
        rows = [row for row in rows if row[4] is not None]
    try:
        trees = glimpse(leaves)
        for (number, time, envelope, subject, _), fields in zip(rows, trees, strict=True):
            get = fields.get
            if (
                time != get(_TIME)
                or envelope != get(_ENVELOPE)
                or subject != get(_SUBJECT)
                or classes[number] != (get(_KIND), get(_MEMBER), get(_ACTOR), get(_REASON))
            ) and (time, envelope, *classes[number]) != (get(7), get(4), get(_KIND), get(3), None, None):
                return False
    except (DecodeError, ValueError, TypeError, KeyError, AttributeError):
        return False
    return True


def differing(row: Row, classes: Classes) -> str | None:
    """The first column that differs from the leaf; `leaf` when that cannot be read; None when nothing differs.

    Of an entry without its leaf there is nothing to compare.
    """
    number, time, envelope, subject, leaf = row
    if leaf is None:
        return None
    try:
        entry = read_leaf(leaf)
    except DecodeError:
        return "leaf"
    expected: tuple[int, bytes | None, bytes | None, bytes | None]
    found: tuple[int, bytes | None, bytes | None]
    if isinstance(entry, Acceptance):
        expected = (AuditKind.ACCEPTED, entry.sender.encode(), None, None)
        found = (entry.time, entry.envelope, None)
    else:
        expected = (entry.kind, _raw(entry.member), _raw(entry.actor), _raw(entry.reason))
        found = (entry.time, entry.envelope, entry.subject)
    if classes.get(number) != expected:
        return "class"
    names = ("time", "envelope", "subject")
    return next((n for n, one, two in zip(names, found, (time, envelope, subject), strict=True) if one != two), None)


def _raw(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
