"""A backup's file: whole or nothing, and a reader that takes nothing which has no place in it."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.errors import Conflict, Invalid, StoreFault
from exchange.storage.archive import read_archive, write_archive

KIND = "kind/1"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(b"a" * 700_000)
    (tmp_path / "b").write_bytes(b"")
    write_archive(tmp_path / "out", KIND, {"taken": 5}, [("a", tmp_path / "a"), ("in/b", tmp_path / "b")])
    return tmp_path / "out"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    made = tmp_path / "into"
    made.mkdir()
    return made


def allowed(name: str) -> bool:
    return name in ("a", "in/b")


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], manifest: bytes | None = None) -> Path:
    """A tar of these members, with a manifest at its end if any."""
    with tarfile.open(path, "w") as made:
        for info, data in members:
            info.size = len(data) if info.isreg() else 0
            made.addfile(info, io.BytesIO(data))
        if manifest is not None:
            info = tarfile.TarInfo("manifest.json")
            info.size = len(manifest)
            made.addfile(info, io.BytesIO(manifest))
    return path


def test_what_was_written_is_read(archive: Path, into: Path) -> None:
    assert read_archive(archive, KIND, into, allowed) == {"taken": 5}
    assert (into / "a").read_bytes() == b"a" * 700_000
    assert (into / "in" / "b").read_bytes() == b""
    assert {path.stat().st_mode & 0o777 for path in (archive, into / "a")} == {0o600}


def test_a_backup_that_somebody_changed_in_every_place_is_refused_by_its_sha256(archive: Path, into: Path) -> None:
    """With a manifest that fits: only the digest that was kept elsewhere tells."""
    true = hashlib.sha256(archive.read_bytes()).hexdigest()
    (into.parent / "a").write_bytes(b"another charter")
    archive.unlink()
    write_archive(archive, KIND, {"taken": 5}, [("a", into.parent / "a")])
    with pytest.raises(Invalid, match="SHA-256"):
        read_archive(archive, KIND, into, allowed, true)
    assert list(into.iterdir()) == []
    changed = hashlib.sha256(archive.read_bytes()).hexdigest().upper()
    assert read_archive(archive, KIND, into, allowed, changed) == {"taken": 5}


def test_a_backup_is_never_overwritten(archive: Path, tmp_path: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(Conflict):
        write_archive(archive, KIND, {}, [])
    assert archive.read_bytes() == before


def test_a_file_that_cannot_be_read_leaves_no_half_backup(tmp_path: Path) -> None:
    with pytest.raises(StoreFault):
        write_archive(tmp_path / "out", KIND, {}, [("a", tmp_path / "missing")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at", [0, 600, 300_000, 700_000])
def test_a_flipped_bit_is_found(archive: Path, into: Path, at: int) -> None:
    data = bytearray(archive.read_bytes())
    data[at] ^= 1
    archive.write_bytes(data)
    with pytest.raises((Invalid, StoreFault)):
        read_archive(archive, KIND, into, allowed)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_cut_backup_is_refused(archive: Path, into: Path, part: float) -> None:
    archive.write_bytes(archive.read_bytes()[: int(700_000 * part)])
    with pytest.raises((Invalid, StoreFault)):
        read_archive(archive, KIND, into, allowed)


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("a")
    info.type, info.linkname = kind, target
    return info


HOSTILE: dict[str, Callable[[], tuple[tarfile.TarInfo, bytes]]] = {
    "a-path-that-leads-out": lambda: (tarfile.TarInfo("../a"), b"x"),
    "an-absolute-path": lambda: (tarfile.TarInfo("/a"), b"x"),
    "a-name-with-no-place": lambda: (tarfile.TarInfo("keys/epochs/epoch-1.key"), b"x"),
    "a-symbolic-link": lambda: (link(tarfile.SYMTYPE, "/etc/passwd"), b""),
    "a-hard-link": lambda: (link(tarfile.LNKTYPE, "b"), b""),
    "a-device": lambda: (link(tarfile.CHRTYPE, ""), b""),
    "a-pipe": lambda: (link(tarfile.FIFOTYPE, ""), b""),
    "a-folder": lambda: (link(tarfile.DIRTYPE, ""), b""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_member_is_refused_and_nothing_is_outside(tmp_path: Path, into: Path, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    path = tar(tmp_path / "hostile", HOSTILE[name]())
    with pytest.raises(Invalid):
        read_archive(path, KIND, into, allowed)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, path])


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b'{"kind": "kind/1"}',
        json.dumps({"kind": "other/1", "facts": {}, "files": {}}).encode(),
        json.dumps({"kind": KIND, "facts": {}, "files": {"a": "00"}}).encode(),
        None,
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, into: Path, manifest: bytes | None) -> None:
    path = tar(tmp_path / "odd", manifest=manifest)
    with pytest.raises(Invalid):
        read_archive(path, KIND, into, allowed)


def test_a_file_twice_is_refused(tmp_path: Path, into: Path) -> None:
    path = tar(tmp_path / "twice", (tarfile.TarInfo("a"), b"1"), (tarfile.TarInfo("a"), b"2"), manifest=b"{}")
    with pytest.raises(Invalid, match="no place"):
        read_archive(path, KIND, into, allowed)
