"""Server-sent events come out the same however the network cuts them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.client.errors import BadAnswer
from exchange.client.sse import RawEvent, SseParser

STREAM = b": hello\n\nid: 1\nevent: a\ndata: x\ndata: y\n\ndata:z\r\n\r\nid: 3\rdata: \xd0\x96\r\rid: 4\n\ndata: w\n\n"
EVENTS = [
    RawEvent("1", "a", "x\ny"),
    RawEvent("1", "message", "z"),
    RawEvent("3", "message", "Ж"),
    RawEvent("4", "message", "w"),
]


def parsed(pieces: list[bytes], last_id: str | None = None) -> list[RawEvent]:
    parser = SseParser(last_id)
    return [event for piece in pieces for event in parser.feed(piece)]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert parsed(pieces) == EVENTS


def test_an_event_without_an_id_has_the_one_before_it() -> None:
    assert parsed([b"data: x\n\n"], "7") == [RawEvent("7", "message", "x")]


def test_an_event_that_is_not_finished_is_none() -> None:
    assert parsed([b"data: x\n"]) == []


@pytest.mark.parametrize("piece", [b"x" * 300_000, b"data: " + b"x" * 1000 + b"\n"])
def test_an_endless_event_is_refused(piece: bytes) -> None:
    with pytest.raises(BadAnswer):
        parsed([piece] * 300)


@given(st.lists(st.binary(max_size=64), max_size=8))
def test_garbage_gives_events_or_nothing(pieces: list[bytes]) -> None:
    for event in parsed(pieces):
        assert event.kind
