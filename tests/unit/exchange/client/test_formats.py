"""The client's conversions against a small node over real HTTP."""

import json
from pathlib import Path

import pytest

from exchange.client import NodeClient, Problem
from tests.support.small_node import TOKEN, SmallNode

A = "a" * 32


async def test_a_file_is_converted_with_its_template(tmp_path: Path) -> None:
    file = tmp_path / "alert.xml"
    file.write_bytes(b"<alert/>")
    async with SmallNode().running() as small, NodeClient(small.url, TOKEN) as client:
        found = await client.convert("cap", file, {"measure": "2.4.3"}, cap_1_1=True)
    ((form, query, parts),) = small.converted
    assert (form, query) == ("cap", {"cap_1_1": "true"})
    assert [(name, filename) for name, filename, _ in parts] == [("template", None), ("file", "alert.xml")]
    assert json.loads(parts[0][2]) == {"measure": "2.4.3"}
    assert parts[1][2] == b"<alert/>"
    assert (found.record, found.attach, found.warnings[0]["path"]) == ({"body": {}}, True, "/x")


async def test_an_export_is_the_bytes_with_their_note() -> None:
    async with SmallNode().running() as small, NodeClient(small.url, TOKEN) as client:
        small.exports[A, "cap"] = (b"<alert/>", "a note")
        small.exports[A, "json"] = (b"{}", None)
        found = await client.export(A, "cap")
        assert (found.content, found.media_type, found.note) == (b"<alert/>", "x/y", "a note")
        assert (await client.export(A)).note is None
        with pytest.raises(Problem):
            await client.export("b" * 32)
        with pytest.raises(ValueError, match="letters and digits"):
            await client.export("../status")
