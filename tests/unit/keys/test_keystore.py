"""Key files: private or refused, whole or refused, and never shown."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from keys import keystore, primitives
from keys.errors import KeystoreFault
from keys.keystore import Keystore, is_sealed_file, read_private, read_sealed_file, write_sealed_file

SECRET = b"a secret of thirty-two bytes....."
PASSPHRASE = b"correct horse battery"
OTHER = b"another passphrase"


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that libsodium allows: these tests are about files, not about the cost of a guess."""
    monkeypatch.setattr(primitives, "ARGON2_OPS", 1)
    monkeypatch.setattr(primitives, "ARGON2_MEMORY", 8192)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "root.key"
    write_sealed_file(path, "root", SECRET, PASSPHRASE)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Keystore:
    made = Keystore.create(tmp_path / "keys", PASSPHRASE)
    made.put("signing", SECRET)
    return made


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_sealed_file_opens_with_its_passphrase_and_label(sealed: Path) -> None:
    assert read_sealed_file(sealed, "root", PASSPHRASE) == SECRET
    assert SECRET not in sealed.read_bytes()
    assert mode(sealed) == 0o600
    assert is_sealed_file(sealed)


@pytest.mark.parametrize(("label", "passphrase"), [("root", OTHER), ("store", PASSPHRASE), ("root", b"")])
def test_another_passphrase_or_label_opens_nothing(sealed: Path, label: str, passphrase: bytes) -> None:
    with pytest.raises(KeystoreFault, match="does not open"):
        read_sealed_file(sealed, label, passphrase)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_file_that_others_can_reach_is_refused(sealed: Path, bits: int) -> None:
    sealed.chmod(bits)
    with pytest.raises(KeystoreFault, match="can be read by others"):
        read_sealed_file(sealed, "root", PASSPHRASE)


def test_a_symbolic_link_is_refused(sealed: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.key"
    link.symlink_to(sealed)
    with pytest.raises(KeystoreFault, match="symbolic link"):
        read_sealed_file(link, "root", PASSPHRASE)


def test_a_missing_file_is_a_fault_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(KeystoreFault, match="nowhere"):
        read_sealed_file(tmp_path / "nowhere", "root", PASSPHRASE)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
        lambda data: data[:17],
        lambda data: data[:25],
        lambda data: b"",
        lambda data: b"cbm/1 other\n" + data,
    ],
    ids=["cut", "longer", "last byte", "salt", "magic only", "half a salt", "empty", "another kind"],
)
def test_a_damaged_file_is_refused_without_showing_anything(sealed: Path, damage: Callable[[bytes], bytes]) -> None:
    sealed.write_bytes(damage(sealed.read_bytes()))
    with pytest.raises(KeystoreFault) as caught:
        read_sealed_file(sealed, "root", PASSPHRASE)
    assert_shows_no_secret(caught.value)


def test_a_key_is_never_overwritten(sealed: Path) -> None:
    before = sealed.read_bytes()
    with pytest.raises(KeystoreFault, match="exists"):
        write_sealed_file(sealed, "root", b"new", PASSPHRASE)
    assert sealed.read_bytes() == before


@pytest.mark.parametrize(("size", "accepted"), [(7, False), (8, True)])
def test_the_shortest_passphrase(tmp_path: Path, size: int, accepted: bool) -> None:
    path = tmp_path / "root.key"
    if accepted:
        write_sealed_file(path, "root", SECRET, b"x" * size)
    else:
        with pytest.raises(KeystoreFault, match="shorter"):
            write_sealed_file(path, "root", SECRET, b"x" * size)
    assert path.exists() is accepted


def test_a_store_keeps_its_secrets(store: Keystore, tmp_path: Path) -> None:
    store.put("epoch-7", b"other")
    again = Keystore.open(tmp_path / "keys", PASSPHRASE)
    assert (again.get("signing"), again.get("epoch-7")) == (SECRET, b"other")
    assert again.names() == ["epoch-7", "signing"]
    assert again.has("signing")
    assert not again.has("epoch-8")
    assert all(SECRET not in data for data in files(tmp_path / "keys").values())


