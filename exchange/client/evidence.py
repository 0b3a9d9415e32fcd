"""Evidence about messages, as files that anyone can judge with the charter."""

from typing import Final

from exchange.client.transport import Transport

# The directory in it, of decades.
_MOST: Final = 512 * 1024 * 1024


class Evidence:
    """The part of `NodeClient` that exports evidence; the token needs the scope `audit`."""

    _transport: Transport

    async def evidence(self, subject: str, *, content: bool = False) -> bytes:
        """What the node has on file of a message, or of the streams with a member (its code).

        `content`: with what was said in it, which is an export: a Problem of status 403 names who did not allow that.
        """
        if not subject.isalnum() or not subject.isascii():
            raise ValueError("give a message's id, or a member's code")
        params = {"content": "true"} if content else {}
        return (await self._transport.file(f"v1/evidence/{subject}", params, _MOST))[0]
