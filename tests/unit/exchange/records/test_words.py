"""Words: which texts of a record are searched, and what a question becomes."""

import pytest

from exchange.records.words import MAX_TEXT, MAX_WORDS, fold, question_of, words_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ГАЗ", "газ"),
        ("ёлка", "елка"),
        ("Türkiye", "turkiye"),
        ("İstanbul", "istanbul"),
        ("نَقْلُ", "نقل"),
        ("ﻧﻘﻞ", "نقل"),
        ("نـقـل", "نقل"),
        ("\uff27\uff21\uff33", "gas"),
        ("ﬁne", "fine"),
        ("Straße", "STRASSE"),
    ],
)
def test_what_is_written_in_two_ways_is_one_word(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("қаз", "каз"), ("өң", "он"), ("gas", "gaz")])
def test_letters_of_their_own_stay_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_a_question_is_quoted_words_each_the_beginning_of_one() -> None:
    assert question_of('gas "AND" NEAR(x\x00y') == '"gas"* """and"""* "near(x"* "y"*'
    assert question_of("天然气") == '"天  然  气"*'


@pytest.mark.parametrize("text", ["", "  ", '"', "***", "- + ^", "\x00", "\ud800", "\u064b"])
def test_without_a_word_there_is_no_question(text: str) -> None:
    assert question_of(text) is None


def test_a_question_has_an_end() -> None:
    question = question_of(" ".join("word" for _ in range(100)))
    assert question is not None
    assert question.count("*") == MAX_WORDS


def test_every_text_of_a_record_is_searched_and_what_stands_for_bytes_is_not() -> None:
    record = {
        "record_id": "id-1",
        "title": {"en": "Title", "ru": "Заглавие"},
        "summary": {"en": "Summary"},
        "body": {"a": [{"b": "deep"}], "n": 5, "file": "QUJD" * 100, "long": "天" * 300},
    }
    words = words_of(record)
    assert all(word in words.split() for word in ("id-1", "title", "заглавие", "summary", "deep", "天"))
    assert "qujd" not in words


def test_the_text_of_one_record_is_bounded() -> None:
    record = {"record_id": "r", "title": {"en": "t"}, "body": {"a": "word " * MAX_TEXT, "b": "late"}}
    words = words_of(record)
    assert len(words) <= MAX_TEXT + 3
    assert "late" not in words
