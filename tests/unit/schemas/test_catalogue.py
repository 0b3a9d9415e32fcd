"""`catalogue.json` is the Catalogue: every number of the text has its row, with exactly the text's words."""

import dataclasses
import hashlib
import re
from pathlib import Path

import pytest

from schemas import catalogue, registry
from schemas.catalogue import OUTSIDE
from schemas.edition import Measure

SOURCE = Path(__file__).parents[2] / "data" / "cica-catalogue-draft-2021-09-27.txt"
EDITION = catalogue.edition()
TYPES = sorted({name for name, _ in registry.list_schemas()})
NUMBERED = re.compile(r"(\d\.\d{1,2}(?:\.\d{1,2})?) (.+)")
LETTERED = re.compile(r"- ([a-d])\) (.+)")
MARKS = re.compile(r" ?\([+-]\w+\)")


def plain(text: str) -> str:
    """Without emphasis and line breaks."""
    return " ".join(text.replace("*", "").split())


def source_parts() -> list[str]:
    """Paragraphs of the enclosure; one that begins in lower case was cut by a page break and is joined."""
    text = SOURCE.read_text("utf-8")
    enclosure = text[text.index("CICA CATALOGUE OF") :]
    parts: list[str] = []
    for part in re.split(r"\n\s*\n|\n(?=- )", enclosure):
        if part.strip() and part.strip()[0].islower():
            parts[-1] += " " + plain(part)
        elif part.strip():
            parts.append(plain(part))
    return parts


def source_rows() -> dict[str, str]:
    """Text by number, a lettered item as 2.1.1.b; sections and their headings too."""
    rows: dict[str, str] = {}
    latest = ""
    for part in source_parts():
        if match := NUMBERED.fullmatch(part):
            latest = match[1]
            rows[latest] = match[2]
        elif match := LETTERED.fullmatch(part):
            rows[f"{latest}.{match[1]}"] = match[2]
    return rows


ROWS = source_rows()


def test_the_text_is_the_one_that_was_transcribed() -> None:
    assert hashlib.sha256(SOURCE.read_bytes()).hexdigest() == EDITION.source_sha256


def test_every_measure_of_the_text_has_its_row_with_exactly_its_words_and_nothing_more() -> None:
    wanted = {number: text for number, text in ROWS.items() if number.count(".") > 1}
    assert {row.number: row.text for row in catalogue.measures()} == wanted
    assert [row.number for row in catalogue.measures()] == list(wanted)


def test_the_numbers_are_as_many_as_the_text_has() -> None:
    rows = catalogue.measures()
    assert sum(row.parent is None for row in rows) == 48
    assert sum(row.parent is not None for row in rows) == 8
    assert sum(not row.chapeau for row in rows) == 54
    assert {row.number for row in rows if row.chapeau} == {row.parent for row in rows if row.parent}


def test_general_provisions_and_dimensions_have_exactly_their_words() -> None:
    assert {row.number: row.text for row in EDITION.general_provisions} == {
        number: text for number, text in ROWS.items() if number.startswith("1.")
    }
    assert {row.number: row.title.en for row in EDITION.dimensions} == {
        number: text for number, text in ROWS.items() if re.fullmatch(r"2\.\d", number)
    }


def test_introductions_headings_preamble_and_modalities_stand_in_the_text() -> None:
    parts = source_parts()
    headings = [area.title.en for row in EDITION.dimensions for area in row.priority_areas if area.heading_in_text]
    modalities = [part for modality in EDITION.modalities for part in modality.text]
    introductions = [*(row.introduction for row in EDITION.dimensions), EDITION.modalities_introduction]
    for passage in [*EDITION.preamble, EDITION.introduction, *introductions, *headings, *modalities]:
        assert passage in parts or f"- {passage}" in parts, passage
    assert len(headings) == 16


def test_nothing_of_the_text_is_left_out() -> None:
    rows = [f"{number} {text}" for number, text in ROWS.items()]
    lettered = [f"- {row.number[-1]}) {row.text}" for row in catalogue.measures() if row.parent]
    headings = [area.title.en for row in EDITION.dimensions for area in row.priority_areas]
    modalities = [part for modality in EDITION.modalities for part in modality.text]
    introductions = [*(row.introduction for row in EDITION.dimensions), EDITION.modalities_introduction]
    kept = {*rows, *lettered, *headings, *modalities, *introductions, *EDITION.preamble, EDITION.introduction}
    left = [part for part in source_parts() if part not in kept and part.removeprefix("- ") not in kept]
    assert left == [
        "CICA CATALOGUE OF CONFIDENCE BUILDING MEASURES",
        "1. General provisions",
        "2. Dimensions of cooperation",
        "3. Modalities for implementation of CBMs in aforementioned priority areas",
        "Nur-Sultan, _____2021",
    ]


def outermost(text: str) -> list[str]:
    """Passages in outermost square brackets."""
    found, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character == "[":
            depth += 1
            start = index + 1 if depth == 1 else start
        elif character == "]":
            depth -= 1
            if depth == 0:
                found.append(text[start:index])
    return found


