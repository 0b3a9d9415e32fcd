"""A small world of states, and builders for everything that they send; each step can be replaced by a hostile one.

    world = World()
    sealed = world.envelope(to=["MNG"], sender="KAZ")
    world.verified(sealed)                              # VerifiedHeader
    world.envelope(to=["UZB"], sender="MNG", signer=world.nodes["XAA"], core={"expires": 5})

Builders hand out real signatures and ciphertexts. Bytes are seeded, except HPKE wraps and ML-DSA signatures.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keys.digests import header_digest, sha256
from keys.identity import SigningIdentity
from keys.sealing import body_key, key_commitment, seal_wrap
from keys.stream import seal_stream
from keys.verify import VerifiedHeader, verify_header
from schemas.canon import encode
from schemas.content import HEAD, ContentKind, Head
from schemas.contexts import Context
from schemas.envelope import CORE, Core, Header, decode_header, encode_header
from schemas.grant import SignedGrant
from schemas.ids import NO_DIGEST, Digest, EnvelopeId, KeyId, MemberId, StreamId
from schemas.limits import DAY, HOUR, LOG_BY
from schemas.provision import SignedProvision
from schemas.receipt import (
    ACKNOWLEDGEMENT,
    RECEIPT,
    Acknowledgement,
    Outcome,
    Receipt,
    SignedAcknowledgement,
    SignedReceipt,
)
from schemas.relayapi import SESSION_STATEMENT, Proof, SessionRole, SessionStatement, Welcome
from schemas.statement import KemPublic
from schemas.terms import Precedence, Suite
from schemas.wrap import WRAPS, Wrap, Wraps, WrapSecret
from tests.support.parties import NOW, Parties, Place, replaced

__all__ = ["NOW", "Sealed", "World"]


@dataclass(frozen=True, slots=True)
class Sealed:
    """An envelope as it is sent, and what its sender knows of it."""

    header_bytes: bytes
    body: bytes
    content_key: bytes
    manifest: bytes
    attachments: bytes
    secrets: Mapping[str, WrapSecret]

    @property
    def header(self) -> Header:
        """The header, decoded."""
        return decode_header(self.header_bytes)

    @property
    def digest(self) -> Digest:
        """The header's digest."""
        return header_digest(self.header)


