"""What a charter is drafted from, or amended by: small TOML or JSON files written by people (docs/ceremonies.md)."""

import json
import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exchange.cli.ceremony_files import load, read_bytes
from exchange.cli.output import Refusal
from keys.amendment import Changes, amend_charter
from keys.ceremony import draft_charter
from schemas.charter import Chairmanship, Charter, Handover, Member, Name, Relay, Role
from schemas.errors import DecodeError
from schemas.files import RELAY_IDENTITY, ROOT_PUBLIC
from schemas.ids import Digest, MemberId
from schemas.limits import KIB

_MAX_DESCRIPTION = 512 * KIB

Hex32 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MemberPart(_Part):
    """One party: its code, role, names by language tag, and the file with the public half of its root key."""

    code: str
    role: Literal["member", "observer", "secretariat"]
    names: dict[str, str] = Field(min_length=1)
    root: str


class ChairPart(_Part):
    """The chairing member and its term; the term ends before `until`."""

    member: str
    start: date = Field(alias="from")
    until: date


class RelayPart(_Part):
    """A relay's identity file, and the SHA-256 of further TLS certificates that it may show."""

    identity: str
    tls_digests: list[Hex32] = []


class QuorumPart(_Part):
    """What differs from the defaults."""

    amend: int | None = None
    witness: int | None = None


class Description(_Part):
    """The whole description of a first version."""

    editions: list[str] = Field(min_length=1)
    chairmanship: ChairPart
    quorums: QuorumPart = QuorumPart()
    members: list[MemberPart] = Field(min_length=1)
    relays: list[RelayPart] = Field(min_length=1)


class Amendment(_Part):
    """What the next version changes; what is left out stays.

    `roots` are files with new roots of members that stay; `relays` are all relays from then on; `directory` is the file
    with the whole directory of the relay that is replaced.
    """

    admit: list[MemberPart] = []
    remove: list[str] = []
    roots: list[str] = []
    chairmanship: ChairPart | None = None
    editions: list[str] | None = Field(None, min_length=1)
    quorums: QuorumPart = QuorumPart()
    relays: list[RelayPart] | None = Field(None, min_length=1)
    directory: str | None = None


P = TypeVar("P", Description, Amendment)


def draft_from(path: Path, now: int) -> Charter:
    """The draft that a description means; names of files in it are relative to its folder. Raises Refusal."""
    description = _read(path, Description)
    folder = path.parent
    try:
        return draft_charter(
            list(_members(description.members, folder)),
            _chairmanship(description.chairmanship),
            list(_relays(description.relays, folder)),
            description.editions,
            (description.quorums.amend, description.quorums.witness),
            now,
        )
    except DecodeError as fault:
        raise Refusal(f"{path} does not describe a charter: {fault.where} ({fault.reason.value}); correct it") from None


def amended(path: Path, before: Charter, now: int) -> Charter:
    """The draft of the version after `before` that an amendment means. Raises Refusal, or Untrusted by the rules."""
    amendment = _read(path, Amendment)
    folder, chair, relays, editions = path.parent, amendment.chairmanship, amendment.relays, amendment.editions
    try:
        changes = Changes(
            admitted=tuple(_members(amendment.admit, folder)),
            removed=tuple(MemberId(code) for code in amendment.remove),
            roots=tuple(load(folder / name, ROOT_PUBLIC) for name in amendment.roots),
            chairmanship=None if chair is None else _chairmanship(chair),
            relays=None if relays is None else tuple(_relays(relays, folder)),
            editions=None if editions is None else tuple(editions),
            amend=amendment.quorums.amend,
            witness=amendment.quorums.witness,
            handover=None if amendment.directory is None else _handover(folder / amendment.directory, before),
        )
        return amend_charter(before, changes, now)
    except DecodeError as fault:
        raise Refusal(f"{path} does not describe a charter: {fault.where} ({fault.reason.value}); correct it") from None


def _read(path: Path, kind: type[P]) -> P:
    data = read_bytes(path, _MAX_DESCRIPTION)
    try:
        text = data.decode("utf-8")
        tree = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return kind.model_validate(tree)
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        raise Refusal(f"{path}: {where}: {first['msg']}; see docs/ceremonies.md") from None
    except (ValueError, RecursionError) as fault:
        raise Refusal(f"{path} is neither TOML nor, as .json, JSON: {fault}") from None


def _members(parts: Iterable[MemberPart], folder: Path) -> Iterator[Member]:
    for part in parts:
        path = folder / part.root
        root = load(path, ROOT_PUBLIC)
        if root.member != part.code:
            raise Refusal(f"{path} is the root key of {root.member}, not of {part.code}: give the right file")
        names = tuple(Name(language, part.names[language]) for language in sorted(part.names))
        yield Member(MemberId(part.code), Role[part.role.upper()], names, root.keys)


def _relays(parts: Iterable[RelayPart], folder: Path) -> Iterator[Relay]:
    for part in parts:
        relay = load(folder / part.identity, RELAY_IDENTITY)
        digests = {*relay.tls_digests, *(Digest(bytes.fromhex(text)) for text in part.tls_digests)}
        yield Relay(relay.name, relay.keys, tuple(sorted(digests)))


def _handover(path: Path, before: Charter) -> Handover:
    """Where the directory in a file ends. Raises Refusal when that is not under the version that is amended."""
    # Reading a directory loads the engines of storage, which drafting a charter otherwise does without.
    from exchange.wiring.relay_directory import verified_directory
    from keys.directory import handover_of

    directory = verified_directory(path, None)
    if directory.charter != before:
        version = directory.charter.version
        raise Refusal(f"{path} ends under version {version} of the charter, and not under the one that is amended")
    return handover_of(directory)


def _chairmanship(part: ChairPart) -> Chairmanship:
    return Chairmanship(MemberId(part.member), _midnight(part.start), _midnight(part.until))


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
