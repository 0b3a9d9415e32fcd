"""What `cbm node doctor` looks at: each check turns facts into findings, and says what to do. Pure.

A check is a function of `Facts`; the list at the end is what is run, in that order.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.limits import DAY, GIB, HOUR, MAX_BODY, MAX_CLOCK_AHEAD

# A relay's Date has whole seconds, and its answer takes some time.
_CLOCK_CLOSE: Final = 5
_ENDS_SOON: Final = 30 * DAY
# Two of the largest messages, each with its ciphertext, have to fit.
_LEAST_DISK: Final = 4 * MAX_BODY
_LITTLE_DISK: Final = 10 * GIB
_DIRECTORY_OLD: Final = DAY
_FEW_EPOCHS: Final = 4


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: which check, how bad, what was found, what to do (empty when nothing is)."""

    check: str
    level: Level
    what: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class RelayFacts:
    """What came back from the relay; times are Unix seconds.

    Attributes:
        fault: why it could not be asked; then nothing else is known.
        tls: whether the line is TLS, whose certificate the charter names (another one is a `fault`).
        date: its clock, by the Date of its answer.
        certificate_end: when its certificate ends.
        round_trip: why a signed request was not answered as it must be; empty when it was; None when none was sent.
        behind: directory entries that this node's store lacks, at least; None when it was not told.
    """

    fault: str | None
    tls: bool = False
    date: int | None = None
    certificate_end: int | None = None
    round_trip: str | None = None
    behind: int | None = None


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The node's own keys as its store has them; times are Unix seconds.

    `installed`: a root's statement is in the folder. `published`: it stands in the directory. `in_force`: nothing
    ended it. `present_epoch`: a half that is here opens what is sealed now. `ahead`: epochs to come, with their halves.
    """

    installed: bool
    published: bool
    in_force: bool
    valid_from: int
    valid_until: int
    present_epoch: bool
    ahead: int
    overdue: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """The process that runs on the folder: what it locked of its memory (bytes), its session, its directory's age."""

    locked: int | None
    session: bool
    directory_updated: int | None
    directory_fault: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the checks judge. `process` None: no node runs on the folder. `exposed`: files that others read.

    `listen_certificate_end`: of the certificate that ministries see, None without TLS.
    """

    now: int
    relay: RelayFacts
    keys: KeyFacts
    process: ProcessFacts | None
    disk_free: int
    exposed: tuple[str, ...]
    swap: bool
    listen_certificate_end: int | None = None


def check_clock(facts: Facts) -> Iterator[Finding]:
    """The machine's clock against the relay's."""
    if facts.relay.date is None:
        return
    off = abs(facts.relay.date - facts.now)
    what = f"this clock and the relay's differ by {off} s"
    if off > MAX_CLOCK_AHEAD:
        yield Finding(
            "clock", Level.FAIL, what, "set this machine's clock by NTP; if it is right, tell the Secretariat"
        )
    elif off > _CLOCK_CLOSE:
        yield Finding("clock", Level.WARN, what, "check that this machine's clock is kept by NTP")
    else:
        yield Finding("clock", Level.OK, what)


def check_relay(facts: Facts) -> Iterator[Finding]:
    """The way to the relay, tried for real: connection, pinned certificate, a signed request."""
    relay = facts.relay
    if relay.fault is not None:
        yield Finding("relay", Level.FAIL, relay.fault, "check relay_url in node.toml, the network, and the charter")
        return
    pinned = "its certificate is the one in the charter" if relay.tls else "without TLS, on loopback"
    yield Finding("relay", Level.OK, f"the relay answers; {pinned}")
    if relay.round_trip is None:
        todo = "give the passphrase, so that a signed request can be sent"
        yield Finding("round-trip", Level.WARN, "no signed request was sent", todo)
    elif relay.round_trip:
        todo = "check the clock, and that this node's key is certified and published"
        yield Finding("round-trip", Level.FAIL, f"the relay refuses this node: {relay.round_trip}", todo)
    else:
        yield Finding("round-trip", Level.OK, "the relay takes this node's signature")


def check_certificates(facts: Facts) -> Iterator[Finding]:
    """Ends of the relay's certificate, and of the one that ministries see."""
    theirs = "the relay's certificate", "have the Secretariat renew it by a charter version with the new digest"
    ours = "the certificate that ministries see", "renew it (tls_certificate in node.toml)"
    for end, (whose, todo) in ((facts.relay.certificate_end, theirs), (facts.listen_certificate_end, ours)):
        if end is not None:
            yield _ending("tls", whose, end, facts.now, todo)


