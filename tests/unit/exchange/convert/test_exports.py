"""Places as GeoJSON, events as iCalendar, contacts as vCard."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from icalendar import Calendar

from exchange.convert.errors import ConversionError
from exchange.convert.geojson import records_to_geojson
from exchange.convert.ical import days_to_ical, records_to_ical
from exchange.convert.limits import MAX_CALENDAR_RECORDS, MAX_CONTENT_LINE
from exchange.convert.vcard import record_to_vcard
from schemas.validate import validate_record
from tests.support.convert import TEMPLATE
from tests.support.records import Record, example

EXERCISE = example("military-activity-notification", "field-exercise")
CANCELLATION = example("military-activity-notification", "cancellation")
ALERT = example("disaster-alert", "flood-warning")


def record(record_type: str, body: dict[str, Any], **members: object) -> Record:
    whole = TEMPLATE | {
        "record_type": record_type,
        "schema_version": "1.0.0",
        "action": "new",
        "mode": "actual",
        "language": "en",
        "title": {"en": "A title"},
        "body": body,
        **members,
    }
    validate_record(whole)
    return whole


def office(**members: object) -> dict[str, Any]:
    return {"name": {"en": "Ministry; of A, B"}, "country": "XAA", "role": {"en": "Duty officer"}} | members


def visit(**members: object) -> Record:
    body = {
        "invitation_kind": "military-visit",
        "dtstart": "2026-09-01T09:00:00+05:00",
        "dtend": "2026-09-02T18:00:00+05:00",
        "location": {
            "name": {"en": "Garrison"},
            "country": "XAA",
            "geometry": {"type": "Point", "coordinates": [76.9, 43.2]},
        },
        "organizer": office(email="visits@mod.example"),
        "open": False,
        "rsvp_by": "2026-08-01T00:00:00+05:00",
    }
    return record("visit-event-invitation", body, measure="2.1.4.a", **members)


def contact(**members: object) -> Record:
    body = {
        "function": "crisis-hotline",
        "authority": office(name={"en": "Ministry; of A, B\\C", "kk": "Министрлік " * 20}),
        "phone": ["+77000000000", "+77000000001"],
        "email": ["duty@mod.example"],
        "hours": {"kind": "office", "tz": "Asia/Almaty", "opens": "09:00", "closes": "18:00"},
        "languages": ["kk", "ru", "en"],
        "key_id": "ab" * 32,
    }
    validity = {"valid_from": "2026-06-15T09:00:00+05:00", "valid_until": "2027-06-15T09:00:00+05:00"}
    return record("contact-point", body, measure="2.1.3", **(validity | members))


def features(*records: Record) -> list[dict[str, Any]]:
    collection = json.loads(json.dumps(records_to_geojson(records)))
    assert collection["type"] == "FeatureCollection"
    found = collection["features"]
    assert isinstance(found, list)
    return found


def test_the_area_of_an_exercise_is_a_feature_with_its_marking() -> None:
    found = features(EXERCISE)
    assert [feature["properties"]["path"] for feature in found] == ["/body/area"]
    assert found[0]["properties"]["tlp"] == "AMBER+STRICT"
    assert found[0]["properties"]["name"] == EXERCISE["body"]["area"]["name"]
    assert found[0]["geometry"] == EXERCISE["body"]["area"]["geometry"]


def test_areas_of_an_alert_have_longitude_first_and_circles_their_radius() -> None:
    found = features(ALERT)
    assert [feature["geometry"]["type"] for feature in found] == ["Polygon", "Point", "Polygon"]
    assert found[0]["geometry"]["coordinates"][0][0] == [76.42, 43.21]
    assert found[1]["properties"]["radius_km"] == 12.5
    assert found[2]["properties"]["language"] == "ru"


def test_every_outer_ring_runs_counterclockwise_and_every_hole_clockwise() -> None:
    outer = [[0, 0], [0, 9], [9, 9], [9, 0], [0, 0]]
    hole = [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]
    geometry = {"type": "MultiPolygon", "coordinates": [[outer, hole], [outer]]}
    changed = json.loads(json.dumps(EXERCISE))
    changed["body"]["area"]["geometry"] = geometry
    assert features(changed)[0]["geometry"]["coordinates"] == [[outer[::-1], hole[::-1]], [outer[::-1]]]


def test_a_place_without_a_shape_is_a_feature_without_one_and_an_office_is_none() -> None:
    record = visit()
    del record["body"]["location"]["geometry"]
    assert [(feature["properties"]["path"], feature["geometry"]) for feature in features(record)] == [
        ("/body/location", None)
    ]


def test_records_without_places_give_an_empty_collection() -> None:
    assert features(CANCELLATION, example("defence-budget", "simplified-actual-outlay")) == []


def test_whole_days_keep_nobody_busy() -> None:
    data = days_to_ical([("a@kaz", date(2027, 1, 31), "Return, with a comma"), ("b@kaz", date(2027, 2, 1), "B")], 0)
    first, second = Calendar.from_ical(data).walk("VEVENT")
    assert [(str(one["UID"]), str(one["SUMMARY"])) for one in (first, second)] == [
        ("a@kaz", "Return, with a comma"),
        ("b@kaz", "B"),
    ]
    assert b"DTSTART;VALUE=DATE:20270131\r\n" in data
    assert data.count(b"DTSTAMP:19700101T000000Z\r\n") == data.count(b"TRANSP:TRANSPARENT\r\n") == 2
    assert not list(Calendar.from_ical(days_to_ical([], 0)).walk("VEVENT"))


def events(*records: Record) -> list[Any]:
    data = records_to_ical(records)
    assert all(len(line) <= MAX_CONTENT_LINE for line in data.split(b"\r\n"))
    calendar = Calendar.from_ical(data)
    assert calendar["VERSION"] == "2.0"
    return list(calendar.walk("VEVENT"))


def test_an_exercise_is_an_event_named_by_its_record() -> None:
    (event,) = events(EXERCISE)
    assert event["UID"] == f"{EXERCISE['record_id']}@xaa"
    assert event.decoded("DTSTART") == datetime(2026, 8, 2, 19, tzinfo=UTC)
    assert event.decoded("DTEND") == datetime(2026, 8, 14, 13, tzinfo=UTC)
    assert event.decoded("DTSTAMP") == datetime(2026, 6, 15, 4, tzinfo=UTC)
    assert (event["STATUS"], event["SEQUENCE"], event["CLASS"]) == ("CONFIRMED", 0, "CONFIDENTIAL")
    assert event["SUMMARY"] == EXERCISE["title"]["en"]
    assert event["LOCATION"] == "Northern training area"
    assert event["ORGANIZER"] == "mailto:duty@mod.example"


def test_a_cancellation_cancels_the_event_that_it_names() -> None:
    (event,) = events(CANCELLATION, EXERCISE)
    assert event["UID"] == f"{EXERCISE['record_id']}@xaa"
    assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", 1)
    assert event.decoded("DTSTART") == datetime(2026, 8, 2, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("action", "by"),
    [("cancel", ["XAB"]), ("cancel", ["XAA", "XAB"]), ("withdraw", ["XAB"]), ("withdraw", ["XAA", "XAB"])],
)
def test_another_state_cannot_cancel_an_event(action: str, by: list[str]) -> None:
    assert events(CANCELLATION | {"action": action, "originators": by}, EXERCISE) == events(EXERCISE)


def test_another_state_cannot_move_an_event_nor_with_a_second_update_of_its_own() -> None:
    first = visit(record_id="urn:xaa:visit:1")
    attack = {"action": "update", "originators": ["XAB"]}
    second = visit(record_id="urn:xab:1", references=[first["record_id"]], issued_at="2026-06-16T00:00:00Z", **attack)
    second["body"]["dtstart"] = "2026-08-30T09:00:00+05:00"
    third = second | {"record_id": "urn:xab:2", "references": ["urn:xab:1"], "issued_at": "2026-06-17T00:00:00Z"}
    assert events(third, second, first) == events(first)


def test_another_state_cannot_take_an_events_place_by_its_id() -> None:
    attack = EXERCISE | {"originators": ["XAB"], "title": {"en": "Another"}, "issued_at": "2026-06-20T00:00:00Z"}
    for records in ([EXERCISE, attack], [attack, EXERCISE]):
        found = {str(event["UID"]): str(event["SUMMARY"]) for event in events(*records)}
        assert found == {
            f"{EXERCISE['record_id']}@xaa": EXERCISE["title"]["en"],
            f"{EXERCISE['record_id']}@xab": "Another",
        }
    states = {str(event["UID"])[-3:]: str(event["STATUS"]) for event in events(CANCELLATION, attack, EXERCISE)}
    assert states == {"xaa": "CANCELLED", "xab": "CONFIRMED"}


def test_a_joint_event_is_cancelled_by_all_its_originators_and_withdrawn_by_one() -> None:
    joint = EXERCISE | {"originators": ["XAA", "XAB"]}
    assert events(joint, CANCELLATION)[0]["STATUS"] == "CONFIRMED"
    assert events(joint, CANCELLATION | {"originators": ["XAB", "XAA"]})[0]["STATUS"] == "CANCELLED"
    assert events(joint, CANCELLATION | {"action": "withdraw"})[0]["STATUS"] == "CANCELLED"


def test_an_update_keeps_the_uid_and_counts() -> None:
    first = visit(record_id="urn:xaa:visit:1")
    second = visit(
        record_id="urn:xaa:visit:2", action="update", references=[first["record_id"]], issued_at="2026-06-16T00:00:00Z"
    )
    third = visit(
        record_id="urn:xaa:visit:3", action="update", references=[second["record_id"]], issued_at="2026-06-17T00:00:00Z"
    )
    third["body"]["dtstart"] = "2026-09-01T12:00:00+05:00"
    (event,) = events(third, first, second)
    assert (event["UID"], event["SEQUENCE"]) == ("urn:xaa:visit:1@xaa", 2)
    assert event.decoded("DTSTART") == datetime(2026, 9, 1, 7, tzinfo=UTC)
    (alone,) = events(second)
    assert (alone["UID"], alone["SEQUENCE"]) == ("urn:xaa:visit:1@xaa", 1)
    assert event["GEO"].to_ical() == "43.2;76.9"


def test_records_that_refer_to_each_other_in_a_circle_end() -> None:
    left = visit(record_id="urn:xaa:visit:1", action="update", references=["urn:xaa:visit:2"])
    right = visit(record_id="urn:xaa:visit:2", action="update", references=["urn:xaa:visit:1"])
    assert len(events(left, right)) >= 1


def test_an_exercise_message_does_not_look_like_an_actual_one() -> None:
    assert events(visit(mode="exercise"))[0]["SUMMARY"] == "[EXERCISE] A title"


@pytest.mark.parametrize("text", ["a, b; c\\n \\", "line\r\nBEGIN:VEVENT\rX:1\nEND", "Учение " * 50, "洪水🌊" * 40])
def test_no_text_breaks_out_of_its_line(text: str) -> None:
    record = visit(summary={"en": text})
    (event,) = events(record)
    assert event["DESCRIPTION"] == text.replace("\r\n", "\n").replace("\r", "\n")
    record["body"]["organizer"]["name"] = {"en": text}
    assert len(events(record)) == 1


def test_an_invitation_of_observers_spans_its_programme() -> None:
    gateway = {"name": {"en": "Airport"}, "country": "XAA", "unlocode": "XAABC"}
    body = {
        "activity_ref": EXERCISE["record_id"],
        "invitee": "XAB",
        "places": 2,
        "reply_by": "2026-07-20T00:00:00Z",
        "programme": [
            {"start": "2026-08-05T10:00:00Z", "end": "2026-08-05T12:00:00Z", "text": {"en": "Live phase"}},
            {"start": "2026-08-04T10:00:00Z", "end": "2026-08-04T12:00:00Z", "text": {"en": "Arrival"}},
        ],
        "arrival_point": gateway,
        "departure_point": gateway,
        "languages": ["en"],
        "host_costs": "full",
        "equipment_allowed": ["none"],
        "poc": office(),
    }
    (event,) = events(record("observer-invitation", body, measure="2.1.2"))
    assert event.decoded("DTSTART") == datetime(2026, 8, 4, 10, tzinfo=UTC)
    assert event.decoded("DTEND") == datetime(2026, 8, 5, 12, tzinfo=UTC)
    assert event["DESCRIPTION"] == "Arrival\n\nLive phase"


@pytest.mark.parametrize(
    ("records", "path"),
    [
        ([], "/action"),
        ([CANCELLATION], "/references"),
        ([ALERT], "/record_type"),
        ([EXERCISE | {"action": "reply"}], "/action"),
        ([EXERCISE] * (MAX_CALENDAR_RECORDS + 1), ""),
    ],
)
def test_what_announces_no_event_is_refused(records: list[Record], path: str) -> None:
    with pytest.raises(ConversionError) as caught:
        records_to_ical(records)
    assert caught.value.faults[0].path == path


def unfolded(data: bytes) -> list[str]:
    assert all(len(line) <= MAX_CONTENT_LINE for line in data.split(b"\r\n"))
    return data.decode().replace("\r\n ", "").split("\r\n")


def test_a_contact_point_is_a_card_of_an_organisation() -> None:
    lines = unfolded(record_to_vcard(contact()))
    assert lines[:2] == ["BEGIN:VCARD", "VERSION:4.0"]
    assert lines[-2:] == ["END:VCARD", ""]
    assert {
        "KIND:org",
        f"UID:urn:uuid:{TEMPLATE['record_id']}",
        "REV:20260615T040000Z",
        "FN:Ministry\\; of A\\, B\\\\C",
        "ORG:Ministry\\; of A\\, B\\\\C",
        "ROLE:Duty officer",
        "TEL;VALUE=uri;PREF=1:tel:+77000000000",
        "TEL;VALUE=uri;PREF=2:tel:+77000000001",
        "EMAIL;PREF=1:duty@mod.example",
        "LANG;PREF=1:kk",
        "TZ:Asia/Almaty",
        "CATEGORIES:crisis-hotline",
    } <= set(lines)
    assert f"FN;LANGUAGE=kk:{'Министрлік ' * 20}" in lines
    (note,) = [line for line in lines if line.startswith("NOTE:")]
    assert note.startswith("NOTE:TLP:GREEN\\nOffice hours 09:00-18:00 Asia/Almaty\\nValid 2026-06-15T09:00:00+05:00")
    assert note.endswith("Key " + "ab" * 32)


def test_an_exercise_contact_says_so_and_a_urn_stays_a_urn() -> None:
    lines = unfolded(record_to_vcard(contact(mode="exercise", record_id="urn:xaa:contact:1")))
    assert "UID:urn:xaa:contact:1" in lines
    assert any("EXERCISE\\, not an actual contact" in line for line in lines)


def test_no_text_breaks_out_of_a_card() -> None:
    hostile = contact()
    hostile["body"]["authority"]["name"] = {"en": "A\r\nEND:VCARD\r\nBEGIN:VCARD\nX\rY"}
    validate_record(hostile)
    lines = unfolded(record_to_vcard(hostile))
    assert lines.count("END:VCARD") == 1
    assert "FN:A\\nEND:VCARD\\nBEGIN:VCARD\\nX\\nY" in lines


@pytest.mark.parametrize("other", [EXERCISE, CANCELLATION])
def test_a_record_without_a_contact_has_no_card(other: Record) -> None:
    with pytest.raises(ConversionError, match="contact-point"):
        record_to_vcard(other)


@pytest.mark.parametrize("export", [lambda r: records_to_ical([r]), record_to_vcard])
def test_the_same_record_gives_the_same_bytes(export: Callable[[Record], bytes]) -> None:
    given = contact() if export is record_to_vcard else visit()
    assert export(given) == export(given)
