"""A room one can take in at a glance: bounds on the length of files and functions (docstrings are ruff's to check)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for package in ("exchange", "keys", "schemas") for path in (ROOT / package).rglob("*.py"))
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50


def long_functions(source: str) -> list[str]:
    """The functions of `source` whose text, with signature and docstring, is over the bound."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                found.append(f"{node.name} has {length} lines")
    return found


@pytest.mark.parametrize(("lines", "refused"), [(MAX_FUNCTION_LINES, 0), (MAX_FUNCTION_LINES + 1, 1)])
def test_the_bound_on_functions_is_where_it_says(lines: int, refused: int) -> None:
    body = "    pass\n" * (lines - 1)
    assert len(long_functions(f"async def f():\n{body}")) == refused


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= MAX_FILE_LINES
    assert long_functions(source) == []
