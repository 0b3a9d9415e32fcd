"""CAP alerts into records and back: bytes kept, faults named, links made, hostile files refused."""

# ruff: noqa: RUF001 - words in other scripts

import json
import re
from hashlib import sha256
from typing import Any

import pytest

from exchange.convert.cap import NAMESPACE_1_1, cap_to_record, kept_original, record_to_cap, with_alert
from exchange.convert.cap_links import AlertName, record_id
from exchange.convert.cap_write import write_alert
from exchange.convert.errors import ConversionError
from exchange.convert.limits import MAX_REFERENCES
from schemas.record_errors import RecordError
from schemas.validate import validate_record
from tests.support.convert import alert, issued_alerts, oasis_errors, template
from tests.support.records import example

SENDER = "alerts@hydromet.example"
OTHERS_NAME = AlertName(SENDER, "XAA-0", "2026-04-11T06:30:00+05:00")


def xml(size: int = 0, **members: object) -> bytes:
    return write_alert(alert(size, **members))


def triple(name: AlertName) -> str:
    return f"{name.sender},{name.identifier},{name.sent}"


def swapped(data: bytes) -> bytes:
    """The alert with sender and sent in the wrong order, as some issuers write them."""
    return re.sub(rb"(<sender>.*</sender>)\s*(<sent>.*</sent>)", rb"\2\1", data)


def refusal(data: bytes, accepted_senders: frozenset[str] = frozenset()) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        cap_to_record(data, template(), accepted_senders=accepted_senders)
    return caught.value


def test_every_issued_alert_is_kept_byte_for_byte_or_refused_with_the_fault_that_the_oasis_schema_names() -> None:
    seen = {"valid": 0, "INVALID": 0}
    for path, verdict in issued_alerts():
        data = path.read_bytes()
        errors = oasis_errors(data)
        assert bool(errors) is verdict.startswith("INVALID"), path
        seen[verdict.partition("(")[0]] += 1
        if not errors:
            found = cap_to_record(data, template())
            assert record_to_cap(json.loads(json.dumps(found.record))) == data
            assert found.original is None
            continue
        fault = refusal(data).faults[0]
        assert any(f"}}{fault.found}'" in error and f"cap:{fault.path[1:]}'" in error for error in errors), (
            path,
            fault,
        )
        where = verdict.partition(": ")[2].split()[0].removeprefix("/alert")
        assert any(fault.path.startswith(where) for fault in refusal(data).faults), path
    assert seen == {"valid": 8, "INVALID": 2}


def test_an_issued_alert_in_the_wrong_order_is_taken_from_a_sender_on_the_list() -> None:
    paths = [path for path, _ in issued_alerts() if path.name.startswith("alertswiss")]
    data = paths[0].read_bytes()
    found = cap_to_record(data, template(), accepted_senders=frozenset({"info@alertswiss.ch"}), filename=paths[0].name)
    assert found.original == data
    assert record_to_cap(found.record, data) == data
    assert oasis_errors(record_to_cap(found.record)) == []
    assert found.record["attachments"][0]["filename"] == paths[0].name
    assert "not valid CAP 1.2" in found.record["summary"]["en"]
    assert {fault.path for fault in found.warnings} >= {"", "/info/0", "/info/0/category"}


def test_a_fault_of_form_is_refused_unless_the_sender_is_on_the_list() -> None:
    data = swapped(xml())
    assert refusal(data).faults[0].path == "/sender"
    assert refusal(data, accepted_senders=frozenset({"somebody@else.example"})).faults[0].path == "/sender"
    found = cap_to_record(data, template(), accepted_senders=frozenset({SENDER}))
    assert found.original == data
    assert b"the issuer's own file is attached" in record_to_cap(found.record)
    assert validate_record(found.record).record_type == "disaster-alert"


