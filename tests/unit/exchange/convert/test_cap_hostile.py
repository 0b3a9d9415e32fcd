"""Alerts that must not get in, and alerts as large as they may be: bounded memory, one declared error."""

import tracemalloc

import pytest

from exchange.convert.cap import cap_to_record, record_to_cap
from exchange.convert.cap_links import name_of
from exchange.convert.cap_write import write_alert
from exchange.convert.errors import ConversionError
from exchange.convert.limits import MAX_DEREF_URI
from schemas.cap import read_alert
from schemas.limits import MIB
from schemas.record_limits import MAX_CAP_BYTES
from tests.support.convert import SCRIPTS, alert, template

SENDER = "alerts@hydromet.example"


def xml(size: int = 0, **members: object) -> bytes:
    return write_alert(alert(size, **members))


def refusal(data: bytes, accepted_senders: frozenset[str] = frozenset()) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        cap_to_record(data, template(), accepted_senders=accepted_senders)
    return caught.value


ENTITY = (
    b"<!DOCTYPE alert [<!ENTITY a 'aaaaaaaaaa'>"
    + b"".join(b"<!ENTITY %c '&%c;&%c;&%c;&%c;&%c;'>" % ((b + 1,) + (b,) * 5) for b in range(ord("a"), ord("v")))
    + b"]>"
)


@pytest.mark.parametrize("sender", [frozenset[str](), frozenset({SENDER})])
@pytest.mark.parametrize(
    "data",
    [
        ENTITY + xml().partition(b"\n")[2].replace(b"Flood", b"&v;", 1),
        b"<!DOCTYPE alert SYSTEM 'file:///etc/passwd'>" + xml().partition(b"\n")[2],
        b"<!DOCTYPE alert [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>"
        + xml().partition(b"\n")[2].replace(b"Flood", b"&x;", 1),
        xml()[:-9],
        b"",
        b"\x00" * 100,
        "<alert/>".encode("utf-16"),
        b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'/>",
        b"<a>" * 5_000,
        xml().replace(b"<alert", b"<alarm").replace(b"</alert", b"</alarm"),
    ],
    ids=["laughs", "dtd", "external-entity", "cut", "empty", "zeros", "no-namespace", "bare", "deep", "other-root"],
)
def test_hostile_or_broken_xml_is_refused_in_bounded_memory(data: bytes, sender: frozenset[str]) -> None:
    tracemalloc.start()
    try:
        error = refusal(data, accepted_senders=sender)
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()
    assert str(error).count("\n") == 0


def test_a_10_mb_alert_is_refused_before_it_is_parsed() -> None:
    data = xml().replace(b"Flood", b"F" * 10_000_000, 1)
    tracemalloc.start()
    try:
        assert str(MAX_CAP_BYTES) in refusal(data).faults[0].expected
        assert tracemalloc.get_traced_memory()[1] < MIB // 4
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("excess", [0, 1])
def test_a_file_inside_an_alert_is_bounded(excess: int) -> None:
    resource = {"resourceDesc": "map", "mimeType": "image/png", "derefUri": "A" * (MAX_DEREF_URI + excess)}
    data = xml(info=[alert()["info"][0] | {"resource": [resource]}])
    assert len(data) < MAX_CAP_BYTES
    if excess:
        assert "derefUri" in refusal(data, accepted_senders=frozenset({SENDER})).faults[0].found
    else:
        assert record_to_cap(cap_to_record(data, template()).record) == data


@pytest.mark.parametrize("size", [1_000, 100_000, 1_000_000])
def test_an_alert_of_up_to_1_mb_in_many_scripts_is_kept_byte_for_byte(size: int) -> None:
    data = xml(size=size)
    assert len(data) >= size
    record = cap_to_record(data, template()).record
    assert record_to_cap(record) == data
    assert all(word in record["summary"]["en"] for word in SCRIPTS)
    assert name_of(record["body"]["alert"]) == name_of(read_alert(data))
