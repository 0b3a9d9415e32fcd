"""Each check of the doctor on facts that are well and on facts that are not; whatever is bad says what to do."""

from dataclasses import replace
from typing import Any

import pytest

from exchange.node.checkup import CHECKS, examine
from exchange.node.checkup_facts import (
    Facts,
    Finding,
    HoldFacts,
    KeyFacts,
    Level,
    ProcessFacts,
    QuorumFacts,
    RelayFacts,
)
from schemas.limits import DAY, GIB, HOUR, MAX_BODY, MAX_CLOCK_AHEAD
from tests.support.world import NOW

RELAY = RelayFacts(None, True, NOW, NOW + 90 * DAY, "", 0)
KEYS = KeyFacts(True, True, True, NOW - DAY, NOW + 300 * DAY, True, 8, ())
PROCESS = ProcessFacts(2**20, True, NOW, None)
QUORUM = QuorumFacts(cosigners=20, needed=19, members=28, time=NOW)
WELL = Facts(NOW, RELAY, KEYS, PROCESS, QUORUM, (), 100 * GIB, (), True, NOW + 90 * DAY)

# What is changed about facts that are well, and the one finding that comes of it.
FAULTS: dict[str, tuple[dict[str, Any], str, Level, str]] = {
    "a-clock-that-is-off": ({"relay": {"date": NOW + MAX_CLOCK_AHEAD + 1}}, "clock", Level.FAIL, "121 s"),
    "a-clock-that-is-slow": ({"relay": {"date": NOW - 60}}, "clock", Level.WARN, "60 s"),
    "a-relay-that-is-away": ({"relay": {"fault": "it does not answer"}}, "relay", Level.FAIL, "does not answer"),
    "a-refused-signature": ({"relay": {"round_trip": "untrusted: no"}}, "round-trip", Level.FAIL, "untrusted"),
    "no-signed-request": ({"relay": {"round_trip": None}}, "round-trip", Level.WARN, "no signed"),
    "a-certificate-that-ends": ({"relay": {"certificate_end": NOW + 29 * DAY}}, "tls", Level.WARN, "29 days"),
    "a-certificate-of-hours": ({"relay": {"certificate_end": NOW + HOUR}}, "tls", Level.WARN, "1 hours"),
    "a-certificate-that-ended": ({"relay": {"certificate_end": NOW}}, "tls", Level.FAIL, "has ended"),
    "an-own-certificate-that-ended": ({"listen_certificate_end": NOW - 1}, "tls", Level.FAIL, "ministries"),
    "a-directory-that-cannot-be-followed": (
        {"process": {"directory_fault": "a bad entry"}},
        "directory",
        Level.FAIL,
        "a bad entry",
    ),
    "an-old-directory": ({"process": {"directory_updated": NOW - DAY - 1}}, "directory", Level.WARN, "a day"),
    "a-directory-never-updated": ({"process": {"directory_updated": None}}, "directory", Level.WARN, "a day"),
    "a-key-that-is-not-certified": ({"keys": {"installed": False}}, "signing-key", Level.FAIL, "not certified"),
    "a-key-that-is-not-published": ({"keys": {"published": False}}, "signing-key", Level.FAIL, "not in the"),
    "a-revoked-key": ({"keys": {"in_force": False}}, "signing-key", Level.FAIL, "revoked"),
    "a-key-that-ended": ({"keys": {"valid_until": NOW}}, "signing-key", Level.FAIL, "has ended"),
    "a-key-that-ends": ({"keys": {"valid_until": NOW + 10 * DAY}}, "signing-key", Level.WARN, "10 days"),
    "a-key-of-the-future": ({"keys": {"valid_from": NOW + 1}}, "signing-key", Level.FAIL, "not valid yet"),
    "no-present-epoch": ({"keys": {"present_epoch": False}}, "epochs", Level.FAIL, "sealed"),
    "few-epochs": ({"keys": {"ahead": 3}}, "epochs", Level.WARN, "3 epochs"),
    "a-half-that-outlives-its-time": ({"keys": {"overdue": ("epoch-7",)}}, "epochs", Level.FAIL, "epoch-7"),
    "no-cosigned-directory": ({"quorum": None}, "quorum", Level.FAIL, "nothing is sent"),
    "a-checkpoint-without-a-quorum": ({"quorum": {"cosigners": 18}}, "quorum", Level.FAIL, "18 members"),
    "a-quorum-that-no-member-may-leave": ({"quorum": {"cosigners": 19}}, "quorum", Level.WARN, "19 have to"),
    "a-quorum-that-is-late": ({"quorum": {"time": NOW - 3 * HOUR - 1}}, "quorum", Level.WARN, "3 hours"),
    "a-quorum-that-is-away": ({"quorum": {"time": NOW - DAY - 1}}, "quorum", Level.FAIL, "24 hours"),
    "a-member-that-is-held": ({"held": (HoldFacts("MNG", "split-view"),)}, "holds", Level.WARN, "MNG waits"),
    "a-full-disk": ({"disk_free": 4 * MAX_BODY - 1}, "disk", Level.FAIL, "GiB"),
    "a-nearly-full-disk": ({"disk_free": 10 * GIB - 1}, "disk", Level.WARN, "GiB"),
    "a-file-that-others-read": ({"exposed": ("keys/store.key",)}, "permissions", Level.FAIL, "keys/store.key"),
    "memory-that-is-swapped": ({"process": {"locked": 0}}, "memory", Level.WARN, "swapped"),
    "a-node-without-a-session": ({"process": {"session": False}}, "process", Level.WARN, "without a session"),
}


