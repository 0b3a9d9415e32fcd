"""`cbm schema`: the shapes that other programs rely on."""

import io
import json
import sys
from pathlib import Path

import jsonschema_rs
import pytest

from exchange.cli.main import run
from schemas.registry import examples, list_schemas

TYPES = sorted({name for name, _ in list_schemas()})


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["schema", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_list_is_of_ids_and_versions(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "list", "--json")
    assert code == 0
    assert json.loads(out) == [{"id": name, "version": version} for name, version in list_schemas()]
    assert TYPES
    code, out, _ = call(capsys, "list")
    assert len(out.splitlines()) == len(list_schemas())


@pytest.mark.parametrize("record_type", TYPES)
def test_a_schema_stands_alone_and_accepts_the_examples(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, record_type: str
) -> None:
    code, out, _ = call(capsys, "show", record_type, "--json")
    assert code == 0
    validator = jsonschema_rs.Draft202012Validator(json.loads(out))
    found = examples(record_type)
    assert found
    for name, data in found:
        assert validator.is_valid(json.loads(data)), name
        path = tmp_path / name
        path.write_bytes(data)
        code, out, _ = call(capsys, "validate", str(path), "--json")
        told = json.loads(out)
        assert (code, told["valid"], told["record_type"]) == (0, True, record_type)


def test_a_record_that_is_refused_gives_every_fault_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    record_type = TYPES[0]
    record = json.loads(examples(record_type)[0][1])
    del record["measure"]
    record["unknown"] = 1
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record))
    code, out, err = call(capsys, "validate", str(path), "--json")
    told = json.loads(out)
    assert (code, told["valid"]) == (1, False)
    assert len(told["faults"]) >= 2
    assert told["faults"][0].keys() == {"path", "found", "expected", "warning"}
    assert (err.count("\n"), err[:5]) == (1, "cbm: ")


def test_a_record_may_come_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(examples(TYPES[0])[0][1])))
    assert call(capsys, "validate", "-")[0] == 0


@pytest.mark.parametrize("record_type", TYPES)
def test_an_example_is_printed_as_it_is_carried(capsys: pytest.CaptureFixture[str], record_type: str) -> None:
    found = examples(record_type)
    code, out, _ = call(capsys, "example", record_type)
    assert (code, json.loads(out)) == (0, json.loads(found[0][1]))
    for name, data in found:
        code, out, _ = call(capsys, "example", record_type, name.removesuffix(".json"), "--json")
        assert (code, json.loads(out)) == (0, json.loads(data))


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "no-such-type"),
        ("show", TYPES[0], "--version", "9.9.9"),
        ("validate", "nowhere"),
        ("show",),
        ("example", "no-such-type"),
        ("example", TYPES[0], "no-such-example"),
    ],
)
def test_wrong_use_is_exit_code_2_in_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, err = call(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
