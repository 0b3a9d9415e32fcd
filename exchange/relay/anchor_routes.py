"""Members' logs over HTTP; every request is signed, and any member may read.

POST /v1/anchors                      Anchor -> Anchored
GET  /v1/anchors/{member}             the newest signed checkpoint
GET  /v1/anchors/{member}/hashes      ?from=N -> hashes of leaves, 32 bytes each
GET  /v1/anchors/{member}/proof       ?size=N -> LoggedEntry of the relay's log

A hash of a leaf is of a salted entry: it says that there is one, and nothing of it.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from exchange.errors import Malformed, NotFound
from exchange.relay.anchors import Anchors
from exchange.relay.limits import ANCHOR_HASHES
from exchange.relay.tlog_proofs import LogProofs
from exchange.storage.anchor_port import AnchorStore
from schemas.anchor import ANCHORED
from schemas.canon import encode
from schemas.errors import DecodeError
from schemas.evidence import LOGGED_ENTRY
from schemas.ids import MemberId, member_id
from schemas.limits import MAX_ANCHOR
from schemas.relayapi import PATH_ANCHORS

_OCTETS: Final = "application/octet-stream"

Signed = Callable[[web.Request, bytes], MemberId]
"""The member that signed a request with this body. Raises Unauthenticated or TooMany."""
Read = Callable[[web.Request, int], Awaitable[bytes]]
"""The body of a request of this size at most. Raises TooLarge or TooSlow."""


class AnchorRoutes:
    """The handlers, one for each row of the module's table."""

    def __init__(self, anchors: Anchors, store: AnchorStore, proofs: LogProofs, signed: Signed, read: Read) -> None:
        """`add_to` binds them."""
        self._anchors = anchors
        self._store = store
        self._proofs = proofs
        self._signed = signed
        self._read = read

    def add_to(self, app: web.Application) -> None:
        """Bind every path."""
        app.add_routes(
            [
                web.post(PATH_ANCHORS, self.post_anchor),
                web.get(PATH_ANCHORS + "/{member}", self.get_note, allow_head=False),
                web.get(PATH_ANCHORS + "/{member}/hashes", self.get_hashes, allow_head=False),
                web.get(PATH_ANCHORS + "/{member}/proof", self.get_proof, allow_head=False),
            ]
        )

    async def post_anchor(self, request: web.Request) -> web.Response:
        """Take in an anchor of the member that asks."""
        raw = await self._read(request, MAX_ANCHOR)
        anchored = await self._anchors.take(self._signed(request, raw), raw)
        return web.Response(body=encode(ANCHORED, anchored), content_type=_OCTETS)

    async def get_note(self, request: web.Request) -> web.Response:
        """The newest checkpoint of a member's log."""
        self._signed(request, b"")
        note = await self._store.anchor_note(_member_of(request))
        if note is None:
            raise _no_anchor()
        return web.Response(body=note, headers={"Content-Type": "text/plain; charset=utf-8"})

    async def get_hashes(self, request: web.Request) -> web.Response:
        """Hashes from an index, as many as are sent at once."""
        self._signed(request, b"")
        hashes = await self._store.member_hashes(_member_of(request), _number(request, "from"), ANCHOR_HASHES)
        return web.Response(body=hashes, content_type=_OCTETS)

    async def get_proof(self, request: web.Request) -> web.Response:
        """That an anchor of so many leaves or more stands in the relay's log."""
        self._signed(request, b"")
        leaf = await self._store.anchor_leaf(_member_of(request), _number(request, "size"))
        if leaf is None:
            raise _no_anchor()
        return web.Response(body=encode(LOGGED_ENTRY, await self._proofs.entry(leaf)), content_type=_OCTETS)


def _no_anchor() -> NotFound:
    return NotFound("no-anchor", "no such anchor of this member is here")


def _member_of(request: web.Request) -> MemberId:
    try:
        return member_id(request.match_info["member"])
    except DecodeError:
        raise Malformed("bad-member", "the path has a member's code") from None


def _number(request: web.Request, name: str) -> int:
    text = request.query.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Malformed("bad-index", f"{name} has to be a number of leaves")
    return int(text)
