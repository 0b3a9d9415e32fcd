"""`cbm export` against a small node over real HTTP: bytes as they are, notes beside them, nothing raw on a terminal."""

import json
import os
from pathlib import Path

import pytest

from exchange.cli.content import write_content
from exchange.cli.output import Refusal
from tests.support.small_node import SmallNode
from tests.unit.exchange.cli.test_messages import A, B, Cbm, cbm, node

__all__ = ["cbm", "node"]
TOLD = "TLP:GREEN: may be given on\n"
ALERT = b"\xef\xbb\xbf<alert>\r\n\xff</alert>"


async def test_a_file_is_written_byte_for_byte_and_never_over_another(
    node: SmallNode, cbm: Cbm, tmp_path: Path
) -> None:
    node.exports[A, "cap"] = (ALERT, None)
    assert await cbm("export", A, "--as", "cap", "--out", "alert.xml") == (0, "", TOLD)
    assert (tmp_path / "alert.xml").read_bytes() == ALERT
    node.seen.clear()
    code, _, err = await cbm("export", A, "--as", "cap", "--out", "alert.xml")
    assert (code, "exists" in err, node.seen) == (1, True, [])


async def test_the_proof_stands_beside_the_file_and_never_over_another(
    node: SmallNode, cbm: Cbm, tmp_path: Path
) -> None:
    node.exports[A, "cap"] = (ALERT, None)
    assert (await cbm("export", A, "--as", "cap", "--out", "alert.xml"))[0] == 0
    beside = tmp_path / "alert.xml.proof.json"
    assert json.loads(beside.read_text())["marking"] == "TLP:GREEN"
    assert beside.stat().st_mode & 0o777 == 0o600
    (tmp_path / "alert.xml").unlink()
    node.seen.clear()
    code, _, err = await cbm("export", A, "--as", "cap", "--out", "alert.xml")
    assert (code, "exists" in err, node.seen) == (1, True, [])
    assert not (tmp_path / "alert.xml").exists()


async def test_what_is_for_inside_only_is_asked_for_and_told_so(node: SmallNode, cbm: Cbm) -> None:
    node.exports[A, "json"] = (b"{}", None)
    assert await cbm("export", A, "--internal") == (0, "{}", "TLP:GREEN: inside only\n")
    code, out, err = await cbm("export", A, "--internal", "--json")
    told = json.loads(out)
    assert (code, err, told["handling"], told["proof"]["marking"]) == (0, "", "inside only", "TLP:GREEN")


async def test_the_record_itself_is_what_comes_without_a_format(node: SmallNode, cbm: Cbm) -> None:
    node.exports[A, "json"] = ('{"title": "Қ"}'.encode(), None)
    assert await cbm("export", A) == (0, '{"title": "Қ"}', TOLD)


async def test_what_has_to_be_known_of_a_file_is_told_beside_it(node: SmallNode, cbm: Cbm) -> None:
    node.exports[A, "cap"] = (b"<alert/>", "not valid CAP 1.2")
    assert await cbm("export", A, "--as", "cap") == (0, "<alert/>", TOLD + "note: not valid CAP 1.2\n")
    code, out, err = await cbm("export", A, "--as", "cap", "--json")
    told = json.loads(out)
    assert (code, err, told["content"], told["note"], told["size"]) == (0, "", "<alert/>", "not valid CAP 1.2", 8)


async def test_a_format_that_there_is_not_is_wrong_use_and_another_message_a_refusal(node: SmallNode, cbm: Cbm) -> None:
    assert (await cbm("export", A, "--as", "pdf"))[0] == 2
    code, out, err = await cbm("export", B)
    assert (code, out, "no message" in err) == (1, "", True)


def test_what_was_decrypted_is_not_written_for_others_to_read(tmp_path: Path) -> None:
    habit = os.umask(0)
    try:
        write_content(ALERT, tmp_path / "alert.xml", {}, as_json=False)
    finally:
        os.umask(habit)
    assert (tmp_path / "alert.xml").stat().st_mode & 0o777 == 0o600


def test_a_terminal_gets_no_control_characters_of_what_others_wrote(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    write_content("a\x1b[2Jb\u202e\nc".encode(), None, {}, as_json=False)
    assert capsys.readouterr().out == "a\\x1b[2Jb\\u202e\nc\n"
    with pytest.raises(Refusal, match="--out"):
        write_content(b"\xff", None, {}, as_json=False)