def test_a_record_of_a_rebuilt_alert_names_the_issuers_file_and_another_names_none() -> None:
    data = swapped(xml())
    record = cap_to_record(data, template(), accepted_senders=frozenset({SENDER})).record
    assert kept_original(record) == sha256(data).hexdigest()
    assert kept_original(record | {"attachments": []}) is None
    again = cap_to_record(record_to_cap(record), template()).record
    assert kept_original(again) is None
    assert kept_original(cap_to_record(xml(), template()).record) is None


def test_texts_that_the_alert_has_anyway_never_make_the_record_too_large() -> None:
    infos = [
        alert()["info"][0] | {"language": f"q{chr(97 + n)}", "description": '"\\' * 14_000, "headline": "\u00bb" * 300}
        for n in range(26)
    ]
    data = xml(info=infos)
    assert 700_000 < len(data) < 1_000_000
    record, doubled = cap_to_record(data, template()).record, xml(info=infos + infos[:9])
    assert len(record["summary"]) == 27
    found = cap_to_record(doubled, template())
    assert record_to_cap(found.record) == doubled
    assert "summary" not in found.record
    assert "/summary" in {fault.path for fault in found.warnings}


def test_a_headline_of_spaces_leaves_the_event_as_the_title() -> None:
    record = cap_to_record(xml(info=[alert()["info"][0] | {"headline": " "}]), template()).record
    assert record["title"] == {"en": "Flood"}


def test_a_valid_alert_of_a_sender_on_the_list_is_not_touched() -> None:
    data = xml()
    found = cap_to_record(data, template(), accepted_senders=frozenset({SENDER}))
    assert record_to_cap(found.record) == data
    assert found.original is None
    assert "attachments" not in found.record


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (b"<status>Actual</status>", b"", "/status"),
        (b"<status>Actual</status>", b"<status>Real</status>", "/status"),
        (b"<event>Flood</event>", b"", "/info/0/event"),
        (b"2026-04-12T06:30:00+05:00", b"yesterday", "/sent"),
    ],
)
def test_nothing_that_matters_is_invented_for_a_sender_on_the_list(old: bytes, new: bytes, path: str) -> None:
    data = xml().replace(old, new)
    assert path in {fault.path for fault in refusal(data, accepted_senders=frozenset({SENDER})).faults}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2026-04-12T06:30:00+05:00", b"2026-04-12T01:30:00Z"),
        (b"2026-04-12T06:30:00+05:00", b"2026-04-12T06:30:00.250+05:00"),
        (b">Severe<", b">severe<"),
        (b">Likely<", b">Very Likely<"),
        (b"<urgency>Expected</urgency>", b""),
        (b"<event>", b"<x:y xmlns:x='urn:x'>1</x:y><event>"),
        (b"<event>", b"<event xml:lang='en'>"),
        (b"<event>Flood", b"<event>Fl<b>oo</b>d"),
        (b"<event>", b"stray<event>"),
        (b">en</language>", b">en_US</language>"),
        (b">en</language>", ">Қазақша</language>".encode()),
        (b">Met</category>", b"> Met\n</category>"),
        (b"</description>", b"</description><area><areaDesc>x</areaDesc><altitude>1e3</altitude></area>"),
        (b"<description>", b"<onset/><description>"),
        (b"<event>", b"<event>First</event><event>"),
    ],
)
def test_what_can_be_read_of_an_accepted_sender_is_told_and_makes_a_valid_alert(old: bytes, new: bytes) -> None:
    data = xml().replace(old, new)
    assert oasis_errors(data)
    found = cap_to_record(data, template(), accepted_senders=frozenset({SENDER}))
    assert oasis_errors(record_to_cap(found.record)) == []
    assert len(found.warnings) == 1
    assert found.original == data


