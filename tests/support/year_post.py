"""What ministries wrote in the year, and what became of it, by what stands in the stores of both sides."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exchange.node.files import manifest_name
from schemas.canon import decode
from schemas.content import read_manifest
from schemas.limits import MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT, SignedAcknowledgement
from tests.support.node import MEASURE, bare_record, ministry
from tests.support.year_node import YearNode


@dataclass(slots=True)
class Letter:
    """A message: who wrote it to whom, when (Unix seconds), its title. `waited`: what it was said to wait for."""

    id: bytes
    sender: str
    to: tuple[str, ...]
    title: str
    time: int
    waited: list[str] = field(default_factory=list)


class Post:
    """All letters."""

    def __init__(self) -> None:
        self.letters: dict[bytes, Letter] = {}
        self._open: set[str] = set()

    async def write(self, node: YearNode, to: Iterable[str], expires: str, now: int) -> Letter:
        """A ministry of a node writes to others."""
        title = f"letter {len(self.letters)} of {node.code}"
        record = {**bare_record(), "title": {"en": title, "ru": title}}
        request: dict[str, Any] = {"to": sorted(to), "measure": MEASURE, "record": record, "expires": expires}
        taken = await node.wheels.composer.send(request, (), ministry(), None)
        letter = Letter(taken.message, node.code, tuple(sorted(to)), title, now)
        self.letters[letter.id] = letter
        self._open.add(node.code)
        return letter

    def open_at(self, node: YearNode) -> bool:
        """Whether there is anything to seal or to send."""
        return node.code in self._open

    async def dispatch(self, node: YearNode) -> None:
        """A node seals what can be sealed and sends what can be sent; what waits says why."""
        await node.wheels.send()
        query = "SELECT id, state, waits FROM messages WHERE box = 'outbox' AND state IN ('queued', 'sealed')"
        rows = _rows(node.folder, query)
        for row in rows:
            waited = self.letters[row["id"]].waited
            if row["waits"] is not None and row["waits"] not in waited:
                waited.append(row["waits"])
        if not rows:
            self._open.discard(node.code)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one letter on its way to one recipient, by the sender's store.

    Attributes:
        accepted: when the relay accepted it (Unix seconds), None when it never did.
        expires: when the envelope expires, None when it was never sealed.
        fault: why it was refused, or could not be sent at last.
    """

    letter: Letter
    recipient: str
    state: str
    accepted: int | None
    expires: int | None
    fault: str | None


def fates(post: Post, node: YearNode) -> Iterator[Fate]:
    """The fates of all letters of a sender."""
    query = "SELECT message, receipt, expires, fault FROM outbox ORDER BY created"
    envelopes = {row["message"]: row for row in _rows(node.folder, query)}
    for row in _rows(node.folder, "SELECT message, member, state FROM recipients"):
        letter = post.letters.get(row["message"])
        if letter is None or letter.sender != node.code:
            continue
        sent = envelopes.get(letter.id)
        receipt = None if sent is None else sent["receipt"]
        yield Fate(
            letter,
            row["member"],
            row["state"],
            None if receipt is None else decode(SIGNED_RECEIPT, receipt, 2 * MAX_SMALL_OBJECT).receipt.time,
            None if sent is None else sent["expires"],
            None if sent is None else sent["fault"],
        )


def sealed_as(node: YearNode, letter: Letter) -> list[str]:
    """What became of each envelope of a letter, the oldest first."""
    rows = _rows(node.folder, "SELECT message, state FROM outbox ORDER BY created")
    return [row["state"] for row in rows if row["message"] == letter.id]


def answers(node: YearNode) -> dict[bytes, SignedAcknowledgement]:
    """By message, the node's answer to the envelope that brought it."""
    rows = _rows(node.folder, "SELECT provision, acknowledgement FROM received WHERE outcome = 'delivered'")
    given = {row["provision"][:16]: row["acknowledgement"] for row in rows}
    return {name: decode(SIGNED_ACKNOWLEDGEMENT, raw, 2 * MAX_SMALL_OBJECT) for name, raw in given.items()}


def outcomes(node: YearNode) -> Counter[str]:
    """What a node answered to all that reached it."""
    return Counter(row["outcome"] for row in _rows(node.folder, "SELECT outcome FROM received"))


def alarms(node: YearNode) -> Counter[str]:
    """What a node told its operators."""
    return Counter(row["kind"] for row in _rows(node.folder, "SELECT kind FROM alarms"))


async def titles(node: YearNode) -> dict[bytes, str]:
    """The titles of all messages in a node's inbox, opened with its local key."""
    vault, views = node.wheels.parts.keyring.vault, node.wheels.parts.stores.views
    found = {}
    for row in _rows(node.folder, "SELECT id FROM messages WHERE box = 'inbox'"):
        message = await views.message(row["id"])
        assert message is not None
        raw = vault.open("manifest", manifest_name(message.id, message.attachments), message.sealed_manifest)
        found[message.id] = json.loads(read_manifest(raw).body)["title"]["en"]
    return found


def _rows(folder: Path, query: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(f"{(folder / 'node.db').as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(query).fetchall()
