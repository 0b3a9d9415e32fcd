"""`cbm keys`: a state's root key and what it certifies. Works offline, without any configuration."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.ceremony_files import load, load_any, refuse_existing, store
from exchange.cli.describe import describe
from exchange.cli.options import InFile, JsonFlag, OutFile, PassphraseFile, RootFile, member
from exchange.cli.output import Refusal, print_result
from exchange.cli.passphrase import load_root, read_passphrase
from exchange.clock import SystemClock
from keys import ceremony, primitives
from keys.identity import SigningIdentity
from keys.keystore import is_sealed_file, write_sealed_file
from schemas.files import ENTRY, ROOT_PUBLIC, SIGNING_REQUEST
from schemas.limits import DAY

keys_app = typer.Typer(help="Root and signing keys (offline).", add_completion=False)
root_app = typer.Typer(help="A state's root key.", add_completion=False)
signing_app = typer.Typer(help="Signing keys of a state's node.", add_completion=False)
keys_app.add_typer(root_app, name="root")
keys_app.add_typer(signing_app, name="signing")


@root_app.callback()
def _root() -> None:
    """A state's root key."""


@signing_app.callback()
def _signing() -> None:
    """Signing keys of a state's node."""


@root_app.command("create")
def root_create(
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
    root = SigningIdentity.from_entropy(owner, primitives.random_bytes(2 * primitives.SEED))
    write_sealed_file(out, ceremony.ROOT_LABEL, ceremony.identity_secret(root), passphrase)
    half = ceremony.root_public(root)
    store(public, ROOT_PUBLIC, half)
    print_result({**describe(ROOT_PUBLIC, half), "private": str(out), "public": str(public)}, as_json)


@signing_app.command("certify")
def signing_certify(
    root_file: RootFile,
    request_file: Annotated[
        Path, typer.Option("--request", metavar="FILE", exists=True, dir_okay=False, help="The node's request.")
    ],
    out: OutFile,
    days: Annotated[int, typer.Option("--days", min=1, max=36500, help="How long the key is valid from now.")],
    passphrase_file: PassphraseFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Certify a node's new signing key; compare the fingerprint with the one that the node shows before you do."""
    refuse_existing(out)
    request = load(request_file, SIGNING_REQUEST)
    ceremony.check_request(request)
    root = load_root(root_file, passphrase_file)
    now = SystemClock().now()
    entry = ceremony.certify_signing_key(root, request, now, now + days * DAY, now)
    store(out, ENTRY, entry)
    print_result({**describe(ENTRY, entry), "file": str(out)}, as_json)


@keys_app.command("show")
def show(file: InFile, as_json: JsonFlag = False) -> None:
    """Show what a file is: kind, member, validity, and the fingerprint to read aloud."""
    if is_sealed_file(file):
        public = public_file(file)
        if not public.is_file():
            raise Refusal(f"{file} is a sealed private key and shows nothing of itself: show its public file")
        print_result({"kind": "sealed-key", "beside_it": describe(ROOT_PUBLIC, load(public, ROOT_PUBLIC))}, as_json)
        return
    kind, value = load_any(file)
    if kind is SIGNING_REQUEST:
        ceremony.check_request(value)
    print_result(describe(kind, value), as_json)


def public_file(private: Path) -> Path:
    """Where the public half of a root key stands: beside it, with `.pub` at the end."""
    return private.with_name(private.name + ".pub")
