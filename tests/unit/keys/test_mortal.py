"""Secrets with an end: written once, opened with store key and veil only, gone at their time, whatever a crash left."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from keys.errors import KeystoreFault
from keys.keystore import Keystore
from keys.mortal import MortalKeys, destroy_due, ends

SECRET = b"a secret of some forty bytes, with an end"
END = 1_800_000_000


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path, b"s" * 32)


@pytest.fixture
def mortal(keystore: Keystore) -> MortalKeys:
    made = MortalKeys(keystore)
    made.put("epoch-1", SECRET, END)
    made.put("epoch-2", b"2" + SECRET, END + 10)
    return made


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_secret_opens_until_it_is_destroyed(tmp_path: Path, keystore: Keystore, mortal: MortalKeys) -> None:
    assert mortal.names() == ["epoch-1", "epoch-2"]
    assert MortalKeys(keystore).get("epoch-1") == SECRET
    assert ends(tmp_path) == {"epoch-1": END, "epoch-2": END + 10}
    mortal.destroy("epoch-1")
    assert mortal.names() == ["epoch-2"]
    with pytest.raises(KeystoreFault):
        mortal.get("epoch-1")


def test_everything_is_private_and_nothing_shows_the_secret(tmp_path: Path, mortal: MortalKeys) -> None:
    for path in tmp_path.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    assert all(SECRET not in data for data in files(tmp_path).values())
    assert repr(mortal) == f"MortalKeys({tmp_path / 'epochs'})"


@pytest.mark.parametrize(("now", "left"), [(END - 1, 2), (END, 1), (END + 9, 1), (END + 10, 0)])
def test_what_is_due_is_destroyed_without_any_key(tmp_path: Path, mortal: MortalKeys, now: int, left: int) -> None:
    destroyed = destroy_due(tmp_path, now)
    assert len(destroyed) == 2 - left
    assert len(mortal.names()) == left
    assert len(files(tmp_path)) == 2 * left
    assert destroy_due(tmp_path, now) == ()


def test_both_files_are_overwritten_before_they_are_removed(tmp_path: Path, mortal: MortalKeys) -> None:
    """Whoever still holds the blocks, as by another link, holds zeros."""
    for path in (tmp_path / "epochs" / "epoch-1.key", tmp_path / "veils" / "epoch-1.veil"):
        os.link(path, tmp_path / f"link-{path.suffix}")
    mortal.destroy("epoch-1")
    for suffix in (".key", ".veil"):
        assert set((tmp_path / f"link-{suffix}").read_bytes()) == {0}


def test_a_secret_is_written_once(tmp_path: Path, mortal: MortalKeys) -> None:
    before = files(tmp_path)
    with pytest.raises(KeystoreFault, match="written once"):
        mortal.put("epoch-1", b"other", END)
    assert files(tmp_path) == before


HOSTILE: dict[str, Callable[[Path], None]] = {
    "a-later-time": lambda folder: write(veil(folder), veil(folder).read_bytes()[:32] + (END + 1).to_bytes(8, "big")),
    "another-veil": lambda folder: write(veil(folder), veil(folder, 2).read_bytes()),
    "a-veil-of-zeros": lambda folder: write(veil(folder), bytes(32) + END.to_bytes(8, "big")),
    "another-secret": lambda folder: write(
        folder / "epochs" / "epoch-1.key", (folder / "epochs" / "epoch-2.key").read_bytes()
    ),
    "a-short-veil": lambda folder: write(veil(folder), bytes(39)),
    "a-veil-that-others-read": lambda folder: veil(folder).chmod(0o644),
}


def veil(folder: Path, number: int = 1) -> Path:
    return folder / "veils" / f"epoch-{number}.veil"


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_secret_does_not_open_after(tmp_path: Path, mortal: MortalKeys, name: str) -> None:
    HOSTILE[name](tmp_path)
    with pytest.raises(KeystoreFault) as caught:
        mortal.get("epoch-1")
    assert SECRET.decode() not in str(caught.value)
    assert mortal.get("epoch-2") == b"2" + SECRET


def test_another_store_key_opens_nothing(tmp_path: Path, mortal: MortalKeys) -> None:
    with pytest.raises(KeystoreFault):
        MortalKeys(Keystore(tmp_path, b"t" * 32)).get("epoch-1")


def test_one_damaged_veil_does_not_keep_the_others_alive(tmp_path: Path, mortal: MortalKeys) -> None:
    write(veil(tmp_path, 1), b"short")
    with pytest.raises(KeystoreFault, match="damaged"):
        destroy_due(tmp_path, END + 10)
    assert not veil(tmp_path, 2).exists()
    assert not (tmp_path / "epochs" / "epoch-2.key").exists()


@pytest.mark.parametrize("left", ["veil", "zeroed-key", "unfinished-key", "unfinished-veil"])
def test_what_a_crash_left_is_gone_after_the_next_start(tmp_path: Path, mortal: MortalKeys, left: str) -> None:
    sealed = tmp_path / "epochs" / "epoch-1.key"
    now = END - 1
    if left == "veil":
        sealed.unlink()
    elif left == "zeroed-key":
        write(sealed, bytes(sealed.stat().st_size))
        now = END
    elif left == "unfinished-key":
        sealed.rename(sealed.with_name("epoch-1.key.new"))
    else:
        sealed.unlink()
        veil(tmp_path).rename(veil(tmp_path).with_name("epoch-1.veil.new"))
    destroy_due(tmp_path, now)
    assert set(files(tmp_path)) == {"epochs/epoch-2.key", "veils/epoch-2.veil"}
    assert mortal.get("epoch-2") == b"2" + SECRET


def test_a_folder_of_veils_that_is_not_there_is_a_fault_and_destroys_nothing(
    tmp_path: Path, mortal: MortalKeys
) -> None:
    """It may be a medium of its own, which is not mounted."""
    (tmp_path / "veils").rename(tmp_path / "elsewhere")
    destroy_due(tmp_path, END + 10)
    assert len(list((tmp_path / "epochs").iterdir())) == 2
    (tmp_path / "veils").mkdir(mode=0o700)
    with pytest.raises(KeystoreFault, match="mounted"):
        mortal.names()


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path, keystore: Keystore, mortal: MortalKeys) -> None:
    (tmp_path / "veils").chmod(0o750)
    with pytest.raises(KeystoreFault, match="others"):
        MortalKeys(keystore)


def test_an_empty_keystore_has_nothing_due(tmp_path: Path) -> None:
    assert destroy_due(tmp_path, END) == ()
    assert ends(tmp_path) == {}
