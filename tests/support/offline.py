"""The offline commands in this process: a folder with a passphrase, what was printed, a charter of three states."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

PASSPHRASE = "correct horse battery"
CODES = ("KAZ", "MNG", "UZB")
DESCRIPTION = """
editions = ["cica-catalogue-draft-2021-09-27"]
chairmanship = {member = "KAZ", from = 2026-01-01, until = 2028-01-01}
[[members]]
code = "KAZ"
role = "member"
names = {en = "Kazakhstan", kk = "Қазақстан"}
root = "KAZ.root.pub"
[[members]]
code = "MNG"
role = "member"
names = {en = "Mongolia"}
root = "MNG.root.pub"
[[members]]
code = "UZB"
role = "member"
names = {en = "Uzbekistan"}
root = "UZB.root.pub"
[[relays]]
identity = "relay.identity"
"""

Result = tuple[int, str, str]
Cbm = Callable[..., Result]


def ok(result: Result) -> dict[str, Any]:
    code, out, err = result
    assert (code, err) == (0, "")
    told: dict[str, Any] = json.loads(out)
    return told


def one_line(result: Result, code: int) -> str:
    """The diagnostics of a command that failed with `code`."""
    assert result[0] == code, result
    assert result[1] == ""
    assert result[2].startswith("cbm: ")
    assert result[2].count("\n") == 1
    return result[2]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def sign(cbm: Cbm, draft: str, *roots: str) -> list[str]:
    """A draft signed with these roots; the files of the signatures."""
    files = []
    for root in roots:
        files.append(f"{draft}-{root}.sig")
        ok(cbm("charter", "sign", draft, "--root", root, "--out", files[-1], "--json"))
    return files
