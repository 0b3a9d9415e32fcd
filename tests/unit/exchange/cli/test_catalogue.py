"""`cbm catalogue`: the shapes that other programs rely on, and the exact words."""

import json

import pytest

from exchange.cli.main import run
from schemas import catalogue

NUMBERS = [measure.number for measure in catalogue.measures()]


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["catalogue", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_list_is_of_numbers_titles_and_record_types(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "list", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [row["number"] for row in rows] == NUMBERS
    assert {"number": "2.1.1.b", "title": "Defence budgets", "record_types": ["defence-budget"]} in rows
    assert all(row.keys() == {"number", "title", "record_types"} for row in rows)
    code, out, _ = call(capsys, "list")
    assert (code, len(out.splitlines())) == (0, len(NUMBERS))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_measure_is_shown_in_its_exact_words(capsys: pytest.CaptureFixture[str], number: str) -> None:
    measure = catalogue.measure(number)
    assert measure is not None
    code, out, _ = call(capsys, "show", number, "--json")
    told = json.loads(out)
    assert (code, told["number"], told["text"]) == (0, number, measure.text)
    assert told["title"] == {"en": measure.title.en, "ru": measure.title.ru}
    assert (told["dimension"]["number"], told["priority_area"]["id"]) == (measure.dimension, measure.priority_area)
    assert told["record_types"] == list(measure.record_types)
    assert bool(told["brackets"]) is (told["text"] != told["undisputed"])
    assert measure.text in call(capsys, "show", number)[1]


def test_what_is_not_agreed_is_shown_with_who_marked_it(capsys: pytest.CaptureFixture[str]) -> None:
    brackets = json.loads(call(capsys, "show", "2.2.10", "--json")[1])["brackets"]
    assert brackets[0]["marks"] == ["+Rus", "-IND", "-ISR"]
    assert brackets[-1] == {
        "number": "1.1.2",
        "texts": ["taking into consideration", "in line with"],
        "marks": ["+Rus"],
    }


def test_a_measure_that_introduces_others_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(call(capsys, "show", "2.1.1", "--json")[1])
    assert told["items"] == ["2.1.1.a", "2.1.1.b", "2.1.1.c", "2.1.1.d"]


@pytest.mark.parametrize("number", ["3.A", "3.B"])
def test_a_modality_is_shown_with_its_steps(capsys: pytest.CaptureFixture[str], number: str) -> None:
    told = json.loads(call(capsys, "show", number, "--json")[1])
    assert [step["step"] for step in told["steps"]] == [s.step for s in catalogue.steps() if s.step[0] == number[-1]]
    assert told["record_types"] == list(catalogue.record_types_of(number))


def test_the_review_is_shown_with_its_record_type(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(call(capsys, "show", "1.8", "--json")[1])
    assert told["text"].startswith("The Member States will regularly review")
    assert told["record_types"] == ["implementation-review"]


@pytest.mark.parametrize("arguments", [("show", "2.9.9"), ("show", "2.1.1.B"), ("show",), ("show", "1.5")])
def test_a_number_that_there_is_not_is_wrong_use_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, out, err = call(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
