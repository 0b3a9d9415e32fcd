"""What reaches a terminal, and what reaches a pipe."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from exchange.cli import output
from exchange.cli.cmd_send import _bar
from exchange.client import Attachment

HOSTILE = "a\x1b[2J\u202eb\x9bc\td"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def terminal() -> Iterator[Terminal]:
    """Standard output and error as a terminal, from here on: a fixture would be undone by pytest's own capture."""
    screen = Terminal()
    with redirect_stdout(screen), redirect_stderr(screen):
        yield screen


@pytest.fixture(autouse=True)
def _plain_and_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "120")


def test_on_a_terminal_a_table_has_a_heading() -> None:
    with terminal() as screen:
        output.print_table(("NAME", "AGE"), [("[bold]x", "1")])
    assert [line.split() for line in screen.getvalue().splitlines()] == [["NAME", "AGE"], ["[bold]x", "1"]]


def test_in_a_pipe_cells_are_separated_by_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("NAME", "AGE"), [("x", "1"), ("y\tz", "2")])
    assert capsys.readouterr().out == "x\t1\ny\\tz\t2\n"


def test_no_text_of_others_controls_the_terminal() -> None:
    with terminal() as screen:
        output.print_table(("TITLE",), [(HOSTILE,)])
        output.print_result({"title": HOSTILE, HOSTILE: [HOSTILE]}, as_json=False)
        output.print_result({"title": HOSTILE}, as_json=True)
        output.note(HOSTILE)
    shown = screen.getvalue().replace("\n", "")
    assert shown.count("u202e") == 6
    assert shown.isprintable()


@pytest.mark.parametrize("text", [HOSTILE, "Қазақстан", "\U000e0041\U0001f600", "\n\x7f"])
def test_json_means_the_same_after_escaping(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"title": text, "n": [1, None]})
    assert json.loads(capsys.readouterr().out) == {"title": text, "n": [1, None]}


def test_nested_values_are_indented(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_result({"a": {"b": [{"c": 1, "d": []}, "e"], "f": None}, "g": True}, as_json=False)
    assert capsys.readouterr().out == "a:\n  b:\n    - c: 1\n      d: -\n    - e\n  f: -\ng: yes\n"


def test_a_bar_is_drawn_for_much_on_a_terminal_only(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(8 * 2**20)
    files = [Attachment.of(large)]
    with terminal() as screen:
        with _bar(files, as_json=False) as progress:
            assert progress is not None
            progress(8 * 2**20, 8 * 2**20)
        for quiet in (_bar(files, as_json=True), _bar([], as_json=False)):
            with quiet as none:
                assert none is None
    assert "8.4/8.4 MB" in screen.getvalue()
    with _bar(files, as_json=False) as none:
        assert none is None
