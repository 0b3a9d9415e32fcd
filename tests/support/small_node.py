"""A node's interface over a dictionary, for tests of what talks to a node: real HTTP, faults on demand."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

TOKEN = "token-of-a-test"
PROBLEM = "application/problem+json"
DROP_BEFORE = "drop before"
DROP_AFTER = "drop after"


def row(ident: str) -> dict[str, Any]:
    """A summary as the node writes it."""
    return {
        "id": ident,
        "box": "inbox",
        "sender": "KAZ",
        "recipients": [{"member": "MNG", "state": "delivered", "at": "2027-01-15T08:00:00Z"}],
        "measure": "2.1.1.b",
        "record_type": "defence-budget",
        "title": {"en": "A budget", "kk": "Бюджет"},
        "state": "received",
        "precedence": "routine",
        "tlp": "AMBER",
        "onward": "none",
        "purpose": "confidence-building",
        "created": "2027-01-15T08:00:00Z",
        "received": "2027-01-15T08:00:01Z",
        "attachments": [],
        "path": ["KAZ"],
    }


class SmallNode:
    """What a node would do, and what it saw.

    Attributes:
        faults: what happens to the next requests, in turn: a status, DROP_BEFORE or DROP_AFTER it has taken effect.
        seen: (method, path, idempotency key) of every request, refused ones included.
        queued: id by idempotency key; `sent` and `files` by id.
        exports: content and note of an export, by id and format.
        converted: format, query and parts (name, file name, content) of each conversion.
        events: (id, name, data); the stream ends after `events_per_connection` of them.
        resumed: Last-Event-ID of each connection to the events.
        warnings: of every message that is sent.
        whole: what a message has besides its summary.
        told: what it answers at any other path, by path with its query.
    """

    def __init__(self) -> None:
        self.faults: list[int | str] = []
        self.seen: list[tuple[str, str, str | None]] = []
        self.queued: dict[str, str] = {}
        self.sent: dict[str, dict[str, Any]] = {}
        self.files: dict[str, list[tuple[str, str, bytes]]] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.blobs: dict[tuple[str, int], bytes] = {}
        self.exports: dict[tuple[str, str], tuple[bytes, str | None]] = {}
        self.converted: list[tuple[str, dict[str, str], list[tuple[str | None, str | None, bytes]]]] = []
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.events_per_connection = 100
        self.resumed: list[str | None] = []
        self.warnings: list[dict[str, str]] = []
        self.whole: dict[str, Any] = {
            "record": {"record_type": "x"},
            "provision": {"id": "p"},
            "envelopes": [{"id": "e", "receipt": None}],
        }
        self.refusal: dict[str, Any] | None = None
        self.told: dict[str, Any] = {}
        self.url = ""

    def add(self, ident: str, **changes: object) -> None:
        """A message in a box, and its event."""
        self.rows[ident] = row(ident) | changes
        self.events.append((str(len(self.events) + 1), "message.received", {"id": ident, "box": "inbox"}))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["SmallNode"]:
        """Serve on a free port of this machine."""
        app = web.Application(middlewares=[self._guard], client_max_size=2**26)
        app.router.add_post("/v1/messages", self._send)
        app.router.add_get("/v1/messages", self._page)
        app.router.add_get("/v1/messages/{id}", self._message)
        app.router.add_get("/v1/messages/{id}/attachments/{index}", self._attachment)
        app.router.add_get("/v1/messages/{id}/export", self._export)
        app.router.add_post("/v1/convert/{from}", self._convert)
        app.router.add_post("/v1/messages/{id}/forward", self._forward)
        app.router.add_get("/v1/events", self._events)
        app.router.add_get("/v1/members", self._members)
        app.router.add_get("/v1/status", self._status)
        app.router.add_get("/{path:.*}", self._tell)
        async with TestServer(app, host="127.0.0.1") as server:
            self.url = str(server.make_url("")).rstrip("/")
            yield self

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401  # aiohttp's type
        self.seen.append((request.method, request.path, request.headers.get("Idempotency-Key")))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return problem(401, "no-token", "no valid token")
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, int):
            return problem(fault, "asked-for", "a fault that the test asked for", {"Retry-After": "0"})
        if fault is None:
            response: web.StreamResponse = await handler(request)
            return response
        if fault == DROP_AFTER:
            await handler(request)
        assert request.transport is not None
        request.transport.abort()
        await asyncio.sleep(0)
        return web.Response()

    async def _send(self, request: web.Request) -> web.Response:
        files = []
        if request.content_type == "multipart/form-data":
            reader = await request.multipart()
            message = {}
            while (part := await reader.next()) is not None:
                data = bytes(await part.read())  # type: ignore[union-attr]  # no nested multipart here
                if part.name == "message":  # type: ignore[union-attr]
                    message = json.loads(data)
                else:
                    files.append((part.filename or "", part.headers["Content-Type"], data))  # type: ignore[union-attr]
        else:
            message = await request.json()
        ident = self._queue(request)
        self.sent[ident] = message
        self.files[ident] = files
        return web.json_response({"id": ident, "state": "queued", "warnings": self.warnings}, status=202)

    async def _forward(self, request: web.Request) -> web.Response:
        if self.refusal is not None:
            return web.json_response(
                self.refusal, status=self.refusal["status"], content_type="application/problem+json"
            )
        ident = self._queue(request)
        self.sent[ident] = {"forwarded": request.match_info["id"], **await request.json()}
        return web.json_response({"id": ident, "state": "queued"}, status=202)

    def _queue(self, request: web.Request) -> str:
        key = request.headers["Idempotency-Key"]
        return self.queued.setdefault(key, hashlib.sha256(key.encode()).hexdigest()[:32])

    async def _page(self, request: web.Request) -> web.Response:
        rows = [found for found in self.rows.values() if found["box"] == request.query["box"]]
        start = int(request.query.get("after", 0))
        stop = start + min(2, int(request.query["limit"]))
        return web.json_response({"messages": rows[start:stop], "next": str(stop) if stop < len(rows) else None})

    async def _message(self, request: web.Request) -> web.Response:
        found = self.rows.get(request.match_info["id"])
        if found is None:
            return problem(404, "unknown-message", "no such message")
        return web.json_response({**found, **self.whole})

    async def _attachment(self, request: web.Request) -> web.Response:
        return web.Response(body=self.blobs[request.match_info["id"], int(request.match_info["index"])])

    async def _export(self, request: web.Request) -> web.Response:
        form, internal = request.query["as"], request.query["internal"] == "true"
        if (request.match_info["id"], form) not in self.exports:
            return problem(404, "no-such-message", "there is no message with this id")
        content, note = self.exports[request.match_info["id"], form]
        proof = {"marking": "TLP:GREEN", "handling": "inside only" if internal else "may be given on"}
        told = {"filename": "a.b", "media_type": "x/y", "note": note, "proof": proof}
        return web.json_response(told | {"content": base64.b64encode(content).decode()})

    async def _convert(self, request: web.Request) -> web.Response:
        reader = await request.multipart()
        parts = []
        while (part := await reader.next()) is not None:
            parts.append((part.name, part.filename, bytes(await part.read())))  # type: ignore[union-attr]  # as above
        self.converted.append((request.match_info["from"], dict(request.query), parts))
        fault = {"path": "/x", "found": "a", "expected": "b"}
        return web.json_response({"record": {"body": {}}, "warnings": [fault], "attachment": {"size": 1}})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        last = request.headers.get("Last-Event-ID")
        self.resumed.append(last)
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(b": hello\r\n\r\n")
        due = [event for event in self.events if int(event[0]) > int(last or 0)]
        for ident, name, data in due[: self.events_per_connection]:
            await stream.write(f"id: {ident}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode())
        return stream

    async def _members(self, _request: web.Request) -> web.Response:
        member = {"code": "KAZ", "role": "member", "names": {"en": "Kazakhstan"}, "can_receive": True}
        return web.json_response({"members": [member], "charter": 1, "directory_size": 9, "newer": "ignored"})

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response({"member": "MNG"})

    async def _tell(self, request: web.Request) -> web.Response:
        if request.path_qs not in self.told:
            return problem(404, "no-such-path", f"nothing at {request.path_qs}")
        return web.json_response(self.told[request.path_qs])


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """A problem document."""
    document = {"type": f"urn:cbm:problem:{code}", "title": "Refused", "status": status, "detail": detail}
    return web.json_response(document, status=status, content_type=PROBLEM, headers=headers)
