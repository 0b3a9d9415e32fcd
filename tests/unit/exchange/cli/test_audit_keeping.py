"""`cbm audit prune` and `cbm audit reconcile` on the folder of a node: nothing is done that was not asked for."""

import json
from pathlib import Path

import pytest

from exchange.clock import SystemClock
from exchange.storage.audit_beside import write_beside
from exchange.storage.audit_port import AuditFact
from exchange.storage.audit_reading import audit_reading
from schemas.audit import AuditKind
from schemas.limits import DAY, MAX_QUIET
from tests.support.audit_store import T0, AuditStore
from tests.support.offline import Cbm
from tests.support.world import World

SIZE = 300


@pytest.fixture
async def log(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> AuditStore:
    """All of it anchored, and 100 days old; yesterday the node was started."""
    folder = tmp_path / "node"
    folder.mkdir()
    made = AuditStore(folder, world)
    await made.grow(0, SIZE)
    await made.again()
    write_beside(folder / "node.db", AuditFact(AuditKind.OPERATOR, T0 + 99 * DAY, "operator", reason="started"))
    settings(made)
    monkeypatch.setattr(SystemClock, "now", lambda _: T0 + 100 * DAY)
    return made


def settings(log: AuditStore, more: str = "") -> None:
    digest = log.world.charter_digest.hex()
    text = f'member = "KAZ"\nrelay_url = "http://127.0.0.1:1"\ncharter_digest = "{digest}"\n{more}'
    (log.folder / "node.toml").write_text(text)


def whole(log: AuditStore) -> int:
    with audit_reading(log.folder / "node.db") as reading:
        return sum(row[4] is not None for row in reading.page(0, reading.end))


def told(result: tuple[int, str, str], code: int = 0) -> dict[str, object]:
    assert result[0] == code, result
    found: dict[str, object] = json.loads(result[1])
    return found


def prune(cbm: Cbm, log: AuditStore, *more: str) -> tuple[int, str, str]:
    return cbm("audit", "prune", "--dir", str(log.folder), "--json", *more)


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
async def test_without_a_word_nothing_is_pruned(cbm: Cbm, log: AuditStore, more: tuple[str, ...]) -> None:
    result = prune(cbm, log, "--older-than", "60", *more)
    found = told(result)
    assert (found["entries"], found["first"], found["last"], found["pruned"]) == (SIZE, 0, SIZE - 1, 0)
    assert "--yes" in result[2]
    assert whole(log) == SIZE + 1


async def test_what_is_old_is_pruned_and_the_log_says_so(cbm: Cbm, log: AuditStore) -> None:
    settings(log, "[audit]\nkeep_days = 60\n")
    assert told(prune(cbm, log, "--policy", "--yes"))["pruned"] == SIZE
    assert whole(log) == 2
    (last,) = json.loads(cbm("audit", "tail", "-n", "1", "--dir", str(log.folder), "--json")[1])
    assert (last["kind"], last["actor"], last["reason"], last["count"]) == ("operator", "operator", "pruned", SIZE)
    first = json.loads(cbm("audit", "show", "0", "--dir", str(log.folder), "--json")[1])
    assert (first["kind"], first["leaf"]) == ("pruned", None)
    assert told(prune(cbm, log, "--policy", "--yes"))["pruned"] == 0
    (again,) = json.loads(cbm("audit", "tail", "-n", "1", "--dir", str(log.folder), "--json")[1])
    assert again == last


@pytest.mark.parametrize(
    ("more", "policy", "code", "why"),
    [
        (("--older-than", "29"), "", 1, "30 days"),
        (("--older-than", "89"), "[audit]\nkeep_days = 90\n", 1, "90 days"),
        (("--policy",), "", 1, "keep_days"),
        (("--policy",), "[audit]\nkeep_days = 29\n", 1, "keep_days"),
        ((), "", 2, "--older-than"),
        (("--policy", "--older-than", "60"), "", 2, "--policy"),
        (("--older-than", "60", "--dry-run"), "", 2, "--dry-run"),
    ],
)
async def test_what_the_policy_does_not_allow_is_refused(
    cbm: Cbm, log: AuditStore, more: tuple[str, ...], policy: str, code: int, why: str
) -> None:
    settings(log, policy)
    result = prune(cbm, log, *more, "--yes")
    assert result[0] == code
    assert why in result[2]
    assert (whole(log), log.rows("SELECT count(*) FROM audit")) == (SIZE + 1, [(SIZE + 1,)])


@pytest.mark.parametrize("days", ["36501", "9999999999999999", "99999999999999999999"])
async def test_an_age_beyond_all_is_refused(cbm: Cbm, log: AuditStore, days: str) -> None:
    result = prune(cbm, log, "--older-than", days, "--yes")
    assert (result[0], "Traceback" in result[2], whole(log)) == (2, False, SIZE + 1)


async def test_by_a_clock_that_is_ahead_nothing_is_pruned(
    cbm: Cbm, log: AuditStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemClock, "now", lambda _: T0 + 99 * DAY + MAX_QUIET + 1)
    result = prune(cbm, log, "--older-than", "60", "--yes")
    assert (result[0], "clock" in result[2], whole(log)) == (1, True, SIZE + 1)


async def test_what_does_not_match_is_told_line_by_line(cbm: Cbm, log: AuditStore) -> None:
    """The log has entries about messages and envelopes of which the store knows nothing."""
    code, out, err = cbm("audit", "reconcile", "--dir", str(log.folder))
    lines = [line for line in out.splitlines() if "the store lacks" in line]
    assert (code, len(err.splitlines())) == (1, 1)
    assert any(line.startswith("envelope ") and "`sealed`" in line for line in lines)
    found = told(cbm("audit", "reconcile", "--dir", str(log.folder), "--json"), 1)
    listed = found["found"]
    assert isinstance(listed, list)
    assert found["differences"] == len(lines) == len(listed)
    assert {item["what"] for item in listed} == {"no-row"}


async def test_an_empty_store_and_what_was_pruned_match(cbm: Cbm, log: AuditStore) -> None:
    prune(cbm, log, "--older-than", "60", "--yes")
    found = told(cbm("audit", "reconcile", "--dir", str(log.folder), "--json"))
    assert (found["differences"], found["found"]) == (0, [])
    assert cbm("audit", "reconcile")[0] == 2
