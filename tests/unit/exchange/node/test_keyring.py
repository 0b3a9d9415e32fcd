"""Encryption epochs: published ahead, never renumbered, never under another clock; and what the vault opens."""

from pathlib import Path

import pytest

from exchange.node.keyring import EPOCH_GRACE, EPOCH_TERM, EPOCHS_AHEAD, LOCAL, SIGNING, Keyring
from keys.directory import Directory, begin, extend
from keys.errors import KeystoreFault, Undecryptable, Untrusted
from keys.keystore import Keystore
from keys.vault import Vault
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY
from schemas.statement import DirectoryEntry, EpochKey, read_entry
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
    store.put(SIGNING, world.nodes["MNG"].ed25519_seed + world.nodes["MNG"].mldsa65_seed)
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
