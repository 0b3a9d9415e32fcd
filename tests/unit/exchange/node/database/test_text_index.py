"""The index in memory: folded words, any question, and what goes when there is no more room."""

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.node.text_index import Indexed, TextIndex, Wanted
from exchange.records.words import fold, question_of
from exchange.storage.node_values import Message

# Latin, Cyrillic with Kazakh, Arabic, Devanagari, Thai, Hangul, Chinese.
SCRIPTS = (
    (0x61, 0x17F),
    (0x400, 0x4FF),
    (0x621, 0x6D3),
    (0x905, 0x939),
    (0xE01, 0xE30),
    (0xAC00, 0xD7A3),
    (0x4E00, 0x9FA5),
)


def row(seq: int, text: str) -> Indexed:
    message = Message(
        id=bytes([seq]) * 16,
        box="inbox",
        provision=bytes(32),
        state="received",
        ministry=None,
        measure="2.3.12",
        record_type="sector-information",
        precedence=3,
        created=0,
        due=0,
        expires=1,
        signed_provisions=(),
        signed_grants=(),
        purpose=0,
        path=("KAZ",),
        sealed_manifest=b"",
        sealed_title=b"",
        recipients=(),
        attachments=(),
        seq=seq,
    )
    return Indexed(message, ("KAZ",), seq, fold(text))


def found(index: TextIndex, words: str | None = None) -> list[int]:
    question = None if words is None else question_of(words)
    return [seq for _, seq in index.find(Wanted(words=question), lambda *_: True, 2**62, 100)]


@settings(max_examples=500, deadline=None)
@given(words=st.text(max_size=80), other=st.text(max_size=20))
def test_any_text_can_be_asked_for_and_is_found_where_it_is(words: str, other: str) -> None:
    index = TextIndex()
    index.add([row(1, f"{other} {words}"), row(2, "")])
    question = question_of(words)
    if question is not None:
        index.find(Wanted(words=question), lambda *_: True, 2**62, 10)


@given(script=st.sampled_from(SCRIPTS), data=st.data())
def test_a_word_of_any_script_is_found_as_it_was_written(script: tuple[int, int], data: st.DataObject) -> None:
    letters = st.characters(min_codepoint=script[0], max_codepoint=script[1], categories=("Lu", "Ll", "Lo"))
    word = data.draw(st.text(letters, min_size=1, max_size=12))
    index = TextIndex()
    index.add([row(1, f"1 {word} 2"), row(2, "1 2")])
    assert found(index, word) == [1]


def test_the_oldest_text_goes_first_and_its_row_stays() -> None:
    index = TextIndex(max_bytes=20)
    index.add([row(1, "aaaa aaaa"), row(2, "bbbb bbbb"), row(3, "cccc cccc")])
    assert (found(index, "aaaa"), found(index, "bbbb"), found(index, "cccc")) == ([], [2], [3])
    assert found(index) == [3, 2, 1]
    assert not index.complete


def test_the_oldest_rows_go_when_there_are_too_many() -> None:
    index = TextIndex(max_rows=2)
    index.add([row(number, "text") for number in (1, 2, 3)])
    assert found(index) == found(index, "text") == [3, 2]
    assert not index.complete


def test_a_message_is_taken_in_once() -> None:
    index = TextIndex()
    index.add([row(1, "first")])
    index.add([row(1, "second"), row(2, "third")])
    assert (found(index, "first"), found(index, "second"), found(index, "third")) == ([1], [], [2])
    assert index.complete
