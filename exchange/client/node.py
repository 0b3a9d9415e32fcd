"""The client of a node's interface, for the software of a ministry."""

import asyncio
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import aiohttp

from exchange.client import answers
from exchange.client.audit import Audit
from exchange.client.consent import Consent
from exchange.client.database import Database
from exchange.client.errors import BadAnswer, NotPrivate, Problem
from exchange.client.evidence import Evidence
from exchange.client.formats import Formats
from exchange.client.joint import Joint
from exchange.client.matters import Matters
from exchange.client.models import Attachment, Box, Event, Members, Message, Queued, Summary
from exchange.client.releases import Releases
from exchange.client.retry import Retry
from exchange.client.sse import RawEvent, SseParser
from exchange.client.token import checked_token, checked_url, read_token
from exchange.client.transport import Transport
from exchange.client.upload import Progress, form_body, json_body
from exchange.client.withdrawals import Withdrawals

_PAGE = 100
_PIECE = 256 * 1024


class Terms(TypedDict, total=False):
    """Under which terms a record is provided; what is left out is for the node to choose (onward: `none`).

    `until` is a date or an RFC 3339 time, `not_before` an RFC 3339 time, `expires` a span such as `30d` or `12h`, or
    seconds; `thread` the id of a record, or of the message that holds it, which the record is to refer to; the other
    codes are those of the command line. `classes`: what this state calls the classes of information that it belongs to.
    `joint`: the other states that provide it together with this one, which all have
    to sign before it is sent; `sign_by`: for how long they are waited for, a span.
    """

    onward: str
    purpose: str
    until: str
    not_before: str
    tlp: str
    copy_secretariat: bool
    precedence: str
    expires: str | int
    thread: str
    classes: list[str]
    joint: list[str]
    sign_by: str | int


