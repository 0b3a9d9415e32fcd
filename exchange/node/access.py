"""Bearer tokens of ministries: made once, stored as digests, each with its scopes and measures."""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from exchange.errors import Forbidden, Invalid, Unauthenticated
from exchange.node.request import may_use_measure
from exchange.storage.node_port import AccessStore
from exchange.storage.node_values import Token
from keys.primitives import equal
from schemas.registry import AGREED_ELSEWHERE, MEASURE_PATTERN

_PREFIX: Final = "cbm"
_TOKEN: Final = re.compile(r"cbm_([0-9a-f]{16})_([0-9a-f]{64})")
_MEASURES: Final = re.compile(MEASURE_PATTERN)
_PATTERNS: Final = "measures are numbers such as 2.1.1.b, beginnings such as 2.1.*, or *"
_MINISTRY: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Scope(StrEnum):
    """What a token may do."""

    SEND = "send"
    READ = "read"
    RELEASE = "release"
    CONSENT = "consent"
    AUDIT = "audit"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it is, and what it is for."""

    token: str
    ministry: str
    scopes: frozenset[str]
    measures: tuple[str, ...]

    @property
    def official(self) -> str:
        """As logs name the caller."""
        return f"{self.ministry}/{self.token}"

    def require(self, scope: Scope) -> None:
        """Raises Forbidden when the token lacks the scope."""
        if scope.value not in self.scopes:
            raise Forbidden("scope-missing", f"this token has no scope {scope.value}: ask your node's operator")


class Visible(Protocol):
    """What decides who may see something that is stored; `ministry` None: received, or everybody's."""

    @property
    def measure(self) -> str:
        """Measure of the record."""
        ...

    @property
    def record_type(self) -> str:
        """Its type."""
        ...

    @property
    def ministry(self) -> str | None:
        """Who sent it."""
        ...


def may_see(caller: Caller, what: Visible) -> bool:
    """Received messages belong to their measure's ministries; a sent one also to the ministry that sent it."""
    admitted = may_use_measure(caller.measures, what.measure, what.record_type)
    return admitted and what.ministry in (None, caller.ministry)


def pattern_fault(pattern: str) -> str | None:
    """What is wrong with a pattern of measures, which `may_use_measure` would never match; None for a good one."""
    if pattern == AGREED_ELSEWHERE:
        return "1.5 has any matter: name the record type, such as 1.5:defence-budget"
    return _PATTERNS if _MEASURES.fullmatch(pattern) is None else None


def make_token(
    ministry: str, scopes: tuple[str, ...], measures: tuple[str, ...], entropy: bytes, now: int
) -> tuple[str, Token]:
    """A token and its row; the text is shown once. `entropy`: 40 fresh random bytes. Raises Invalid."""
    if _MINISTRY.fullmatch(ministry) is None:
        raise Invalid("bad-ministry", "a ministry's name has lower-case letters, digits and dashes, such as defence")
    unknown = [scope for scope in scopes if scope not in set(Scope)]
    if unknown or not scopes:
        raise Invalid("bad-scope", f"scopes are: {', '.join(Scope)}")
    faults = [fault for fault in map(pattern_fault, measures) if fault is not None]
    if not measures or faults:
        raise Invalid("bad-measure", faults[0] if faults else _PATTERNS)
    token_id, secret = entropy[:8].hex(), entropy[8:40]
    row = Token(token_id, hashlib.sha256(secret).digest(), ministry, tuple(scopes), tuple(measures), now, None)
    return f"{_PREFIX}_{token_id}_{secret.hex()}", row


async def authenticate(store: AccessStore, authorization: str) -> Caller:
    """The caller of an `Authorization` header; raises Unauthenticated, always with the same words."""
    kind, _, text = authorization.partition(" ")
    match = _TOKEN.fullmatch(text.strip()) if kind.lower() == "bearer" else None
    row = await store.token(match[1]) if match is not None else None
    given = hashlib.sha256(bytes.fromhex(match[2])).digest() if match is not None else b""
    if row is None or not equal(given, row.hash) or row.revoked is not None:
        raise Unauthenticated("bad-token", "a valid bearer token is needed: ask your node's operator")
    return Caller(row.id, row.ministry, frozenset(row.scopes), row.measures)
