"""What `cbm node doctor` looks at: each check turns facts into findings, and says what to do. Pure.

A check is a function of `Facts`; the list at the end is what is run, in that order.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from exchange.node.checkup_facts import Facts, Finding, Level, QuorumFacts
from schemas.limits import DAY, FRESH, GIB, HOUR, MAX_BODY, MAX_CLOCK_AHEAD

# A relay's Date has whole seconds, and its answer takes some time.
_CLOCK_CLOSE: Final = 5
_ENDS_SOON: Final = 30 * DAY
# Two of the largest messages, each with its ciphertext, have to fit.
_LEAST_DISK: Final = 4 * MAX_BODY
_LITTLE_DISK: Final = 10 * GIB
_DIRECTORY_OLD: Final = DAY
_FEW_EPOCHS: Final = 4
# A directory that rests is cosigned anew every hour.
_QUORUM_LATE: Final = 3 * HOUR


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


def check_quorum(facts: Facts) -> Iterator[Finding]:
    """Whether as many members' nodes cosign the directory as have to, and how many may be away."""
    found = facts.quorum
    if found is None:
        what = "no quorum has cosigned a directory that this node has: nothing is sent before"
        yield Finding("quorum", Level.FAIL, what, "start the node; if it stays so, ask which members' nodes are away")
        return
    told = f"{found.cosigners} members cosigned the newest directory that this node has, {found.needed} have to"
    # A node that is stopped does not know what was cosigned since.
    age = 0 if facts.process is None else facts.now - found.time
    if found.cosigners < found.needed:
        todo = "use nothing of this store: restore it from a backup, and tell the Secretariat"
        yield Finding("quorum", Level.FAIL, told, todo)
    elif age > _QUORUM_LATE:
        level = Level.FAIL if age > FRESH else Level.WARN
        todo = "if the relay is in reach, ask the Secretariat which members' nodes are away"
        yield Finding("quorum", level, f"no quorum has cosigned the directory for {age // HOUR} hours", todo)
    elif _no_margin(found):
        todo = "ask the Secretariat which members' nodes are away: with one more of them nobody's directory goes on"
        yield Finding("quorum", Level.WARN, told, todo)
    else:
        yield Finding("quorum", Level.OK, told)


def check_holds(facts: Facts) -> Iterator[Finding]:
    """For whom everything waits until an operator has decided."""
    for hold in facts.held:
        todo = (
            f"check the proof in proofs/ with `cbm audit verify`, ask {hold.member} by another way than through the "
            f"relay; when it is explained, `cbm node release-hold {hold.member}`"
        )
        yield Finding("holds", Level.WARN, f"everything for {hold.member} waits, for {hold.kind}", todo)
    if not facts.held:
        yield Finding("holds", Level.OK, "nothing is held back from any member")


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
    check_quorum,
    check_holds,
    check_keys,
    check_epochs,
    check_machine,
)


def examine(facts: Facts, checks: Iterable[Check] = CHECKS) -> tuple[Finding, ...]:
    """The findings of all checks, in their order."""
    return tuple(finding for check in checks for finding in check(facts))


def _no_margin(found: QuorumFacts) -> bool:
    """Where the charter wants all, there is none to be had."""
    return found.cosigners == found.needed < found.members


def _ending(check: str, whose: str, end: int, now: int, todo: str) -> Finding:
    left = end - now
    if left <= 0:
        return Finding(check, Level.FAIL, f"{whose} has ended", todo)
    what = f"{whose} ends in {left // DAY} days" if left > 2 * DAY else f"{whose} ends in {left // HOUR} hours"
    return Finding(check, Level.WARN if left < _ENDS_SOON else Level.OK, what, todo if left < _ENDS_SOON else "")