def test_everything_in_a_store_is_private(store: Keystore, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}


def test_a_store_opens_with_its_passphrase_only(store: Keystore, tmp_path: Path) -> None:
    with pytest.raises(KeystoreFault, match="wrong passphrase"):
        Keystore.open(tmp_path / "keys", OTHER)


def test_a_store_that_others_can_enter_is_refused(store: Keystore, tmp_path: Path) -> None:
    (tmp_path / "keys").chmod(0o750)
    with pytest.raises(KeystoreFault, match="can be read by others"):
        Keystore.open(tmp_path / "keys", PASSPHRASE)


def test_there_is_one_store_in_a_folder(store: Keystore, tmp_path: Path) -> None:
    before = files(tmp_path / "keys")
    with pytest.raises(KeystoreFault, match="exists"):
        Keystore.create(tmp_path / "keys", OTHER)
    assert files(tmp_path / "keys") == before


def test_a_missing_store_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(KeystoreFault, match="no keystore"):
        Keystore.open(tmp_path / "none", PASSPHRASE)


def test_a_secret_moved_to_another_name_does_not_open(store: Keystore, tmp_path: Path) -> None:
    (tmp_path / "keys" / "signing.key").rename(tmp_path / "keys" / "local.key")
    with pytest.raises(KeystoreFault, match="damaged"):
        store.get("local")


def test_a_crash_while_writing_leaves_the_old_secret(
    store: Keystore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(self: Path, target: Path) -> Path:
        raise OSError("power lost")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", crash)
        with pytest.raises(KeystoreFault, match="power lost"):
            store.put("signing", b"half-written")
    assert store.get("signing") == SECRET
    assert Keystore.open(tmp_path / "keys", PASSPHRASE).names() == ["signing"]
    store.put("signing", b"whole")
    assert store.get("signing") == b"whole"
    assert not list((tmp_path / "keys").glob("*.new"))


def test_a_deleted_secret_is_overwritten_and_gone(store: Keystore, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.key"
    other = tmp_path / "hard-link"
    os.link(path, other)
    store.delete("signing")
    assert not path.exists()
    assert set(other.read_bytes()) == {0}
    with pytest.raises(KeystoreFault):
        store.delete("signing")


@pytest.mark.parametrize("name", ["", "store", "../root", "a/b", "A", ".hidden", "x" * 82, "a\n"])
def test_a_name_never_becomes_another_path(store: Keystore, tmp_path: Path, name: str) -> None:
    before = files(tmp_path / "keys")
    with pytest.raises(KeystoreFault, match="name"):
        store.put(name, SECRET)
    assert files(tmp_path / "keys") == before


def test_nothing_prints_a_secret(store: Keystore, tmp_path: Path) -> None:
    assert repr(store) == f"Keystore({tmp_path / 'keys'})"
    (tmp_path / "keys" / "signing.key").write_bytes(SECRET)
    with pytest.raises(KeystoreFault) as caught:
        store.get("signing")
    assert_shows_no_secret(caught.value)


def test_the_label_separates_purposes() -> None:
    assert keystore._context("root") != keystore._context("store")


def test_a_private_file_of_any_kind_is_read_under_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(PASSPHRASE)
    path.chmod(0o600)
    assert read_private(path) == PASSPHRASE
    path.chmod(0o644)
    with pytest.raises(KeystoreFault, match="others"):
        read_private(path)


def assert_shows_no_secret(fault: BaseException) -> None:
    seen: list[BaseException | None] = [fault, fault.__cause__]
    shown = " ".join(str(one) + repr(one) for one in seen)
    for secret in (SECRET, PASSPHRASE):
        assert secret.decode() not in shown
        assert secret.hex() not in shown
