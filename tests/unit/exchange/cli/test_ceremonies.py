"""The offline commands, run as a user runs them: files in, files out, one line when something is wrong."""

import json
from pathlib import Path

import pytest

from keys import ceremony
from keys.directory import begin, extend
from keys.identity import SigningIdentity
from schemas.files import ENTRY, SIGNED_CHARTER, SIGNING_REQUEST, decode_file, encode_file
from schemas.ids import Digest, MemberId
from tests.support.entropy import derived
from tests.support.offline import CODES, DESCRIPTION, Cbm, names, ok, one_line


def test_a_root_key_is_made_sealed_and_its_public_half_beside_it(folder: Path, cbm: Cbm) -> None:
    told = ok(cbm("keys", "root", "create", "--member", "KAZ", "--out", "k.root", "--json"))
    assert (folder / "k.root").stat().st_mode & 0o777 == 0o600
    shown = ok(cbm("keys", "show", "k.root.pub", "--json"))
    assert shown == {"kind": "root-public", "member": "KAZ", "fingerprint": told["fingerprint"]}
    assert ok(cbm("keys", "show", "k.root", "--json"))["beside_it"] == shown


def test_a_root_key_is_never_overwritten(folder: Path, cbm: Cbm) -> None:
    (folder / "k.root.pub").write_text("mine")
    assert "k.root.pub exists" in one_line(cbm("keys", "root", "create", "--member", "KAZ", "--out", "k.root"), 1)
    assert "k.root" not in names(folder)


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_passphrase_that_others_can_read_is_refused(folder: Path, cbm: Cbm, mode: int) -> None:
    (folder / "passphrase").chmod(mode)
    before = names(folder)
    one_line(cbm("keys", "root", "create", "--member", "KAZ", "--out", "k.root"), 1)
    assert names(folder) == before


def test_without_a_passphrase_and_a_terminal_it_is_wrong_use(
    folder: Path, cbm: Cbm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CBM_PASSPHRASE_FILE")
    line = one_line(cbm("keys", "root", "create", "--member", "KAZ", "--out", "k.root"), 2)
    assert "--passphrase-file" in line


def test_the_charter_is_made_by_all_members(folder: Path, cbm: Cbm, draft: str) -> None:
    for code in CODES:
        told = ok(cbm("charter", "sign", "draft", "--root", f"{code}.root", "--out", f"{code}.sig", "--json"))
        assert told["charter"] == draft
    signatures = [f"{code}.sig" for code in CODES]
    told = ok(cbm("charter", "assemble", "draft", *signatures, "--out", "charter", "--json"))
    assert (told["fingerprint"], told["signed_by"]) == (draft, list(CODES))
    verified = ok(cbm("charter", "verify", "charter", "--fingerprint", draft, "--json"))
    assert (verified["verified"], verified["pinned"]) == (True, True)
    shown = ok(cbm("charter", "show", "charter", "--json"))
    assert shown["signatures"] == "complete, and all hold"
    assert shown["members"][0]["names"]["kk"] == "Қазақстан"
    status, out, _ = cbm("charter", "show", "charter")
    assert status == 0
    assert "Қазақстан" in out


def test_a_charter_of_another_fingerprint_does_not_verify(folder: Path, cbm: Cbm, draft: str) -> None:
    for code in CODES:
        cbm("charter", "sign", "draft", "--root", f"{code}.root", "--out", f"{code}.sig")
    cbm("charter", "assemble", "draft", *(f"{code}.sig" for code in CODES), "--out", "charter")
    assert "pinned" in one_line(cbm("charter", "verify", "charter", "--fingerprint", "00" * 32), 1)
    assert "64 hexadecimal" in one_line(cbm("charter", "verify", "charter", "--fingerprint", "00"), 2)


def test_a_charter_with_a_changed_byte_does_not_verify(folder: Path, cbm: Cbm, draft: str) -> None:
    for code in CODES:
        cbm("charter", "sign", "draft", "--root", f"{code}.root", "--out", f"{code}.sig")
    cbm("charter", "assemble", "draft", *(f"{code}.sig" for code in CODES), "--out", "charter")
    data = (folder / "charter").read_bytes()
    (folder / "forged").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "does not verify" in one_line(cbm("charter", "verify", "forged"), 1)
    assert "does not verify" in ok(cbm("charter", "show", "forged", "--json"))["signatures"]


def test_a_charter_is_not_assembled_without_every_member(folder: Path, cbm: Cbm, draft: str) -> None:
    cbm("charter", "sign", "draft", "--root", "KAZ.root", "--out", "KAZ.sig")
    assert "MNG, UZB" in one_line(cbm("charter", "assemble", "draft", "KAZ.sig", "--out", "charter"), 1)
    assert "charter" not in names(folder)


def test_a_signing_key_is_certified_and_enters_the_directory(folder: Path, cbm: Cbm, draft: str) -> None:
    node = SigningIdentity.from_entropy(MemberId("KAZ"), derived("cli", "node", size=96))
    asked = ceremony.request_signing_key(node, 1_700_000_000)
    (folder / "request").write_bytes(encode_file(SIGNING_REQUEST, asked))
    shown = ok(cbm("keys", "show", "request", "--json"))
    certify = ("keys", "signing", "certify", "--request", "request", "--days", "400", "--json")
    told = ok(cbm(*certify, "--root", "KAZ.root", "--out", "entry"))
    assert told["fingerprint"] == shown["fingerprint"]
    for code in CODES:
        cbm("charter", "sign", "draft", "--root", f"{code}.root", "--out", f"{code}.sig")
    cbm("charter", "assemble", "draft", *(f"{code}.sig" for code in CODES), "--out", "charter")
    charter = decode_file(SIGNED_CHARTER, (folder / "charter").read_bytes())
    entry = decode_file(ENTRY, (folder / "entry").read_bytes())
    assert extend(begin(charter, Digest(bytes.fromhex(draft.replace(" ", "")))), [entry]).knows(node.owner, node.key_id)
    before = names(folder)
    assert "MNG" in one_line(cbm(*certify, "--root", "MNG.root", "--out", "wrong"), 1)
    assert names(folder) == before


def test_a_request_that_was_tampered_with_is_not_shown_as_true(folder: Path, cbm: Cbm) -> None:
    node = SigningIdentity.from_entropy(MemberId("KAZ"), derived("cli", "node", size=96))
    data = encode_file(SIGNING_REQUEST, ceremony.request_signing_key(node, 1_700_000_000))
    (folder / "request").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "does not verify" in one_line(cbm("keys", "show", "request"), 1)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('role = "member"', 'role = "king"', "members.0.role"),
        ("editions", "edition", "editions"),
        ('member = "KAZ"', 'member = "XAA"', "chairmanship"),
        ("until = 2028", "until = 2020", "chairmanship"),
        ('code = "MNG"', 'code = "XAA"', "MNG.root.pub"),
        ('root = "MNG.root.pub"', 'root = "passphrase"', "passphrase"),
        ('root = "MNG.root.pub"', 'root = "nowhere"', "nowhere"),
        ("[[relays]]", "[quorums]\nwitness = 1\n[[relays]]", "witness"),
        ("[[relays]]", "[[relays", "TOML"),
    ],
)
def test_a_description_that_is_wrong_is_refused_saying_where(
    folder: Path, cbm: Cbm, draft: str, old: str, new: str, where: str
) -> None:
    (folder / "wrong.toml").write_text(DESCRIPTION.replace(old, new, 1))
    assert where in one_line(cbm("charter", "draft", "wrong.toml", "--out", "wrong"), 1)
    assert "wrong" not in names(folder)


