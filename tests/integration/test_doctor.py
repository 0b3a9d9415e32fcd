"""`cbm node doctor` on real processes: what is well, and what is wrong, each by breaking the real thing."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from exchange.demo.processes import Processes
from tests.support.cbm import Result, answer, cbm, line
from tests.support.running import build, client, ready_to_receive
from tests.support.waiting import answered


@pytest.fixture
async def site(tmp_path: Path) -> Any:  # noqa: ANN401  # an async generator's value
    """A relay and two nodes that run."""
    made = await build(tmp_path / "site", ("KAZ", "MNG"))
    with Processes(made) as processes:
        await processes.start("relay", "KAZ", "MNG")
        await ready_to_receive(processes)
        yield processes


async def doctor(processes: Processes, passphrase: bool = True, *more: str) -> Result:
    environment = {"CBM_PASSPHRASE_FILE": str(processes.site.passphrase_file) if passphrase else ""}
    folder = processes.site.node("KAZ")
    return await cbm("node", "doctor", "--dir", folder, "--json", *more, environment=environment)


def rows(result: Result) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(result[1])
    return found


def levels(result: Result) -> dict[str, str]:
    return {row["check"]: row["level"] for row in rows(result)}


async def test_a_node_that_is_well_running_and_stopped(site: Processes) -> None:
    async def well() -> bool | None:
        return set(levels(await doctor(site)).values()) == {"ok"} or None

    await answered(well, "everything is well, the session too")
    answer(await doctor(site))
    site.stop("KAZ")
    stopped = await doctor(site)
    assert stopped[0] == 0
    assert {check for check, level in levels(stopped).items() if level != "ok"} == {"process"}


async def test_what_is_broken_is_found(site: Processes) -> None:
    """One node, broken in one way after the other; exit code 1, and the line names the check."""
    folder = site.site.node("KAZ")
    without = await doctor(site, passphrase=False)
    assert (without[0], levels(without)["round-trip"]) == (0, "warn")
    secret = folder / "keys" / "signing.key"
    secret.chmod(0o644)
    assert "permissions" in line(await doctor(site, passphrase=False), 1)
    secret.chmod(0o600)
    site.stop("relay")
    away = await doctor(site)
    assert "relay" in line(away, 1)
    assert levels(away)["relay"] == "fail"


async def test_a_member_that_is_held_and_a_directory_that_nobody_cosigned(site: Processes) -> None:
    """The store as it is after an alarm about MNG, and as it is before the first checkpoint."""
    store = site.site.node("KAZ") / "node.db"
    site.stop("KAZ")
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("INSERT INTO holds VALUES ('MNG', 1, 'split-view', 'it was shown another directory')")
    held = await doctor(site)
    (row,) = [row for row in rows(held) if row["check"] == "holds"]
    assert (held[0], row["level"]) == (0, "warn")
    assert "release-hold MNG" in row["todo"]
    (row,) = [row for row in rows(held) if row["check"] == "quorum"]
    assert row["level"] == "ok"
    assert row["what"].startswith("2 members cosigned")
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE checkpoints SET note = CAST(replace(CAST(note AS TEXT), '/MNG', '/XAA') AS BLOB)")
    assert "quorum" in line(await doctor(site), 1)
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DELETE FROM checkpoints")
    assert "quorum" in line(await doctor(site), 1)


async def test_a_relay_with_another_certificate_is_no_relay(tmp_path: Path, site: Processes) -> None:
    """What answers there has a certificate that the charter does not name."""
    other = await build(tmp_path / "other", ("UZB",))
    with Processes(other) as strangers:
        await strangers.start("relay")
        settings = site.site.node("KAZ") / "node.toml"
        text = settings.read_text()
        site.stop("KAZ")
        settings.write_text(text.replace(site.url("relay"), strangers.url("relay")))
        assert strangers.url("relay") in settings.read_text()
        found = await doctor(site)
        assert found[0] == 1
        (row,) = [row for row in rows(found) if row["check"] == "relay"]
        assert "does not name" in row["what"]


async def test_a_node_that_is_not_certified(site: Processes) -> None:
    folder = site.site.node("KAZ")
    site.stop("KAZ")
    (folder / "signing-key.cbm").unlink()
    assert "signing-key" in line(await doctor(site), 1)


async def test_the_doctor_changes_nothing(site: Processes) -> None:
    folder = site.site.node("KAZ")
    site.stop("KAZ")

    def files() -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.endswith(("-wal", "-shm"))
        }

    before = files()
    await doctor(site)
    assert files() == before
    async with client(site, "MNG") as node:
        assert (await node.members()).members
