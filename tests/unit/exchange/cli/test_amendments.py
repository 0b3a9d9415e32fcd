"""`cbm charter amend` and what follows: each change as a file, and every way to have it wrong."""

import json
from pathlib import Path

import pytest

from exchange.wiring.relay_directory import write_directory
from keys.identity import SigningIdentity
from schemas.canon import encode
from schemas.charter import Relay
from schemas.files import RELAY_IDENTITY, SIGNED_CHARTER, decode_file, encode_file
from schemas.ids import SECRETARIAT, Digest
from schemas.statement import DIRECTORY_ENTRY
from tests.support.entropy import derived
from tests.support.offline import Cbm, names, ok, one_line, sign

ROOTS = ("KAZ.root", "MNG.root", "UZB.root")
AMEND = ("charter", "amend", "charter", "changes.toml", "--out", "second")
ADMIT = '[[admit]]\ncode = "XAA"\nrole = "member"\nnames = {en = "Placeholder state"}\nroot = "XAA.root.pub"\n'


@pytest.fixture
def xaa(folder: Path, cbm: Cbm, charter: str) -> str:
    """The root of a state to be admitted; its fingerprint."""
    fingerprint: str = ok(cbm("keys", "root", "create", "--member", "XAA", "--out", "XAA.root", "--json"))[
        "fingerprint"
    ]
    return fingerprint


def change(folder: Path, text: str) -> None:
    (folder / "changes.toml").write_text(text)


def assemble(cbm: Cbm, *roots: str) -> tuple[int, str, str]:
    signatures = sign(cbm, "second", *roots)
    return cbm("charter", "assemble", "second", *signatures, "--previous", "charter", "--out", "charter-2", "--json")


def test_a_member_is_admitted_by_all_and_by_its_own_root(folder: Path, cbm: Cbm, xaa: str) -> None:
    change(folder, ADMIT)
    told = ok(cbm(*AMEND, "--json"))
    assert f"admits XAA as member, root {xaa}" in told["changes"]
    assert told["signatures_needed"] == {"of": ["KAZ", "MNG", "UZB"], "at_least": 3, "and_with_the_new_root": ["XAA"]}
    shown = ok(cbm("charter", "show", "second", "--previous", "charter", "--json"))
    assert shown["changes"] == told["changes"]
    assert "XAA" in one_line(assemble(cbm, *ROOTS), 1)
    for name in names(folder):
        if name.endswith(".sig"):
            (folder / name).unlink()
    made = ok(assemble(cbm, *ROOTS, "XAA.root"))
    assert (made["version"], made["signed_by"]) == (2, ["KAZ", "MNG", "UZB", "XAA"])
    verified = ok(cbm("charter", "verify", "charter", "charter-2", "--fingerprint", shown["previous"], "--json"))
    assert (verified["version"], verified["changes"]) == (2, told["changes"])
    assert ok(cbm("charter", "show", "charter-2", "--previous", "charter", "--json"))["signatures"].startswith(
        "complete"
    )
    assert "--previous" in ok(cbm("charter", "show", "charter-2", "--json"))["signatures"]


def test_a_member_is_removed_without_its_own_vote(folder: Path, cbm: Cbm, charter: str) -> None:
    change(folder, 'remove = ["UZB"]\n')
    code, out, err = cbm(*AMEND, "--json")
    told = json.loads(out)
    assert (code, "witness quorum is all 2" in err) == (0, True)
    assert told["signatures_needed"] == {"of": ["KAZ", "MNG"], "at_least": 2, "and_with_the_new_root": []}
    assert "not a Member State" in one_line(cbm("charter", "sign", "second", "--root", "UZB.root", "--out", "x"), 1)
    assert ok(assemble(cbm, "KAZ.root", "MNG.root"))["signed_by"] == ["KAZ", "MNG"]


def test_a_lost_root_is_replaced_by_the_others_and_the_new_one(folder: Path, cbm: Cbm, charter: str) -> None:
    ok(cbm("keys", "root", "create", "--member", "UZB", "--out", "new.root", "--json"))
    change(folder, 'roots = ["new.root.pub"]\n')
    told = ok(cbm(*AMEND, "--json"))
    assert told["signatures_needed"] == {"of": ["KAZ", "MNG"], "at_least": 2, "and_with_the_new_root": ["UZB"]}
    assert "another root key" in one_line(cbm("charter", "sign", "second", "--root", "UZB.root", "--out", "x"), 1)
    assert ok(assemble(cbm, "KAZ.root", "MNG.root", "new.root"))["signed_by"] == ["KAZ", "MNG", "UZB"]


