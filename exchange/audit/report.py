"""A judgement as a page to print: HTML without scripts, styles from elsewhere or anything to be loaded. Pure.

Everything that comes from a file is escaped: others have made it.
"""

from html import escape
from string import Template
from typing import Final

from exchange.audit.claims import Finding, date
from exchange.audit.evidence import Judgement

_PAGE: Final = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Evidence: $subject</title>
<style>
body { font-family: serif; max-width: 46em; margin: 2em auto; line-height: 1.4; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #999; padding: .3em .5em; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
.broken { border: 2px solid #900; padding: .5em 1em; }
code { font-size: .9em; }
@page { margin: 2cm; }
</style>
</head>
<body>
<h1>Evidence</h1>
<p>About $subject.</p>
<table>
<tr><th>Charter</th><td><code>$charter</code></td></tr>
<tr><th>File (SHA-256)</th><td><code>$digest</code></td></tr>
<tr><th>Written out by</th><td>the node of $member at $time, as the file says; no claim rests on this</td></tr>
</table>
<h2>Result</h2>
$result
<h2>What is proved, under this charter</h2>
<table>
<tr><th>Claim</th><th>About</th><th>Finding</th></tr>
$proved
</table>
$absent
</body>
</html>
""")
_ABSENT: Final = Template("""<h2>What is not in this file</h2>
<p>These lines say that something is missing here. Who has it can show it.</p>
<table>
<tr><th>Claim</th><th>About</th><th>Finding</th></tr>
$rows
</table>""")
_HOLDS: Final = "<p>Every claim in this file holds.</p>"


def report(judged: Judgement, charter: str, digest: str) -> str:
    """The page; `charter`: the fingerprint of the charter that it was judged by; `digest`: of the file."""
    proved = [finding for finding in judged.findings if not finding.claim.of_absence]
    absent = [finding for finding in judged.findings if finding.claim.of_absence]
    result = _HOLDS
    if judged.broken is not None:
        result = (
            f'<p class="broken">The claim <b>{escape(judged.broken.claim.value)}</b> does not hold:'
            f" {escape(judged.broken.sentence)}. Nothing was judged after it.</p>"
        )
    return _PAGE.substitute(
        subject=escape(judged.subject),
        charter=escape(charter),
        digest=escape(digest),
        member=escape(judged.member),
        time=date(judged.time),
        result=result,
        proved=_rows(proved),
        absent=_ABSENT.substitute(rows=_rows(absent)) if absent else "",
    )


def _rows(findings: list[Finding]) -> str:
    return "\n".join(
        f"<tr><td>{escape(finding.claim.value)}</td><td>{escape(finding.member or '')}</td>"
        f"<td>{escape(finding.sentence)}</td></tr>"
        for finding in findings
    )