def check_directory(facts: Facts) -> Iterator[Finding]:
    """How old this node's view is."""
    behind = facts.relay.behind
    if behind:
        level = Level.OK if facts.process is not None else Level.WARN
        yield Finding(
            "directory", level, f"the relay has {behind} entries or more that this node lacks", "start the node"
        )
    elif behind == 0:
        yield Finding("directory", Level.OK, "this node has every entry that the relay shows")
    process = facts.process
    if process is None:
        return
    if process.directory_fault is not None:
        todo = "see the node's alarms; nothing is sealed to keys that cannot be verified"
        yield Finding("directory", Level.FAIL, f"the directory cannot be followed: {process.directory_fault}", todo)
    elif process.directory_updated is None or facts.now - process.directory_updated > _DIRECTORY_OLD:
        yield Finding("directory", Level.WARN, "the directory was not brought up to date for a day", "check the relay")


def check_keys(facts: Facts) -> Iterator[Finding]:
    """Whether this node may sign, and until when."""
    keys = facts.keys
    if not keys.installed:
        todo = "have the root certify signing-request.cbm, then `cbm node certify`"
        yield Finding("signing-key", Level.FAIL, "the signing key is not certified", todo)
    elif not keys.published:
        yield Finding(
            "signing-key", Level.FAIL, "the signing key is not in the directory", "start the node: it publishes it"
        )
    elif not keys.in_force:
        todo = "make and certify a new signing key; see `cbm keys epoch exposed`"
        yield Finding("signing-key", Level.FAIL, "the signing key was revoked, or the member removed", todo)
    elif keys.valid_from > facts.now:
        yield Finding("signing-key", Level.FAIL, "the signing key is not valid yet", "check the clock")
    else:
        yield _ending("signing-key", "the signing key", keys.valid_until, facts.now, "have the root certify a new one")


def check_epochs(facts: Facts) -> Iterator[Finding]:
    """Whether this node can be sent to, and destroys what it has to."""
    keys = facts.keys
    if not keys.present_epoch:
        what = "nothing can be sealed to this node now, or it could not open it"
        yield Finding("epochs", Level.FAIL, what, "start the node with the relay in reach: it publishes new epochs")
    elif keys.ahead < _FEW_EPOCHS:
        what = f"{keys.ahead} epochs are published ahead"
        yield Finding("epochs", Level.WARN, what, "let the node reach the relay, and check its signing key's end")
    else:
        yield Finding("epochs", Level.OK, f"{keys.ahead} epochs are published ahead")
    if keys.overdue:
        what = f"private keys outlive their time: {', '.join(keys.overdue)}"
        yield Finding(
            "epochs", Level.FAIL, what, "start the node: it destroys them first; else destroy the files by hand"
        )


def check_machine(facts: Facts) -> Iterator[Finding]:
    """Disk, permissions, memory."""
    free = f"{facts.disk_free / GIB:.1f} GiB of disk are free"
    if facts.disk_free < _LEAST_DISK:
        yield Finding("disk", Level.FAIL, free, "make room: the node takes nothing that it cannot store")
    elif facts.disk_free < _LITTLE_DISK:
        yield Finding("disk", Level.WARN, free, "make room")
    else:
        yield Finding("disk", Level.OK, free)
    for path in facts.exposed:
        yield Finding("permissions", Level.FAIL, f"others can read {path}", f"chmod go= {path}")
    if not facts.exposed:
        yield Finding("permissions", Level.OK, "only this user can read the node's files")
    if facts.process is not None and not facts.process.locked and facts.swap:
        todo = "allow the service to lock memory (systemd: LimitMEMLOCK=infinity), or switch swap off, or encrypt it"
        yield Finding("memory", Level.WARN, "the node's memory is not locked and may be swapped out", todo)


def check_process(facts: Facts) -> Iterator[Finding]:
    """Whether the node runs and has its line."""
    if facts.process is None:
        yield Finding("process", Level.WARN, "no node runs on this folder", "start it with `cbm node run`")
    elif not facts.process.session:
        yield Finding("process", Level.WARN, "the node runs without a session with the relay", "see `cbm node status`")
    else:
        yield Finding("process", Level.OK, "the node runs and has a session with the relay")


Check = Callable[[Facts], Iterable[Finding]]
CHECKS: Final[tuple[Check, ...]] = (
    check_process,
    check_clock,
    check_relay,
    check_certificates,
    check_directory,
    check_keys,
    check_epochs,
    check_machine,
)


def examine(facts: Facts, checks: Iterable[Check] = CHECKS) -> tuple[Finding, ...]:
    """The findings of all checks, in their order."""
    return tuple(finding for check in checks for finding in check(facts))


def _ending(check: str, whose: str, end: int, now: int, todo: str) -> Finding:
    left = end - now
    if left <= 0:
        return Finding(check, Level.FAIL, f"{whose} has ended", todo)
    what = f"{whose} ends in {left // DAY} days" if left > 2 * DAY else f"{whose} ends in {left // HOUR} hours"
    return Finding(check, Level.WARN if left < _ENDS_SOON else Level.OK, what, todo if left < _ENDS_SOON else "")
