"""Texts of other formats as the members `title_text` and `lang_text` of records take them (`common.json`)."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from exchange.convert.limits import MAX_LANGUAGES, MAX_TEXT, MAX_TITLE

_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LANGUAGE: Final = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|[0-9]{3}))?(?:-.*)?")
# A record has to speak one of these; their regional forms count as the language itself.
_COMMON: Final = frozenset({"en", "ru"})


def language_tag(text: str) -> str:
    """A BCP 47 tag in the form that records use; `und` for what has no such form."""
    match = _LANGUAGE.fullmatch(text)
    if match is None:
        return "und"
    language, script, region = match.groups()
    if language.lower() in _COMMON and script is None:
        return language.lower()
    parts = (language.lower(), script and script.title(), region and region.upper())
    return "-".join(part for part in parts if part)


def clean(text: str, limit: int) -> str:
    """A text in NFC without control characters, at most `limit` characters; empty when nothing visible is left."""
    tidy = unicodedata.normalize("NFC", _UNPRINTABLE.sub(" ", text)).strip()
    if len(tidy) > limit:
        tidy = tidy[: limit - 1].rstrip() + "…"
    return tidy if any(not c.isspace() and c != "\ufeff" for c in tidy) else ""


def title_text(texts: Iterable[tuple[str, str]], fallback: str) -> dict[str, str]:
    """`title_text` of (language tag, text): the first text of a language stands; `fallback` is English."""
    return _by_language(((tag, clean(" ".join(text.split()), MAX_TITLE)) for tag, text in texts), fallback)


def lang_text(texts: Iterable[tuple[str, str]], fallback: str) -> dict[str, str]:
    """`lang_text` of (language tag, text), as `title_text`, with line breaks kept."""
    return _by_language(((tag, clean(text, MAX_TEXT)) for tag, text in texts), fallback)


def _by_language(texts: Iterable[tuple[str, str]], fallback: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag, text in texts:
        if text and len(found) < MAX_LANGUAGES - 1:
            found.setdefault(tag, text)
    if not _COMMON & found.keys():
        found["en"] = fallback
    return found
