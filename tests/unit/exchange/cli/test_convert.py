"""`cbm convert`: files in and out, one line for a refusal, nothing half written, hostile files in a bounded process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exchange.cli import main
from schemas.limits import MIB
from schemas.record_limits import MAX_RECORD_BYTES
from schemas.validate import load_json, validate_record
from tests.support.convert import alert, template
from tests.support.records import example
from tests.support.sheets import SHEET_PART, replaced, sheet_xml

ROOT = Path(__file__).parents[4]
# What an import may need at most, in a process of its own: 600 MiB of addresses and 30 seconds of processor time.
BOUNDED = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
from exchange.cli.main import main
main()
"""


def write(path: Path, value: object) -> Path:
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return path


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:  # noqa: ANN401 - a JSON value
    assert main.run(["convert", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    return write(tmp_path / "template.json", template(measure="2.4.3"))


@pytest.fixture
def cap(tmp_path: Path) -> Path:
    from exchange.convert.cap_write import write_alert  # noqa: PLC0415

    return write(tmp_path / "alert.xml", write_alert(alert()))


def test_an_alert_goes_into_a_record_and_comes_back(cap: Path, given: Path, tmp_path: Path) -> None:
    record, back = tmp_path / "record.json", tmp_path / "back.xml"
    assert main.run(["convert", "cap-to-record", str(cap), "--template", str(given), "--out", str(record)]) == 0
    validate_record(load_json(record.read_bytes()))
    assert main.run(["convert", "record-to-cap", str(record), "--out", str(back)]) == 0
    assert back.read_bytes() == cap.read_bytes()


def test_an_alert_out_of_order_is_refused_in_one_line_and_taken_from_an_accepted_sender(
    cap: Path, given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = cap.read_text()
    sender = "  <sender>alerts@hydromet.example</sender>\n"
    cap.write_text(text.replace(sender, "").replace("  <status>", f"{sender}  <status>"))
    record = tmp_path / "record.json"
    command = ["convert", "cap-to-record", str(cap), "--template", str(given), "--out", str(record)]
    assert main.run(command) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"cbm: {cap}: /sender: found sent, expected the element sender")
    assert error.count("\n") == 1
    assert not record.exists()
    assert main.run([*command, "--accept-sender", "alerts@hydromet.example"]) == 0
    assert "as its attachment" in capsys.readouterr().err
    assert main.run(["convert", "record-to-cap", str(record), "--original", str(cap)]) == 0
    assert capsys.readouterr().out == cap.read_text()


def test_a_refusal_names_each_element_that_the_oasis_schema_refuses(
    cap: Path, given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = cap.read_text().replace("<scope>Public</scope>", "").replace(">Met<", ">Rain<")
    cap.write_text(text)
    assert main.run(["convert", "cap-to-record", str(cap), "--template", str(given)]) == 1
    error = capsys.readouterr().err
    assert "/scope: found info" in error
    assert "; /info/0/category/0: found 'Rain', expected one of Geo, Met" in error
    assert error.count("\n") == 1


def test_a_record_that_is_long_when_indented_is_written_so_that_it_can_be_sent(
    cap: Path, given: Path, tmp_path: Path
) -> None:
    cap.write_bytes(cap.read_bytes().replace(b"</scope>", b"</scope>" + b"<code/>" * 205_000))
    record = tmp_path / "record.json"
    assert main.run(["convert", "cap-to-record", str(cap), "--template", str(given), "--out", str(record)]) == 0
    whole = load_json(record.read_bytes())
    validate_record(whole)
    assert len(json.dumps(whole, ensure_ascii=False, indent=2)) > MAX_RECORD_BYTES


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_form_goes_out_and_comes_back(kind: str, tmp_path: Path) -> None:
    budget = example("defence-budget", "simplified-actual-outlay")
    record = write(tmp_path / "record.json", budget)
    given = write(tmp_path / "template.json", template(measure="2.1.1.b"))
    form, back = tmp_path / f"form.{kind}", tmp_path / "back.json"
    assert main.run(["convert", "milex-export", str(record), "--as", kind, "--out", str(form)]) == 0
    assert main.run(["convert", "milex-import", str(form), "--template", str(given), "--out", str(back)]) == 0
    found = json.loads(back.read_bytes())
    assert sorted(found["body"]["cells"], key=str) == sorted(budget["body"]["cells"], key=str)
    assert validate_record(found).record_type == "defence-budget"


def test_a_fault_of_a_form_is_one_line_with_its_row_and_column_and_all_of_them_with_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    form = write(tmp_path / "form.csv", b"form,simplified\r\ncode,,land\r\n1,,x\r\n2,,y\r\n")
    given = write(tmp_path / "template.json", template())
    command = ["convert", "milex-import", str(form), "--template", str(given)]
    assert main.run(command) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"cbm: {form}: ")
    assert error.count("\n") == 1
    assert main.run([*command, "--json"]) == 1
    paths = [fault["path"] for fault in json.loads(capsys.readouterr().out)["faults"]]
    assert {"row 3, column 3 (C)", "row 4, column 3 (C)"} <= set(paths)


def test_a_bundle_goes_in_and_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    malware = {
        "type": "malware",
        "spec_version": "2.1",
        "id": "malware--22222222-2222-4222-8222-222222222222",
        "created": "2026-06-14T00:00:00.000Z",
        "modified": "2026-06-14T00:00:00.000Z",
        "name": "Example",
        "is_family": False,
    }
    bundle = {"type": "bundle", "id": "bundle--33333333-3333-4333-8333-333333333333", "objects": [malware]}
    office = {"name": {"en": "National CSIRT"}, "country": "XAA", "role": {"en": "Duty officer"}}
    body = {
        "subtype": "incident",
        "category": "fraud",
        "detected_at": "2026-06-14T00:00:00Z",
        "severity": "low",
        "poc": office,
    }
    given = write(tmp_path / "template.json", template(measure="2.2.7", body=body, handling={}))
    record = tmp_path / "record.json"
    source = write(tmp_path / "bundle.json", bundle)
    assert main.run(["convert", "stix-import", str(source), "--template", str(given), "--out", str(record)]) == 0
    assert json.loads(record.read_bytes())["handling"]["tlp"] == "AMBER+STRICT"
    told = shown(capsys, "stix-export", record)
    assert json.loads(told["content"]) == bundle


def test_records_become_a_map_a_calendar_and_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exercise, cancel = (
        write(tmp_path / f"{name}.json", example("military-activity-notification", name))
        for name in ("field-exercise", "cancellation")
    )
    collection = json.loads(shown(capsys, "geojson", exercise, cancel)["content"])
    assert len(collection["features"]) == 1
    assert "STATUS:CANCELLED" in shown(capsys, "ical", cancel, exercise)["content"]
    assert main.run(["convert", "vcard", str(exercise)]) == 1
    assert "contact-point" in capsys.readouterr().err


def test_binary_output_is_base64_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = write(tmp_path / "record.json", example("defence-budget", "simplified-actual-outlay"))
    told = shown(capsys, "milex-export", record, "--as", "xlsx")
    assert (told["encoding"], told["out"]) == ("base64", None)
    assert main.run(["convert", "milex-export", str(record), "--as", "pdf"]) == 2


def test_what_exists_is_not_overwritten(cap: Path, given: Path, tmp_path: Path) -> None:
    record = write(tmp_path / "record.json", b"mine")
    assert main.run(["convert", "cap-to-record", str(cap), "--template", str(given), "--out", str(record)]) == 1
    assert record.read_bytes() == b"mine"


def test_an_invalid_record_is_not_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = example("military-activity-notification", "field-exercise")
    record["body"]["end"] = "2020-01-01T00:00:00Z"
    assert main.run(["convert", "ical", str(write(tmp_path / "record.json", record))]) == 1
    assert "/body/end" in capsys.readouterr().err


def spreadsheet(sheet: bytes, parts: dict[str, bytes] | None = None) -> bytes:
    from exchange.convert.milex import record_to_milex  # noqa: PLC0415

    return replaced(
        record_to_milex(example("defence-budget", "simplified-actual-outlay"), "xlsx"), parts or {SHEET_PART: sheet}
    )


ENTITIES = b"".join(b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10 if n else b"ha" * 500) for n in range(12))
HOSTILE: dict[str, tuple[str, bytes]] = {
    "a 10 MB alert": ("cap-to-record", b"<alert>" + b"x" * 10_000_000 + b"</alert>"),
    "a billion laughs": ("cap-to-record", b"<!DOCTYPE a [" + ENTITIES + b"]><a>&a11;</a>"),
    "quadratic attributes": ("cap-to-record", b"<a " + b" ".join(b"a%d=''" % n for n in range(100_000)) + b"/>"),
    "deep nesting": ("cap-to-record", b"<a>" * 500_000),
    "a million rows": ("milex-import", spreadsheet(sheet_xml("<row><c><v>1</v></c></row>" * 1_000_000))),
    "a zip bomb": ("milex-import", spreadsheet(b" " * 200 * MIB)),
    "a million styles": (
        "milex-import",
        spreadsheet(b"", {"xl/styles.xml": sheet_xml("").replace(b"sheetData", b"cellXfs") + b"<xf/>" * 1_500_000}),
    ),
    "laughs in a sheet": ("milex-import", spreadsheet(b"<!DOCTYPE a [" + ENTITIES + b"]><a>&a11;</a>")),
    "a million lines": ("milex-import", b"a,b\n" * 1_000_000),
    "deep JSON": ("stix-import", b'{"type":' * 200_000),
    "a long number": ("stix-import", b'{"type":"bundle","x":' + b"9" * 4_000_000 + b"}"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line_within_bounds(name: str, given: Path, tmp_path: Path) -> None:
    command, data = HOSTILE[name]
    source, out = write(tmp_path / "hostile", data), tmp_path / "out"
    arguments = ["convert", command, str(source), "--template", str(given), "--out", str(out)]
    ended = subprocess.run(
        [sys.executable, "-c", BOUNDED, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.startswith(f"cbm: {source}")
    assert ended.stderr.count("\n") == 1
    assert "fault of this program" not in ended.stderr
    assert not out.exists()
