"""The Secretariat's database (1.6; section 3.B, step B2; 2.3.14): what goes into an edition, and for whom.

Who may receive a source is decided by `authorise` and by nothing else (1.7): its answer for a transfer by the
Secretariat comes in with each source. An edition goes to one audience, and a source is in it only if all of them may
have it. Each row names the message and the Provision that it stands on. A source that is gone from the next edition
leaves a trace without content, so that whoever holds the earlier one knows that the row is void and why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from exchange.errors import Invalid, Json
from exchange.records.chain import Chains, State, build
from exchange.records.facts import ACTUAL, Action, RecordFact
from exchange.records.links import Key, key_of
from exchange.records.threads import area
from schemas.ids import SECRETARIAT, MemberId
from schemas.limits import MAX_PROVISIONS

# The envelope of an edition carries its own Provision and that of every source.
MAX_SOURCES: Final = MAX_PROVISIONS - 1
COMMON_DATABASE: Final = "2.3.14"
MODALITY_B: Final = "3.B"
# Who holds an edition with one of the oldest has missed hundreds since; the list must fit beside its record.
MAX_TRACES: Final = 1000
_TEXTS: Final = frozenset({Action.NEW, Action.UPDATE, Action.CORRECTION})
_OWN_RESULT: Final = "database-entry"


@dataclass(frozen=True, slots=True)
class Source:
    """A record that the Secretariat holds, with its Provision's terms as plain values.

    Attributes:
        provision: digest of the Provision, hexadecimal.
        onward: the Provision's onward terms by their label.
        withdrawn: whether a provider withdrew the Provision.
        grounds: each member to whom `authorise` lets the Secretariat pass it now, with the ground's label.
        barred: why it cannot go along whatever the grounds; None if it can.
    """

    fact: RecordFact
    provision: str
    onward: str
    withdrawn: bool
    grounds: tuple[tuple[MemberId, str], ...]
    barred: str | None = None

    def ground(self, member: MemberId) -> str | None:
        """On which ground a member may have it; None if it may not."""
        return dict(self.grounds).get(member)


@dataclass(frozen=True, slots=True)
class Topic:
    """What a database is about: 2.3.14, trade and economic areas; or 3.B, one priority area."""

    measure: str
    priority_area: str | None = None

    def covers(self, fact: RecordFact) -> bool:
        """Whether a record belongs into it. What was compiled before is no source."""
        if fact.record_type == _OWN_RESULT or fact.action not in _TEXTS:
            return False
        if self.measure == COMMON_DATABASE:
            return fact.measure.startswith("2.3.")
        return fact.measure == MODALITY_B and area(fact) == self.priority_area


@dataclass(frozen=True, slots=True)
class Row:
    """One source of an edition; `consents` has each provider, with the grounds on which the audience may have it."""

    record_id: str
    message: str
    provision: str
    digest: str
    originators: tuple[MemberId, ...]
    measure: str
    consents: tuple[tuple[MemberId, str], ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A record of the topic that is not in the edition, and why. For the Secretariat only."""

    record_id: str
    message: str
    reason: str


@dataclass(frozen=True, slots=True)
class Trace:
    """A row of an earlier edition that is void since `edition`. It keeps names and digest, and no content."""

    record_id: str
    message: str
    provision: str
    reason: str
    edition: int


@dataclass(frozen=True, slots=True)
class Compilation:
    """One edition for one audience. `rows` are in the order of evidence, `traces` those of all editions before too."""

    topic: Topic
    edition: int
    audience: tuple[MemberId, ...]
    rows: tuple[Row, ...]
    traces: tuple[Trace, ...]

    @property
    def provisions(self) -> tuple[str, ...]:
        """Digests of the sources' Provisions, ascending, each once: the envelope carries exactly these and its own."""
        return tuple(sorted({row.provision for row in self.rows}))


