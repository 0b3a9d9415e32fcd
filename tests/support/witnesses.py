"""Member nodes as witnesses of a relay in another process: each keeps a session and cosigns, and does nothing else.

async with witnessing(world, relay) as witnesses:
    witnesses.url = await process.url()
    await witnessed(http, witnesses.url)
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiohttp

from keys.digests import key_id
from schemas.charter import HybridPublic
from schemas.errors import DecodeError
from schemas.ids import Digest
from schemas.relayapi import (
    MAX_FRAME,
    PATH_SESSION,
    Challenge,
    Welcome,
    WitnessAnswer,
    WitnessRequest,
    decode_frame,
    encode_frame,
)
from tests.support.cosigners import Cosigner, voters
from tests.support.waiting import until_async
from tests.support.world import World

_PAUSE = 0.02


class Witnesses:
    """Sessions of several members with the relay at `url`, which a test changes when the relay moves."""

    def __init__(self, world: World, relay: HybridPublic, members: Iterable[str], tls: Digest | None) -> None:
        self.url: str | None = None
        self.cosigners = {code: Cosigner(world, code, relay) for code in members}
        self.answers: list[WitnessAnswer] = []
        self._world = world
        self._relay = key_id(relay)
        self._tls = tls

    async def keep(self, member: str, http: aiohttp.ClientSession) -> None:
        """Cosign in the name of a member until cancelled; a session that ends is begun again."""
        while True:
            try:
                if self.url is not None:
                    await self._session(member, http, self.url)
            except (aiohttp.ClientError, OSError, TypeError, DecodeError):
                pass
            await asyncio.sleep(_PAUSE)

    async def _session(self, member: str, http: aiohttp.ClientSession, url: str) -> None:
        async with http.ws_connect(url + PATH_SESSION, max_msg_size=MAX_FRAME + 1, ssl=False) as socket:
            challenge = decode_frame(await socket.receive_bytes())
            assert isinstance(challenge, Challenge)
            now = int(time.time())
            proof, _ = self._world.session(member, challenge.nonce, relay=self._relay, time=now, tls_digest=self._tls)
            await socket.send_bytes(encode_frame(proof))
            assert isinstance(decode_frame(await socket.receive_bytes()), Welcome)
            async for message in socket:
                frame = decode_frame(message.data)
                if isinstance(frame, WitnessRequest):
                    answer = self.cosigners[member].answer(frame.body, int(time.time()))
                    self.answers.append(answer)
                    await socket.send_bytes(encode_frame(answer))


@asynccontextmanager
async def witnessing(
    world: World, relay: HybridPublic, members: Iterable[str] | None = None, tls: Digest | None = None
) -> AsyncIterator[Witnesses]:
    """Witnesses of these members, by default of all that count, as long as the block lasts."""
    witnesses = Witnesses(world, relay, voters(world) if members is None else members, tls)
    async with aiohttp.ClientSession() as http:
        tasks = [asyncio.create_task(witnesses.keep(member, http)) for member in witnesses.cosigners]
        try:
            yield witnesses
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def witnessed(http: aiohttp.ClientSession, url: str) -> None:
    """Wait until the relay decides by all that stands in its directory."""

    async def asked() -> bool:
        async with http.get(f"{url}/readyz", ssl=False) as response:
            told = await response.json()
        return response.status == 200 and told["published_size"] == told["directory_size"] > 0

    await until_async(asked)
