"""What is held of an act: what is asked for, how it is done, and how it is sealed at rest."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from exchange.errors import Conflict, Json
from exchange.node.access import Caller, Scope
from exchange.node.draft import Upload
from exchange.storage.act_port import Act
from exchange.storage.node_values import Idempotency
from keys.vault import Vault
from schemas.canon import decode, encode
from schemas.content import ATTACHMENT
from schemas.limits import MAX_SMALL_OBJECT


@dataclass(frozen=True, slots=True)
class Submission:
    """What is asked for: `payload` is JSON and says all of it but the files; measure and type say who may decide it."""

    kind: str
    measure: str
    record_type: str
    payload: dict[str, Any]
    uploads: tuple[Upload, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """An act with what is asked for."""

    act: Act
    payload: dict[str, Any]
    uploads: tuple[Upload, ...]

    @property
    def caller(self) -> Caller:
        """Its author, as it was."""
        act = self.act
        return Caller(act.token, act.ministry, frozenset(act.scopes), act.measures)

    @property
    def idempotency(self) -> Idempotency:
        """The key under which it is performed once."""
        return Idempotency("act", self.act.id.hex(), self.act.digest)


@dataclass(frozen=True, slots=True)
class Performer:
    """How one kind of act is done.

    Attributes:
        scope: what officials who approve it need: `release` or `consent`.
        perform: does it, once for the act's `idempotency`; gives the id of what came of it. Unavailable and StoreFault
            mean later, every other declared fault that it cannot be done.
        show: what an official has to see: the record, the terms; the caller is who looks at it.
        revise: checks what the author puts in its place, as when it was asked for first; None when it is not changed.
    """

    scope: Scope
    perform: Callable[[Opened], Awaitable[bytes]]
    show: Callable[[Opened, Caller], Awaitable[dict[str, Json]]]
    revise: Callable[[Opened, object, tuple[Upload, ...]], Awaitable[Submission]] | None = None


class ActSealer:
    """Requests under the local key, each bound to its act and to its files."""

    def __init__(self, vault: Vault) -> None:
        """Under one local key."""
        self._vault = vault

    def seal(self, ident: bytes, what: Submission) -> tuple[bytes, bytes]:
        """The sealed request of an act, and the digest that officials approve."""
        files = [encode(ATTACHMENT, upload.attachment).hex() for upload in what.uploads]
        raw = json.dumps({"payload": what.payload, "files": files}, sort_keys=True).encode("ascii")
        names = tuple(upload.file for upload in what.uploads)
        return self._vault.seal("act", _place(ident, names), raw), self._digest(what.kind, raw, names)

    def open(self, act: Act) -> Opened:
        """What is asked for. Raises Undecryptable or Conflict for what was altered, Conflict for what has ended."""
        if not act.sealed_request:
            raise Conflict("act-ended", "what was asked for is not kept here any more: see how it ended")
        raw = self._vault.open("act", _place(act.id, act.files), act.sealed_request)
        if self._digest(act.kind, raw, act.files) != act.digest:
            raise Conflict("act-altered", "what is stored is not what was asked for: refuse it")
        told = json.loads(raw)
        attachments = [decode(ATTACHMENT, bytes.fromhex(text), MAX_SMALL_OBJECT) for text in told["files"]]
        uploads = tuple(Upload(one, file) for one, file in zip(attachments, act.files, strict=True))
        return Opened(act, told["payload"], uploads)

    def seal_fault(self, ident: bytes, why: str) -> bytes:
        """Why nothing came of an act: the words of an official may be as secret as the matter."""
        return self._vault.seal("act-fault", ident, why.encode("utf-8"))

    def fault(self, act: Act) -> str | None:
        """Why nothing came of it, if anything was said. Raises Undecryptable."""
        return None if act.sealed_fault is None else self._vault.open("act-fault", act.id, act.sealed_fault).decode()

    def _digest(self, kind: str, raw: bytes, files: tuple[str, ...]) -> bytes:
        return self._vault.request_digest(b"act", kind.encode(), raw, *(file.encode() for file in files))


def _place(ident: bytes, files: tuple[str, ...]) -> bytes:
    return ident + "".join(files).encode("ascii")