@pytest.mark.parametrize("row", catalogue.measures(), ids=lambda row: row.number)
def test_brackets_and_marks_are_the_text_s_own(row: Measure) -> None:
    assert [b.texts[0] for b in row.brackets if "." not in b.number] == outermost(row.text)
    for bracket in row.brackets:
        assert "/".join(f"[{text}]" for text in bracket.texts) in row.text
    marks = [f"({mark.sign}{mark.delegation})" for bracket in row.brackets for mark in bracket.marks]
    assert sorted(marks) == sorted(mark.strip() for mark in MARKS.findall(row.text))
    bare = row.text
    for passage in outermost(row.text):
        bare = bare.replace(f"[{passage}]", "")
    assert plain(MARKS.sub("", bare)) == row.undisputed


def test_only_two_measures_are_disputed() -> None:
    assert [row.number for row in catalogue.measures() if row.brackets] == ["2.2.1", "2.2.10"]


@pytest.mark.parametrize("row", catalogue.measures(), ids=lambda row: row.number)
def test_every_measure_has_titles_a_kind_and_record_types_that_exist(row: Measure) -> None:
    assert 0 < len(row.title.en) <= 80
    assert 0 < len(row.title.ru) <= 80
    assert re.search(r"[\u0430-\u044f]", row.title.ru)
    assert row.kind in catalogue.kinds()
    assert row.record_types
    assert set(row.record_types) <= set(TYPES)


def test_a_chapeau_has_the_record_types_of_its_items() -> None:
    for row in catalogue.measures():
        if row.chapeau:
            items = [item for item in catalogue.measures() if item.parent == row.number]
            assert set(row.record_types) == {name for item in items for name in item.record_types}


@pytest.mark.parametrize("record_type", TYPES)
def test_a_schema_lists_exactly_the_measures_that_the_catalogue_gives_its_type(record_type: str) -> None:
    listed = registry.self_contained(record_type)["properties"]["measure"]["enum"]
    assert tuple(listed) == catalogue.measures_of(record_type) == registry.measures_of(record_type)
    assert listed[-1] == OUTSIDE
    assert all(catalogue.serves(record_type, number) for number in listed)


def test_every_record_type_serves_something() -> None:
    served = {name for row in catalogue.measures() for name in row.record_types}
    served |= {name for number in ("1.8", "3.A", "3.B") for name in catalogue.record_types_of(number)}
    assert served == set(TYPES)


def test_lookups() -> None:
    found = catalogue.measure("2.1.1.b")
    assert found is not None
    assert (found.title.en, found.record_types, found.parent) == ("Defence budgets", ("defence-budget",), "2.1.1")
    assert catalogue.measure("2.9.9") is None
    assert catalogue.record_types_of("2.9.9") == catalogue.record_types_of(OUTSIDE) == ()
    assert catalogue.measures_of("no-type") == ()
    assert not catalogue.serves("defence-budget", "2.1.1")
    assert catalogue.knows(EDITION.catalogue_id)
    assert not catalogue.knows("cica-catalogue-adopted")
    assert catalogue.edition(EDITION.catalogue_id) is catalogue.editions()[-1]
    with pytest.raises(KeyError):
        catalogue.edition("cica-catalogue-adopted")


def test_the_numbers_that_records_may_name() -> None:
    measures = [row.number for row in catalogue.measures() if not row.chapeau]
    assert catalogue.numbers() == tuple(sorted([*measures, "1.5", "1.8", "3.A", "3.B"]))


def test_registry_knows_every_type_for_a_measure_outside_the_catalogue() -> None:
    assert registry.record_types_of(OUTSIDE) == tuple(TYPES)
    assert registry.record_types_of("2.4.4") == ("contact-point", "disaster-alert")


def test_the_edition_is_a_draft_and_says_where_it_is_from() -> None:
    assert EDITION.status == "draft"
    assert "17-1/636 of 2021-09-27" in EDITION.source


def test_steps_of_the_modalities() -> None:
    assert [step.step for step in catalogue.steps()] == [
        *("A1", "A2", "A3", "A4", "A5", "A6", "A7"),
        *("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8"),
    ]
    for modality in EDITION.modalities:
        text = " ".join(modality.text)
        for step in modality.steps:
            assert step.quote in text
            assert step.record_type in TYPES
            body = registry.self_contained(step.record_type)["$defs"]["body"]["properties"]
            assert all(code in body[name]["enum"] for name, code in step.where)


def test_priority_areas_are_those_that_records_may_name() -> None:
    areas = [area.name for row in EDITION.dimensions for area in row.priority_areas]
    assert registry.self_contained("concept-paper")["$defs"]["priority_area"]["enum"] == areas
    assert len(areas) == 18


def test_a_row_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        catalogue.measures()[0].text = "other words"  # type: ignore[misc]  # that is what is tested
