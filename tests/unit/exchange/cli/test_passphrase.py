"""A passphrase comes from a private file or the keyboard."""

import getpass
import io
import sys
from pathlib import Path

import pytest

from exchange.cli.output import Refusal, WrongUse
from exchange.cli.passphrase import CREDENTIAL, CREDENTIALS, VARIABLE, read_passphrase
from keys.errors import KeystoreFault


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the person at the terminal types, in turn."""
    answers: list[str] = []
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda prompt: answers.pop(0))
    return answers


def private(folder: Path, data: bytes) -> Path:
    path = folder / "passphrase"
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_one_line_end_is_no_part_of_it(tmp_path: Path, end: bytes) -> None:
    assert read_passphrase(private(tmp_path, b" two words " + end), new=True, what="x") == b" two words "


def test_the_option_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    assert read_passphrase(private(tmp_path, b"from the option"), new=False, what="x") == b"from the option"
    with pytest.raises(KeystoreFault, match="nowhere"):
        read_passphrase(None, new=False, what="x")


@pytest.mark.parametrize("data", [b"", b"\n", b"x" * 1025])
def test_empty_or_endless_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Refusal, match="choose another"):
        read_passphrase(private(tmp_path, data), new=False, what="x")


@pytest.fixture
def credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a service manager hands over, as systemd does: only this service may enter the folder."""
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    path = folder / CREDENTIAL
    path.write_bytes(b"from the service manager\n")
    path.chmod(0o400)
    folder.chmod(0o500)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv(CREDENTIALS, str(folder))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return path


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600])
def test_a_credential_of_the_service_manager_is_taken(credential: Path, mode: int) -> None:
    """0440 is how an access list for the service shows."""
    credential.chmod(mode)
    assert read_passphrase(None, new=False, what="x") == b"from the service manager"


def test_a_file_goes_before_the_credential(tmp_path: Path, credential: Path) -> None:
    assert read_passphrase(private(tmp_path, b"from the option"), new=False, what="x") == b"from the option"


@pytest.mark.parametrize("mode", [0o444, 0o404, 0o420, 0o402])
def test_a_credential_that_others_can_read_or_write_is_refused(credential: Path, mode: int) -> None:
    credential.chmod(mode)
    with pytest.raises(KeystoreFault, match="others"):
        read_passphrase(None, new=False, what="x")


def test_a_credential_that_others_can_replace_is_refused(credential: Path) -> None:
    credential.parent.chmod(0o777)
    with pytest.raises(KeystoreFault, match="others"):
        read_passphrase(None, new=False, what="x")


def test_a_credential_that_is_a_link_is_refused(credential: Path) -> None:
    credential.parent.chmod(0o700)
    credential.rename(credential.with_name("elsewhere"))
    credential.symlink_to(credential.with_name("elsewhere"))
    with pytest.raises(KeystoreFault):
        read_passphrase(None, new=False, what="x")


def test_a_service_without_this_credential_has_none(credential: Path) -> None:
    credential.parent.chmod(0o700)
    credential.unlink()
    with pytest.raises(WrongUse, match="no passphrase"):
        read_passphrase(None, new=False, what="x")


def test_a_link_to_a_private_file_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(private(tmp_path, b"correct horse"))
    with pytest.raises(KeystoreFault, match="symbolic link"):
        read_passphrase(link, new=False, what="x")


def test_a_new_one_is_asked_for_twice(typed: list[str]) -> None:
    typed += ["correct horse", "correct horse"]
    assert read_passphrase(None, new=True, what="x") == b"correct horse"
    assert typed == []


def test_two_that_differ_are_refused_without_showing_them(typed: list[str]) -> None:
    typed += ["correct horse", "battery"]
    with pytest.raises(Refusal, match="differ") as caught:
        read_passphrase(None, new=True, what="x")
    assert "horse" not in str(caught.value)


def test_an_old_one_is_asked_for_once(typed: list[str]) -> None:
    typed += ["Қазақ"]
    assert read_passphrase(None, new=False, what="x") == "Қазақ".encode()


def test_without_a_terminal_nothing_is_asked(typed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse"))
    with pytest.raises(WrongUse, match=VARIABLE):
        read_passphrase(None, new=False, what="x")
