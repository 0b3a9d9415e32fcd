"""What an operator does with an audit log in a folder: prune it by the settings, and reconcile it with its store."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from exchange.audit.pruned import KEPT, KEPT_BY_RELAY, Pruning, Terms, pruning_fault
from exchange.audit.reconcile import Difference, Tally, compare, unproved
from exchange.errors import Invalid
from exchange.node.config import load_config
from exchange.relay.config import load_settings
from exchange.storage.audit_pruning import Plan, planned, prune
from exchange.storage.audit_reading import audit_reading
from exchange.storage.audit_reconciling import reconciling
from exchange.storage.node_reading import DATABASE as NODE
from exchange.storage.node_reconciling import node_sides, node_unproved
from exchange.storage.relay_reconciling import relay_sides, relay_unproved
from exchange.storage.relay_sqlite import DATABASE as RELAY
from schemas.audit import AuditKind
from schemas.limits import DAY, MAX_QUIET, MIN_KEPT_DAYS


@dataclass(frozen=True, slots=True)
class Keeping:
    """One log: its store, for how many days it is kept by the settings (None: for good), and which kinds always are."""

    database: Path
    days: int | None
    kept: frozenset[AuditKind]
    of_relay: bool

    @classmethod
    def of_node(cls, folder: Path) -> "Keeping":
        """The log of the node in a folder. Raises Invalid."""
        return cls(folder / NODE, load_config(folder).audit.keep_days, KEPT, of_relay=False)

    @classmethod
    def of_relay_in(cls, folder: Path) -> "Keeping":
        """The log of the relay in a folder. Raises Invalid."""
        return cls(folder / RELAY, load_settings(folder).audit.keep_days, KEPT_BY_RELAY, of_relay=True)

    def plan(self, now: int, days: int | None) -> Plan:
        """What `days` (None: those of the settings) let go. Raises Invalid, StoreFault."""
        least = self.days or MIN_KEPT_DAYS
        if days is None and self.days is None:
            raise Invalid("no-policy", "the settings keep entries for good: set keep_days under [audit] first")
        if days is not None and days < least:
            raise Invalid("kept-longer", f"entries are to be kept for {least} days: give at least as many")
        self._check_clock(now)
        return planned(self.database, max(0, now - (days or least) * DAY), self._anchored(), self.kept)

    def prune(self, plan: Plan, now: int) -> int:
        """Do it; how many entries. Raises StoreFault."""
        return prune(self.database, plan, now, self.kept)

    def reconcile(self, tally: Tally, now: int) -> Iterator[Difference]:
        """What store and log do not say alike. Raises StoreFault."""
        terms = Terms(now)
        with audit_reading(self.database) as reading:
            said = [one for one in reading.statements() if isinstance(one, Pruning)]
            before = max((one.before for one in said if not pruning_fault(one, terms)), default=0)
            pruned = reading.leafless
        sides, lacking = (relay_sides, relay_unproved) if self.of_relay else (node_sides, node_unproved)
        with reconciling(self.database) as connection:
            for side in sides(connection):
                yield from compare(side.rule, side.rows, side.entries, tally, before, pruned)
            for rule, rows in lacking(connection):
                yield from unproved(rule, rows, tally)

    def _check_clock(self, now: int) -> None:
        """By a clock that is ahead everything is old."""
        with audit_reading(self.database) as reading:
            newest = reading.newest
        if newest is not None and now - newest > MAX_QUIET:
            days = (now - newest) // DAY
            raise Invalid(
                "clock-ahead",
                f"the newest entry is {days} days old by this machine's clock: set it right; if it is, start what"
                " writes this log once, which is an entry, and prune then",
            )

    def _anchored(self) -> int:
        """Of how many entries others hold the hashes: those of a relay are cosigned, a node's are at the relay."""
        with audit_reading(self.database) as reading:
            if self.of_relay:
                return reading.relay_published()
            return max((row.size for row in reading.node_checkpoints() if row.anchored is not None), default=0)
