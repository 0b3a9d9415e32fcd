"""`cbm keys`: a state's root key and what it certifies and revokes. Works offline, without any configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exchange.cli.ceremony_files import load, load_any, refuse_existing, store
from exchange.cli.cmd_epochs import epoch_app
from exchange.cli.cmd_root import public_file, root_app
from exchange.cli.describe import describe
from exchange.cli.options import InFile, JsonFlag, OutFile, PassphraseFile, RootFile, digest, moment
from exchange.cli.output import Refusal, print_result, utc
from exchange.cli.passphrase import load_root
from exchange.clock import SystemClock
from keys import ceremony
from keys.digests import key_id
from keys.identity import SigningIdentity
from keys.keystore import is_sealed_file
from schemas.endings import RevocationReason
from schemas.files import ENTRY, ROOT_PUBLIC, SIGNING_REQUEST
from schemas.ids import KeyId
from schemas.limits import DAY
from schemas.statement import DirectoryEntry, SigningKey

if TYPE_CHECKING:
    from keys.directory import EpochRecord

keys_app = typer.Typer(help="Root and signing keys (offline).", add_completion=False)
signing_app = typer.Typer(help="Signing keys of a state's node.", add_completion=False)
keys_app.add_typer(root_app, name="root")
keys_app.add_typer(signing_app, name="signing")
keys_app.add_typer(epoch_app, name="epoch")

_REASONS = {reason.name.lower().replace("_", "-"): reason for reason in RevocationReason}


@signing_app.callback()
def _signing() -> None:
    """Signing keys of a state's node."""


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


@keys_app.command("revoke")
def revoke(
    root_file: RootFile,
    key: Annotated[
        str, typer.Option("--key", metavar="KEY", help="The statement that certified it (a file), or its fingerprint.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="For people: compromised, lost, replaced or out-of-service.")],
    out: OutFile,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="When others may have got the key.")
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", metavar="FILE", exists=True, dir_okay=False, help="The directory, to tell by it."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Revoke a node's signing key with the root; it counts from its place in the directory, so publish it at once.

    With --directory (`cbm node directory export`), tell what was exposed of recorded messages when everything of the
    node was stolen at --since, and what was not.
    """
    refuse_existing(out)
    if reason not in _REASONS:
        raise typer.BadParameter(f"{reason!r} is no reason: {', '.join(_REASONS)}")
    now = SystemClock().now()
    compromised_at = None if since is None else moment(since)
    root = load_root(root_file, passphrase_file)
    named = _named_key(key, root)
    told = {} if directory is None else _exposed(directory, root, named, now if since is None else moment(since))
    entry = ceremony.revoke_signing_key(root, named, _REASONS[reason], compromised_at, now)
    store(out, ENTRY, entry)
    print_result({**describe(ENTRY, entry), **told, "file": str(out)}, as_json)


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


def _named_key(text: str, root: SigningIdentity) -> KeyId:
    """The key that a statement in a file certifies for the root's node, or that a fingerprint names."""
    path = Path(text)
    if not path.is_file():
        return KeyId(digest(text))
    entry: DirectoryEntry = load(path, ENTRY)
    statement = entry.statement
    if not isinstance(statement, SigningKey) or statement.member != root.owner:
        raise Refusal(f"{path} certifies no signing key of {root.owner}: give the statement, or the fingerprint")
    return key_id(statement.keys)


def _exposed(path: Path, root: SigningIdentity, key: KeyId, since: int) -> dict[str, Any]:
    from exchange.wiring.exposed import theft_at

    theft = theft_at(path, root, key, since)
    return {
        "stolen_at": utc(since),
        "exposed": _epochs(theft.taken),
        "exposed_if_the_thief_stayed": _epochs(theft.later),
        "not_exposed": _epochs(theft.gone),
    }


def _epochs(records: "Sequence[EpochRecord]") -> dict[str, Any] | None:
    """Which epochs, and when what was recorded under them was sealed; None when there are none."""
    if not records:
        return None
    numbers = [record.number for record in records]
    return {
        "epochs": f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0]),
        "sealed_from": utc(min(record.valid_from for record in records)),
        "sealed_until": utc(max(record.valid_until for record in records)),
    }
