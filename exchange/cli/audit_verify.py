"""How `cbm audit verify --dir|--relay` goes: from the last verified place if there is one, with a bar on a terminal."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.output import Refusal, WrongUse, note, print_lines, print_result, utc

if TYPE_CHECKING:
    from exchange.wiring.auditing import Verified
    from keys.merkle import Frontier


def verify_log(
    folder: Path | None,
    relay: Path | None,
    charter: Path | None,
    anchors: Sequence[Path],
    state: Path | None,
    keep_days: int | None,
    as_json: bool,
) -> None:
    """Verify a stored log. Raises Refusal at the first wrong entry."""
    from exchange.audit.fault import Broken
    from exchange.audit.pruned import Terms
    from exchange.clock import SystemClock
    from exchange.wiring import auditing
    from keys.digests import fingerprint
    from keys.merkle import Frontier

    if (folder is None) == (relay is None):
        raise WrongUse("give the folder of a node by --dir, or that of a relay by --relay")
    pinned = _pinned(charter)
    terms = Terms(SystemClock().now(), _days(folder, relay, keep_days))
    start = Frontier() if state is None or not state.exists() else _read(state)
    try:
        with _bar(as_json) as told:
            if folder is not None:
                digest, member, directory = auditing.node_trust(folder, pinned)
                found = auditing.verify_node_log(folder, member, directory, terms, anchors, start, told)
            else:
                assert relay is not None  # noqa: S101  # one of the two
                digest, directory = auditing.relay_trust(relay, pinned)
                found = auditing.verify_relay_log(relay, directory, terms, anchors, start, told)
    except Broken as fault:
        if as_json:
            wrong = fault.fault
            print_result(
                {"index": wrong.index, "wrong": wrong.wrong.value, "detail": wrong.detail, "last": wrong.last}, True
            )
        raise Refusal(f"{folder or relay}: {fault}") from None
    if state is not None:
        _write(state, found.frontier)
    _tell(found, start.size, fingerprint(digest), as_json)
    _tell_forks(auditing.contradicting(folder, relay))


def _days(folder: Path | None, relay: Path | None, asked: int | None) -> int:
    """For how long entries are to be kept: by who asks, or by the settings that stand in the folder."""
    from exchange.node.config import load_config
    from exchange.relay.config import FILE, load_settings
    from schemas.limits import MIN_KEPT_DAYS

    days = asked
    if days is None and folder is not None:
        days = load_config(folder).audit.keep_days
    elif days is None and relay is not None and (relay / FILE).exists():
        days = load_settings(relay).audit.keep_days
    return max(days or 0, MIN_KEPT_DAYS)


def _tell(found: "Verified", start: int, charter: str, as_json: bool) -> None:
    facts: dict[str, Any] = {
        "entries": found.frontier.size,
        "verified_before": start,
        "pruned": found.pruned,
        "lost": found.lost,
        "under_anchors": found.anchored,
        "losses": [
            {"first": loss.first, "last": loss.end - 1, "said_by": loss.index, "time": utc(loss.time)}
            for loss in found.losses
        ],
        "checkpoints": found.checkpoints,
        "root": found.frontier.root.hex(),
        "charter": charter,
    }
    print_result(facts, as_json)
    if not as_json and found.anchored < found.frontier.size:
        left = found.frontier.size - found.anchored
        print_lines(
            (f"the newest {left} entries are under no anchor that was given: only their keeper vouches for them",)
        )
    for loss in found.losses:
        note(
            f"entries {loss.first} to {loss.end - 1} are gone: entry {loss.index} of {utc(loss.time)} says that they"
            " were lost at a restore; ask why, and what the copy was of"
        )
    if found.pruned and not found.anchored:
        note(
            f"{found.pruned} entries were pruned: that others hold their hashes, or that a quorum has cosigned them, is"
            " the word of this folder until --anchors are given"
        )


def _tell_forks(forks: Mapping[str, int]) -> None:
    """What is on file of others' logs: no fault of this one."""
    for member, count in forks.items():
        note(
            f"{member}: its node has signed {count} checkpoints that contradict what stood of its own log:"
            f" `cbm audit anchors {member}` writes them out"
        )


def _pinned(charter: Path | None) -> Any:  # noqa: ANN401  # a Digest, which is not imported for the help
    from exchange.cli.ceremony_files import load
    from keys.digests import charter_digest
    from schemas.files import SIGNED_CHARTER

    return None if charter is None else charter_digest(load(charter, SIGNED_CHARTER).body)


def _read(state: Path) -> "Frontier":
    from keys.merkle import Frontier
    from schemas.ids import Digest

    try:
        value = json.loads(state.read_text("utf-8"))
        return Frontier(int(value["size"]), tuple(Digest(bytes.fromhex(text)) for text in value["frontier"]))
    except (ValueError, KeyError, TypeError):
        raise Refusal(f"{state} is no record of an earlier verification: remove it, and verify everything") from None


def _write(state: Path, frontier: "Frontier") -> None:
    from exchange.process import write_durably

    value = {"size": frontier.size, "frontier": [digest.hex() for digest in frontier.hashes]}
    write_durably(state, json.dumps(value).encode(), 0o600)


@contextmanager
def _bar(as_json: bool) -> Iterator[Callable[[int, int], object]]:
    """A progress bar on a terminal."""
    if as_json or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("entries")
        yield lambda done, total: bar.update(task, completed=done, total=total)
