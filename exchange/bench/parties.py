"""Members, keys and a directory in memory, for measuring without processes."""

from dataclasses import dataclass
from typing import Final

from exchange.node.outbound import NextPlace, Parcel, Terms, envelope_id, make_manifest, sign_provision
from keys.ceremony import assemble_charter, draft_charter, sign_charter
from keys.digests import charter_digest
from keys.directory import Directory, begin, extend
from keys.identity import SIGNING_ENTROPY, EpochIdentity, SigningIdentity
from keys.primitives import KEM_SEED, random_bytes
from schemas.canon import encode
from schemas.charter import Chairmanship, Member, Name, Relay, Role
from schemas.content import ContentKind
from schemas.contexts import Context
from schemas.ids import SECRETARIAT, Digest, MemberId, ProvisionId, StreamId
from schemas.limits import DAY
from schemas.statement import EPOCH_KEY, SIGNING_KEY, DirectoryEntry, EntryKind, EpochKey, SigningKey
from schemas.terms import Onward, Precedence, Purpose, Tlp

NOW: Final = 1_800_000_000
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Parties:
    """A directory of members `XAA`, `XAB` ... with the private halves of all of them."""

    directory: Directory
    signing: dict[MemberId, SigningIdentity]
    epochs: dict[MemberId, EpochIdentity]
    relay: SigningIdentity

    @property
    def sender(self) -> SigningIdentity:
        """The first member's node."""
        return next(iter(self.signing.values()))

    def recipients(self, count: int) -> tuple[MemberId, ...]:
        """The first members after the sender."""
        return tuple(list(self.signing)[1 : count + 1])


def make_parties(count: int) -> Parties:
    """So many members, each with a signing key and one epoch."""
    codes = [MemberId(f"X{_LETTERS[n // 26]}{_LETTERS[n % 26]}") for n in range(count)]
    roots = {code: SigningIdentity.from_entropy(code, random_bytes(SIGNING_ENTROPY)) for code in codes}
    signing = {code: SigningIdentity.from_entropy(code, random_bytes(SIGNING_ENTROPY)) for code in codes}
    epochs = {code: EpochIdentity(random_bytes(KEM_SEED)) for code in codes}
    relay = SigningIdentity.from_entropy(SECRETARIAT, random_bytes(SIGNING_ENTROPY))
    members = [Member(code, Role.MEMBER, (Name("en", code),), root.public) for code, root in roots.items()]
    chair = Chairmanship(codes[0], NOW, NOW + DAY)
    draft = draft_charter(members, chair, [Relay("bench", relay.public, ())], ["bench"], (None, None), NOW)
    charter = assemble_charter(draft, [sign_charter(root, draft) for root in roots.values()])
    directory = begin(charter, charter_digest(charter.body))
    entries = []
    for code in codes:
        term = SigningKey(code, signing[code].public, NOW - DAY, NOW + 365 * DAY, NOW, signing[code].cosigner)
        entries.append(_entry(EntryKind.SIGNING_KEY, encode(SIGNING_KEY, term), Context.SIGNING_KEY, roots[code]))
        epoch = EpochKey(code, 1, epochs[code].public, NOW - DAY, NOW + 7 * DAY, NOW + 42 * DAY, NOW)
        entries.append(_entry(EntryKind.EPOCH_KEY, encode(EPOCH_KEY, epoch), Context.EPOCH_KEY, signing[code]))
    return Parties(extend(directory, entries), signing, epochs, relay)


def make_parcel(parties: Parties, recipients: tuple[MemberId, ...], record: bytes) -> tuple[Parcel, bytes]:
    """A parcel with a fresh Provision over a record, and the manifest."""
    sender = parties.sender
    manifest = make_manifest((sender.owner,), ContentKind.RECORD, record, (), random_bytes(32))
    terms = Terms(Onward.NONE, Purpose.CONFIDENCE_BUILDING, Tlp.AMBER, Precedence.ROUTINE)
    provision = sign_provision(
        sender, parties.directory, ProvisionId(random_bytes(16)), recipients, terms, manifest, NOW, NOW + DAY
    )
    parcel = Parcel(
        envelope=envelope_id(NOW * 1000, random_bytes(10)),
        provisions=(provision,),
        grants=(),
        purpose=terms.purpose,
        precedence=Precedence.ROUTINE,
        created=NOW,
        expires=NOW + DAY,
    )
    return parcel, manifest


def places(recipients: tuple[MemberId, ...]) -> tuple[NextPlace, ...]:
    """The first number of a stream to each recipient."""
    return tuple(NextPlace(recipient, StreamId(bytes(16)), 1, Digest(bytes(32))) for recipient in recipients)


def _entry(kind: EntryKind, body: bytes, context: Context, signer: SigningIdentity) -> DirectoryEntry:
    return DirectoryEntry(kind, body, (signer.sign_hybrid(context, body),))
