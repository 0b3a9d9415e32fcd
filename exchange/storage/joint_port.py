"""What a node's store keeps of joint Provisions: drafts, and what each provider has answered.

Contract as in `node_port`. A draft is `collecting` until every provider has signed it (`signed`), one has refused it
(`refused`), or its time is over (`expired`); these three are final.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Idempotency, Message, StoredAttachment

COLLECTING: Final = "collecting"
SIGNED: Final = "signed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one provider says to a draft: its encoded signature, or, without one, that it refuses, and why."""

    member: str
    signature: bytes | None
    sealed_reason: bytes | None
    time: int


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A joint Provision on its way to be signed; times are Unix seconds.

    Attributes:
        provision: digest of `body`, the exact bytes that every provider signs.
        lead: the provider who collects.
        providers: how many have to sign.
        ministry: whose token asked for it, None at the other providers.
        created: when this node had it.
        sealed_manifest: for `files.manifest_name` of the message that it becomes.
        message: the one that carried it between the providers.
    """

    provision: bytes
    body: bytes
    lead: str
    state: str
    providers: int
    ministry: str | None
    measure: str
    record_type: str
    created: int
    sign_by: int
    sealed_manifest: bytes
    message: bytes
    files: tuple[StoredAttachment, ...]
    answers: tuple[Answer, ...]
    seq: int = 0

    @property
    def id(self) -> bytes:
        """Of the message that it becomes."""
        return self.provision[:16]

    @property
    def signed_by(self) -> frozenset[str]:
        """Who has signed."""
        return frozenset(answer.member for answer in self.answers if answer.signature is not None)


class JointStore(Protocol):
    """Drafts and their answers."""

    async def propose(
        self, draft: DraftRow, outgoing: Message, idempotency: Idempotency | None, event: ConsentEvent
    ) -> bytes:
        """A draft of this state, with the message that carries it to the others; gives the id of what it becomes.

        With a key that was used before for the same request nothing is stored, and that request's id is given. Raises
        Conflict for a key of another request.
        """
        ...

    async def receive(self, message: bytes, draft: DraftRow, most: int, event: ConsentEvent) -> bool:
        """Take a draft that another state's message brought; its answers replace those that had come before it.

        One that is here already changes nothing. False, and nothing is changed, when `most` of its lead are open.
        """
        ...

    async def draft(self, ident: bytes) -> DraftRow | None:
        """By the digest of the Provision, or by the 16 bytes of the message that it becomes."""
        ...

    async def drafts(
        self, open_only: bool, before: int, limit: int, measures: tuple[str, ...], ministry: str
    ) -> tuple[DraftRow, ...]:
        """The newest with a `seq` below `before`, as far as these measures and this ministry may see them."""
        ...

    async def is_named(self, member: str, name: bytes, provision: bytes) -> bool:
        """Whether another Provision than this digest's has the id `name` here, or a Grant of `member` is for it.

        A Grant and a withdrawal name a Provision by provider and id alone.
        """
        ...

    async def early(self, provision: bytes) -> tuple[Answer, ...]:
        """Answers to a draft that has not come yet."""
        ...

    async def answer(
        self,
        provision: bytes,
        answer: Answer,
        outgoing: Message | None,
        taken: bytes | None,
        most: int,
        event: ConsentEvent,
    ) -> bool:
        """What a provider says, with the message that tells the others, or the mark that a message was taken.

        Where the draft collects, the first signature counts, and a refusal ends it, also by one who had signed. Before
        the draft has come, at most `most` answers of a member are kept. False when nothing is stored.
        """
        ...

    async def complete(self, provision: bytes, message: Message | None, event: ConsentEvent) -> bool:
        """Every provider has signed; at the lead, `message` is queued. False when it was not collecting any more."""
        ...

    async def due(self, now: int, limit: int) -> tuple[DraftRow, ...]:
        """Drafts that collect and whose every provider has signed, or whose `sign_by` has come."""
        ...

    async def expire(self, provision: bytes, event: ConsentEvent) -> bool:
        """It was given up. False when it was not collecting any more."""
        ...
