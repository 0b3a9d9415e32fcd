"""`cbm keys revoke`: the root ends a key of its own node, and tells what a theft exposed."""

from pathlib import Path

import pytest

from exchange.cli.output import utc
from exchange.wiring.relay_directory import write_directory
from keys.ceremony import ROOT_LABEL, identity_secret
from keys.directory import extend
from keys.keystore import write_sealed_file
from schemas.canon import encode
from schemas.files import ENTRY, decode_file, encode_file
from schemas.limits import DAY
from schemas.statement import DIRECTORY_ENTRY, EntryKind, read_entry
from tests.support.changes import ChangingWorld, epoch_of
from tests.support.offline import PASSPHRASE, Cbm, names, ok, one_line

REVOKE = ("keys", "revoke", "--root", "KAZ.root", "--out", "revocation")
COMPROMISED = ("--reason", "compromised")


# In the past of any clock that these tests may run by.
LONG_AGO = 1_700_000_000
THEFT = LONG_AGO + 60 * DAY


@pytest.fixture
def world(folder: Path) -> ChangingWorld:
    """A directory, the roots, and the statements about the nodes' keys, as files.

    Of KAZ's epochs the first ones are destroyed before the theft, 100 is made before it and 101 after it.
    """
    made = ChangingWorld(now=LONG_AGO)
    for number, start in ((100, THEFT - 4 * DAY), (101, THEFT + 3 * DAY)):
        made.publish(epoch_of(made.nodes["KAZ"], number, start, created=start - 2 * DAY))
    for code in ("KAZ", "MNG"):
        write_sealed_file(folder / f"{code}.root", ROOT_LABEL, identity_secret(made.roots[code]), PASSPHRASE.encode())
    entries = [read_entry(raw) for raw in made.entries]
    keys = [entry for entry in entries if entry.kind is EntryKind.SIGNING_KEY]
    for entry in keys:
        signer = entry.signatures[0].signer
        (folder / f"{signer}.key").write_bytes(encode_file(ENTRY, entry))
    write_directory(folder / "directory", made.entries)
    return made


@pytest.mark.parametrize("how", ["statement", "fingerprint"])
def test_the_revocation_ends_the_key_in_the_directory(cbm: Cbm, folder: Path, world: ChangingWorld, how: str) -> None:
    node = world.nodes["KAZ"]
    key = "KAZ.key" if how == "statement" else node.key_id.hex()
    told = ok(cbm(*REVOKE, *COMPROMISED, "--key", key, "--json"))
    assert told["fingerprint"].replace(" ", "") == node.key_id.hex()
    assert told["reason"] == "compromised"
    entry = decode_file(ENTRY, (folder / "revocation").read_bytes())
    after = extend(world.directory, [entry])
    assert not after.in_force(after.signing[node.owner, node.key_id])
    assert ok(cbm("keys", "show", "revocation", "--json"))["statement"] == "revocation"


def test_another_state_s_key_is_not_revoked(cbm: Cbm, folder: Path, world: ChangingWorld) -> None:
    before = names(folder)
    assert "no signing key of KAZ" in one_line(cbm(*REVOKE, *COMPROMISED, "--key", "MNG.key"), 1)
    mng = world.nodes["MNG"].key_id.hex()
    line = one_line(cbm(*REVOKE, *COMPROMISED, "--key", mng, "--directory", "directory"), 1)
    assert "holds no signing key" in line
    assert "64 hexadecimal" in one_line(cbm(*REVOKE, *COMPROMISED, "--key", "KAZ.kye"), 2)
    assert names(folder) == before


def test_a_root_that_the_directory_does_not_name_revokes_nothing(cbm: Cbm, folder: Path, world: ChangingWorld) -> None:
    ok(cbm("keys", "root", "create", "--member", "KAZ", "--out", "other.root", "--json"))
    revoke = ("keys", "revoke", "--root", "other.root", "--out", "x", *COMPROMISED, "--directory", "directory")
    assert "names another root of KAZ" in one_line(cbm(*revoke, "--key", "KAZ.key"), 1)
    assert "x" not in names(folder)


def test_wrong_use_writes_nothing(cbm: Cbm, folder: Path, world: ChangingWorld) -> None:
    before = names(folder)
    assert "no reason" in one_line(cbm(*REVOKE, "--reason", "stolen", "--key", "KAZ.key"), 2)
    assert "no time" in one_line(cbm(*REVOKE, *COMPROMISED, "--key", "KAZ.key", "--since", "yesterday"), 2)
    assert "compromised_at" in one_line(cbm(*REVOKE, *COMPROMISED, "--key", "KAZ.key", "--since", "2999-01-01"), 1)
    assert names(folder) == before


def test_what_was_exposed_is_told_from_the_epochs(cbm: Cbm, folder: Path, world: ChangingWorld) -> None:
    first, *_ = world.directory.epochs[world.nodes["KAZ"].owner]
    assert first.destroy_at < THEFT
    options = ("--key", "KAZ.key", "--directory", "directory", "--since", utc(THEFT))
    told = ok(cbm(*REVOKE, *COMPROMISED, *options, "--json"))
    assert told["not_exposed"]["epochs"].startswith(str(first.number))
    assert told["exposed"] == {
        "epochs": "100",
        "sealed_from": utc(THEFT - 4 * DAY),
        "sealed_until": utc(THEFT + 3 * DAY),
    }
    assert told["exposed_if_the_thief_stayed"]["epochs"] == "101"
    assert told["compromised_at"] == utc(THEFT)


def test_a_key_is_revoked_once(cbm: Cbm, folder: Path, world: ChangingWorld) -> None:
    ok(cbm(*REVOKE, *COMPROMISED, "--key", "KAZ.key", "--json"))
    entry = decode_file(ENTRY, (folder / "revocation").read_bytes())
    write_directory(folder / "after", [*world.entries, encode(DIRECTORY_ENTRY, entry)])
    again = ("keys", "revoke", "--root", "KAZ.root", "--out", "x", *COMPROMISED, "--directory", "after")
    assert "revoked already" in one_line(cbm(*again, "--key", "KAZ.key"), 1)
