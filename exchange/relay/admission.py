"""Who may take up how much at once, how often, and which signed requests were seen already. Bounds are in `limits`."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from exchange.audit.pseudonym import network_of
from exchange.errors import ExchangeError, TooMany, Unauthenticated, Unavailable
from exchange.relay.limits import MAX_MEMBER_NONCES, MAX_RATED_ADDRESSES
from schemas.ids import MemberId
from schemas.limits import MAX_MEMBERS


class Places:
    """At most so many at once of one key, such as a member or an address."""

    def __init__(self, most: int, full: Callable[[str], ExchangeError]) -> None:
        """`full` makes the fault for a key that has them all."""
        self._most = most
        self._full = full
        self._taken: Counter[str] = Counter()

    @contextmanager
    def place(self, key: str) -> Iterator[None]:
        """One of the key's places. Raises what `full` makes."""
        if self._taken[key] >= self._most:
            raise self._full(key)
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]


class Newcomers:
    """Places in all, and of these so many for one address until it is known who is there."""

    def __init__(self, total: int, per_address: int, code: str, what: str) -> None:
        """`code` and `what` are for the problem."""
        self._all = Places(total, lambda _: Unavailable(code, f"too many {what} at once: try again in a moment"))
        detail = f"too many {what} at once from one address: try again in a moment"
        self._addresses = Places(per_address, lambda _: Unavailable(code, detail))

    @contextmanager
    def place(self, peer: str | None) -> Iterator[Callable[[], None]]:
        """A place for a peer at this address; what it gives is to be called when it is known. Raises Unavailable."""
        with self._all.place(""), ExitStack() as unknown:
            unknown.enter_context(self._addresses.place(network_of(peer)))
            yield unknown.close


@dataclass(frozen=True, slots=True)
class UploadBounds:
    """Uploads at once: in all, from one address while the sender is not known, of one member, of its large bodies."""

    total: int
    address: int
    member: int
    large: int


class UploadSlots:
    """Places for uploads: a newcomer while its sender is not known, then one of its sender, and of its large bodies."""

    def __init__(self, bounds: UploadBounds) -> None:
        """All free."""
        self._newcomers = Newcomers(bounds.total, bounds.address, "uploads-busy", "uploads")
        self._members = Places(bounds.member, _member_busy("uploads"))
        self._large = Places(bounds.large, _member_busy("large uploads"))

    @contextmanager
    def upload(self, peer: str | None) -> Iterator["Upload"]:
        """A place while the sender is not known. Raises Unavailable (uploads-busy)."""
        with self._newcomers.place(peer) as known:
            yield Upload(self._members, self._large, known, peer)


class Upload:
    """One upload's place."""

    def __init__(self, members: Places, large: Places, known: Callable[[], None], peer: str | None) -> None:
        """Made by `UploadSlots.upload`; `peer` is the sender's address."""
        self.peer = peer
        self._members = members
        self._large = large
        self._known = known

    @contextmanager
    def of(self, member: MemberId, large: bool) -> Iterator[None]:
        """Take one of the sender's places instead of its address's. Raises TooMany (member-uploads-busy)."""
        with self._members.place(member), self._large.place(member) if large else nullcontext():
            self._known()
            yield


def _member_busy(what: str) -> Callable[[str], ExchangeError]:
    return lambda member: TooMany("member-uploads-busy", f"{member} has too many {what} under way: wait for one to end")


class _Buckets:
    """So much a second of one key, of which much may come at once (a token bucket for each)."""

    def __init__(self, per_second: float, at_once: int, most: int) -> None:
        """Remember `most` keys; of more, those that have been quiet for longest begin anew."""
        self._per_second = per_second
        self._at_once = at_once
        self._most = most
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float, cost: int) -> bool:
        """Count `cost` at `now`, seconds of a clock that only goes forward; False when there is not so much left."""
        left, at = self._seen.pop(key, (float(self._at_once), now))
        left = min(float(self._at_once), left + (now - at) * self._per_second)
        self._seen[key] = (left - cost if left >= cost else left, now)
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return left >= cost


class Rates:
    """Requests of one address, so many a second, of which many may come at once."""

    def __init__(self, per_second: float, at_once: int, addresses: int = MAX_RATED_ADDRESSES) -> None:
        """Remember so many addresses; of more, those that have been quiet for longest begin anew."""
        self._buckets = _Buckets(per_second, at_once, addresses)

    def take(self, peer: str | None, now: float) -> None:
        """Count one request at `now`, seconds of a clock that only goes forward. Raises TooMany."""
        if not self._buckets.take(network_of(peer), now, 1):
            raise TooMany("too-many-requests", "too many requests from this address: slow down")


class AnchorQuota:
    """Leaves of one member's log, so many a second, of which many may come at once."""

    def __init__(self, per_second: float, at_once: int) -> None:
        """For every member."""
        self._buckets = _Buckets(per_second, at_once, MAX_MEMBERS)

    def take(self, member: MemberId, leaves: int, now: float) -> None:
        """Count these leaves at `now`. Raises TooMany (anchor-quota)."""
        if not self._buckets.take(member, now, leaves):
            raise TooMany("anchor-quota", f"{member} anchors too many leaves at once: wait a while")


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
