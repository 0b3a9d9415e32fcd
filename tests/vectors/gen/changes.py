"""Vectors of what changes a directory: revocations, withdrawals, later versions; and of consent that it ends."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from exchange.consent.decision import Rule
from keys.amendment import Changes, amend_charter
from keys.ceremony import root_public
from keys.directory import handover_of
from schemas.canon import encode
from schemas.charter import CHARTER, Charter
from schemas.endings import WithdrawalTarget
from schemas.errors import Reason
from schemas.ids import Digest, MemberId
from schemas.limits import DAY
from schemas.origin import ORIGINS, Origins
from schemas.provision import SignedProvision
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry, read_entry
from schemas.terms import Onward
from tests.support.changes import identity, new_relay, party, revocation, version, withdrawal
from tests.support.origins import AuditLog
from tests.support.wire import ABSENT, changed, fields
from tests.support.world import Sealed
from tests.vectors.gen.later import BAD, UNTRUSTED
from tests.vectors.gen.model import ACCEPTED, Vector, decode
from tests.vectors.gen.valid import Story

UZB = MemberId("UZB")


def _kept(story: Story, entry: DirectoryEntry) -> DirectoryEntry:
    """The entry with the signatures that were made for it once."""
    made_from = entry.body + b"".join(signature.key_id for signature in entry.signatures)
    return read_entry(story.world.kept.once("change", made_from, lambda: encode(DIRECTORY_ENTRY, entry)))


def _version(story: Story, draft: Charter, signers: Iterable[str]) -> DirectoryEntry:
    return _kept(story, version(draft, [story.world.roots[code] for code in signers]))


def _draft(story: Story, changes: Changes) -> Charter:
    return amend_charter(story.world.charter, changes, story.world.now)


def _other_chair(story: Story) -> Charter:
    return _draft(story, Changes(chairmanship=replace(story.world.charter.chairmanship, member=UZB)))


def _revoked(story: Story, code: str = "KAZ") -> DirectoryEntry:
    world = story.world
    entry = revocation(world.roots[code], world.nodes[code].key_id, world.now, compromised_at=world.now - DAY)
    return _kept(story, entry)


def _withdrawn(story: Story) -> DirectoryEntry:
    name = story.provision.provision.id
    return _kept(story, withdrawal(story.world.nodes["KAZ"], WithdrawalTarget.PROVISION, name, story.world.now))


def objects(story: Story) -> Iterator[Vector]:
    """Statements that end something, later versions, leaves and proofs."""
    world = story.world
    revoked, withdrawn, origins = _revoked(story), _withdrawn(story), _origins(story)
    takeover = _draft(
        story, Changes(relays=(*world.charter.relays, new_relay()), handover=handover_of(world.directory))
    )
    yield decode("kaz", "revocation", revoked.body)
    yield decode("provision", "withdrawal", withdrawn.body)
    yield decode("revocation", "directory-entry", encode(DIRECTORY_ENTRY, revoked))
    yield decode("withdrawal", "directory-entry", encode(DIRECTORY_ENTRY, withdrawn))
    yield decode("version-2", "charter", encode(CHARTER, _other_chair(story)))
    yield decode("with-a-new-relay", "charter", encode(CHARTER, takeover))
    yield decode("original", "acceptance", origins.proofs[0].leaf)
    yield decode("one", "origins", encode(ORIGINS, origins))
    yield decode("with-origins", "core", _open_forward(story, origins).header.core_bytes)


def defects(story: Story) -> Iterator[Vector]:
    """The same with one defect each."""
    now = story.world.now
    revoked, withdrawn, origins = _revoked(story), _withdrawn(story), _origins(story)
    charter, leaf = read_entry(story.world.entries[0]).body, origins.proofs[0].leaf
    data = encode(ORIGINS, origins)
    (proof,) = fields(data)[2]
    cases: list[tuple[str, str, bytes, Reason]] = [
        ("compromised-in-the-future", "revocation", changed(revoked.body, {4: now + 1}), Reason.CONTRADICTION),
        ("reason-unknown", "revocation", changed(revoked.body, {3: 5}), Reason.OUT_OF_RANGE),
        ("without-its-date", "revocation", changed(revoked.body, {5: ABSENT}), Reason.MISSING_FIELD),
        ("target-unknown", "withdrawal", changed(withdrawn.body, {2: 3}), Reason.OUT_OF_RANGE),
        ("id-too-short", "withdrawal", changed(withdrawn.body, {3: bytes(15)}), Reason.OUT_OF_RANGE),
        ("first-takes-over", "charter", changed(charter, {9: {1: 7, 2: bytes(32)}}), Reason.CONTRADICTION),
        ("kind-unknown", "acceptance", changed(leaf, {1: 2}), Reason.OUT_OF_RANGE),
        ("without-provision", "acceptance", changed(leaf, {9: []}), Reason.OUT_OF_RANGE),
        ("proof-without-checkpoint", "origins", changed(data, {2: [proof | {4: 1}]}), Reason.CONTRADICTION),
        (
            "leaf-with-trailing-byte",
            "origins",
            changed(data, {2: [proof | {1: leaf + b"\x00"}]}),
            Reason.TRAILING_BYTES,
        ),
        ("leaf-repeated", "origins", changed(data, {2: [proof, proof]}), Reason.BAD_ORDER),
        ("path-too-long", "origins", changed(data, {2: [proof | {3: [bytes(32)] * 64}]}), Reason.OUT_OF_RANGE),
    ]
    for name, of, defective, reason in cases:
        yield decode(name, of, defective, reason)


def entries(story: Story) -> Iterator[Vector]:
    """Entries that follow the directory of world.json. Two of its three Member States amend the charter."""
    world, now = story.world, story.world.now

    def vector(name: str, entry: DirectoryEntry, expect: str = ACCEPTED) -> Vector:
        given = {"now": now, "hex": encode(DIRECTORY_ENTRY, entry).hex()}
        return Vector("signature", f"directory-entry-{name}", "directory-entry", expect, "", given)

    chair, removal = _other_chair(story), _draft(story, Changes(removed=(MemberId("MNG"),)))
    new = identity("root", "MNG")
    rooted = version(_draft(story, Changes(roots=(root_public(new),))), [world.roots["KAZ"], world.roots["UZB"], new])
    guest = identity("root", "XAA")
    admitted = version(_draft(story, Changes(admitted=(party("XAA", root=guest),))), [*world.roots.values(), guest])
    rooted, admitted = _kept(story, rooted), _kept(story, admitted)
    fits = _draft(story, Changes(relays=(new_relay(),), handover=handover_of(world.directory)))
    false = replace(fits, handover=replace(handover_of(world.directory), root_hash=Digest(bytes(32))))
    signed = _version(story, chair, ("KAZ", "MNG"))
    yield vector("charter-signed-by-the-quorum", signed)
    yield vector("charter-signed-by-one-less", replace(signed, signatures=signed.signatures[:1]), UNTRUSTED)
    yield vector("charter-version-skipped", _version(story, replace(chair, version=3), ("KAZ", "MNG")), UNTRUSTED)
    other = replace(chair, previous=Digest(bytes(32)))
    yield vector("charter-after-another-version", _version(story, other, ("KAZ", "MNG")), UNTRUSTED)
    yield vector("charter-removal", _version(story, removal, ("KAZ", "UZB")))
    yield vector("charter-removal-signed-by-the-removed", _version(story, removal, ("KAZ", "MNG")), UNTRUSTED)
    yield vector("charter-new-root", rooted)
    unheld = replace(rooted, signatures=tuple(s for s in rooted.signatures if s.signer != "MNG"))
    yield vector("charter-new-root-that-did-not-sign", unheld, UNTRUSTED)
    by_old = _kept(story, version(_draft(story, Changes(roots=(root_public(new),))), world.roots.values()))
    yield vector("charter-new-root-signed-by-the-old", by_old, BAD)
    yield vector("charter-admission-by-all", admitted)
    without = replace(admitted, signatures=tuple(s for s in admitted.signatures if s.signer != "UZB"))
    yield vector("charter-admission-without-one", without, UNTRUSTED)
    yield vector("charter-handover", _version(story, fits, ("KAZ", "MNG")))
    yield vector("charter-handover-of-another-directory", _version(story, false, ("KAZ", "MNG")), UNTRUSTED)
    yield vector(
        "charter-new-relay-without-handover", _version(story, replace(fits, handover=None), ("KAZ", "MNG")), UNTRUSTED
    )
    revoked = _revoked(story)
    yield vector("revocation-by-the-root", revoked)
    foreign = revocation(world.roots["MNG"], world.nodes["KAZ"].key_id, now, member="KAZ")
    yield vector("revocation-by-another-root", _kept(story, foreign), BAD)
    yield vector("withdrawal-by-the-node", _withdrawn(story))
    stranger = withdrawal(world.nodes["MNG"], WithdrawalTarget.PROVISION, bytes(16), now, member="KAZ")
    yield vector("withdrawal-by-another-node", _kept(story, stranger), BAD)


def consent(story: Story) -> Iterator[Vector]:
    """`authorise` after further entries, and with proofs of where consent stood before its key ended."""
    now = story.world.now

    def vector(name: str, sealed: Sealed, *expect: Rule, at: int = now, after: Iterable[DirectoryEntry] = ()) -> Vector:
        given: dict[str, Any] = {
            "now": at,
            "hex": sealed.header_bytes.hex(),
            "used_by_others": [],
            "entries": [encode(DIRECTORY_ENTRY, entry).hex() for entry in after],
        }
        return Vector("authorise", f"header-{name}", "header", sorted(expect), "", given)

    removal = _version(story, _draft(story, Changes(removed=(MemberId("MNG"),))), ("KAZ", "UZB"))
    yield vector("provision-withdrawn", story.original, Rule.WITHDRAWN, after=[_withdrawn(story)])
    yield vector("provider-s-key-revoked", story.original, Rule.PROVISION_SIGNATURE, after=[_revoked(story)])
    yield vector("recipient-removed", story.original, Rule.RECIPIENT, after=[removal])
    bare, proved = _open_forward(story, None), _open_forward(story, _origins(story))
    ended = now + 500 * DAY
    yield vector("provision-under-an-ended-key", bare, Rule.PROVISION_SIGNATURE, at=ended)
    yield vector("provision-under-an-ended-key-with-its-origin", proved, at=ended)
    yield vector("provision-under-a-revoked-key-with-its-origin", proved, after=[_revoked(story)])
    late = _open_forward(story, _origins(story, ended))
    yield vector("origin-cosigned-after-the-key-ended", late, Rule.PROVISION_SIGNATURE, at=ended)


def _open(story: Story) -> SignedProvision:
    """KAZ's Provision for MNG, open to members."""
    manifest = story.world.manifest(["KAZ"], b'{"measure":"2.1.1.b","title":{"en":"Open"}}', salt=bytes(range(32)))
    return story.world.signed_provision(manifest, ["KAZ"], ["MNG"], id=b"open" * 4, onward=Onward.MEMBERS)


def _origins(story: Story, time: int | None = None) -> Origins:
    """The proof that it stood in the relay's log."""
    world = story.world
    sealed = world.envelope(["MNG"], provisions=[_open(story)], core={"id": b"accepted" * 2})
    log = AuditLog(world)
    log.accept(sealed, salt=bytes(32))
    log.accept(sealed, salt=bytes(range(32)))
    at = world.now if time is None else time
    made = log.proof(0, at, ["KAZ", "MNG"])
    note = world.kept.once("note", log.leaves[0] + log.leaves[1] + at.to_bytes(8, "big"), lambda: made.checkpoints[0])
    return replace(made, checkpoints=(note,))


def _open_forward(story: Story, origins: Origins | None) -> Sealed:
    """MNG passes it on to UZB."""
    return story.world.envelope(["UZB"], "MNG", provisions=[_open(story)], core={"origins": origins})