def changed(changes: dict[str, Any]) -> Facts:
    """The facts that are well, with some of them changed."""
    values = {
        name: replace(getattr(WELL, name), **value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return replace(WELL, **values)


def bad(facts: Facts) -> list[Finding]:
    return [finding for finding in examine(facts) if finding.level is not Level.OK]


def test_what_is_well_is_said_to_be() -> None:
    findings = examine(WELL)
    assert {finding.level for finding in findings} == {Level.OK}
    checks = {finding.check for finding in findings}
    assert checks >= {"process", "clock", "relay", "round-trip", "tls", "directory", "signing-key", "epochs", "disk"}
    assert checks >= {"permissions", "quorum", "holds"}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_once_and_says_what_to_do(name: str) -> None:
    changes, check, level, told = FAULTS[name]
    (finding,) = bad(changed(changes))
    assert (finding.check, finding.level) == (check, level)
    assert told in finding.what
    assert finding.todo


def test_a_stopped_node_is_examined_too() -> None:
    facts = replace(WELL, process=None, relay=replace(RELAY, behind=3))
    assert {(finding.check, finding.level) for finding in bad(facts)} == {
        ("process", Level.WARN),
        ("directory", Level.WARN),
    }


def test_a_quorum_of_all_has_no_margin_to_lose() -> None:
    assert bad(replace(WELL, quorum=QuorumFacts(cosigners=2, needed=2, members=2, time=NOW))) == []


def test_a_stopped_node_does_not_know_what_was_cosigned_since() -> None:
    facts = replace(WELL, process=None, quorum=replace(QUORUM, time=NOW - 30 * DAY))
    assert {finding.check for finding in bad(facts)} == {"process"}


def test_a_hold_says_how_it_is_ended() -> None:
    (finding,) = bad(replace(WELL, held=(HoldFacts("MNG", "split-view"),)))
    assert "cbm node release-hold MNG" in finding.todo


def test_memory_that_is_not_locked_is_no_matter_without_swap() -> None:
    assert bad(replace(WELL, swap=False, process=replace(PROCESS, locked=0))) == []


def test_a_relay_on_loopback_without_tls_has_no_certificate_to_end() -> None:
    assert bad(replace(WELL, relay=replace(RELAY, tls=False, certificate_end=None), listen_certificate_end=None)) == []


def test_others_may_add_checks() -> None:
    one = Finding("quorum", Level.WARN, "a witness is silent", "ask it")
    assert examine(WELL, (*CHECKS, lambda facts: [one]))[-1] == one
