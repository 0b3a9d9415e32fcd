"""The description that a charter is drafted from: a small TOML or JSON file written by people (docs/ceremonies.md)."""

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exchange.cli.ceremony_files import load, read_bytes
from exchange.cli.output import Refusal
from keys.ceremony import draft_charter
from schemas.charter import Chairmanship, Charter, Member, Name, Relay, Role
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
    """The whole description."""

    editions: list[str] = Field(min_length=1)
    chairmanship: ChairPart
    quorums: QuorumPart = QuorumPart()
    members: list[MemberPart] = Field(min_length=1)
    relays: list[RelayPart] = Field(min_length=1)


def draft_from(path: Path, now: int) -> Charter:
    """The draft that a description means; names of files in it are relative to its folder. Raises Refusal."""
    description = _read(path)
    folder = path.parent
    chair = description.chairmanship
    try:
        return draft_charter(
            list(_members(description, folder)),
            Chairmanship(MemberId(chair.member), _midnight(chair.start), _midnight(chair.until)),
            list(_relays(description, folder)),
            description.editions,
            (description.quorums.amend, description.quorums.witness),
            now,
        )
    except DecodeError as fault:
        raise Refusal(f"{path} does not describe a charter: {fault.where} ({fault.reason.value}); correct it") from None


def _read(path: Path) -> Description:
    data = read_bytes(path, _MAX_DESCRIPTION)
    try:
        text = data.decode("utf-8")
        tree = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return Description.model_validate(tree)
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        raise Refusal(f"{path}: {where}: {first['msg']}; see docs/ceremonies.md") from None
    except (ValueError, RecursionError) as fault:
        raise Refusal(f"{path} is neither TOML nor, as .json, JSON: {fault}") from None


def _members(description: Description, folder: Path) -> Iterator[Member]:
    for part in description.members:
        path = folder / part.root
        root = load(path, ROOT_PUBLIC)
        if root.member != part.code:
            raise Refusal(f"{path} is the root key of {root.member}, not of {part.code}: give the right file")
        names = tuple(Name(language, part.names[language]) for language in sorted(part.names))
        yield Member(MemberId(part.code), Role[part.role.upper()], names, root.keys)


def _relays(description: Description, folder: Path) -> Iterator[Relay]:
    for part in description.relays:
        relay = load(folder / part.identity, RELAY_IDENTITY)
        digests = {*relay.tls_digests, *(Digest(bytes.fromhex(text)) for text in part.tls_digests)}
        yield Relay(relay.name, relay.keys, tuple(sorted(digests)))


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
