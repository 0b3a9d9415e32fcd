"""Who may take up how much at once, and which signed requests were seen already. Bounds are in `limits`."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from exchange.errors import TooMany, Unauthenticated, Unavailable
from exchange.relay.limits import MAX_MEMBER_NONCES, MAX_MEMBER_UPLOADS, MAX_UPLOADS
from schemas.ids import MemberId


class UploadSlots:
    """Places for uploads: so many in all, so many of large bodies for one member."""

    def __init__(self, total: int = MAX_UPLOADS, per_member: int = MAX_MEMBER_UPLOADS) -> None:
        """The two bounds."""
        self._free = total
        self._per_member = per_member
        self._taken: Counter[MemberId] = Counter()

    @contextmanager
    def upload(self) -> Iterator[None]:
        """A place while the sender is not known. Raises Unavailable (uploads-busy)."""
        if self._free == 0:
            raise Unavailable("uploads-busy", "too many uploads at once: try again in a moment")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    @contextmanager
    def member(self, member: MemberId) -> Iterator[None]:
        """One of the member's places for a large body. Raises TooMany (member-uploads-busy)."""
        if self._taken[member] >= self._per_member:
            raise TooMany(
                "member-uploads-busy", f"{member} has {self._per_member} large uploads under way: wait for one to end"
            )
        self._taken[member] += 1
        try:
            yield
        finally:
            self._taken[member] -= 1
            if not self._taken[member]:
                del self._taken[member]


class NonceMemory:
    """Nonces of signed requests, each until the request would be too old anyway."""

    def __init__(self, per_member: int = MAX_MEMBER_NONCES) -> None:
        """The bound for one member."""
        self._per_member = per_member
        self._seen: dict[MemberId, OrderedDict[str, int]] = {}

    def remember(self, member: MemberId, nonce: str, until: int, now: int) -> None:
        """Take a nonce that is good until `until`. Raises Unauthenticated when it was taken before, or TooMany."""
        seen = self._seen.setdefault(member, OrderedDict())
        # Nearly in order of their end: an early one behind a late one only stays a little longer.
        while seen and next(iter(seen.values())) < now:
            seen.popitem(last=False)
        if nonce in seen:
            raise Unauthenticated("request-replayed", "this signed request was made before: sign a new one")
        if len(seen) >= self._per_member:
            raise TooMany("too-many-requests", f"{member} makes too many signed requests: slow down")
        seen[nonce] = until
