"""Asks witnesses that are no members' nodes: tlog-witness over HTTP. One that does not answer holds up nobody."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import aiohttp

from exchange.errors import Invalid
from exchange.logs import get_logger
from exchange.relay.config import ForeignWitness
from exchange.relay.limits import WITNESS_BYTES, WITNESS_PATIENCE
from exchange.relay.tlog_core import Witness
from keys.checkpoint import Checkpoint
from keys.note import KeyType, NoteKey, parse_vkey
from keys.witness import PATH, AddCheckpoint, parse_size
from schemas.errors import DecodeError
from schemas.relayapi import WitnessAnswer, WitnessStatus

_TIMEOUT: Final = aiohttp.ClientTimeout(total=WITNESS_PATIENCE)
_COSIGNING: Final = (KeyType.COSIGNATURE_ED25519, KeyType.COSIGNATURE_MLDSA44)

log = get_logger("relay.witness")

Answered = Callable[[Witness, str, WitnessAnswer], None]
"""Takes the answer of a witness for a log."""


def foreign_keys(witnesses: Iterable[ForeignWitness]) -> dict[Witness, Sequence[NoteKey]]:
    """The keys of each, by its address. Raises Invalid for a key that is none for cosignatures."""
    found: dict[Witness, Sequence[NoteKey]] = {}
    for witness in witnesses:
        try:
            keys = [parse_vkey(text) for text in witness.keys]
        except DecodeError as fault:
            raise Invalid("bad-config", f"a key of the witness {witness.url} is no verifier key: {fault}") from None
        if any(key.type not in _COSIGNING for key in keys):
            raise Invalid("bad-config", f"a key of the witness {witness.url} is not for cosignatures")
        found[Witness(witness.url.rstrip("/"))] = keys
    return found


class ForeignWitnesses:
    """Requests under way: at most one of each witness and log, a newer one replaces the older."""

    def __init__(self, keys: Mapping[Witness, Sequence[NoteKey]], answered: Answered) -> None:
        """`keys` of each (see `foreign_keys`)."""
        self.keys = keys
        self._answered = answered
        self._http: aiohttp.ClientSession | None = None
        self._tasks: dict[tuple[Witness, str], asyncio.Task[None]] = {}

    def ask(self, witness: Witness, name: str, request: AddCheckpoint) -> None:
        """Begin to ask; the answer, or that there is none, is told later."""
        older = self._tasks.get((witness, name))
        if older is not None:
            older.cancel()
        self._tasks[witness, name] = asyncio.create_task(self._ask(witness, name, request))

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def _ask(self, witness: Witness, name: str, request: AddCheckpoint) -> None:
        checkpoint = request.signed.checkpoint
        try:
            status, data = await self._post(f"{witness}/{PATH}", request.encode())
            answer = _read(status, data, checkpoint)
        except (aiohttp.ClientError, TimeoutError, OSError, DecodeError) as fault:
            log.info("witness.failed", witness=witness, log=name, why=type(fault).__name__)
            answer = WitnessAnswer(checkpoint.origin, 0, WitnessStatus.NOT_NOW, None)
        self._answered(witness, name, answer)

    async def _post(self, url: str, request: bytes) -> tuple[int, bytes]:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        async with self._http.post(url, data=request, allow_redirects=False) as response:
            data = bytearray()
            async for piece in response.content.iter_chunked(WITNESS_BYTES):
                data += piece
                if len(data) > WITNESS_BYTES:
                    raise aiohttp.ClientPayloadError("the answer is larger than any that a witness may give")
            return response.status, bytes(data)


def _read(status: int, data: bytes, asked: Checkpoint) -> WitnessAnswer:
    """An HTTP answer as the one that a node gives. Raises DecodeError."""
    if status == WitnessStatus.COSIGNED:
        return WitnessAnswer(asked.origin, asked.size, WitnessStatus.COSIGNED, data)
    if status == WitnessStatus.OTHER_SIZE:
        return WitnessAnswer(asked.origin, parse_size(data), WitnessStatus.OTHER_SIZE, None)
    known = WitnessStatus(status) if status in {member.value for member in WitnessStatus} else WitnessStatus.NOT_NOW
    return WitnessAnswer(asked.origin, 0, known, None)
