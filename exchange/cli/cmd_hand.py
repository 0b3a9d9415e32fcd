"""`cbm node obey` and `release-hold`: what a node's operator decides by hand."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.ceremony_files import load
from exchange.cli.options import InFile, JsonFlag, member
from exchange.cli.output import Refusal, print_result
from keys.digests import fingerprint
from schemas.files import ENTRY

Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", file_okay=False, help="The node's folder.")]


def obey(folder: Folder, file: InFile, as_json: JsonFlag = False) -> None:
    """Obey a revocation that came on another way than by the relay, at once, also while the node runs.

    From now on nothing that the key signed is accepted, and nothing is sealed to epochs that it certified, whether or
    not the relay shows the revocation.
    """
    from exchange.wiring.hand import obey_revocation

    revocation = obey_revocation(folder, load(file, ENTRY))
    told = {"member": revocation.member, "key": fingerprint(revocation.key_id), "reason": revocation.reason.name}
    print_result({**told, "reason": told["reason"].lower().replace("_", "-")}, as_json)


def release_hold(
    folder: Folder,
    code: Annotated[str, typer.Argument(metavar="MEMBER", help="Its code, as `cbm node status` names it.")],
    as_json: JsonFlag = False,
) -> None:
    """Send to a member again, to whom an alarm has stopped all sending: only after the alarm has been explained.

    The proof in DIR/proofs shows what was seen; ask the member by another way than through the relay.
    """
    from exchange.wiring.hand import release_hold as release

    name = member(code)
    if not release(folder, name):
        raise Refusal(f"nothing is held back for {name}: see `cbm node status`")
    print_result({"released": name}, as_json)
