"""What a node's examination finds out, and what it comes to: the facts that `exchange.node.checkup` judges. Pure."""

from dataclasses import dataclass
from enum import StrEnum


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
class QuorumFacts:
    """The newest cosigned checkpoint of the directory that the node has.

    `cosigners`: members whose cosignatures hold. `needed`: of `members`, the Member States, under the charter of then.
    `time`: when a quorum last had it for the newest, Unix seconds.
    """

    cosigners: int
    needed: int
    members: int
    time: int


@dataclass(frozen=True, slots=True)
class HoldFacts:
    """A member for which everything waits, and the kind of alarm that is the reason."""

    member: str
    kind: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the checks judge. `process` None: no node runs on the folder. `exposed`: files that others read.

    `quorum` None: no cosigned checkpoint has reached the node yet. `listen_certificate_end`: of the certificate that
    ministries see, None without TLS.
    """

    now: int
    relay: RelayFacts
    keys: KeyFacts
    process: ProcessFacts | None
    quorum: QuorumFacts | None
    held: tuple[HoldFacts, ...]
    disk_free: int
    exposed: tuple[str, ...]
    swap: bool
    listen_certificate_end: int | None = None