class World(Parties):
    """Parties that seal, forward, receive and acknowledge envelopes."""

    def place(self, sender: str, recipient: str) -> Place:
        """How far the stream between two nodes is; a new stream has no number yet."""
        key = (sender, recipient)
        if key not in self.places:
            self.places[key] = Place(StreamId(self.random(16)), 0, NO_DIGEST)
        return self.places[key]

    def head_manifest(self, sender: str, recipient: str, **fields: object) -> bytes:
        """A manifest that carries the sender's head of its stream to `recipient`."""
        place = self.place(sender, recipient)
        values: dict[str, Any] = {"stream": place.stream, "last": place.last, "digest": place.digest, "voids": ()}
        head = encode(HEAD, Head(**replaced(values, fields)))
        return self.manifest((sender,), head, kind=ContentKind.HEAD)

    def wrap_secret(self, content_key: bytes, sender: str, recipient: str) -> WrapSecret:
        """The content key at the next number of the pair's stream."""
        place = self.place(sender, recipient)
        return WrapSecret(content_key, place.stream, place.last + 1, place.digest)

    def wrap(
        self,
        secret: WrapSecret,
        core_bytes: bytes,
        recipient: str,
        key: KemPublic | None = None,
        key_id: KeyId | None = None,
    ) -> Wrap:
        """A wrap to the recipient's epoch that is valid at `now`, or to another key, or naming another key."""
        record = self.directory.epoch_at(MemberId(recipient), self.now)
        return seal_wrap(
            secret, Suite.HYBRID_1, core_bytes, MemberId(recipient), key_id or record.key_id, key or record.keys
        )

    def envelope(
        self,
        to: Iterable[str],
        sender: str = "KAZ",
        *,
        manifest: bytes | None = None,
        attachments: bytes = b"",
        provisions: Sequence[SignedProvision] | None = None,
        grants: Sequence[SignedGrant] = (),
        core: Mapping[str, object] | None = None,
        content_key: bytes | None = None,
        payload: bytes | None = None,
        body: bytes | None = None,
        secrets: Mapping[str, WrapSecret] | None = None,
        wraps: Mapping[str, Wrap] | None = None,
        signer: SigningIdentity | None = None,
        signature: bytes | None = None,
    ) -> Sealed:
        """Seal a manifest to recipients and advance the streams.

        By default the sender is the only provider and the recipients are the audience. `core` replaces attributes of
        Core; `secrets` and `wraps` replace those of single recipients; `signer` signs in the sender's name.
        """
        to = sorted(to)
        manifest = manifest if manifest is not None else self.manifest((sender,))
        if provisions is None:
            provisions = [self.signed_provision(manifest, (sender,), to)]
        key = content_key or self.random(32)
        if body is None:
            plain = payload if payload is not None else self.payload(manifest, attachments)
            body = b"".join(seal_stream(body_key(key), [plain]))
        core_bytes = encode(CORE, self._core(sender, provisions, grants, key, body, core or {}))
        sealed_secrets = {c: (secrets or {}).get(c) or self.wrap_secret(key, sender, c) for c in to}
        made = {c: (wraps or {}).get(c) or self.wrap(sealed_secrets[c], core_bytes, c) for c in to}
        wraps_bytes = encode(WRAPS, Wraps(tuple(made[c] for c in to)))
        if signature is None:
            signature = (signer or self.nodes[sender]).sign_bytes(Context.HEADER, core_bytes, wraps_bytes)
        header = Header(core_bytes, wraps_bytes, signature)
        for code, secret in sealed_secrets.items():
            self.places[sender, code] = Place(secret.stream, secret.number, header_digest(header))
        return Sealed(encode_header(header), body, key, manifest, attachments, sealed_secrets)

    def _core(
        self,
        sender: str,
        provisions: Sequence[SignedProvision],
        grants: Sequence[SignedGrant],
        key: bytes,
        body: bytes,
        changes: Mapping[str, object],
    ) -> Core:
        values: dict[str, Any] = {
            "suite": Suite.HYBRID_1,
            "id": EnvelopeId(self.random(16)),
            "sender": MemberId(sender),
            "key_id": self.nodes[sender].key_id,
            "provisions": tuple(sorted(provisions, key=lambda p: p.provision.id)),
            "grants": tuple(sorted(grants, key=lambda g: g.grant.id)),
            "purpose": provisions[0].provision.purpose,
            "precedence": Precedence.ROUTINE,
            "created": self.now,
            "expires": self.now + DAY,
            "key_commitment": key_commitment(key),
            "body_size": len(body),
            "body_digest": sha256(body),
            "replaces": None,
        }
        return Core(**replaced(values, changes))

    def forward(self, original: Sealed, sender: str, to: Iterable[str], **steps: object) -> Sealed:
        """The same content and Provisions in a new envelope; `steps` as for `envelope`."""
        held: dict[str, Any] = {
            "manifest": original.manifest,
            "attachments": original.attachments,
            "provisions": original.header.core.provisions,
        }
        return self.envelope(to, sender, **replaced(held, steps))

    def verified(self, sealed: Sealed) -> VerifiedHeader:
        """Its header with the sender's signature checked."""
        return verify_header(sealed.header, self.directory, self.now)

    # Answers.

    def receipt(self, sealed: Sealed, signer: SigningIdentity | None = None, **fields: object) -> SignedReceipt:
        """The relay's receipt; `fields` replace attributes of Receipt."""
        core = sealed.header.core
        values: dict[str, Any] = {
            "relay": self.relay.key_id,
            "sender": core.sender,
            "envelope": core.id,
            "header_digest": sealed.digest,
            "body_digest": sha256(sealed.body),
            "body_size": len(sealed.body),
            "time": self.now,
            "directory_size": self.directory.size,
            "log_by": self.now + LOG_BY,
        }
        body = encode(RECEIPT, Receipt(**replaced(values, fields)))
        return SignedReceipt(body, (signer or self.relay).sign_bytes(Context.RECEIPT, body))

    def acknowledgement(
        self, sealed: Sealed, recipient: str, signer: SigningIdentity | None = None, **fields: object
    ) -> SignedAcknowledgement:
        """A recipient's acknowledgement; `fields` replace attributes of Acknowledgement."""
        core = sealed.header.core
        values: dict[str, Any] = {
            "recipient": MemberId(recipient),
            "key_id": self.nodes[recipient].key_id,
            "sender": core.sender,
            "envelope": core.id,
            "header_digest": sealed.digest,
            "outcome": Outcome.DELIVERED,
            "time": self.now + HOUR,
        }
        body = encode(ACKNOWLEDGEMENT, Acknowledgement(**replaced(values, fields)))
        return SignedAcknowledgement(body, (signer or self.nodes[recipient]).sign_bytes(Context.ACKNOWLEDGEMENT, body))

    def session(
        self, member: str, nonce: bytes, signer: SigningIdentity | None = None, **fields: object
    ) -> tuple[Proof, Welcome]:
        """A node's proof for the relay's nonce, and the relay's welcome; `fields` replace parts of the statement."""
        values: dict[str, Any] = {
            "nonce": nonce,
            "relay": self.relay.key_id,
            "member": MemberId(member),
            "role": SessionRole.NODE,
            "time": self.now,
            "tls_digest": None,
        }
        body = encode(SESSION_STATEMENT, SessionStatement(**replaced(values, fields)))
        key = signer or self.nodes[member]
        proof = Proof(body, key.key_id, key.sign_bytes(Context.SESSION_NODE, body))
        return proof, Welcome(self.relay.sign_bytes(Context.SESSION_RELAY, body))
