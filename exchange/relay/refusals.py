"""Tells providers of transfers that were refused for want of their consent, with the forwarder's signed header.

It says "refused", and nothing of what the forwarder meant. A notice is durable before the forwarder has its answer.
"""

from exchange.logs import get_logger
from exchange.relay.core import NotConsented
from exchange.relay.limits import DAILY_REFUSALS, REFUSAL_BYTES
from exchange.relay.metrics import Metrics
from exchange.relay.registry import Sessions
from exchange.storage.refusal_port import PendingRefusal, RefusalBounds, RefusalStore, RefusedHeader
from schemas.envelope import Core
from schemas.refused import RefusedTransfer

_BOUNDS = RefusalBounds(DAILY_REFUSALS, REFUSAL_BYTES)

log = get_logger("relay.refusals")


class Refusals:
    """What the relay has to tell of refusals."""

    def __init__(self, store: RefusalStore, sessions: Sessions, metrics: Metrics) -> None:
        """`tell` writes, the providers' sessions and pulls read."""
        self._store = store
        self._sessions = sessions
        self._metrics = metrics

    async def tell(self, header: bytes, core: Core, refused: NotConsented) -> None:
        """Keep a notice for each provider. Raises StoreFault or Unavailable: then the forwarder is to try again."""
        providers = tuple((provider, rule.value) for provider, rule in refused.concerned)
        if not providers:
            return
        kept = await self._store.add_refusal(
            RefusedHeader(refused.digest, core.sender, header, refused.time, providers), _BOUNDS
        )
        self._metrics.refusals_told.labels("yes").inc(len(kept.told))
        self._metrics.refusals_told.labels("no").inc(kept.dropped)
        if kept.told:
            log.info("refusal.kept", envelope=core.id.hex(), sender=core.sender, providers=list(kept.told))
            self._sessions.wake(kept.told)
        if kept.dropped:
            log.warning("refusal.dropped", envelope=core.id.hex(), sender=core.sender, providers=kept.dropped)


def notice_of(pending: PendingRefusal) -> RefusedTransfer:
    """What a provider's node gets; the relay accepted nothing, so there is no receipt."""
    return RefusedTransfer(pending.header, None, pending.rule, pending.time)
