"""`cbm audit prune|reconcile`: how long entries are kept, and whether store and log say the same."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from exchange.cli.audit_sources import NodeDir, RelayDir
from exchange.cli.options import JsonFlag
from exchange.cli.output import Refusal, WrongUse, note, print_lines, print_result, utc
from schemas.limits import MAX_DAYS

if TYPE_CHECKING:
    from exchange.storage.audit_pruning import Plan
    from exchange.wiring.keeping import Keeping

_SHOWN: Final = 1000


def prune(
    older_than: Annotated[
        int | None, typer.Option("--older-than", metavar="DAYS", min=1, max=MAX_DAYS, help="Entries that are older.")
    ] = None,
    policy: Annotated[
        bool, typer.Option("--policy", help="Entries that are older than keep_days of the settings.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is only said what would be done.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, which is the default.")] = False,
    folder: NodeDir = None,
    relay: RelayDir = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove what old entries of a log say; their hashes stay, and the log is as provable as before.

    Kept are entries that no others hold the hashes of yet, what the operator did, and of a relay all that proves to
    members that something stood in its log. The log says what was pruned, and `cbm audit verify` finds what was not
    pruned in this way. Export first what may be needed: nobody can bring it back.
    """
    from exchange.clock import SystemClock

    if (older_than is None) != policy or (yes and dry_run):
        raise WrongUse("give --older-than DAYS or --policy, and --yes or --dry-run")
    keeping, now = _keeping(folder, relay), SystemClock().now()
    plan = keeping.plan(now, older_than)
    told = _planned(plan)
    if not yes or not plan.count:
        print_result({**told, "pruned": 0}, as_json)
        note("nothing was changed" if not plan.count else "nothing was changed: give --yes to do it")
        return
    print_result({**told, "pruned": keeping.prune(plan, now)}, as_json)


def reconcile(folder: NodeDir = None, relay: RelayDir = None, as_json: JsonFlag = False) -> None:
    """Compare the store with its audit log: messages without evidence, and evidence without messages.

    Messages, envelopes, receipts, answers, lines of the consent log and alarms of a node; envelopes, answers and
    anchors of a relay. What was destroyed after a withdrawal, or whose entries were pruned, may be missing. Exit code 1
    when something does not match, one line for each.
    """
    from exchange.audit.reconcile import Difference, Tally
    from exchange.clock import SystemClock

    tally = Tally()
    found = _keeping(folder, relay).reconcile(tally, SystemClock().now())
    first: list[Difference] = []
    for difference in islice(found, _SHOWN):
        first.append(difference)
        if not as_json:
            print_lines((str(difference),))
    # The rest is counted.
    for _ in found:
        pass
    facts: dict[str, Any] = {"compared": tally.compared, "differences": tally.differences, "pruned": tally.pruned}
    print_result({**facts, "found": [_shown(one) for one in first]} if as_json else facts, as_json)
    if tally.differences:
        raise Refusal(f"{folder or relay}: {tally.differences} do not match: see each of them")


def _keeping(folder: Path | None, relay: Path | None) -> "Keeping":
    from exchange.wiring.keeping import Keeping

    if (folder is None) == (relay is None):
        raise WrongUse("give the folder of a node by --dir, or that of a relay by --relay")
    return Keeping.of_node(folder) if folder is not None else Keeping.of_relay_in(relay or Path())


def _planned(plan: "Plan") -> dict[str, Any]:
    return {
        "older_than": utc(plan.before),
        "entries": plan.count,
        "first": plan.first,
        "last": plan.last,
        "bytes": plan.size,
    }


def _shown(one: Any) -> dict[str, Any]:  # noqa: ANN401  # a Difference, which is not imported for the help
    return {
        "what": one.lack.value,
        "entry": one.rule.entry,
        "about": one.rule.about,
        "id": one.key.hex(),
        "index": one.index,
        "time": utc(one.time),
        "why": str(one),
    }
