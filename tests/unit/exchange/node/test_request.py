"""What a ministry asks for: spans, dates, recipients, and a record that agrees with the request."""

from datetime import UTC, datetime
from typing import Any

import pytest

from exchange.errors import ExchangeError, Forbidden, Invalid, NotFound
from exchange.node.request import (
    ForwardRequest,
    SendRequest,
    checked_record,
    code,
    complete_record,
    marking,
    may_use_measure,
    moment,
    parse_model,
    recipients,
    require_measure,
    span,
)
from schemas.content import Attachment
from schemas.ids import Digest, MemberId
from schemas.limits import DAY, HOUR
from schemas.terms import Precedence, Tlp
from tests.support.node import MEASURE, bare_record
from tests.support.world import NOW, World

KAZ = MemberId("KAZ")
EDITION = "cica-catalogue-draft-2021-09-27"


def request(**changes: object) -> SendRequest:
    return parse_model(SendRequest, {"to": ["MNG"], "measure": MEASURE, "record": bare_record(), **changes})


def code_of(caught: pytest.ExceptionInfo[ExchangeError]) -> tuple[str, object]:
    return caught.value.code, caught.value.extra.get("path")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30d", 30 * DAY),
        ("12h", 12 * HOUR),
        ("15m", 900),
        ("90s", 90),
        ("900", 900),
        (900, 900),
        ("999999d", 999_999 * DAY),
    ],
)
def test_a_span(text: str | int, seconds: int) -> None:
    assert span(text, "expires") == seconds


@pytest.mark.parametrize("text", ["", "0", 0, "0d", "-1", -1, "1w", "1.5h", "d", "1 d", "1d ", "1000000s", "30D"])
def test_no_span(text: str | int) -> None:
    with pytest.raises(Invalid) as caught:
        span(text, "expires")
    assert code_of(caught) == ("bad-request", "/expires")


