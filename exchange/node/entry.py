"""Who asks, and for which message: what every route of the node's API begins with."""

from aiohttp import web

from exchange.errors import NotFound, Unauthenticated
from exchange.node.access import Caller, Scope, authenticate, may_see
from exchange.node.parts import Parts
from exchange.storage.node_values import Message
from exchange.storage.withdrawal_port import DestroyedMessage
from schemas.content import ContentKind


class Entry:
    """The door of the API."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._stores = parts.stores
        self._doors = parts.doors

    async def caller(self, request: web.Request, scope: Scope) -> Caller:
        """The caller of a request; raises Unauthenticated, or Forbidden without the scope."""
        caller = await self.anyone(request)
        caller.require(scope)
        return caller

    async def anyone(self, request: web.Request) -> Caller:
        """The caller of a request that any token may make; raises Unauthenticated."""
        try:
            caller = await authenticate(self._stores.access, request.headers.get("Authorization", ""))
        except Unauthenticated as fault:
            self._doors.denied(request, fault)
            raise
        await self._doors.admitted(request, caller)
        return caller

    async def message(self, ident: str, caller: Caller) -> Message:
        """A message by its id in hexadecimal; what the caller may not see does not exist for it. Raises NotFound."""
        missing = NotFound("no-such-message", "there is no message with this id")
        try:
            message = await self._stores.views.message(bytes.fromhex(ident))
        except ValueError:
            raise missing from None
        if message is None and await self.destroyed(ident, caller) is not None:
            raise NotFound("message-destroyed", "its content was destroyed after its provider withdrew consent")
        # What states say to each other about consent is the desk's.
        if message is None or message.kind != ContentKind.RECORD or not may_see(caller, message):
            raise missing
        return message

    async def destroyed(self, ident: str, caller: Caller) -> DestroyedMessage | None:
        """What is left of a message whose content was destroyed, for a caller that might have seen it."""
        try:
            row = await self._stores.destroyed.destroyed(bytes.fromhex(ident))
        except ValueError:
            return None
        return row if row is not None and may_see(caller, row) else None
