"""Encryption epochs: published ahead, never renumbered, never under another clock; and what the vault opens."""

from pathlib import Path

import pytest

from exchange.node.keyring import LOCAL, SIGNING, Keyring
from keys.directory import Directory, begin, extend
from keys.epochs import EPOCH_GRACE, EPOCH_TERM, EPOCHS_AHEAD
from keys.errors import KeystoreFault, Undecryptable, Untrusted
from keys.keystore import Keystore
from keys.mortal import ends
from keys.vault import Vault
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY, MAX_EPOCH
from schemas.statement import DirectoryEntry, EpochKey, read_entry
from tests.support.changes import certificate, epoch_of, identity, term
from tests.support.node import keyring_of
from tests.support.world import NOW, World

MNG = MemberId("MNG")


@pytest.fixture
def bare(world: World) -> Directory:
    """The world's directory with signing keys and no epoch."""
    first, *others = [read_entry(entry) for entry in world.entries]
    return extend(begin(first, world.charter_digest), others[: len(world.nodes)])


@pytest.fixture
def keyring(tmp_path: Path, world: World) -> Keyring:
    return Keyring(MNG, keystore_of(tmp_path, world))


def keystore_of(folder: Path, world: World) -> Keystore:
    store = Keystore(folder, bytes(32))
    store.put(SIGNING, world.nodes["MNG"].entropy)
    store.put(LOCAL, b"L" * 32)
    return store


def statements(entries: tuple[DirectoryEntry, ...]) -> list[EpochKey]:
    found = [entry.statement for entry in entries]
    assert all(isinstance(statement, EpochKey) for statement in found)
    return [statement for statement in found if isinstance(statement, EpochKey)]


def test_the_present_epoch_and_eight_ahead(keyring: Keyring, bare: Directory) -> None:
    entries = keyring.missing_epochs(bare, NOW)
    made = statements(entries)
    current = NOW // EPOCH_TERM
    assert [statement.number for statement in made] == list(range(current, current + EPOCHS_AHEAD + 1))
    for statement in made:
        assert statement.valid_from == statement.number * EPOCH_TERM
        assert statement.valid_until == statement.valid_from + EPOCH_TERM
        assert statement.destroy_at == statement.valid_until + EPOCH_GRACE
    grown = extend(bare, entries)
    assert grown.epoch_at(MNG, NOW).number == current
    assert keyring.missing_epochs(grown, NOW) == ()


def test_a_repeated_call_makes_no_other_keys(keyring: Keyring, bare: Directory) -> None:
    first, second = (statements(keyring.missing_epochs(bare, NOW)) for _ in range(2))
    assert [statement.keys for statement in first] == [statement.keys for statement in second]