@pytest.mark.parametrize(
    ("text", "end_of_day", "expected"),
    [
        ("2027-01-31", False, datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31", True, datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)),
        ("2027-01-31T12:00:00+05:00", True, datetime(2027, 1, 31, 7, tzinfo=UTC)),
        ("2027-01-31T12:00:00Z", False, datetime(2027, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_a_moment(text: str, end_of_day: bool, expected: datetime) -> None:
    assert moment(text, "until", end_of_day=end_of_day) == int(expected.timestamp())


def test_no_moment_is_none() -> None:
    assert moment(None, "until") is None


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2027-02-30", "2027-01-31T12:00:00", "31.01.2027", "2027-13-01", "20270131T1"]
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        moment(text, "until")
    assert code_of(caught) == ("bad-request", "/until")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"to": []}, "/to"),
        ({"to": "MNG"}, "/to"),
        ({"to": ["MNG"] * 65}, "/to"),
        ({"record": []}, "/record"),
        ({"unknown": 1}, "/unknown"),
        ({"measure": 2}, "/measure"),
        ({"copy_secretariat": "perhaps"}, "/copy_secretariat"),
        ({"thread": "t-1"}, "/thread"),
    ],
)
def test_a_malformed_request_names_the_field(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as caught:
        request(**changes)
    assert code_of(caught) == ("bad-request", path)


def test_a_request_that_is_no_object() -> None:
    values: tuple[object, ...] = (None, [], "text", 7)
    for value in values:
        with pytest.raises(Invalid) as caught:
            parse_model(ForwardRequest, value)
        assert caught.value.code == "bad-request"


def test_recipients_are_sorted_and_named_once(world: World) -> None:
    assert recipients(["UZB", "MNG", "UZB"], False, KAZ, world.directory) == ("MNG", "UZB")


def test_the_secretariat_gets_its_copy() -> None:
    world = World(secretariat=True)
    assert recipients(["UZB"], True, KAZ, world.directory) == ("CICA", "UZB")


@pytest.mark.parametrize(
    ("codes", "kind", "fault"),
    [
        (["uzb"], Invalid, "bad-member"),
        (["UZB\n"], Invalid, "bad-member"),
        (["IND"], NotFound, "unknown-member"),
        (["KAZ"], Invalid, "own-member"),
    ],
)
def test_recipients_that_cannot_be(world: World, codes: list[str], kind: type[ExchangeError], fault: str) -> None:
    with pytest.raises(kind) as caught:
        recipients(codes, False, KAZ, world.directory)
    assert caught.value.code == fault


def test_a_code_by_its_label() -> None:
    assert code(Tlp, "AMBER+STRICT", "tlp") is Tlp.AMBER_STRICT
    with pytest.raises(Invalid) as caught:
        code(Precedence, "urgent", "precedence")
    assert code_of(caught) == ("bad-request", "/precedence")
    assert "flash" in caught.value.detail


def test_a_record_is_completed_with_what_the_request_says(world: World) -> None:
    asked = request(to=["UZB", "MNG"], tlp="AMBER")
    record = complete_record(asked, KAZ, "019ec96f-ae00-7f5b-8166-2a88e10c64b5", EDITION, NOW)
    assert record["originators"] == ["KAZ"]
    assert record["recipients"] == ["MNG", "UZB"]
    assert record["handling"] == {"tlp": "AMBER", "onward": "none"}
    assert record["issued_at"] == bare_record()["issued_at"]
    assert checked_record(record, asked, KAZ).record_type == "military-activity-notification"


@pytest.mark.parametrize(
    ("stated", "path", "fault"),
    [
        ({"measure": "2.1.1.b"}, None, "invalid-record"),
        ({"recipients": ["UZB"]}, "/record/recipients", "record-differs"),
        ({"copy_secretariat": True}, "/record/copy_secretariat", "record-differs"),
        ({"originators": ["MNG"]}, "/record/originators", "invalid-record"),
        ({"handling": {"tlp": "CLEAR", "onward": "none"}}, "/record/handling/tlp", "invalid-record"),
        ({"handling": {"tlp": "AMBER+STRICT", "onward": "public"}}, "/record/handling/onward", "invalid-record"),
    ],
)
def test_a_record_that_says_otherwise_than_the_request(stated: dict[str, Any], path: str | None, fault: str) -> None:
    asked = request(record={**bare_record(), **stated})
    record = complete_record(asked, KAZ, "019ec96f-ae00-7f5b-8166-2a88e10c64b5", EDITION, NOW)
    with pytest.raises(Invalid) as caught:
        checked_record(record, asked, KAZ)
    assert caught.value.code == fault
    assert path is None or caught.value.extra["path"] == path


@pytest.mark.parametrize(
    ("patterns", "measure", "allowed"),
    [
        (("*",), "1.5", True),
        (("1.*",), "1.5", True),
        (("1.5*",), "1.5", True),
        (("1.5:defence-budget",), "1.5", True),
        (("1.5:defence-*",), "1.5", True),
        (("1.5",), "1.5", False),
        (("1.5:disaster-alert",), "1.5", False),
        (("2.1.1.b",), "1.5", False),
        (("1.5:defence-budget",), "2.1.1.b", False),
        (("*",), "2.1.1.d", True),
        (("2.1.*",), "2.1.1.d", True),
        (("2.1.*",), "2.4.3", False),
        (("2.1.1.d",), "2.1.1.d", True),
        (("2.1.1",), "2.1.1.d", False),
        (("2.4.3", "2.1.1.*"), "2.1.1.b", True),
        ((), "2.1.1.d", False),
    ],
)
def test_measures_of_a_token(patterns: tuple[str, ...], measure: str, allowed: bool) -> None:
    assert may_use_measure(patterns, measure, "defence-budget") is allowed
    if not allowed:
        with pytest.raises(Forbidden) as caught:
            require_measure(patterns, measure, "defence-budget")
        assert caught.value.code == "measure-not-allowed"


@pytest.mark.parametrize(
    ("record_type", "expected"),
    [
        ("personnel-cv", "RED"),
        ("defence-budget", "AMBER+STRICT"),
        ("no-such-type", "AMBER+STRICT"),
        (7, "AMBER+STRICT"),
    ],
)
def test_the_marking_that_nobody_chose_is_that_of_the_type(record_type: object, expected: str) -> None:
    assert marking(request(record={**bare_record(), "record_type": record_type}, tlp=None)) == expected
    assert marking(request(record={**bare_record(), "record_type": record_type}, tlp="GREEN")) == "GREEN"


def test_a_record_that_names_files_that_do_not_travel_with_it_is_refused() -> None:
    ref = {"filename": "map.pdf", "media_type": "application/pdf", "size": 1, "sha256": "00" * 32}
    asked = request(record={**bare_record(), "attachments": [ref]})
    record = complete_record(asked, KAZ, "019ec96f-ae00-7f5b-8166-2a88e10c64b5", EDITION, NOW)
    with pytest.raises(Invalid) as caught:
        checked_record(record, asked, KAZ)
    assert code_of(caught) == ("attachments-differ", "/record/attachments")
    held = Attachment("map.pdf", "application/pdf", 1, Digest(bytes(32)))
    assert checked_record(record, asked, KAZ, (held,)).record_type == record["record_type"]
