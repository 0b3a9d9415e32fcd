"""`cbm keys root`: a state's root key, whole or in shares. Works offline, without any configuration."""

from pathlib import Path
from typing import Annotated, Final

import typer

from exchange.cli.ceremony_files import load, refuse_existing, store
from exchange.cli.describe import describe
from exchange.cli.options import JsonFlag, OutFile, PassphraseFile, RootFile, member
from exchange.cli.output import print_result
from exchange.cli.passphrase import load_root, read_passphrase
from exchange.hardening import forbid_dumps
from keys import ceremony, primitives
from keys.digests import fingerprint
from keys.errors import KeystoreFault
from keys.identity import SIGNING_ENTROPY, SigningIdentity
from keys.keystore import read_private, write_private, write_sealed_file
from schemas.files import ROOT_PUBLIC

root_app = typer.Typer(help="A state's root key.", add_completion=False)

_WORDS_IN_LINE: Final = 6
_COMMENT: Final = "#"


@root_app.command("create")
def create(
    code: Annotated[str, typer.Option("--member", metavar="CODE", help="The state's code, such as KAZ.")],
    out: OutFile,
    passphrase_file: PassphraseFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a root key: FILE, sealed under a passphrase, and FILE.pub, which goes to whoever drafts the charter."""
    owner = member(code)
    public = public_file(out)
    refuse_existing(out, public)
    passphrase = read_passphrase(passphrase_file, new=True, what=f"the new root key {out}")
    root = SigningIdentity.from_entropy(owner, primitives.random_bytes(SIGNING_ENTROPY))
    write_sealed_file(out, ceremony.ROOT_LABEL, ceremony.identity_secret(root), passphrase)
    half = ceremony.root_public(root)
    store(public, ROOT_PUBLIC, half)
    print_result({**describe(ROOT_PUBLIC, half), "private": str(out), "public": str(public)}, as_json)


@root_app.command("split")
def split(
    root_file: RootFile,
    needed: Annotated[int, typer.Option("--needed", metavar="K", help="How many shares restore the root.")],
    total: Annotated[int, typer.Option("--total", metavar="N", help="How many shares there are.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The shares become FILE.1 to FILE.N.")],
    passphrase_file: PassphraseFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Split a root key into N shares of 84 words (SLIP-0039), any K of which restore it; K-1 tell nothing.

    Each share is a private file of its own, for one person. Put K of them together before you destroy the root's file.
    """
    from keys.shares import split_root

    root = load_root(root_file, passphrase_file)
    shares = split_root(root, needed, total)
    files = [out.with_name(f"{out.name}.{number}") for number in range(1, total + 1)]
    refuse_existing(*files)
    title = f"of the root of {root.owner}, {fingerprint(root.key_id)}"
    for number, (path, words) in enumerate(zip(files, shares, strict=True), 1):
        heading = f"{_COMMENT} share {number} of {total}, any {needed} restore it: {title}"
        write_private(path, f"{heading}\n{_in_lines(words)}\n".encode("ascii"))
    told = {"member": root.owner, "fingerprint": fingerprint(root.key_id), "needed": needed}
    print_result({**told, "files": [str(path) for path in files]}, as_json)


@root_app.command("combine")
def combine(
    shares: Annotated[list[Path], typer.Argument(metavar="SHARE...", exists=True, dir_okay=False)],
    public: Annotated[
        Path, typer.Option("--public", metavar="FILE", exists=True, dir_okay=False, help="The root's public half.")
    ],
    out: OutFile,
    passphrase_file: PassphraseFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Restore a root key from exactly as many shares as it needs, and seal it under a passphrase.

    A share is a file with its words; lines that begin with # are left out. Every share has to be of the root whose
    public half is given.
    """
    from keys.shares import combine_root

    refuse_existing(out)
    # The root is here before its new passphrase is asked for.
    forbid_dumps()
    half = load(public, ROOT_PUBLIC)
    root = combine_root(half.member, half.keys, [_words(path) for path in shares])
    passphrase = read_passphrase(passphrase_file, new=True, what=f"the root key {out}")
    write_sealed_file(out, ceremony.ROOT_LABEL, ceremony.identity_secret(root), passphrase)
    print_result({**describe(ROOT_PUBLIC, half), "private": str(out)}, as_json)


def public_file(private: Path) -> Path:
    """Where the public half of a root key stands: beside it, with `.pub` at the end."""
    return private.with_name(private.name + ".pub")


def _in_lines(words: str) -> str:
    """The words of a share, few to a line, so that two people can compare them aloud."""
    each = words.split()
    lines = [each[start : start + _WORDS_IN_LINE] for start in range(0, len(each), _WORDS_IN_LINE)]
    return "\n".join(" ".join(line) for line in lines)


def _words(path: Path) -> str:
    """The words in a private file; raises KeystoreFault."""
    try:
        text = read_private(path).decode("ascii")
    except UnicodeDecodeError:
        raise KeystoreFault(f"{path} is no share: it has words in plain letters, and comments") from None
    return " ".join(line for line in text.splitlines() if not line.startswith(_COMMENT))
