"""The verified view of keys: every rule with an entry that breaks it, and nothing kept of a batch that fails."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from keys.digests import charter_digest, key_id
from keys.directory import Directory, begin, extend, verify_first_charter
from keys.errors import BadSignature, KeyFault, Untrusted
from keys.identity import EpochIdentity, SigningIdentity
from schemas.canon import encode
from schemas.charter import Charter
from schemas.contexts import Context
from schemas.ids import Digest, KeyId, MemberId
from schemas.limits import DAY
from schemas.statement import EPOCH_KEY, SIGNING_KEY, DirectoryEntry, EntryKind, EpochKey, SigningKey, read_entry
from tests.support.entropy import derived
from tests.support.realm import charter_entry, epoch_entry, epoch_statement, signing_entry, signing_statement
from tests.support.world import World

KAZ, MNG, TUR = MemberId("KAZ"), MemberId("MNG"), MemberId("TUR")
NEW = SigningIdentity.from_entropy(KAZ, derived("new node", size=96))
EPOCH = EpochIdentity(derived("new epoch", size=96))


def first(world: World) -> DirectoryEntry:
    return read_entry(world.entries[0])


def number_of_epochs(world: World) -> int:
    return len(world.directory.epochs[KAZ])


def new_epoch(world: World, **changes: object) -> EpochKey:
    statement = epoch_statement("KAZ", number_of_epochs(world) + 1, EPOCH, world.now)
    return replace(statement, **changes)  # type: ignore[arg-type]  # any attribute


def test_a_directory_holds_what_its_entries_say(world: World) -> None:
    directory = world.directory
    assert directory.size == len(world.entries)
    assert directory.charter == world.charter
    assert set(directory.members) == {"KAZ", "MNG", "UZB", "XAA"}
    record = directory.signing_key(KAZ, world.nodes["KAZ"].key_id, world.now)
    assert (record.keys, record.index) == (world.nodes["KAZ"].public, 1)
    assert [epoch.key_id for epoch in directory.epochs[KAZ]] == [epoch.key_id for epoch in world.epochs["KAZ"]]
    assert directory.relay(world.relay.key_id).name == "relay"


def test_a_directory_cannot_be_changed_in_place(world: World) -> None:
    with pytest.raises(TypeError):
        world.directory.signing[KAZ, NEW.key_id] = None  # type: ignore[index]  # a read-only mapping
    with pytest.raises(TypeError):
        world.directory.members[TUR] = None  # type: ignore[index]


@pytest.mark.parametrize("offset", [-31 * DAY, 401 * DAY])
def test_a_signing_key_is_given_out_only_within_its_term(world: World, offset: int) -> None:
    key = world.nodes["KAZ"].key_id
    with pytest.raises(Untrusted, match="not valid at that time"):
        world.directory.signing_key(KAZ, key, world.now + offset)
    for edge in (world.now - 30 * DAY, world.now + 400 * DAY):
        assert world.directory.signing_key(KAZ, key, edge).key_id == key


def test_a_key_of_another_member_or_of_nobody_is_not_given_out(world: World) -> None:
    for member, key in ((MNG, world.nodes["KAZ"].key_id), (KAZ, NEW.key_id), (KAZ, KeyId(bytes(32)))):
        with pytest.raises(Untrusted, match="no signing key"):
            world.directory.signing_key(member, key, world.now)


def test_the_newest_valid_epoch_is_used(world: World) -> None:
    directory = world.directory
    assert directory.epoch_at(KAZ, world.now).number == 1
    assert directory.epoch_at(KAZ, world.now + 6 * DAY).number == 2  # the second at which both are valid
    for at in (world.now - DAY - 1, world.now + 21 * DAY):
        with pytest.raises(Untrusted, match="no valid encryption epoch"):
            directory.epoch_at(KAZ, at)
    with pytest.raises(Untrusted, match="no valid encryption epoch"):
        directory.epoch_at(TUR, world.now)
    with pytest.raises(Untrusted, match="no epoch key"):
        directory.epoch(MNG, world.epochs["KAZ"][0].key_id)


def test_unknown_members_and_relays_are_not_given_out(world: World) -> None:
    with pytest.raises(Untrusted, match="TUR is not in the charter"):
        world.directory.member(TUR)
    with pytest.raises(Untrusted, match="no relay"):
        world.directory.relay(world.nodes["KAZ"].key_id)


def test_observers_may_not_send() -> None:
    directory = World(codes=("KAZ", "MNG"), observers=("TUR",), secretariat=True).directory
    assert [code for code in ("CICA", "KAZ", "TUR", "XAA") if directory.may_send(MemberId(code))] == ["CICA", "KAZ"]


def test_a_charter_that_was_not_pinned_is_refused(world: World) -> None:
    other = World(seed="another world")
    with pytest.raises(Untrusted, match="not the one that was pinned"):
        begin(first(other), world.charter_digest)
    assert verify_first_charter(first(other), None) == other.charter


def signed_charter(charter: Charter, world: World) -> DirectoryEntry:
    return read_entry(charter_entry(charter, world.roots))


def test_a_charter_missing_one_signature_is_refused(world: World) -> None:
    entry = first(world)
    for missing in range(4):
        kept = tuple(s for i, s in enumerate(entry.signatures) if i != missing)
        with pytest.raises(Untrusted, match=f"missing: {entry.signatures[missing].signer}"):
            begin(replace(entry, signatures=kept), world.charter_digest)


def test_a_charter_signed_by_a_stranger_as_well_is_refused(world: World) -> None:
    entry = first(world)
    stranger = replace(entry.signatures[0], signer=MemberId("ZZZ"))
    with pytest.raises(Untrusted, match="missing: none"):
        begin(replace(entry, signatures=(*entry.signatures, stranger)), world.charter_digest)


def test_a_charter_with_a_signature_by_a_node_key_is_refused(world: World) -> None:
    entry = first(world)
    forged = world.nodes["KAZ"].sign_hybrid(Context.CHARTER, entry.body)
    with pytest.raises(BadSignature):
        begin(replace(entry, signatures=(forged, *entry.signatures[1:])), world.charter_digest)


def test_a_charter_with_a_signature_for_another_purpose_is_refused(world: World) -> None:
    entry = first(world)
    forged = world.roots["KAZ"].sign_hybrid(Context.SIGNING_KEY, entry.body)
    with pytest.raises(BadSignature):
        begin(replace(entry, signatures=(forged, *entry.signatures[1:])), world.charter_digest)


def test_a_directory_begins_with_a_first_charter(world: World) -> None:
    with pytest.raises(Untrusted, match="does not begin"):
        begin(read_entry(world.entries[1]), world.charter_digest)
    later = signed_charter(replace(world.charter, version=2, previous=Digest(bytes(32))), world)
    with pytest.raises(Untrusted, match="does not begin"):
        begin(later, charter_digest(later.body))


def test_observers_and_the_secretariat_do_not_sign_the_charter() -> None:
    world = World(codes=("KAZ", "MNG"), observers=("TUR",), secretariat=True)
    entry = first(world)
    assert [signature.signer for signature in entry.signatures] == ["KAZ", "MNG"]
    observer = world.roots["TUR"].sign_hybrid(Context.CHARTER, entry.body)
    with pytest.raises(Untrusted):
        begin(replace(entry, signatures=(*entry.signatures, observer)), world.charter_digest)


def test_a_new_signing_key_and_its_epoch_are_added(world: World) -> None:
    entries = [
        signing_entry(signing_statement("KAZ", NEW, world.now), world.roots["KAZ"]),
        epoch_entry(new_epoch(world), NEW),
    ]
    grown = extend(world.directory, [read_entry(entry) for entry in entries])
    assert grown.size == world.directory.size + 2
    assert grown.signing_key(KAZ, NEW.key_id, world.now).index == world.directory.size
    assert grown.epoch(KAZ, EPOCH.key_id).index == world.directory.size + 1


def _signed_epoch(statement: EpochKey, signer: SigningIdentity, context: Context = Context.EPOCH_KEY) -> DirectoryEntry:
    body = encode(EPOCH_KEY, statement)
    return DirectoryEntry(EntryKind.EPOCH_KEY, body, (signer.sign_hybrid(context, body),))


def _signed_key(
    statement: SigningKey, signer: SigningIdentity, context: Context = Context.SIGNING_KEY
) -> DirectoryEntry:
    body = encode(SIGNING_KEY, statement)
    return DirectoryEntry(EntryKind.SIGNING_KEY, body, (signer.sign_hybrid(context, body),))


def _as(identity: SigningIdentity, owner: str) -> SigningIdentity:
    return SigningIdentity.from_entropy(MemberId(owner), identity.entropy)


def _claims_key(entry: DirectoryEntry, key: KeyId) -> DirectoryEntry:
    return replace(entry, signatures=(replace(entry.signatures[0], key_id=key),))


FORGED: dict[str, tuple[type[KeyFault], Callable[[World], DirectoryEntry]]] = {
    "signing key of a stranger": (
        Untrusted,
        lambda w: _signed_key(signing_statement("TUR", NEW, w.now), _as(w.roots["KAZ"], "TUR")),
    ),
    "signing key certified by another root": (
        BadSignature,
        lambda w: _signed_key(signing_statement("KAZ", NEW, w.now), w.roots["MNG"]),
    ),
    "signing key certified by another root in its name": (
        BadSignature,
        lambda w: _signed_key(signing_statement("KAZ", NEW, w.now), _as(w.roots["MNG"], "KAZ")),
    ),
    "signing key certified by another root under its key id": (
        BadSignature,
        lambda w: _claims_key(
            _signed_key(signing_statement("KAZ", NEW, w.now), _as(w.roots["MNG"], "KAZ")), w.roots["KAZ"].key_id
        ),
    ),
    "signing key certified by the node itself": (
        BadSignature,
        lambda w: _signed_key(signing_statement("KAZ", NEW, w.now), w.nodes["KAZ"]),
    ),
    "signing key with a signature for another purpose": (
        BadSignature,
        lambda w: _signed_key(signing_statement("KAZ", NEW, w.now), w.roots["KAZ"], Context.EPOCH_KEY),
    ),
    "signing key that is there already": (
        Untrusted,
        lambda w: _signed_key(signing_statement("KAZ", w.nodes["KAZ"], w.now), w.roots["KAZ"]),
    ),
    "signing key that is the root": (
        Untrusted,
        lambda w: _signed_key(signing_statement("KAZ", w.roots["KAZ"], w.now), w.roots["KAZ"]),
    ),
    "epoch certified by an unknown key": (Untrusted, lambda w: _signed_epoch(new_epoch(w), NEW)),
    "epoch certified by the root": (Untrusted, lambda w: _signed_epoch(new_epoch(w), w.roots["KAZ"])),
    "epoch certified by another member": (BadSignature, lambda w: _signed_epoch(new_epoch(w), w.nodes["MNG"])),
    "epoch certified by another member in its name": (
        Untrusted,
        lambda w: _signed_epoch(new_epoch(w), _as(w.nodes["MNG"], "KAZ")),
    ),
    "epoch certified by another member under its key id": (
        BadSignature,
        lambda w: _claims_key(_signed_epoch(new_epoch(w), _as(w.nodes["MNG"], "KAZ")), w.nodes["KAZ"].key_id),
    ),
    "epoch with a signature for another purpose": (
        BadSignature,
        lambda w: _signed_epoch(new_epoch(w), w.nodes["KAZ"], Context.SIGNING_KEY),
    ),
    "epoch made before its certifier was valid": (
        Untrusted,
        lambda w: _signed_epoch(new_epoch(w, created=w.now - 31 * DAY), w.nodes["KAZ"]),
    ),
    "epoch made after its certifier had ended": (
        Untrusted,
        lambda w: _signed_epoch(new_epoch(w, created=w.now + 401 * DAY), w.nodes["KAZ"]),
    ),
    "epoch with the last number again": (
        Untrusted,
        lambda w: _signed_epoch(new_epoch(w, number=number_of_epochs(w)), w.nodes["KAZ"]),
    ),
    "epoch with an earlier number": (Untrusted, lambda w: _signed_epoch(new_epoch(w, number=0), w.nodes["KAZ"])),
    "epoch with a key that was used": (
        Untrusted,
        lambda w: _signed_epoch(new_epoch(w, keys=w.epochs["KAZ"][0].public), w.nodes["KAZ"]),
    ),
    "charter that skips a version": (
        Untrusted,
        lambda w: signed_charter(replace(w.charter, version=3, previous=w.charter_digest), w),
    ),
    "charter that follows another one": (
        Untrusted,
        lambda w: signed_charter(replace(w.charter, version=2, previous=Digest(bytes(32))), w),
    ),
    "charter repeated": (Untrusted, first),
}


@pytest.mark.parametrize("attack", FORGED)
def test_a_forged_entry_is_refused_and_nothing_of_its_batch_is_kept(world: World, attack: str) -> None:
    fault, forge = FORGED[attack]
    directory = world.directory
    before = (directory.size, dict(directory.signing), dict(directory.epochs))
    honest = read_entry(epoch_entry(epoch_statement("MNG", 9, EPOCH, world.now), world.nodes["MNG"]))
    with pytest.raises(fault):
        extend(directory, [honest, forge(world)])
    assert (directory.size, dict(directory.signing), dict(directory.epochs)) == before
    assert extend(directory, [honest]).size == directory.size + 1


def grown(world: World, entries: list[DirectoryEntry]) -> Directory:
    return extend(world.directory, entries)


def test_entries_may_come_one_by_one_or_together(world: World) -> None:
    entries = [
        _signed_key(signing_statement("KAZ", NEW, world.now), world.roots["KAZ"]),
        _signed_epoch(new_epoch(world), NEW),
    ]
    step = world.directory
    for entry in entries:
        step = extend(step, [entry])
    assert step == grown(world, entries)
    assert step.knows(KAZ, key_id(NEW.public))
    assert not step.knows(MNG, key_id(NEW.public))