def test_a_description_may_be_json_and_a_quorum_of_all_is_warned_of(folder: Path, cbm: Cbm, draft: str) -> None:
    description = {
        "editions": ["x"],
        "chairmanship": {"member": "KAZ", "from": "2026-01-01", "until": "2028-01-01"},
        "quorums": {"witness": 3},
        "members": [
            {"code": code, "role": "member", "names": {"en": code}, "root": f"{code}.root.pub"} for code in CODES
        ],
        "relays": [{"identity": "relay.identity", "tls_digests": ["11" * 32]}],
    }
    (folder / "charter.json").write_text(json.dumps(description))
    code, out, err = cbm("charter", "draft", "charter.json", "--out", "second", "--json")
    told = json.loads(out)
    assert code == 0
    assert "one silent node" in err
    assert told["relays"][0]["tls_digests"] == ["00" * 32, "11" * 32]


def test_a_file_of_another_kind_is_refused(folder: Path, cbm: Cbm, draft: str) -> None:
    assert "not a charter-draft" in one_line(
        cbm("charter", "sign", "KAZ.root.pub", "--root", "KAZ.root", "--out", "x"), 1
    )
    assert "not a charter" in one_line(cbm("charter", "show", "KAZ.root.pub"), 1)
    assert "not a file of this protocol" in one_line(cbm("keys", "show", "charter.toml"), 1)
    (folder / "huge").write_bytes(b"cbm/1 charter\n" + bytes(2**21))
    assert "larger" in one_line(cbm("keys", "show", "huge"), 1)


def test_a_wrong_passphrase_signs_nothing(folder: Path, cbm: Cbm, draft: str) -> None:
    (folder / "passphrase").write_text("another passphrase")
    assert "wrong passphrase" in one_line(cbm("charter", "sign", "draft", "--root", "KAZ.root", "--out", "x"), 1)
    assert "x" not in names(folder)
