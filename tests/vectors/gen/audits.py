"""Vectors of audit logs: their entries, anchors, openings, heads that name headers, and evidence made of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from keys.digests import provision_digest, sha256
from keys.logsigner import sign_node_checkpoint
from keys.merkle import MemoryTree, inclusion_proof, tree_root
from keys.tiles import entry_hash
from schemas.anchor import ANCHOR, ANCHORED, Anchor, Anchored
from schemas.audit import AUDIT_ENTRY, AuditEntry, AuditKind
from schemas.canon import encode
from schemas.consent import encode_consent
from schemas.content import HEAD, Head
from schemas.contexts import Context
from schemas.errors import Reason
from schemas.evidence import ENVELOPE_EVIDENCE, EVIDENCE, LOGGED_ENTRY, EnvelopeEvidence, Evidence, LoggedEntry
from schemas.grant import SIGNED_GRANT
from schemas.ids import Digest, MemberId
from schemas.opening import OPENING, SIGNED_OPENING, Opening, Openings, SignedOpening
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.wire import ABSENT, changed, fields
from tests.vectors.gen.model import Vector, decode
from tests.vectors.gen.valid import Story

_KAZ, _MNG = MemberId("KAZ"), MemberId("MNG")
_SALT = bytes(range(32))

Case = tuple[str, Mapping[int, Any], Reason]


def _entries(story: Story) -> dict[str, AuditEntry]:
    """Entries of both kinds of log: with the fewest fields, of a relay, of a node, of many occurrences."""
    now, sealed = story.world.now, story.original
    answer = encode(SIGNED_ACKNOWLEDGEMENT, story.world.acknowledgement(sealed, "MNG"))
    of_envelope: dict[str, Any] = {"member": _MNG, "envelope": sealed.header.core.id, "header_digest": sealed.digest}
    return {
        "alarm": AuditEntry(AuditKind.ALARM, _SALT, now),
        "acknowledged": AuditEntry(
            AuditKind.ACKNOWLEDGED,
            _SALT,
            now,
            **of_envelope,
            reason="delivered",
            evidence=sha256(answer),
            directory_size=story.world.directory.size,
        ),
        "opened": AuditEntry(
            AuditKind.OPENED,
            _SALT,
            now,
            actor="foreign-affairs/registry",
            provision=provision_digest(story.provision.body),
            subject=story.provision.provision.id,
        ),
        "login-denied": AuditEntry(AuditKind.LOGIN_DENIED, _SALT, now, reason="token", address=bytes(16), count=3),
        "relayed": AuditEntry(AuditKind.RELAYED, _SALT, now + 1, **of_envelope, relay_time=now),
    }


def _log(story: Story) -> list[bytes]:
    return [encode(AUDIT_ENTRY, entry) for entry in _entries(story).values()]


def _anchor(story: Story) -> Anchor:
    """KAZ's log, of which the relay has the first two leaves."""
    node, leaves = story.world.nodes["KAZ"], _log(story)
    hashes = [entry_hash(leaf) for leaf in leaves]
    made_from = node.key_id + b"".join(hashes)
    root = _root(hashes)
    note = story.world.kept.once("anchor", made_from, lambda: sign_node_checkpoint(node, len(hashes), root).encode())
    return Anchor(_KAZ, note, 2, b"".join(hashes[2:]))


def _root(hashes: list[Digest]) -> Digest:
    return tree_root(len(hashes), MemoryTree(hashes))


def _logged(story: Story) -> LoggedEntry:
    """The acknowledgement in the relay's log, under a checkpoint with the lines of two states."""
    world, leaves = story.world, _log(story)
    note = world.kept.once(
        "note",
        b"".join(leaves) + world.now.to_bytes(8, "big"),
        lambda: cosigned(world, signed_checkpoint(world, "audit", leaves), ["KAZ", "MNG"]).encode(),
    )
    path = inclusion_proof(1, len(leaves), MemoryTree(entry_hash(leaf) for leaf in leaves))
    return LoggedEntry(leaves[1], 1, path, note)


def _opening(story: Story) -> SignedOpening:
    """MNG says that an official has opened what KAZ sent."""
    sealed = story.original
    hour = story.world.now - story.world.now % 3600
    body = encode(OPENING, Opening(_MNG, _KAZ, sealed.header.core.id, sealed.digest, hour))
    return SignedOpening(body, story.world.nodes["MNG"].sign(Context.OPENING, body))


def _envelope(story: Story) -> EnvelopeEvidence:
    """The original, accepted and acknowledged; its content is shown."""
    world, sealed = story.world, story.original
    answer = encode(SIGNED_ACKNOWLEDGEMENT, world.acknowledgement(sealed, "MNG"))
    receipt = encode(SIGNED_RECEIPT, world.receipt(sealed))
    return EnvelopeEvidence(sealed.header_bytes, receipt, None, (answer,), story.manifest)


def _evidence(story: Story) -> Evidence:
    """What KAZ has of its message, by the directory of world.json."""
    world, logged = story.world, _logged(story)
    made = signed_checkpoint(world, "directory", world.entries)
    checkpoint = world.kept.once("checkpoint", made.checkpoint.text.encode(), made.encode)
    return Evidence(
        _KAZ,
        world.now + 60,
        provision_digest(story.provision.body),
        None,
        checkpoint,
        (_envelope(story),),
        grants=(encode(SIGNED_GRANT, story.grant),),
        openings=(encode(SIGNED_OPENING, _opening(story)),),
        entries=(logged,),
        earlier=(checkpoint,),
    )


