"""What every command owes its user: help, `--json`, exit codes 0, 1 and 2, one line of diagnostics, no traceback."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from exchange.cli import main

ROOT = Path(__file__).parents[2]
PROGRAM = "from exchange.cli.main import main; main()"


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:  # noqa: ANN401  # typer's own type is private
    """The path of every command below `command` that is not a group."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path
    else:
        for name, child in below.items():
            yield from leaves(child, (*path, name))


def paths(name: str) -> list[tuple[str, ...]]:
    whole: Any = typer.main.get_command(main.build(name))
    return list(leaves(whole.commands[name], (name,)))


def cbm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_the_commands_are_found() -> None:
    assert paths("send") == [("send",)]
    assert {("keys", "root", "create"), ("keys", "show")} <= set(paths("keys"))


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help_and_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for path in paths(name):
        assert main.run([*path, "--help"]) == 0
        shown = capsys.readouterr()
        assert shown.out.startswith(f"Usage: cbm {' '.join(path)} ")
        assert "--json" in shown.out, path
        assert shown.err == ""


@pytest.mark.parametrize("name", main.COMMANDS)
def test_an_option_that_there_is_not_is_wrong_use_in_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for path in paths(name):
        assert main.run([*path, "--no-such-option"]) == 2
        assert_one_line(capsys)


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["--no-such-option"], ["keys"], ["keys", "root", "x"]])
def test_no_command_is_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(arguments) == 2
    assert_one_line(capsys)


def test_the_help_of_the_whole_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in main.COMMANDS)


def test_a_mistyped_command_is_told_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["chartre"]) == 2
    assert "charter" in capsys.readouterr().err


def crash(*_: object) -> None:
    raise KeyError("a value that is nobody's business")


def test_a_fault_of_the_program_is_one_line_without_its_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(main.FAULT_LOG, raising=False)
    monkeypatch.setattr("schemas.registry.list_schemas", crash)
    assert main.run(["schema", "list"]) == 1
    line = assert_one_line(capsys)
    assert main.FAULT_LOG in line
    assert "business" not in line


def test_its_details_go_to_a_private_file_when_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "fault.log"
    monkeypatch.setenv(main.FAULT_LOG, str(log))
    monkeypatch.setattr("schemas.registry.list_schemas", crash)
    assert main.run(["schema", "list"]) == 1
    assert str(log) in assert_one_line(capsys)
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["schema", "list"], 0), (["keys", "show", "pyproject.toml"], 1), (["keys", "show", "no-such-file"], 2)],
)
def test_the_exit_code_reaches_the_shell(arguments: list[str], code: int) -> None:
    ended = cbm(*arguments)
    assert ended.returncode == code
    assert (ended.stderr == "") is (code == 0)
    assert "Traceback" not in ended.stderr


def test_a_reader_that_closes_early_is_no_fault() -> None:
    command = [sys.executable, "-c", PROGRAM, "schema", "show", "disaster-alert"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("keys", {"aiohttp", "exchange.client", "exchange.node", "exchange.relay", "pydantic", "rich"}),
        ("charter", {"aiohttp", "exchange.client", "exchange.node", "exchange.relay", "rich"}),
        ("send", {"exchange.node", "exchange.relay", "nacl"}),
    ],
)
def test_a_command_loads_only_what_it_needs(name: str, absent: set[str]) -> None:
    program = f"import sys; from exchange.cli.main import build; build({name!r}); print(*sys.modules, sep='\\n')"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert absent.isdisjoint(loaded)


def assert_one_line(capsys: pytest.CaptureFixture[str]) -> str:
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("cbm: ")
    assert shown.err.count("\n") == 1
    return shown.err