class NodeClient(Audit, Consent, Database, Evidence, Formats, Joint, Matters, Releases, Withdrawals):
    """A connection to one node.

        async with NodeClient("https://node.example:8443", token_file=Path("token")) as node:
            queued = await node.send(["IND", "PAK"], "2.1.1.b", record)

    Every request is repeated on network faults and on 408, 425, 429, 502, 503 and 504, as `retry` says, and always
    with the same idempotency key. Raises Problem when the node refuses, Unreachable when it does not answer, BadAnswer
    when something else answers, ValueError for what cannot be the id of a message.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        token_file: Path | str | None = None,
        tls: ssl.SSLContext | None = None,
        retry: Retry | None = None,
    ) -> None:
        """`token`, or `token_file`: a file that only its owner can read. Raises NotPrivate."""
        if (token is None) == (token_file is None):
            raise NotPrivate("give the node's token or the file that holds it, one of the two")
        checked = read_token(Path(token_file)) if token_file is not None else checked_token(token or "", "the token")
        self._transport = Transport(checked_url(url), checked, retry or Retry(), tls)

    async def __aenter__(self) -> Self:
        """Open the session."""
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self._transport.close()

    async def send(
        self,
        to: Sequence[str],
        measure: str,
        record: Mapping[str, Any],
        *,
        attachments: Sequence[Attachment | Path | str] = (),
        idempotency_key: str | None = None,
        progress: Progress | None = None,
        **terms: Unpack[Terms],
    ) -> Queued:
        """Hand a record over for sending; when this returns, the node has it durably.

        `idempotency_key`: give your own, and the same again after a crash, so that the record is sent once. Raises
        OSError when an attachment cannot be read.
        """
        message = {"to": list(to), "measure": measure, "record": record, **terms}
        files = [Attachment.of(source) for source in attachments]
        for file in files:
            file.path.stat()
        return answers.queued(
            await self._transport.json(
                "POST",
                "v1/messages",
                headers={"Idempotency-Key": idempotency_key or uuid.uuid4().hex},
                body=(lambda: form_body(message, files, progress)) if files else (lambda: json_body(message)),
            )
        )

    async def forward(
        self,
        message_id: str,
        to: Sequence[str],
        *,
        precedence: str | None = None,
        expires: str | int | None = None,
        purpose: str | None = None,
        idempotency_key: str | None = None,
    ) -> Queued:
        """Pass a received message on; a Problem of status 403 names the provider whose consent is missing.

        Another `purpose` than its providers' takes their Grants for that purpose.
        """
        asked = {"to": list(to), "precedence": precedence, "expires": expires, "purpose": purpose}
        body = {name: value for name, value in asked.items() if value is not None}
        return answers.queued(
            await self._transport.json(
                "POST",
                f"v1/messages/{_segment(message_id)}/forward",
                headers={"Idempotency-Key": idempotency_key or uuid.uuid4().hex},
                body=lambda: json_body(body),
            )
        )

    async def messages(self, box: Box = "inbox") -> AsyncIterator[Summary]:
        """All messages of a box that this token may read, page after page."""
        cursor: str | None = None
        while True:
            rows, following = await self.page(box, cursor)
            for row in rows:
                yield row
            if following is None or following == cursor:
                return
            cursor = following

    async def page(
        self, box: Box = "inbox", after: str | None = None, limit: int = _PAGE
    ) -> tuple[list[Summary], str | None]:
        """At most `limit` messages after a cursor, and the cursor of the next page, None on the last."""
        params = {"box": box, "limit": str(limit)} | ({"after": after} if after is not None else {})
        return answers.page(await self._transport.json("GET", "v1/messages", params=params))

    async def message(self, message_id: str) -> Message:
        """A message with its record and terms."""
        return answers.message(await self._transport.json("GET", f"v1/messages/{_segment(message_id)}"))

    async def attachment(self, message_id: str, index: int) -> AsyncIterator[bytes]:
        """The bytes of an attachment, piece by piece; complete only when the iteration ends without an error."""
        response = await self._transport.stream(f"v1/messages/{_segment(message_id)}/attachments/{index:d}")
        async with response:
            try:
                async for piece in response.content.iter_chunked(_PIECE):
                    yield piece
            except (aiohttp.ClientError, TimeoutError) as fault:
                raise self._transport.unreachable(fault) from None

    async def events(self, last_id: str | None = None) -> AsyncIterator[Event]:
        """What happens at the node, without end; connects again after a break and misses nothing.

        `last_id`: of the last event already handled; None begins with the oldest that the node has. Raises Unreachable
        when the node stays away for longer than the retries last; go on later with the id of the last event.
        """
        silent = 0
        while True:
            parser = SseParser(last_id)
            async for raw in self._connection(parser):
                silent = 0
                last_id = raw.id
                yield _event(raw)
            silent += 1
            await asyncio.sleep(self._transport.retry.wait(silent))

    async def inbox(self, last_id: str | None = None) -> AsyncIterator[Message]:
        """New messages as they arrive, without end; to go on after a restart, give the last one's `event_id`."""
        async for event in self.events(last_id):
            if event.kind != "message.received":
                continue
            try:
                path = f"v1/messages/{_segment(str(event.data.get('id')))}"
                yield answers.message(await self._transport.json("GET", path), event.id)
            except Problem as problem:
                # Purged since, or of a measure that this token may not read.
                if problem.status != 404:
                    raise

    async def members(self) -> Members:
        """Who is a party, and who can receive now."""
        return answers.members(await self._transport.json("GET", "v1/members"))

    async def status(self) -> dict[str, Any]:
        """The node's own state; the token needs the scope `admin`."""
        return answers.mapping(await self._transport.json("GET", "v1/status"))

    async def _connection(self, parser: SseParser) -> AsyncIterator[RawEvent]:
        """The events of one connection, until it breaks."""
        headers = {"Accept": "text/event-stream"}
        if parser.last_id is not None:
            headers["Last-Event-ID"] = parser.last_id
        response = await self._transport.stream("v1/events", headers)
        try:
            if response.content_type != "text/event-stream":
                raise BadAnswer("the answer is no event stream: check that the address is the node's")
            async for piece in response.content.iter_any():
                for raw in parser.feed(piece):
                    yield raw
        except (aiohttp.ClientError, TimeoutError):
            return
        finally:
            response.close()


def _segment(message_id: str) -> str:
    """An id as one segment of a path; raises ValueError."""
    if not message_id.isalnum() or not message_id.isascii():
        raise ValueError("a message's id has letters and digits only: take it from `inbox` or `send`")
    return message_id


def _event(raw: RawEvent) -> Event:
    try:
        data = json.loads(raw.data)
    except (ValueError, RecursionError):
        raise BadAnswer("an event's data is no JSON: check that the address is the node's") from None
    return Event(raw.id, raw.kind, answers.mapping(data))
