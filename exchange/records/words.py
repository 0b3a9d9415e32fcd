"""Which words of a record are searched, and how words of every script are made comparable. Pure functions.

Text and question are folded alike: compatibility forms, case, accents and Arabic vowel signs do not matter. A script
that is written without spaces becomes a row of single characters, so that any part of it is found.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

# The first 32 Ki characters tell what a record is about; an index of a thousand largest ones stays within 32 MiB.
MAX_TEXT: Final = 32 * 1024
# A question: more is no search but a text.
MAX_QUESTION: Final = 200
MAX_WORDS: Final = 16

# Combining accents; Arabic honorifics, tatweel, vowel and Koranic signs.
_MARKS: Final = re.compile("[\u0300-\u036f\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed]")
# Thai and Lao, Myanmar, Khmer, Japanese syllables, Chinese characters.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
# What stands for bytes, such as base64, has no words.
_LONGEST_WORD: Final = 200


def fold(text: str) -> str:
    """A text as it is compared."""
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    return _UNSPACED.sub(r" \g<0> ", unicodedata.normalize("NFC", plain))


def words_of(record: Mapping[str, Any]) -> str:
    """All that is searched of a valid record, folded: title, summary, every text of its body, its own id."""
    left = MAX_TEXT
    parts = [str(record["record_id"])]
    for part in (record["title"], record.get("summary"), record["body"]):
        for text in _texts(part):
            parts.append(text[:left])
            left -= len(parts[-1])
            if left <= 0:
                return fold("\n".join(parts))
    return fold("\n".join(parts))


def question_of(text: str) -> str | None:
    """A person's words as a query of SQLite's FTS5 that asks for all of them, each as the beginning of a word.

    Every word is a quoted string, so that no text has a meaning to FTS5. None when there is no word in it.
    """
    clean = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Cn"} else c for c in text)
    folded = [fold(word).strip() for word in clean.split()]
    words = ['"' + word.replace('"', '""') + '"*' for word in folded if any(_is_word(c) for c in word)]
    return " ".join(words[:MAX_WORDS]) or None


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) <= _LONGEST_WORD or not value.isascii() or any(c.isspace() for c in value):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
