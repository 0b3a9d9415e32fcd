"""Where a passphrase comes from: a private file, the service manager or the keyboard.

Never from the command line or a variable's value: others can read those.
"""

import getpass
import os
import sys
from pathlib import Path
from typing import Final

from exchange.cli.output import Refusal, WrongUse
from exchange.hardening import forbid_dumps
from keys.ceremony import ROOT_LABEL, identity_of
from keys.identity import SigningIdentity
from keys.keystore import read_credential, read_private, read_sealed_file

VARIABLE: Final = "CBM_PASSPHRASE_FILE"
# systemd.exec(5): LoadCredential= and LoadCredentialEncrypted= hand it over in a folder that only the service sees.
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
CREDENTIAL: Final = "cbm-passphrase"
_MAX_PASSPHRASE: Final = 1024


def read_passphrase(file: Path | None, *, new: bool, what: str) -> bytes:
    """The passphrase of `what`.

    From `file`, else from the file that the environment names, else from the credential that the service manager hands
    over, else from the terminal, where it is asked for twice when it is `new`. Raises KeystoreFault for a file that
    others can read, Refusal for an empty passphrase, WrongUse when there is neither a file nor a terminal.
    """
    # Whoever asks for a passphrase is about to hold a private key: a ceremony that crashes leaves no dump of a root's.
    forbid_dumps()
    named = file or _from_environment()
    if named is not None:
        return _checked(_line(read_private(named)), str(named))
    credential = _credential()
    if credential is not None:
        return _checked(_line(read_credential(credential)), f"the credential {CREDENTIAL}")
    if not sys.stdin.isatty():
        raise WrongUse(f"no passphrase for {what}: give --passphrase-file or {VARIABLE}, or use a terminal")
    typed = getpass.getpass(f"Passphrase of {what}: ")
    if new and getpass.getpass("The same again: ") != typed:
        raise Refusal("the two passphrases differ: nothing was written, try again")
    return _checked(typed.encode("utf-8"), "the terminal")


def load_root(path: Path, passphrase_file: Path | None) -> SigningIdentity:
    """The root key sealed in a file; asks for its passphrase. Raises KeystoreFault."""
    passphrase = read_passphrase(passphrase_file, new=False, what=f"the root key {path}")
    return identity_of(read_sealed_file(path, ROOT_LABEL, passphrase))


def _from_environment() -> Path | None:
    value = os.environ.get(VARIABLE)
    return Path(value) if value else None


def _credential() -> Path | None:
    folder = os.environ.get(CREDENTIALS)
    path = Path(folder) / CREDENTIAL if folder else None
    return path if path is not None and path.exists() else None


def _line(data: bytes) -> bytes:
    return data.removesuffix(b"\n").removesuffix(b"\r")


def _checked(passphrase: bytes, source: str) -> bytes:
    if not 1 <= len(passphrase) <= _MAX_PASSPHRASE:
        raise Refusal(f"the passphrase from {source} is empty or longer than {_MAX_PASSPHRASE} bytes: choose another")
    return passphrase
