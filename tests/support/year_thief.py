"""Who has a signing key that was revoked, and tries whatever it was good for."""

from collections.abc import Awaitable, Callable

from exchange.node.outbound import (
    NextPlace,
    Parcel,
    Terms,
    envelope_id,
    make_manifest,
    seal_header,
    seal_payload,
    sign_provision,
)
from exchange.node.transport import RelayRefused
from exchange.relay.tlog_core import Witness
from exchange.relay.tlog_panel import Panel
from keys.digests import sha256
from keys.errors import KeyFault
from keys.identity import EpochIdentity, SigningIdentity
from keys.logsigner import cosign_checkpoint
from keys.note import encode_lines
from keys.primitives import KEM_SEED, random_bytes
from schemas.canon import encode
from schemas.content import ContentKind
from schemas.contexts import Context
from schemas.envelope import encode_header
from schemas.ids import Digest, MemberId, ProvisionId, StreamId
from schemas.limits import DAY
from schemas.statement import DIRECTORY_ENTRY, EPOCH_KEY, DirectoryEntry, EntryKind, EpochKey
from schemas.terms import Onward, Precedence, Purpose, Tlp
from tests.support.year import Year


class Thief:
    """`try_all` writes what was tried, and how it ended, into the year's book."""

    def __init__(self, year: Year, key: SigningIdentity) -> None:
        self._year = year
        self._key = key

    async def try_all(self) -> None:
        """To send, to fetch, to publish an epoch, to cosign."""
        await self._try("send", self._send)
        await self._try("fetch", self._fetch)
        await self._try("publish", self._publish)
        await self._try("cosign", self._cosign)

    async def _try(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        try:
            await attempt()
        except RelayRefused as refusal:
            self._year.book.tried.append((what, refusal.code))
        except KeyFault as fault:
            self._year.book.tried.append((what, type(fault).__name__))
        else:
            self._year.book.tried.append((what, "accepted"))

    async def _send(self) -> None:
        """An envelope to anybody, sealed as the node would seal it, without looking whether it may."""
        year, key, now = self._year, self._key, self._year.now
        view = year.directory
        recipient = next(code for code in view.members if code != key.owner and view.epochs.get(code))
        manifest = make_manifest((key.owner,), ContentKind.RECORD, b"{}", (), random_bytes(32))
        terms = Terms(Onward.NONE, Purpose.STATISTICS, Tlp.GREEN, Precedence.ROUTINE)
        name = ProvisionId(random_bytes(16))
        provision = sign_provision(key, view, name, (recipient,), terms, manifest, now, now + DAY)
        content_key = random_bytes(32)
        body = b"".join(seal_payload(content_key, view.size, manifest, (), ()))
        parcel = Parcel(
            envelope_id(now * 1000, random_bytes(10)),
            (provision,),
            (),
            terms.purpose,
            Precedence.ROUTINE,
            now,
            now + DAY,
        )
        place = NextPlace(recipient, StreamId(random_bytes(16)), 1, Digest(bytes(32)))
        header = seal_header(key, view, parcel, (place,), content_key, len(body), sha256(body))
        await year.relay.line(key, year.clock).post_envelope(encode_header(header), iter([body]))

    async def _fetch(self) -> None:
        await self._year.relay.line(self._key, self._year.clock).mailbox()

    async def _publish(self) -> None:
        """An epoch whose private half the thief has."""
        now, member = self._year.now, MemberId(self._key.owner)
        half = EpochIdentity(random_bytes(KEM_SEED))
        statement = EpochKey(member, 2**32 - 1, half.public, now, now + 7 * DAY, now + 42 * DAY, now)
        body = encode(EPOCH_KEY, statement)
        entry = DirectoryEntry(EntryKind.EPOCH_KEY, body, (self._key.sign_hybrid(Context.EPOCH_KEY, body),))
        await self._year.relay.line(self._key, self._year.clock).publish(encode(DIRECTORY_ENTRY, entry))

    async def _cosign(self) -> None:
        """The newest checkpoint, as the member's node."""
        published = self._year.relay.app.logs.directory.published
        assert published is not None
        lines = encode_lines(cosign_checkpoint(self._key, published.checkpoint, self._year.now))
        panel = Panel.of(self._year.directory, {})
        panel.lines(Witness(self._key.owner), published.checkpoint, lines, self._year.now)