def test_a_week_later_one_more_is_published(keyring: Keyring, bare: Directory) -> None:
    grown = extend(bare, keyring.missing_epochs(bare, NOW))
    made = statements(keyring.missing_epochs(grown, NOW + EPOCH_TERM))
    assert [statement.number for statement in made] == [NOW // EPOCH_TERM + EPOCHS_AHEAD + 1]


def test_after_a_long_absence_nothing_is_published_below_the_last_number(keyring: Keyring, bare: Directory) -> None:
    grown = extend(bare, keyring.missing_epochs(bare, NOW))
    later = NOW + 20 * EPOCH_TERM
    made = statements(keyring.missing_epochs(grown, later))
    current = later // EPOCH_TERM
    assert [statement.number for statement in made] == list(range(current, current + EPOCHS_AHEAD + 1))
    assert extend(grown, keyring.missing_epochs(grown, later)).epoch_at(MNG, later).number == current


@pytest.mark.parametrize("back", [1, EPOCHS_AHEAD, EPOCHS_AHEAD + 1, 100])
def test_a_clock_that_went_back_publishes_nothing(keyring: Keyring, bare: Directory, back: int) -> None:
    later = NOW + 20 * DAY
    grown = extend(bare, keyring.missing_epochs(bare, later))
    signing = grown.signing_key(MNG, keyring.signing.key_id, NOW)
    before = max(later - back * EPOCH_TERM, signing.valid_from)
    assert before // EPOCH_TERM < later // EPOCH_TERM
    with pytest.raises(Untrusted, match="clock"):
        keyring.missing_epochs(grown, before)


def test_no_epoch_outlives_the_signing_key_that_certifies_it(keyring: Keyring, bare: Directory) -> None:
    end = bare.signing_key(MNG, keyring.signing.key_id, NOW).valid_until
    made = statements(keyring.missing_epochs(bare, end - DAY))
    assert made
    assert all(statement.valid_from < end for statement in made)


def test_an_uncertified_key_publishes_nothing(tmp_path: Path, world: World) -> None:
    first = read_entry(world.entries[0])
    charter_only = begin(first, world.charter_digest)
    with pytest.raises(Untrusted):
        Keyring(MNG, keystore_of(tmp_path, world)).missing_epochs(charter_only, NOW)


def test_epochs_survive_a_restart(tmp_path: Path, world: World, bare: Directory) -> None:
    entries = Keyring(MNG, keystore_of(tmp_path, world)).missing_epochs(bare, NOW)
    grown = extend(bare, entries)
    again = Keyring(MNG, Keystore(tmp_path, bytes(32)))
    for record in grown.epochs[MNG]:
        assert again.epoch(record.key_id).public == record.keys


def test_a_destroyed_epoch_cannot_be_had(keyring: Keyring) -> None:
    with pytest.raises(KeystoreFault):
        keyring.epoch(KeyId(bytes(32)))


def test_create_refuses_a_keystore_with_keys(tmp_path: Path, world: World) -> None:
    store = keystore_of(tmp_path, world)
    with pytest.raises(KeystoreFault):
        Keyring.create(MNG, store)


def test_it_prints_as_its_member_only(tmp_path: Path, world: World) -> None:
    keyring = keyring_of(tmp_path, world, "MNG")
    assert repr(keyring) == "Keyring(MNG)"
    assert repr(keyring.vault) == "Vault()"


def test_halves_are_destroyed_at_their_time_and_not_before(tmp_path: Path, world: World, bare: Directory) -> None:
    keyring = Keyring(MNG, keystore_of(tmp_path, world))
    grown = extend(bare, keyring.missing_epochs(bare, NOW))
    first, *others = grown.epochs[MNG]
    identity = keyring.epoch(first.key_id)
    assert keyring.destroy_due(first.destroy_at - 1) == ()
    assert any(identity.seed)
    assert keyring.destroy_due(first.destroy_at) == (first.number,)
    assert not any(identity.seed)
    assert not keyring.holds(first.key_id)
    assert all(keyring.holds(record.key_id) for record in others)
    again = Keyring(MNG, Keystore(tmp_path, bytes(32)))
    assert [record for record in grown.epochs[MNG] if again.holds(record.key_id)] == others
    assert keyring.destroy_due(others[-1].destroy_at) == tuple(record.number for record in others)


def test_a_half_that_resists_is_tried_again(
    tmp_path: Path, world: World, bare: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = Keyring(MNG, keystore_of(tmp_path, world))
    first = extend(bare, keyring.missing_epochs(bare, NOW)).epochs[MNG][0]

    def resist(path: Path) -> None:
        raise KeystoreFault(f"{path} cannot be destroyed")

    with monkeypatch.context() as patched:
        patched.setattr("keys.mortal.erase", resist)
        with pytest.raises(KeystoreFault):
            keyring.destroy_due(first.destroy_at)
    assert not keyring.holds(first.key_id)
    keyring.destroy_due(first.destroy_at)
    assert first.destroy_at not in ends(tmp_path).values()


def test_halves_that_were_lost_are_published_anew_for_the_same_weeks(
    tmp_path: Path, world: World, bare: Directory
) -> None:
    """After a restore: senders take the newest epoch of a week, and that is one that this node can open."""
    grown = extend(bare, Keyring(MNG, keystore_of(tmp_path, world)).missing_epochs(bare, NOW))
    (tmp_path / "restored").mkdir(mode=0o700)
    restored = Keyring(MNG, keystore_of(tmp_path / "restored", world))
    assert not restored.receives(grown, NOW)
    made = statements(restored.missing_epochs(grown, NOW))
    last = grown.epochs[MNG][-1].number
    assert [statement.number for statement in made] == list(range(last + 1, last + EPOCHS_AHEAD + 2))
    grown = extend(grown, restored.missing_epochs(grown, NOW))
    assert restored.receives(grown, NOW)
    for week in range(EPOCHS_AHEAD + 1):
        assert restored.holds(grown.epoch_at(MNG, NOW + week * EPOCH_TERM).key_id)
    later = statements(restored.missing_epochs(grown, NOW + EPOCH_TERM))
    assert [statement.number for statement in later] == [last + EPOCHS_AHEAD + 2]


def test_under_another_signing_key_numbers_begin_anew(tmp_path: Path, world: World, bare: Directory) -> None:
    """Whoever used up those of the key before takes nothing from this one, also not from what was published by then."""
    grown = extend(bare, Keyring(MNG, keystore_of(tmp_path, world)).missing_epochs(bare, NOW))
    new = identity("node", "MNG")
    (tmp_path / "new").mkdir(mode=0o700)
    store = Keystore(tmp_path / "new", bytes(32))
    store.put(SIGNING, new.entropy)
    store.put(LOCAL, b"L" * 32)
    spent = epoch_of(world.nodes["MNG"], MAX_EPOCH, NOW)
    grown = extend(grown, [spent, certificate(term(new, NOW - DAY, NOW + 400 * DAY), world.roots["MNG"])])
    (tmp_path / "again").mkdir(mode=0o700)
    with pytest.raises(Untrusted, match="revoke and replace"):
        Keyring(MNG, keystore_of(tmp_path / "again", world)).missing_epochs(grown, NOW)
    keyring, current = Keyring(MNG, store), NOW // EPOCH_TERM
    entries = keyring.missing_epochs(grown, NOW)
    assert [statement.number for statement in statements(entries)] == list(range(current, current + EPOCHS_AHEAD + 1))
    assert keyring.receives(extend(grown, entries), NOW)


def test_a_half_whose_publication_failed_is_published_later_as_it_was_made(keyring: Keyring, bare: Directory) -> None:
    """It was on the disk since then: what its statement says of its making is what an exposure is judged by."""
    first = statements(keyring.missing_epochs(bare, NOW))
    second = statements(keyring.missing_epochs(bare, NOW + DAY))
    assert second == first
    assert {statement.created for statement in second} == {NOW}


def test_nobody_can_seal_to_a_node_without_epochs_so_it_misses_nothing(keyring: Keyring, bare: Directory) -> None:
    assert keyring.receives(bare, NOW)


# The vault.


def test_a_value_opens_in_its_own_place_only() -> None:
    vault = Vault(b"L" * 32)
    sealed = vault.seal("manifest", b"m" * 16, b"content")
    assert vault.open("manifest", b"m" * 16, sealed) == b"content"
    for place, name in (("title", b"m" * 16), ("manifest", b"n" * 16)):
        with pytest.raises(Undecryptable):
            vault.open(place, name, sealed)
    with pytest.raises(Undecryptable):
        Vault(b"M" * 32).open("manifest", b"m" * 16, sealed)


def test_equal_values_are_sealed_unequally() -> None:
    vault = Vault(b"L" * 32)
    assert vault.seal("title", b"m", b"x") != vault.seal("title", b"m", b"x")


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33])
def test_a_file_that_is_too_short_does_not_open(size: int) -> None:
    with pytest.raises(Undecryptable):
        list(Vault(b"L" * 32).open_file("a" * 32, [bytes(size)]))


def test_a_file_opens_from_pieces_of_any_size() -> None:
    vault = Vault(b"L" * 32)
    stored = b"".join(vault.seal_file("f", b"s" * 32, [b"a" * 100_000]))
    pieces = [stored[i : i + 7] for i in range(0, len(stored), 7)]
    assert b"".join(vault.open_file("f", pieces)) == b"a" * 100_000


def test_a_request_digest_is_of_these_parts_and_of_this_key() -> None:
    vault = Vault(b"L" * 32)
    assert vault.request_digest(b"ab", b"c") == vault.request_digest(b"ab", b"c")
    assert vault.request_digest(b"ab", b"c") != vault.request_digest(b"a", b"bc")
    assert vault.request_digest(b"ab", b"c") != Vault(b"M" * 32).request_digest(b"ab", b"c")
