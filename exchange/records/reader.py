"""Strict reading of a mapping, as TOML or JSON gives it: every member is taken with its type, and none may be left.

Every fault is an `Invalid` with the path of the member, what it must be, and the code that the caller chose.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Final, TypeVar

from exchange.errors import Invalid
from schemas.errors import DecodeError
from schemas.ids import MemberId, member_id

E = TypeVar("E", bound=StrEnum)

# More agreements than each measure with each member apart; longer lists are no human's declaration.
MAX_ITEMS: Final = 5000


class Reader:
    """One table; `done` refuses what was not taken."""

    def __init__(self, value: object, path: str, code: str) -> None:
        """Raises Invalid unless `value` is a table with text keys."""
        self._path, self._code = path, code
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.fault("", "a table")
        self._left = dict(value)

    def fault(self, name: str, expected: str) -> Invalid:
        """The error for one member."""
        path = "/".join(part for part in (self._path, name) if part) or "the file"
        return Invalid(self._code, f"{path}: write {expected}", {"path": path})

    def has(self, name: str) -> bool:
        """Whether the member is there and not taken yet."""
        return name in self._left

    def done(self) -> None:
        """Raises Invalid for the first member that nobody knows."""
        for name in sorted(self._left):
            raise Invalid(
                self._code,
                f"{self._path + '/' if self._path else ''}{name[:40]}: there is no such setting: remove it",
                {"path": self._path},
            )

    def text(self, name: str, pattern: str = r".+", expected: str = "a text") -> str:
        """A text that the pattern matches in full."""
        value = self._left.pop(name, None)
        if not isinstance(value, str) or len(value) > 500 or re.fullmatch(pattern, value) is None:
            raise self.fault(name, expected)
        return value

    def code(self, name: str, values: type[E], default: E | None = None) -> E:
        """One of the codes of an enumeration."""
        if default is not None and not self.has(name):
            return default
        value = self._left.pop(name, None)
        for known in values:
            if known.value == value:
                return known
        raise self.fault(name, "one of " + ", ".join(known.value for known in values))

    def count(self, name: str, most: int = 2**53 - 1) -> int:
        """A whole number from 0 up to `most`."""
        value = self._left.pop(name, None)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise self.fault(name, f"a whole number from 0 to {most}")
        return value

    def day(self, name: str) -> date:
        """A TOML date, or its text as JSON has it."""
        value = self._left.pop(name, None)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        try:
            return date.fromisoformat(value if isinstance(value, str) and len(value) == 10 else "")
        except ValueError:
            raise self.fault(name, "a date such as 2027-01-31") from None

    def member(self, name: str) -> MemberId:
        """A member's code."""
        return self._member(name, self._left.pop(name, None))

    def members(self, name: str) -> tuple[MemberId, ...]:
        """Codes of one or more members, ascending, each once."""
        codes = [self._member(f"{name}/{index}", value) for index, value in enumerate(self.items(name))]
        if not codes or len(set(codes)) != len(codes):
            raise self.fault(name, "one or more members' codes, each once")
        return tuple(sorted(codes))

    def items(self, name: str, most: int = MAX_ITEMS) -> Sequence[object]:
        """A list of anything; empty if it is absent."""
        value = self._left.pop(name, ())
        if not isinstance(value, list | tuple) or len(value) > most:
            raise self.fault(name, f"a list of at most {most}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, each once; empty if it is absent."""
        values = self.items(name)
        texts = tuple(value for value in values if isinstance(value, str))
        if len(set(texts)) != len(values):
            raise self.fault(name, "texts, each once")
        return texts

    def tables(self, name: str, most: int = MAX_ITEMS) -> tuple["Reader", ...]:
        """A list of tables; empty if it is absent."""
        base = f"{self._path}/{name}" if self._path else name
        return tuple(Reader(item, f"{base}/{index}", self._code) for index, item in enumerate(self.items(name, most)))

    def counts(self, name: str, known: Sequence[str]) -> tuple[tuple[str, int], ...]:
        """A table of whole numbers under known names, ascending by name; empty if it is absent."""
        base = f"{self._path}/{name}" if self._path else name
        table = Reader(self._left.pop(name, {}), base, self._code)
        found = tuple((key, table.count(key)) for key in sorted(known) if table.has(key))
        table.done()
        return found

    def _member(self, name: str, value: object) -> MemberId:
        try:
            return member_id(value) if isinstance(value, str) else member_id("")
        except DecodeError:
            raise self.fault(name, "a member's code, three capital letters") from None