def test_quorum_and_chairmanship_change(folder: Path, cbm: Cbm, charter: str) -> None:
    change(folder, '[quorums]\namend = 2\n[chairmanship]\nmember = "MNG"\nfrom = 2028-01-01\nuntil = 2030-01-01\n')
    told = ok(cbm(*AMEND, "--json"))
    assert told["changes"] == [
        "gives the Chairmanship to MNG, or changes its term",
        "changes the quorum to amend from 3 to 2",
    ]
    assert "2 of the 3" in one_line(assemble(cbm, "KAZ.root", "MNG.root"), 1)


def test_a_relay_is_replaced_where_its_directory_ends(folder: Path, cbm: Cbm, charter: str) -> None:
    key = SigningIdentity.from_entropy(SECRETARIAT, derived("cli", "relay-2", size=96))
    (folder / "relay-2").write_bytes(encode_file(RELAY_IDENTITY, Relay("relay", key.public, (Digest(bytes(32)),))))
    change(folder, '[[relays]]\nidentity = "relay-2"\n')
    assert "where the directory ends" in one_line(cbm(*AMEND), 1)
    change(folder, 'directory = "directory"\n[[relays]]\nidentity = "relay-2"\n')
    entry = decode_file(SIGNED_CHARTER, (folder / "charter").read_bytes())
    write_directory(folder / "directory", [encode(DIRECTORY_ENTRY, entry)])
    end = ok(cbm("relay", "directory", "show", "directory", "--json"))
    assert (end["size"], end["charter"], end["fingerprints"]) == (1, 1, [charter])
    told = ok(cbm(*AMEND, "--json"))
    assert told["handover"] == {"size": 1, "root_hash": end["root_hash"]}
    assert f"ends the directory at 1 entries with root hash {end['root_hash']}" in told["changes"]


def test_a_directory_under_another_version_ends_nothing(folder: Path, cbm: Cbm, charter: str) -> None:
    change(folder, "[quorums]\namend = 2\n")
    ok(cbm(*AMEND, "--json"))
    ok(assemble(cbm, *ROOTS))
    entry = decode_file(SIGNED_CHARTER, (folder / "charter").read_bytes())
    write_directory(folder / "directory", [encode(DIRECTORY_ENTRY, entry)])
    change(folder, 'directory = "directory"\n[[relays]]\nidentity = "relay.identity"\n')
    third = ("charter", "amend", "charter-2", "changes.toml", "--out", "third")
    assert "ends under version 1" in one_line(cbm(*third), 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "changes nothing"),
        ("[quorums]\namend = 3\n", "changes nothing"),
        ("[quorums]\namend = 1\n", "quorums.amend"),
        ('remove = ["XBB"]\n', "XBB is no member"),
        ('remove = ["KAZ"]\n', "chairmanship"),
        ('remove = ["MNG", "UZB"]\n', "cannot decide"),
        ('roots = ["UZB.root.pub"]\n', "its root already"),
        ('roots = ["charter"]\n', "not a root-public"),
        ('expel = ["UZB"]\n', "expel"),
        (ADMIT.replace("XAA", "MNG"), "a member already"),
        (ADMIT.replace('code = "XAA"', 'code = "XBB"'), "not of XBB"),
        ("[[admit", "TOML"),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_writes_nothing(
    folder: Path, cbm: Cbm, xaa: str, text: str, why: str
) -> None:
    change(folder, text)
    before = names(folder)
    assert why in one_line(cbm(*AMEND), 1)
    assert names(folder) == before


def test_a_later_version_is_not_taken_for_a_first_one(folder: Path, cbm: Cbm, charter: str) -> None:
    change(folder, "[quorums]\namend = 2\n")
    ok(cbm(*AMEND, "--json"))
    signatures = sign(cbm, "second", *ROOTS)
    assert "--previous" in one_line(cbm("charter", "assemble", "second", *signatures, "--out", "c"), 1)
    made = cbm("charter", "assemble", "second", *signatures, "--previous", "charter", "--out", "charter-2", "--json")
    assert ok(made)["version"] == 2
    assert "version 1" in one_line(cbm("charter", "verify", "charter-2"), 1)
    assert "does not follow" in one_line(cbm("charter", "verify", "charter", "charter-2", "charter-2"), 1)


def test_a_version_of_other_members_is_not_a_version_of_these(folder: Path, cbm: Cbm, charter: str) -> None:
    """The same change, drafted from a version 1 that differs in a date."""
    change(folder, "[quorums]\namend = 2\n")
    (folder / "charter.toml").write_text((folder / "charter.toml").read_text().replace("2028", "2029"))
    ok(cbm("charter", "draft", "charter.toml", "--out", "other", "--json"))
    signatures = sign(cbm, "other", *ROOTS)
    ok(cbm("charter", "assemble", "other", *signatures, "--out", "other-charter", "--json"))
    ok(cbm("charter", "amend", "other-charter", "changes.toml", "--out", "second", "--json"))
    assert "follows another version 1" in one_line(assemble(cbm, *ROOTS), 1)
    assert "charter-2" not in names(folder)
