"""docs/protocol.md says what the code does: every table, code, label, reason and example is held against it."""

import json
import re
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import pytest

from exchange.consent.decision import Rule
from exchange.delivery.times import TimeRule
from schemas import limits, relayapi
from schemas.canon import Struct
from schemas.contexts import Context
from schemas.errors import Reason
from schemas.files import KINDS
from tests.support.describe import enumerations, objects, row

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs" / "protocol.md").read_text("utf-8")
VECTORS: Final = ROOT / "tests" / "vectors"
HEADING: Final = "| no. | field | type | may be absent |\n| --- | --- | --- | --- |\n"
EXAMPLES: Final = re.findall(r"```hex ([a-z0-9/.-]+)\n(.*?)```", TEXT, re.DOTALL)


def table(title: str, heading: str) -> list[str]:
    """The rows of the one table under a title."""
    found = re.findall(re.escape(f"{title}\n\n{heading}") + r"((?:\|.*\n)+)", TEXT)
    assert len(found) == 1, f"{title}: {len(found)} tables"
    rows: list[str] = found[0].splitlines()
    return rows


@pytest.mark.parametrize(("name", "struct"), objects().items(), ids=objects())
def test_the_table_of_an_object_is_its_codec(name: str, struct: Struct[Any]) -> None:
    assert table(f"Object `{name}`:", HEADING) == [row(field) for field in struct._fields]


def test_no_table_is_of_an_object_that_is_no_more() -> None:
    assert set(re.findall(r"^Object `(\w+)`:$", TEXT, re.MULTILINE)) == set(objects())


@pytest.mark.parametrize(("name", "values"), enumerations().items(), ids=enumerations())
def test_the_numbers_of_a_code_are_the_ones_in_use(name: str, values: type[IntEnum]) -> None:
    rows = table(f"Code `{name}`:", "| number | name |\n| --- | --- |\n")
    assert [line.split("|")[1:3] for line in rows] == [
        [f" {value.value} ", f" {getattr(value, 'label', value.name.lower().replace('_', '-'))} "] for value in values
    ]


@pytest.mark.parametrize("context", list(Context))
def test_every_label_is_registered(context: Context) -> None:
    assert f"\n| `{context.value}` |" in TEXT


@pytest.mark.parametrize("code", [*Reason, *Rule, *TimeRule])
def test_every_code_of_a_refusal_is_explained(code: str) -> None:
    assert f"\n| `{code}` |" in TEXT


@pytest.mark.parametrize("path", [value for name, value in vars(relayapi).items() if name.startswith("PATH_")])
def test_every_path_of_the_relay_is_described(path: str) -> None:
    assert re.search(rf"^### (GET|POST)[A-Z ,]* `{re.escape(path)}", TEXT, re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_listed(kind: str) -> None:
    assert f"\n| `cbm/1 {kind}` |" in TEXT


@pytest.mark.parametrize(
    "size",
    [
        limits.MAX_PROVISION,
        limits.MAX_CORE,
        limits.MAX_WRAPS,
        limits.MAX_HEADER,
        limits.MAX_SMALL_OBJECT,
        limits.MAX_CHARTER,
        limits.MAX_DIRECTORY_ENTRY,
        limits.MAX_TRANSPORT,
        limits.MAX_MANIFEST,
        relayapi.MAX_FRAME,
        relayapi.INLINE_BODY,
        limits.CHUNK,
    ],
)
def test_the_size_of_every_kind_is_stated(size: int) -> None:
    assert re.search(rf"\b{size:,}\b", TEXT)


def test_there_are_worked_examples() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize(("name", "block"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_a_worked_example_is_its_vector(name: str, block: str) -> None:
    vector = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    shown = "".join(line.split(";")[0].replace(" ", "") for line in block.splitlines())
    pattern = "".join("[0-9a-f]*" if part == "..." else part for part in re.split(r"(\.\.\.)", shown))
    assert vector["stage"] in ("decode", "derive")
    value = vector["hex"] if vector["stage"] == "decode" else vector["expect"]
    assert re.fullmatch(pattern, value)


def test_sections_that_code_refers_to_exist() -> None:
    cited = set()
    for package in ("exchange", "keys", "schemas"):
        for path in (ROOT / package).rglob("*.py"):
            for citation in re.findall(r"docs/protocol\.md((?:, \"[A-Z][^\"]*\")+)", path.read_text("utf-8")):
                cited.update(re.findall(r'"([^"]*)"', citation))
    headings = set(re.findall(r"^## (.*)$", TEXT, re.MULTILINE))
    assert "Envelope" in cited
    assert cited - headings == set()
