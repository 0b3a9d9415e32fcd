"""What waits for other officials at a node, and groups of states: the part of `NodeClient` for who decides them.

Each answer is the plain object of the node's interface.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from exchange.client import answers
from exchange.client.models import Attachment
from exchange.client.transport import Transport
from exchange.client.upload import form_body, json_body


class Releases:
    """The part of `NodeClient` that decides with others, and keeps groups."""

    _transport: Transport

    async def releases(self, *, ended: bool = False) -> list[dict[str, Any]]:
        """What this token asked for or may decide, the newest first; with `ended`, also what was decided."""
        params = {"state": "all" if ended else "open"}
        return answers.rows(await self._transport.json("GET", "v1/releases", params=params), "releases")

    async def release(self, ident: str) -> dict[str, Any]:
        """One of them, whole: what is asked for, the record, the terms, and the digest to approve."""
        return answers.mapping(await self._transport.json("GET", _path(ident)))

    async def approve_release(self, ident: str, digest: str) -> dict[str, Any]:
        """Approve what has this digest; the last one that is needed performs it: `result` says what came of it."""
        body = {"digest": digest}
        return answers.mapping(
            await self._transport.json("POST", f"{_path(ident)}/approve", body=lambda: json_body(body))
        )

    async def refuse_release(self, ident: str, reason: str) -> dict[str, Any]:
        """Refuse it, which is final; its author withdraws it so."""
        body = {"reason": reason}
        return answers.mapping(
            await self._transport.json("POST", f"{_path(ident)}/refuse", body=lambda: json_body(body))
        )

    async def change_release(
        self, ident: str, request: Mapping[str, Any], attachments: Sequence[Attachment | Path | str] = ()
    ) -> dict[str, Any]:
        """Put another request and its files in the place of one's own; every approval is gone then."""
        files = [Attachment.of(source) for source in attachments]
        for file in files:
            file.path.stat()
        return answers.mapping(
            await self._transport.json(
                "PUT",
                _path(ident),
                body=(lambda: form_body(request, files, None)) if files else (lambda: json_body(request)),
            )
        )

    async def groups(self) -> list[dict[str, Any]]:
        """The groups of states, by name."""
        return answers.rows(await self._transport.json("GET", "v1/groups"), "groups")

    async def group(self, name: str) -> dict[str, Any]:
        """One group."""
        return answers.mapping(await self._transport.json("GET", _group(name)))

    async def set_group(self, name: str, members: Sequence[str]) -> dict[str, Any]:
        """Make a group, or its next version."""
        body = {"members": list(members)}
        return answers.mapping(await self._transport.json("PUT", _group(name), body=lambda: json_body(body)))

    async def remove_group(self, name: str) -> dict[str, Any]:
        """Remove a group."""
        return answers.mapping(await self._transport.json("DELETE", _group(name)))

    async def classes(self) -> list[dict[str, Any]]:
        """The classes of information that this state has named, each with its tag."""
        return answers.rows(await self._transport.json("GET", "v1/classes"), "classes")


def _path(ident: str) -> str:
    return f"v1/releases/{quote(ident, safe='')}"


def _group(name: str) -> str:
    return f"v1/groups/{quote(name.removeprefix('@'), safe='')}"
