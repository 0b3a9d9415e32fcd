"""How the node's view of the directory follows the relay: fetched, judged, adopted, and told when it must not be.

What counts is what a quorum has cosigned (`exchange.node.following` decides). Whatever a node decides, it decides by
`current`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from exchange.errors import ExchangeError, Unavailable
from exchange.logs import get_logger
from exchange.node.directory_store import StoredDirectory
from exchange.node.following import (
    LOG,
    Facts,
    Growth,
    Known,
    Report,
    judge_shown,
    kept_back,
    prove_split,
    read_known,
    split_from,
    stale,
)
from exchange.node.keyring import Keyring
from exchange.node.transport import RelayClient
from exchange.storage.trust_port import Heard
from keys.checkpoint import Checkpoint, SignedCheckpoint, parse_signed
from keys.directory import extend
from keys.errors import KeyFault, Untrusted
from keys.merkle import MemoryTree
from keys.quorum import known_log
from keys.tiles import entry_hash
from schemas.canon import encode
from schemas.errors import DecodeError
from schemas.ids import Digest, MemberId
from schemas.limits import MAX_DIRECTORY_SIZE
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry, read_entry

# Pages of one update; each holds thousands of entries.
_MAX_PAGES: Final = 256
# Pages that are looked at beyond the cosigned directory.
_AHEAD: Final = 4
# How long the relay may take to show here what another member has been shown.
PATIENCE: Final = 600

_log = get_logger("directory")


class DirectoryFault(ExchangeError):
    """The relay shows a directory that must not be; nothing of it is used, and an alarm with a proof tells it."""

    status = 502
    title = "Directory not to be trusted"


class DirectoryView(StoredDirectory):
    """The newest verified directory, which `update` brings further."""

    async def update(self, relay: RelayClient, now: int) -> None:
        """Fetch, judge and store what is new.

        Raises RelayUnreachable; DirectoryFault, Untrusted, BadSignature or DecodeError for what must not be: then
        nothing has changed.
        """
        async with self._lock:
            note = await relay.checkpoint(LOG)
            newest = self.newest
            rest: Sequence[bytes] = ()
            if note is None:
                if newest is not None:
                    raise Unavailable("no-checkpoint", "the relay shows no checkpoint of the directory any more")
            elif newest is None or note != newest.note:
                rest = await self._follow(relay, parse_signed(note))
            await self._look_ahead(relay, rest)
            await self._look_around(now)

    async def _follow(self, relay: RelayClient, shown: SignedCheckpoint) -> Sequence[bytes]:
        """Judge and adopt a checkpoint; gives what the relay holds beyond it."""
        size = shown.checkpoint.size
        if not 1 <= size <= MAX_DIRECTORY_SIZE:
            raise Untrusted("the relay's checkpoint is of a size that no directory has")
        growth = await self._fetched(relay, Growth(self.log(), size), size)
        facts = await self._facts(shown.checkpoint.origin)
        try:
            found = await asyncio.to_thread(judge_shown, shown, growth, facts)
        except KeyFault:
            if growth.bad is None:
                raise
            why = f"the relay's directory holds a bad entry, nothing of it is used: {growth.bad[1]}"
            raise Untrusted(why) from None
        if isinstance(found, Report):
            await self._guard.report(await self._proved(relay, found, shown.checkpoint, facts))
            raise DirectoryFault(found.kind.label, found.detail)
        await self.adopt(growth, shown, found)
        return growth.rest

    async def _facts(self, origin: str) -> Facts:
        newest, witnessed = self.newest, await self._books.trust.witnessed(origin)
        held = None
        if newest is not None and newest.note is not None:
            held = parse_signed(newest.note).checkpoint, newest.note
        known = None
        if witnessed is not None:
            known = Known(witnessed.size, Digest(witnessed.root), witnessed.note, None)
        return Facts(held, known)

    async def _fetched(self, relay: RelayClient, growth: Growth, size: int) -> Growth:
        async for page in _pages(relay, growth.size, size):
            # Hybrid signatures cost milliseconds each.
            await asyncio.to_thread(growth.take, page)
        return growth

    async def _proved(self, relay: RelayClient, report: Report, shown: Checkpoint, facts: Facts) -> Report:
        """A split view between two sizes, with the log that the relay serves, if it serves it."""
        held = facts.held
        if held is None or report.held != held[1] or report.root is not None or held[0].size >= shown.size:
            return report
        hashes: list[Digest] = []
        try:
            async for page in _pages(relay, 0, shown.size):
                hashes += [entry_hash(raw) for raw in page]
            return prove_split(report, held[0], shown, MemoryTree(hashes))
        except (KeyFault, ExchangeError, DecodeError) as fault:
            _log.warning("split-view.not-proved", why=str(fault))
            return report

    async def publish(self, relay: RelayClient, keyring: Keyring, statement: DirectoryEntry | None, now: int) -> None:
        """Publish this node's certified signing key, if new, and the epochs that are missing.

        Raises RelayUnreachable, RelayRefused, or Untrusted while the key is not certified.
        """
        if statement is not None and not self.pending.knows(keyring.signing.owner, keyring.signing.key_id):
            await relay.publish(encode(DIRECTORY_ENTRY, statement))
            await self.update(relay, now)
        entries = await asyncio.to_thread(keyring.missing_epochs, self.pending, now)
        for entry in entries:
            await relay.publish(encode(DIRECTORY_ENTRY, entry))
        if entries:
            await self.update(relay, now)

    async def _look_ahead(self, relay: RelayClient, rest: Sequence[bytes]) -> None:
        """What the relay holds beyond the cosigned directory; one bad entry ends the look."""
        view, page = self.current, tuple(rest)
        try:
            for _ in range(_AHEAD):
                page = page or await relay.directory(view.size)
                if not page:
                    break
                view, page = await asyncio.to_thread(extend, view, [read_entry(raw) for raw in page]), ()
        except (DecodeError, KeyFault) as fault:
            _log.warning("directory.ahead", why=str(fault))
        self.pending = view

    async def _look_around(self, now: int) -> None:
        """The age of what the relay shows, and what other members were shown."""
        newest = self.newest
        if newest is None or newest.note is None:
            return
        for report in stale(newest.latest, newest.note, now, self._guard.max_age):
            await self._guard.report(report)
        checkpoint, done = parse_signed(newest.note).checkpoint, []
        for heard in await self._books.trust.heard():
            found: Report | None
            if self._is_past_its_end(heard):
                found = None
            elif heard.size <= checkpoint.size:
                found = split_from(_known(heard), checkpoint, newest.note, self._tree)
            elif now - heard.time > PATIENCE:
                found = kept_back(_known(heard), checkpoint, newest.note)
            else:
                continue
            done.append(heard.member)
            if found is not None:
                await self._guard.report(found)
        if done:
            await self._books.trust.forget_heard(done)

    def _is_past_its_end(self, heard: Heard) -> bool:
        """A former relay showed it, and the handover does not count what lies there: nobody is to be blamed now."""
        log = known_log(parse_signed(heard.note).checkpoint.origin, LOG, self.current)
        return log is None or (log.end is not None and heard.size > log.end)


def _known(heard: Heard) -> Known:
    return read_known(heard.note, MemberId(heard.member))


async def _pages(relay: RelayClient, start: int, end: int) -> AsyncIterator[tuple[bytes, ...]]:
    """The relay's entries from one index to another, or as far as it has them. Raises Unavailable."""
    for _ in range(_MAX_PAGES):
        page = await relay.directory(start) if start < end else ()
        if not page:
            return
        yield page
        start += len(page)
    raise Unavailable("directory-endless", "the relay's directory does not end: check the relay")
