"""A folder, a passphrase that is cheap to use, and the program, for the commands that need nothing else."""

from pathlib import Path

import pytest

from exchange.cli.main import run
from keys import primitives
from keys.identity import SigningIdentity
from schemas.charter import Relay
from schemas.files import RELAY_IDENTITY, encode_file
from schemas.ids import SECRETARIAT, Digest
from tests.support.entropy import derived
from tests.support.offline import CODES, DESCRIPTION, PASSPHRASE, Cbm, ok, sign


@pytest.fixture
def cheap_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primitives, "ARGON2_OPS", 1)
    monkeypatch.setattr(primitives, "ARGON2_MEMORY", 8192)


@pytest.fixture
def folder(tmp_path: Path, cheap_argon2: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, with a passphrase file that the environment names."""
    monkeypatch.chdir(tmp_path)
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(PASSPHRASE + "\n")
    passphrase.chmod(0o600)
    monkeypatch.setenv("CBM_PASSPHRASE_FILE", str(passphrase))
    return tmp_path


@pytest.fixture
def cbm(folder: Path, capsys: pytest.CaptureFixture[str]) -> Cbm:
    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(list(arguments))
        shown = capsys.readouterr()
        assert PASSPHRASE not in shown.out + shown.err
        return code, shown.out, shown.err

    return call


@pytest.fixture
def draft(folder: Path, cbm: Cbm) -> str:
    """A draft of three Member States, with their roots beside it; its fingerprint."""
    for code in CODES:
        assert cbm("keys", "root", "create", "--member", code, "--out", f"{code}.root")[0] == 0
    relay = SigningIdentity.from_entropy(SECRETARIAT, derived("cli", "relay", size=96))
    identity = Relay("relay", relay.public, (Digest(bytes(32)),))
    (folder / "relay.identity").write_bytes(encode_file(RELAY_IDENTITY, identity))
    (folder / "charter.toml").write_text(DESCRIPTION)
    told = ok(cbm("charter", "draft", "charter.toml", "--out", "draft", "--json"))
    fingerprint: str = told["fingerprint"]
    return fingerprint


@pytest.fixture
def charter(folder: Path, cbm: Cbm, draft: str) -> str:
    """Version 1, signed by all, in the file `charter`; its fingerprint."""
    signatures = sign(cbm, "draft", *(f"{code}.root" for code in CODES))
    ok(cbm("charter", "assemble", "draft", *signatures, "--out", "charter", "--json"))
    return draft
