"""`cbm keys root split` and `combine`: private files of words, and a root that is the same again."""

from pathlib import Path

import pytest

from tests.support.offline import Cbm, names, ok, one_line

SPLIT = ("keys", "root", "split", "--root", "k.root", "--needed", "2", "--total", "3", "--out", "share")
COMBINE = ("keys", "root", "combine", "--public", "k.root.pub", "--out", "restored")


@pytest.fixture
def root(folder: Path, cbm: Cbm) -> str:
    """The root's fingerprint."""
    fingerprint: str = ok(cbm("keys", "root", "create", "--member", "KAZ", "--out", "k.root", "--json"))["fingerprint"]
    return fingerprint


def test_two_of_three_shares_make_the_root_again(folder: Path, cbm: Cbm, root: str) -> None:
    told = ok(cbm(*SPLIT, "--json"))
    assert (told["fingerprint"], told["files"]) == (root, ["share.1", "share.2", "share.3"])
    for name in told["files"]:
        assert (folder / name).stat().st_mode & 0o777 == 0o600
        heading, *lines = (folder / name).read_text().splitlines()
        assert heading.endswith(f"any 2 restore it: of the root of KAZ, {root}")
        assert len(" ".join(lines).split()) == 84
    assert ok(cbm(*COMBINE, "share.3", "share.1", "--json"))["fingerprint"] == root
    certify = ("charter", "sign", "k.root.pub", "--root", "restored", "--out", "x")
    # It opens under the passphrase; what is wrong is the draft.
    assert "not a charter-draft" in one_line(cbm(*certify), 1)
    assert (folder / "restored").stat().st_mode & 0o777 == 0o600


def test_words_copied_by_hand_are_enough(folder: Path, cbm: Cbm, root: str) -> None:
    cbm(*SPLIT)
    for number in (1, 2):
        words = " ".join(
            line for line in (folder / f"share.{number}").read_text().splitlines() if not line.startswith("#")
        )
        (folder / f"typed.{number}").write_text(f"# found in the safe\n{words.upper()}\n")
        (folder / f"typed.{number}").chmod(0o600)
    assert ok(cbm(*COMBINE, "typed.1", "typed.2", "--json"))["fingerprint"] == root


def test_shares_that_do_not_make_the_root_write_nothing(folder: Path, cbm: Cbm, root: str) -> None:
    cbm(*SPLIT)
    before = names(folder)
    assert "needed" in one_line(cbm(*COMBINE, "share.1"), 1)
    assert "given once" in one_line(cbm(*COMBINE, "share.1", "share.1"), 1)
    assert "wrong or missing word" in one_line(cbm(*COMBINE, "share.1", "passphrase"), 1)
    text = (folder / "share.2").read_text()
    (folder / "share.2").write_text(text.rpartition(" ")[0])
    assert "share 2" in one_line(cbm(*COMBINE, "share.1", "share.2"), 1)
    assert names(folder) == before


def test_a_share_that_others_can_read_is_refused(folder: Path, cbm: Cbm, root: str) -> None:
    cbm(*SPLIT)
    (folder / "share.2").chmod(0o640)
    assert "can be read by others" in one_line(cbm(*COMBINE, "share.1", "share.2"), 1)
    assert "restored" not in names(folder)


def test_the_public_half_of_another_root_is_refused(folder: Path, cbm: Cbm, root: str) -> None:
    cbm(*SPLIT)
    cbm("keys", "root", "create", "--member", "MNG", "--out", "m.root")
    combine = ("keys", "root", "combine", "--public", "m.root.pub", "--out", "restored")
    assert "another root key" in one_line(cbm(*combine, "share.1", "share.2"), 1)


def test_no_share_is_overwritten_and_none_is_made_beside_one(folder: Path, cbm: Cbm, root: str) -> None:
    (folder / "share.3").write_text("mine")
    before = names(folder)
    assert "share.3 exists" in one_line(cbm(*SPLIT), 1)
    assert names(folder) == before


def test_a_share_tells_nothing_in_the_output(folder: Path, cbm: Cbm, root: str) -> None:
    code, out, err = cbm(*SPLIT)
    words = set((folder / "share.1").read_text().splitlines()[1].split())
    assert code == 0
    assert not words & set((out + err).split())
