"""Tells what must not be: an alarm, once a day for each kind and member, with a proof file that others can check.

proofs/KIND-MEMBER-DATE.cbm    in the node's folder; KIND-DATE.cbm when it concerns nobody in particular
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from exchange.clock import Clock
from exchange.errors import Unavailable
from exchange.node.books import Books
from exchange.node.following import Report
from exchange.node.keyring import Keyring
from exchange.node.watch import Own
from exchange.process import write_durably
from exchange.storage.node_values import Alarm
from schemas.canon import encode
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY
from schemas.observation import OBSERVATION, Observation, SignedObservation, encode_proof

FOLDER: Final = "proofs"
# Each may hold the whole directory.
_MOST: Final = 64


class Guard:
    """Raises alarms with their proofs, and knows to whom nothing may be sent."""

    def __init__(
        self,
        folder: Path,
        keyring: Keyring,
        certified: Callable[[], frozenset[KeyId]],
        books: Books,
        clock: Clock,
        max_age: int,
    ) -> None:
        """`certified`: which signing keys are known to be this node's; `max_age`: of the directory, in seconds."""
        self._folder = folder / FOLDER
        self._keyring = keyring
        self._certified = certified
        self._books = books
        self._clock = clock
        self._told: set[str] = set()
        self.max_age = max_age

    async def own(self) -> Own:
        """What this node knows to be its own."""
        keys = self._certified() | {self._keyring.signing.key_id}
        withdrawn = frozenset(pending.entry for pending in await self._books.withdrawals.pending())
        restored = await self._books.trust.restored()
        return Own(self._keyring.signing.owner, keys, self._keyring.holds, restored, withdrawn)

    async def report(self, report: Report) -> None:
        """Raise the alarm, with its proof; what concerns another member holds back what is for it."""
        alarm = await self.prove(report)
        if alarm is None:
            return
        hold = report.member if report.member != self._keyring.signing.owner else None
        await self._books.trust.save_alarm(alarm, hold)
        self._told.add(alarm.fact)

    async def prove(self, report: Report) -> Alarm | None:
        """Write the proof; the alarm that names it, to be stored. None when it was told today already."""
        now = self._clock.now()
        kind, day = report.kind.label, now // DAY
        fact = f"{kind}:{report.member or ''}:{day}"
        if fact in self._told:
            return None
        date = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
        name = "-".join(part for part in (kind, report.member, date) if part) + ".cbm"
        stored = await self._books.access.directory()
        proof = await asyncio.to_thread(self._write, self._folder / name, report, stored, now)
        return Alarm(fact, kind, report.member, f"{report.detail}; {proof}", now)

    async def tell(self, kind: str, detail: str) -> None:
        """An alarm without a proof, once a day."""
        now = self._clock.now()
        fact = f"{kind}:{now // DAY}"
        if fact not in self._told:
            await self._books.trust.save_alarm(Alarm(fact, kind, None, detail, now), None)
        self._told.add(fact)

    async def require_no_hold(self, members: Sequence[MemberId]) -> None:
        """Raises Unavailable when nothing may be sent to one of these members."""
        for hold in await self._books.hand.holds():
            if hold.member in members:
                raise Unavailable(
                    "held",
                    f"sending to {hold.member} is held for {hold.kind}: ask {hold.member}, then "
                    f"`cbm node release-hold {hold.member}`",
                )

    def _write(self, path: Path, report: Report, stored: Sequence[bytes], now: int) -> str:
        """Where the proof is, or why there is none, in words."""
        told = f"proof: {path.parent.name}/{path.name}"
        if path.exists():
            return told
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if sum(1 for _ in self._folder.iterdir()) >= _MOST:
                return f"no proof was written: {FOLDER}/ is full, keep its files elsewhere"
            write_durably(path, self._encoded(report, (*stored, *report.entries), now), 0o600)
        except (DecodeError, OSError) as fault:
            return f"no proof was written: {fault}"
        return told

    def _encoded(self, report: Report, entries: Sequence[bytes], now: int) -> bytes:
        identity = self._keyring.signing
        body = encode(
            OBSERVATION,
            Observation(
                kind=report.kind,
                member=identity.owner,
                key_id=identity.key_id,
                time=now,
                held=report.held,
                shown=report.shown,
                receipt=report.receipt,
                index=report.index,
                root=report.root,
                path=report.path,
            ),
        )
        return encode_proof(SignedObservation(body, identity.sign_bytes(Context.OBSERVATION, body)), entries)
