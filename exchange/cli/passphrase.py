"""Where a passphrase comes from: a private file or the keyboard, never the command line or a variable's value."""

import getpass
import os
import sys
from pathlib import Path
from typing import Final

from exchange.cli.output import Refusal, WrongUse
from keys.ceremony import ROOT_LABEL, identity_of
from keys.identity import SigningIdentity
from keys.keystore import read_private, read_sealed_file

VARIABLE: Final = "CBM_PASSPHRASE_FILE"
_MAX_PASSPHRASE: Final = 1024


def read_passphrase(file: Path | None, *, new: bool, what: str) -> bytes:
    """The passphrase of `what`, from `file`, else from the file that the environment names, else from the terminal.

    Asked for twice when it is `new`. Raises KeystoreFault for a file that others can read, Refusal for an empty
    passphrase, WrongUse when there is neither a file nor a terminal.
    """
    named = file or _from_environment()
    if named is not None:
        return _checked(read_private(named).removesuffix(b"\n").removesuffix(b"\r"), str(named))
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


def _checked(passphrase: bytes, source: str) -> bytes:
    if not 1 <= len(passphrase) <= _MAX_PASSPHRASE:
        raise Refusal(f"the passphrase from {source} is empty or longer than {_MAX_PASSPHRASE} bytes: choose another")
    return passphrase
