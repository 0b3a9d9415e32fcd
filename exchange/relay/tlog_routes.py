"""The logs over HTTP, in the form of tlog-tiles: checkpoints, tiles, entries; and proofs of what stands there.

GET /v1/log/{log}/checkpoint
GET /v1/log/{log}/tile/...
GET /v1/log/audit/proof?sender=CODE&envelope=ID[&recipient=CODE]

The directory's log is open to everybody, at a bounded rate. The audit log is for members, and a proof from it for those
whom the envelope concerns: its leaves say who sent what to the relay, and when.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from exchange.errors import Malformed, NotFound
from exchange.relay.admission import Rates
from exchange.relay.limits import LEAVES_BYTES
from exchange.relay.tlog import Log, Published
from exchange.relay.tlog_both import Logs
from exchange.relay.tlog_proofs import LogProofs
from exchange.storage.log_port import AUDIT, DIRECTORY
from exchange.storage.port import EnvelopeKey, RelayStore
from keys.tiles import ENTRIES, Tile, entry_bundle, log_entry, parse_path, width_at
from schemas.canon import encode
from schemas.errors import DecodeError
from schemas.evidence import LOGGED_ENTRY
from schemas.ids import Digest, EnvelopeId, MemberId, member_id
from schemas.origin import ORIGINS
from schemas.relayapi import PATH_LOG

_TEXT: Final = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"}
# What lies at the path of a tile never changes.
_LASTING: Final = {"Content-Type": "application/octet-stream", "Cache-Control": "max-age=31536000, immutable"}

Signed = Callable[[web.Request, bytes], MemberId]
"""The member that signed a request with this body. Raises Unauthenticated or TooMany."""


class LogRoutes:
    """The handlers, one for each row of the module's table."""

    def __init__(self, logs: Logs, store: RelayStore, proofs: LogProofs, rates: Rates, signed: Signed) -> None:
        """`add_to` binds them."""
        self._logs = logs
        self._store = store
        self._proofs = proofs
        self._rates = rates
        self._signed = signed

    def add_to(self, app: web.Application) -> None:
        """Bind every path."""
        app.add_routes(
            [
                web.get(PATH_LOG + "/{log}/checkpoint", self.get_checkpoint, allow_head=False),
                web.get(PATH_LOG + "/{log}/{tile:tile/.*}", self.get_tile, allow_head=False),
                web.get(f"{PATH_LOG}/{AUDIT}/proof", self.get_proof, allow_head=False),
            ]
        )

    async def get_checkpoint(self, request: web.Request) -> web.Response:
        """The newest published checkpoint with its cosignatures."""
        _, published = self._published(request)
        return web.Response(body=published.note, headers=_TEXT)

    async def get_tile(self, request: web.Request) -> web.Response:
        """A tile of hashes, or a bundle of directory entries, of the log as it is published."""
        log, published = self._published(request)
        try:
            tile = parse_path(request.match_info["tile"])
        except DecodeError:
            raise _no_tile() from None
        bundle = tile.level == ENTRIES
        if tile.width > width_at(tile.level, tile.index, published.checkpoint.size) or (bundle and log.name == AUDIT):
            raise _no_tile()
        data = await self._bundle(tile) if bundle else await asyncio.to_thread(log.tree.files.read, tile)
        return web.Response(body=data, headers=_LASTING)

    async def get_proof(self, request: web.Request) -> web.Response:
        """That an envelope's acceptance, or a recipient's acknowledgement of it, is in the audit log."""
        member = self._signed(request, b"")
        key = _envelope_of(request)
        (held,) = await self._store.find([key])
        if held is None or member not in (key.sender, *held.recipients):
            raise NotFound("envelope-unknown", "this relay has accepted no such envelope of or for this member")
        if "recipient" in request.query:
            body = await self._answer(key, held.header_digest, request.query["recipient"])
        else:
            body = encode(ORIGINS, await self._proofs.origin(await self._store.leaf_of(key.sender, key.id)))
        return web.Response(body=body, content_type="application/octet-stream")

    async def _answer(self, key: EnvelopeKey, header: Digest, recipient: str) -> bytes:
        try:
            member = member_id(recipient)
        except DecodeError:
            raise Malformed("bad-member", "recipient has to be a member's code") from None
        found = await self._store.answer_leaf_of(member, key.id, header)
        if found is None:
            raise NotFound("not-acknowledged", f"this relay has no acknowledgement of this envelope by {member}")
        return encode(LOGGED_ENTRY, await self._proofs.entry(found))

    def _published(self, request: web.Request) -> tuple[Log, Published]:
        """The log that a request names and may read, and its published checkpoint."""
        log = self._logs.log(request.match_info["log"])
        if log is None:
            raise NotFound("no-such-log", f"there are two logs: {DIRECTORY} and {AUDIT}")
        if log.name == AUDIT:
            self._signed(request, b"")
        else:
            self._rates.take(request.remote, asyncio.get_running_loop().time())
        if log.published is None:
            raise NotFound("no-checkpoint", "no checkpoint of this log is published yet: try again")
        return log, log.published

    async def _bundle(self, tile: Tile) -> bytes:
        entries: list[bytes] = []
        while len(entries) < tile.width:
            entries += await self._store.entries(tile.start + len(entries), LEAVES_BYTES)
        return entry_bundle([log_entry(entry) for entry in entries[: tile.width]])


def _no_tile() -> NotFound:
    return NotFound("no-such-tile", "this log has no such tile: see its checkpoint")


def _envelope_of(request: web.Request) -> EnvelopeKey:
    try:
        raw = bytes.fromhex(request.query.get("envelope", ""))
        sender = member_id(request.query.get("sender", ""))
    except (ValueError, DecodeError):
        raw, sender = b"", MemberId("")
    if len(raw) != 16:
        raise Malformed("bad-envelope-id", "sender has to be a member's code, envelope 32 hexadecimal digits")
    return EnvelopeKey(sender, EnvelopeId(raw))
