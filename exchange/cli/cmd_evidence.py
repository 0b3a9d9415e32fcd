"""`cbm evidence`: prove to others what happened to a message, and judge such a proof offline with the charter alone."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exchange.cli.content import write_content
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import InFile, JsonFlag
from exchange.cli.output import Refusal, note, print_json, print_lines, utc
from exchange.client import NodeClient

if TYPE_CHECKING:
    from exchange.audit.evidence import Judgement

evidence_app = typer.Typer(help="Prove to others what happened.", add_completion=False)


@evidence_app.callback()
def _evidence() -> None:
    """Prove to others what happened; verify it with the charter alone."""


@evidence_app.command("export")
def export(
    subject: Annotated[
        str, typer.Argument(metavar="ID", help="A message's id; or a member's code, for the heads of its streams.")
    ],
    node: NodeUrl,
    token_file: TokenFile,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write; it must not exist.")],
    content: Annotated[
        bool, typer.Option("--content", help="Put the content in. That is an export, and needs the same consent.")
    ] = False,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write all that the node has on file of a message into one file; the content stays sealed. Needs scope audit."""
    if not subject.isalnum() or not subject.isascii():
        raise typer.BadParameter("give a message's id, or a member's code")

    async def work(client: NodeClient) -> bytes:
        return await client.evidence(subject, content=content)

    data = with_node(node, token_file, ca_file, as_json, work)
    told = {"subject": subject, "content": content, "sha256": hashlib.sha256(data).hexdigest()}
    write_content(data, out, told, as_json)
    if not as_json:
        note(f"{out}: {len(data)} bytes; whoever has the charter can check it: cbm evidence verify")


@evidence_app.command("verify")
def verify(
    file: InFile,
    charter: Annotated[
        Path,
        typer.Option("--charter", metavar="FILE", exists=True, dir_okay=False, help="A version of the charter."),
    ],
    page: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write the findings as a page to print, too.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what an evidence file proves, one sentence for each claim. Needs no network, and nothing but the charter.

    Check the charter's fingerprint. Exit code 1 at the first claim that does not hold, or when nothing can be judged.
    """
    from exchange.audit.evidence import NoEvidence, judge_evidence
    from exchange.audit.report import report
    from exchange.cli.ceremony_files import load, read_bytes
    from keys.digests import charter_digest, fingerprint
    from schemas.files import SIGNED_CHARTER
    from schemas.limits import MAX_PROOF_FILE

    trusted = charter_digest(load(charter, SIGNED_CHARTER).body)
    data = read_bytes(file, MAX_PROOF_FILE)
    try:
        judged = judge_evidence(data, trusted)
    except NoEvidence as fault:
        raise Refusal(f"{file}: {fault}") from None
    facts = {"charter": fingerprint(trusted), "sha256": hashlib.sha256(data).hexdigest()}
    if page is not None:
        write_content(report(judged, facts["charter"], facts["sha256"]).encode(), page, {}, as_json=False)
    if as_json:
        print_json(_document(judged) | facts)
    else:
        print_lines((f"about {judged.subject}, written out by the node of {judged.member} at {utc(judged.time)}",))
        print_lines(f"{finding.claim.value}: {finding.sentence}" for finding in judged.findings)
    if judged.broken is not None:
        raise Refusal(f"{file}: the claim {judged.broken.claim.value} does not hold: {judged.broken.sentence}")
    if not as_json:
        print_lines(("every claim in this file holds",))


def _document(judged: "Judgement") -> dict[str, Any]:
    """The findings as JSON."""
    broken = judged.broken
    return {
        "subject": judged.subject,
        "member": judged.member,
        "time": utc(judged.time),
        "findings": [
            {
                "claim": finding.claim.value,
                "member": finding.member,
                "envelope": finding.envelope,
                "finding": finding.sentence,
                "absent": finding.claim.of_absence,
            }
            for finding in judged.findings
        ],
        "broken": None if broken is None else {"claim": broken.claim.value, "why": broken.sentence},
    }