def compile_edition(
    sources: Iterable[Source], topic: Topic, audience: Iterable[MemberId], previous: Compilation | None = None
) -> tuple[Compilation, tuple[LeftOut, ...]]:
    """The next edition, and what is not in it.

    Args:
        sources: everything that the Secretariat holds and could use, the acts on it (cancellations ...) included.
        topic: what the database is about.
        audience: the members that this edition goes to.
        previous: the edition before for the same audience; its rows that are gone become traces.

    Raises:
        Invalid: more sources than an envelope can carry, no audience, or another topic or audience than before.
    """
    readers = tuple(sorted(set(audience)))
    if not readers:
        raise Invalid("no-audience", "an edition goes to one member or more: name them")
    if previous is not None and (previous.topic, previous.audience) != (topic, readers):
        raise Invalid("another-database", "the edition before is of another topic or audience: begin a new database")
    held = sorted(sources, key=lambda source: source.fact.order)
    chains = build(source.fact for source in held)
    rows: dict[str, Row] = {}
    left_out: list[LeftOut] = []
    # Whoever had an id first keeps it, in the edition or not: what was chosen by its id is not another's text.
    first: dict[str, Key] = {}
    for source in held:
        fact = source.fact
        taken = rows.get(fact.record_id)
        if not topic.covers(fact) or (taken is not None and taken.digest == fact.digest):
            continue
        foreign = first.setdefault(fact.record_id, key_of(fact)) != key_of(fact)
        reused = foreign or taken is not None
        reason = "another record has its id" if reused else _obstacle(source, chains, readers)
        if reason is None:
            rows[fact.record_id] = _row(source, readers)
        else:
            left_out.append(LeftOut(fact.record_id, fact.message, reason))
    if len(rows) > MAX_SOURCES:
        raise Invalid(
            "compilation-too-large", f"{len(rows)} sources, an edition carries {MAX_SOURCES}: divide the topic"
        )
    edition = 1 if previous is None else previous.edition + 1
    found = tuple(rows.values())
    traces = _traces(previous, found, left_out, edition)
    return Compilation(topic, edition, readers, found, traces), tuple(left_out)


def compilation_json(compilation: Compilation) -> dict[str, Json]:
    """The list that accompanies an edition: what it stands on, and what is void."""
    named = compilation.topic.priority_area
    return {
        "measure": compilation.topic.measure,
        **({} if named is None else {"priority_area": named}),
        "edition": compilation.edition,
        "audience": list(compilation.audience),
        "provisions": list(compilation.provisions),
        "rows": [
            {
                "record_id": row.record_id,
                "message": row.message,
                "provision": row.provision,
                "sha256": row.digest,
                "originators": list(row.originators),
                "measure": row.measure,
                "consents": [{"originator": state, "ground": ground} for state, ground in row.consents],
            }
            for row in compilation.rows
        ],
        "void": [
            {
                "record_id": trace.record_id,
                "message": trace.message,
                "provision": trace.provision,
                "reason": trace.reason,
                "since_edition": trace.edition,
            }
            for trace in compilation.traces
        ],
    }


def entry_body(compilation: Compilation, content: dict[str, str]) -> dict[str, Json]:
    """The body of the edition's `database-entry` record; `content` is its text by language."""
    return {
        "entry_of": [row.record_id for row in compilation.rows],
        "originator_consents": [
            {"record": row.record_id, "originator": state, "consent_ref": f"{ground}, Provision {row.provision}"}
            for row in compilation.rows
            for state, ground in row.consents
        ],
        "compiled_by": "secretariat",
        "content": dict(content),
        "edition": compilation.edition,
    }


def _obstacle(source: Source, chains: Chains, readers: Sequence[MemberId]) -> str | None:
    """Why a source is not in an edition for these readers."""
    fact, entry = source.fact, chains.entries[key_of(source.fact)]
    state = entry.state if entry.fact.digest == fact.digest else State.REFUSED
    if source.withdrawn:
        return "a provider has withdrawn its consent"
    if fact.mode != ACTUAL:
        return f"its mode is {fact.mode}"
    if state is not State.CURRENT:
        return f"it is {state}"
    if SECRETARIAT not in fact.recipients:
        return "it was not submitted to the Secretariat (1.6)"
    if source.barred is not None:
        return source.barred
    barred = [member for member in readers if source.ground(member) is None]
    return f"no consent of {' and '.join(fact.originators)} for {', '.join(barred)} (1.7)" if barred else None


def _row(source: Source, readers: Sequence[MemberId]) -> Row:
    fact = source.fact
    grounds = ", ".join(sorted({source.ground(member) or "" for member in readers}))
    consents = tuple(
        (state, f"{grounds}, onward {source.onward}") for state in fact.originators if state != SECRETARIAT
    )
    return Row(fact.record_id, fact.message, source.provision, fact.digest, fact.originators, fact.measure, consents)


def _traces(
    previous: Compilation | None, rows: Sequence[Row], left_out: Sequence[LeftOut], edition: int
) -> tuple[Trace, ...]:
    """What the edition before had or traced and this one has not; a source that came back is no longer void."""
    if previous is None:
        return ()
    standing = {(row.record_id, row.provision) for row in rows}
    reasons = {(row.record_id, row.message): row.reason for row in left_out}
    kept = [trace for trace in previous.traces if (trace.record_id, trace.provision) not in standing]
    gone = [
        Trace(
            row.record_id,
            row.message,
            row.provision,
            reasons.get((row.record_id, row.message), "it is no longer held"),
            edition,
        )
        for row in previous.rows
        if (row.record_id, row.provision) not in standing
    ]
    return (*kept, *gone)[-MAX_TRACES:]