@pytest.mark.parametrize(
    ("kind", "references", "action", "links"),
    [
        ("Alert", None, "new", None),
        ("Update", None, "new", None),
        ("Update", OTHERS_NAME, "update", [record_id(["XAA"], OTHERS_NAME)]),
        ("Cancel", OTHERS_NAME, "cancel", [record_id(["XAA"], OTHERS_NAME)]),
        ("Ack", OTHERS_NAME, "ack", [record_id(["XAA"], OTHERS_NAME)]),
        ("Error", OTHERS_NAME, "error", [record_id(["XAA"], OTHERS_NAME)]),
    ],
)
def test_message_type_and_references_become_action_and_links(
    kind: str, references: AlertName | None, action: str, links: list[str] | None
) -> None:
    named: dict[str, Any] = {"references": triple(references)} if references else {}
    record = cap_to_record(xml(msgType=kind, **named), template()).record
    assert (record["action"], record.get("references")) == (action, links)


def test_an_update_finds_the_record_of_the_alert_that_it_updates_however_its_time_is_written() -> None:
    first = cap_to_record(xml(), template()).record
    update = xml(
        msgType="Update", identifier="XAA-2", references=f"{SENDER},XAA-1,2026-04-12T01:30:00-00:00 a,b,c a,b,c"
    )
    links = cap_to_record(update, template()).record["references"]
    assert links == [first["record_id"], record_id(["XAA"], AlertName("a", "b", "c"))]


def test_a_known_record_is_linked_by_its_own_id() -> None:
    known = {OTHERS_NAME: "019ec96f-ae00-7f5b-8166-2a88e10c64b5"}
    update = xml(msgType="Update", references=triple(OTHERS_NAME))
    record = cap_to_record(update, template(), known=known).record
    assert record["references"] == list(known.values())


def test_an_alert_without_a_scope_of_an_accepted_sender_becomes_the_narrowest() -> None:
    data = xml().replace(b"<scope>Public</scope>", b"")
    assert refusal(data).faults[0].path == "/scope"
    found = cap_to_record(data, template(), accepted_senders=frozenset({SENDER}))
    assert found.record["body"]["alert"]["scope"] == "Private"
    assert "/scope" in {fault.path for fault in found.warnings}


@pytest.mark.parametrize("references", [None, "junk here", f"{SENDER},XAA-1,2026-04-12T06:30:00+05:00"])
@pytest.mark.parametrize("kind", ["Cancel", "Ack", "Error"])
def test_an_alert_about_another_that_does_not_say_which_acts_on_no_record(kind: str, references: str | None) -> None:
    named: dict[str, Any] = {} if references is None else {"references": references}
    data = xml(msgType=kind, **named)
    found = cap_to_record(data, template())
    assert record_to_cap(found.record) == data
    assert (found.record["action"], "references" in found.record) == ("new", False)
    assert "/body/alert/references" in {fault.path for fault in found.warnings}
    by_hand = cap_to_record(data, template(references=["urn:xaa:1"])).record
    assert (by_hand["action"], by_hand["references"]) == (kind.lower(), ["urn:xaa:1"])


def test_a_cancellation_that_names_its_alert_is_no_new_record() -> None:
    record = cap_to_record(xml(msgType="Cancel", references=triple(OTHERS_NAME)), template()).record
    del record["references"]
    with pytest.raises(RecordError, match="/body/alert/msgType"):
        validate_record(record | {"action": "new"})


def test_more_references_than_a_record_can_name_are_a_warning() -> None:
    many = " ".join(f"{SENDER},n{index},2026-04-11T06:30:00+05:00" for index in range(MAX_REFERENCES + 5))
    found = cap_to_record(xml(msgType="Update", references=many), template())
    assert len(found.record["references"]) == MAX_REFERENCES
    assert [fault.path for fault in found.warnings] == ["/references"]


@pytest.mark.parametrize("status", ["Actual", "Exercise", "System", "Test", "Draft"])
def test_an_exercise_stays_an_exercise(status: str) -> None:
    assert cap_to_record(xml(status=status), template()).record["mode"] == status.lower()
    with pytest.raises(ConversionError, match="/mode"):
        cap_to_record(xml(status=status), template(mode="draft" if status != "Draft" else "actual"))