def objects(story: Story) -> Iterator[Vector]:
    """Every object, accepted."""
    for name, entry in _entries(story).items():
        yield decode(name, "audit-entry", encode(AUDIT_ENTRY, entry))
    anchor, opening, evidence = _anchor(story), _opening(story), _evidence(story)
    hashes = [entry_hash(leaf) for leaf in _log(story)]
    yield decode("three-hashes", "anchor", encode(ANCHOR, anchor))
    yield decode("nothing-new", "anchor", encode(ANCHOR, replace(anchor, first=len(hashes), hashes=b"")))
    yield decode("example", "anchored", encode(ANCHORED, Anchored(len(hashes), _root(hashes))))
    yield decode("example", "opening", opening.body)
    yield decode("example", "signed-opening", encode(SIGNED_OPENING, opening))
    openings = Openings((encode(SIGNED_OPENING, opening),))
    yield decode("openings", "consent-message", encode_consent(openings))
    yield decode("acknowledged", "logged-entry", encode(LOGGED_ENTRY, evidence.entries[0]))
    (envelope,) = evidence.envelopes
    sealed = replace(envelope, receipt=None, acknowledgements=(), manifest=None)
    yield decode("acknowledged", "envelope-evidence", encode(ENVELOPE_EVIDENCE, envelope))
    yield decode("sent-only", "envelope-evidence", encode(ENVELOPE_EVIDENCE, sealed))
    yield decode("of-a-message", "evidence", encode(EVIDENCE, evidence))
    streams = replace(evidence, provision=None, partner=_MNG, envelopes=(), grants=(), openings=(), entries=())
    yield decode("of-streams", "evidence", encode(EVIDENCE, streams))
    yield decode("recent", "head", encode(HEAD, _head(story)))


def _head(story: Story) -> Head:
    """It names the headers of all three numbers."""
    return Head(
        story.original.secrets["MNG"].stream, 3, story.original.digest, (), (Digest(bytes(32)), story.forward.digest)
    )


def _defects(story: Story) -> Iterator[tuple[str, bytes, list[Case]]]:
    entry, anchor = encode(AUDIT_ENTRY, _entries(story)["opened"]), encode(ANCHOR, _anchor(story))
    evidence, logged = encode(EVIDENCE, _evidence(story)), encode(LOGGED_ENTRY, _logged(story))
    yield (
        "audit-entry",
        entry,
        [
            ("kind-of-an-acceptance", {1: 1}, Reason.OUT_OF_RANGE),
            ("kind-unknown", {1: 63}, Reason.OUT_OF_RANGE),
            ("version-unknown", {2: 2}, Reason.OUT_OF_RANGE),
            ("salt-too-short", {3: bytes(31)}, Reason.OUT_OF_RANGE),
            ("without-salt", {3: ABSENT}, Reason.MISSING_FIELD),
            ("actor-with-a-space", {5: "an official"}, Reason.OUT_OF_RANGE),
            ("actor-nil", {5: None}, Reason.WRONG_TYPE),
            ("reason-of-two-words", {11: "words written"}, Reason.OUT_OF_RANGE),
        ],
    )
    yield (
        "anchor",
        anchor,
        [("half-a-hash", {4: bytes(48)}, Reason.MALFORMED), ("without-first", {3: ABSENT}, Reason.MISSING_FIELD)],
    )
    yield "opening", _opening(story).body, [("without-its-time", {5: ABSENT}, Reason.MISSING_FIELD)]
    yield "logged-entry", logged, [("path-too-long", {3: [bytes(32)] * 64}, Reason.OUT_OF_RANGE)]
    yield (
        "evidence",
        evidence,
        [
            ("of-both", {4: "MNG"}, Reason.CONTRADICTION),
            ("of-neither", {3: ABSENT}, Reason.CONTRADICTION),
            ("grants-repeated", {9: fields(evidence)[9] * 2}, Reason.BAD_ORDER),
            ("earlier-repeated", {13: fields(evidence)[13] * 2}, Reason.BAD_ORDER),
        ],
    )
    yield (
        "head",
        encode(HEAD, _head(story)),
        [
            ("recent-of-more-than-there-are", {2: 2}, Reason.CONTRADICTION),
            ("recent-none", {5: []}, Reason.OUT_OF_RANGE),
        ],
    )


def defects(story: Story) -> Iterator[Vector]:
    """The same with one defect each."""
    for of, data, cases in _defects(story):
        for name, changes, reason in cases:
            yield decode(name, of, changed(data, changes), reason)
    signed = encode(SIGNED_OPENING, _opening(story))
    other = changed(signed, {2: fields(signed)[2] | {1: "UZB"}})
    yield decode("signer-is-not-the-reader", "signed-opening", other, Reason.CONTRADICTION)
    openings = encode_consent(Openings((signed,)))
    for name, items, reason in (("none", [], Reason.OUT_OF_RANGE), ("repeated", [signed] * 2, Reason.BAD_ORDER)):
        yield decode(f"openings-{name}", "consent-message", openings[:1] + changed(openings[1:], {1: items}), reason)
