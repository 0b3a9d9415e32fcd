"""Who is in a test world, and builders for content and consent; `world.World` adds envelopes and answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keys.digests import content_commitment, sha256
from keys.identity import EpochIdentity, SigningIdentity
from schemas.canon import encode
from schemas.content import (
    MANIFEST,
    Attachment,
    ContentKind,
    Manifest,
    Transport,
    content_size,
    padded_size,
    payload_prefix,
    read_manifest,
)
from schemas.contexts import Context
from schemas.grant import GRANT, Grant, SignedGrant
from schemas.ids import Digest, GrantId, MemberId, ProvisionId, StreamId
from schemas.limits import DAY
from schemas.provision import PROVISION, Provision, SignedProvision
from schemas.signed import Signature
from schemas.terms import Onward, Precedence, Purpose, Tlp
from schemas.wrap import Wrap
from tests.support.entropy import Entropy
from tests.support.realm import realm

NOW = 1_800_000_000
EDITION = "cica-catalogue-draft-2021-09-27"
RECORD = b'{"type":"test"}'


@dataclass(frozen=True, slots=True)
class Place:
    """How far a stream from one node to another is."""

    stream: StreamId
    last: int
    digest: Digest


def members(codes: Iterable[str]) -> tuple[MemberId, ...]:
    """Codes in wire order."""
    return tuple(MemberId(code) for code in sorted(codes))


def replaced(values: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, Any]:
    """Arguments of a wire object with some replaced; a test may put anything in."""
    return {**values, **changes}


class Parties:
    """Member States `codes`, `observers`, perhaps the Secretariat, one relay, and a directory that knows their keys."""

    def __init__(
        self,
        codes: Sequence[str] = ("KAZ", "MNG", "UZB", "XAA"),
        now: int = NOW,
        observers: Sequence[str] = (),
        secretariat: bool = False,
        epochs: int = 3,
        seed: str = "world",
        edition: str = EDITION,
    ) -> None:
        fixed = realm(tuple(codes), tuple(observers), secretariat, now, epochs, seed, edition)
        self.now = now
        self.random = Entropy(f"{seed}/run")
        self.roots: Mapping[str, SigningIdentity] = fixed.roots
        self.nodes: Mapping[str, SigningIdentity] = fixed.nodes
        self.epochs: Mapping[str, tuple[EpochIdentity, ...]] = fixed.epochs
        self.relay = fixed.relay
        self.charter = fixed.charter
        self.charter_digest = fixed.charter_digest
        self.entries = fixed.entries
        self.directory = fixed.directory
        self.places: dict[tuple[str, str], Place] = {}

    def epoch_of(self, wrap: Wrap) -> EpochIdentity:
        """The private half that opens a wrap."""
        return next(e for e in self.epochs[wrap.recipient] if e.key_id == wrap.key_id)

    # Content.

    def manifest(self, providers: Sequence[str] = ("KAZ",), body: bytes = RECORD, **fields: object) -> bytes:
        """A manifest's bytes; `fields` replace attributes of Manifest."""
        values: dict[str, Any] = {
            "salt": self.random(32),
            "providers": members(providers),
            "kind": ContentKind.RECORD,
            "body": body,
            "attachments": (),
        }
        return encode(MANIFEST, Manifest(**replaced(values, fields)))

    def attachment(
        self, data: bytes, filename: str = "map.bin", media_type: str = "application/octet-stream"
    ) -> Attachment:
        """What a manifest says of `data`."""
        return Attachment(filename, media_type, len(data), sha256(data))

    def payload(self, manifest: bytes, attachments: bytes = b"", **fields: object) -> bytes:
        """The padded plaintext of a body; `fields` replace attributes of Transport."""
        listed = read_manifest(manifest).attachments
        values: dict[str, Any] = {
            "directory_size": self.directory.size,
            "content_size": content_size(manifest, listed),
        }
        plain = payload_prefix(Transport(**replaced(values, fields)), manifest) + attachments
        return plain + bytes(padded_size(len(plain)) - len(plain))

    # Consent.

    def provision(
        self, manifest: bytes, providers: Sequence[str], audience: Iterable[str], **terms: object
    ) -> Provision:
        """A Provision of `manifest`; `terms` replace its attributes."""
        values: dict[str, Any] = {
            "id": ProvisionId(self.random(16)),
            "providers": members(providers),
            "audience": members(audience),
            "onward": Onward.NONE,
            "charter": 1,
            "purpose": Purpose.CONFIDENCE_BUILDING,
            "until": None,
            "not_before": None,
            "tlp": Tlp.AMBER,
            "created": self.now,
            "send_by": self.now + 7 * DAY,
            "max_precedence": Precedence.FLASH,
            "class_tags": (),
            "commitment": content_commitment(manifest),
        }
        return Provision(**replaced(values, terms))

    def sign_provision(
        self, provision: Provision, signers: Mapping[str, SigningIdentity] | None = None
    ) -> SignedProvision:
        """Signed by the node of every provider, or by another key that poses as a provider's."""
        body = encode(PROVISION, provision)
        keys = {**self.nodes, **(signers or {})}
        signatures = [self.posing(p, keys[p].sign_bytes(Context.PROVISION, body)) for p in provision.providers]
        return SignedProvision(body, tuple(signatures))

    def posing(self, member: str, value: bytes) -> Signature:
        """A signature in a member's name under its node's key id, whoever made it."""
        return Signature(MemberId(member), self.nodes[member].key_id, value)

    def signed_provision(
        self, manifest: bytes, providers: Sequence[str], audience: Iterable[str], **terms: object
    ) -> SignedProvision:
        """`provision`, then `sign_provision`."""
        return self.sign_provision(self.provision(manifest, providers, audience, **terms))

    def grant(
        self,
        provision: Provision | None,
        /,
        provider: str,
        holder: str,
        recipients: Iterable[str],
        signer: SigningIdentity | None = None,
        **fields: object,
    ) -> SignedGrant:
        """A provider's signed Grant; with `provision` None, give `class_tag`. `fields` replace attributes of Grant."""
        values: dict[str, Any] = {
            "id": GrantId(self.random(16)),
            "provider": MemberId(provider),
            "holder": MemberId(holder),
            "provision": provision.id if provision else None,
            "class_tag": None,
            "recipients": members(recipients),
            "purpose": provision.purpose if provision else Purpose.CONFIDENCE_BUILDING,
            "created": self.now,
            "until": self.now + 30 * DAY,
            "uses": None,
        }
        body = encode(GRANT, Grant(**replaced(values, fields)))
        signature = (signer or self.nodes[provider]).sign_bytes(Context.GRANT, body)
        return SignedGrant(body, self.posing(provider, signature))