def test_each_language_of_the_alert_is_a_language_of_the_record() -> None:
    infos = [
        alert()["info"][0] | {"language": tag, "headline": text} for tag, text in [("zh-mo", "洪水"), ("ru", "Паводок")]
    ]
    record = cap_to_record(xml(info=infos), template()).record
    assert record["title"] == {"zh-MO": "洪水", "ru": "Паводок"}
    assert record["language"] == "zh-MO"
    assert record["summary"].keys() == {"zh-MO", "ru"}


def test_an_alert_in_neither_english_nor_russian_has_a_plain_english_title() -> None:
    record = cap_to_record(
        xml(info=[alert()["info"][0] | {"language": "kk", "headline": "Су тасқыны"}]), template()
    ).record
    assert record["title"] == {"kk": "Су тасқыны", "en": f"CAP Alert from {SENDER}, Met, Severe, Expected"}


@pytest.mark.parametrize("member", ["originators", "recipients", "measure", "catalogue_id", "issued_at", "handling"])
def test_a_template_that_lacks_a_member_is_refused_at_it(member: str) -> None:
    lacking = {name: value for name, value in template().items() if name != member}
    with pytest.raises(RecordError) as caught:
        cap_to_record(xml(), lacking)
    assert f"/{member}" in {fault.path for fault in caught.value.faults}


@pytest.mark.parametrize("member", [*template(), "references", "title", "summary", "language", "attachments", "action"])
@pytest.mark.parametrize("value", [None, 5, [5], {"x": 1}, "x"])
def test_a_template_of_any_shape_gives_a_declared_error(member: str, value: object) -> None:
    for data in (xml(), swapped(xml())):
        with pytest.raises((ConversionError, RecordError)):
            cap_to_record(data, template(**{member: value}), accepted_senders=frozenset({SENDER}))


def test_the_template_may_add_to_the_body_and_not_replace_what_the_file_says() -> None:
    found = cap_to_record(xml(), template(body={"glide": "FL-2026-000041-XAA"}))
    assert found.record["body"]["glide"] == "FL-2026-000041-XAA"
    with pytest.raises(ConversionError, match="/body/alert"):
        cap_to_record(xml(), template(body={"alert": {}}))


def test_cap_1_1_is_converted_only_when_asked_for() -> None:
    old = xml().replace(b"cap:1.2", b"cap:1.1").replace(b">Likely<", b">Very Likely<").replace(b"+05:00", b"Z")
    assert "CAP 1.1" in refusal(old).faults[0].expected
    assert "CAP 1.1" in refusal(old, accepted_senders=frozenset({SENDER})).faults[0].expected
    found = cap_to_record(old, template(), convert_1_1=True)
    assert found.original == old
    assert NAMESPACE_1_1.encode() in old
    assert oasis_errors(record_to_cap(found.record)) == []


def test_a_file_that_the_record_does_not_name_is_not_taken_for_the_original() -> None:
    record = cap_to_record(swapped(xml()), template(), accepted_senders=frozenset({SENDER})).record
    with pytest.raises(ConversionError, match="/attachments"):
        record_to_cap(record, swapped(xml(identifier="other")))


def test_a_draft_without_a_file_gets_one_that_the_oasis_schema_accepts() -> None:
    record = example("disaster-alert", "flood-warning")
    del record["body"]["cap"]
    whole = with_alert(record)
    assert validate_record(whole).warnings == ()
    assert oasis_errors(record_to_cap(whole)) == []


@pytest.mark.parametrize("record", [{}, {"body": []}, {"body": {}}])
def test_a_record_without_an_alert_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(ConversionError, match="/body"):
        record_to_cap(record)


def test_a_file_inside_an_alert_survives_rebuilding() -> None:
    resource = {"resourceDesc": "map", "mimeType": "image/png", "derefUri": "QUJD"}
    data = swapped(xml(info=[alert()["info"][0] | {"resource": [resource]}]))
    found = cap_to_record(data, template(), accepted_senders=frozenset({SENDER}))
    assert b"<derefUri>QUJD</derefUri>" in record_to_cap(found.record)
