"""The CAP 1.2 reader: what the OASIS schema accepts is read exactly, everything else is refused by one error."""

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from schemas.cap import cap_bytes, disaster_alert_body, read_alert
from schemas.cap_rules import prose_warnings
from schemas.record_errors import RecordError
from schemas.record_limits import MAX_CAP_BYTES, MAX_FAULTS

EXAMPLES = ("flood-warning", "chemical-spill-update")
INVALID = {"alertswiss-POA-1216107687-4.xml": "/sender", "google-invalid.cap": "/scope"}
ALERT = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
<identifier>A1</identifier><sender>s@example</sender><sent>2026-03-31T12:00:00+05:00</sent>
<status>Test</status><msgType>Alert</msgType><scope>Public</scope>
<info><category>Fire</category><event>Steppe fire</event><urgency>Future</urgency><severity>Minor</severity>
<certainty>Possible</certainty><area><areaDesc>North</areaDesc><polygon>1,2 3,4 5,6 1,2</polygon></area></info>
</alert>"""


PAIR = "<eventCode><valueName/><value/></eventCode>"
RESOURCE = "</certainty><resource><resourceDesc/><mimeType/><size>1.5</size></resource>"


def example(name: str) -> bytes:
    return files("schemas").joinpath(f"examples/disaster-alert/{name}.xml").read_bytes()


def changed(old: str, new: str) -> bytes:
    assert ALERT.count(old) == 1
    return ALERT.replace(old, new).encode()


def refusal(xml: bytes) -> tuple[str, str]:
    """(path, what was found) of the one fault."""
    with pytest.raises(RecordError) as caught:
        read_alert(xml)
    (fault,) = caught.value.faults
    return fault.path, fault.found


def test_an_alert_is_projected_under_its_own_names() -> None:
    assert read_alert(ALERT.encode()) == {
        "identifier": "A1",
        "sender": "s@example",
        "sent": "2026-03-31T12:00:00+05:00",
        "status": "Test",
        "msgType": "Alert",
        "scope": "Public",
        "info": [
            {
                "category": ["Fire"],
                "event": "Steppe fire",
                "urgency": "Future",
                "severity": "Minor",
                "certainty": "Possible",
                "area": [{"areaDesc": "North", "polygon": ["1,2 3,4 5,6 1,2"]}],
            }
        ],
    }


def test_numbers_keep_their_digits_and_sizes_become_integers() -> None:
    info = read_alert(example("chemical-spill-update"))["info"][0]
    assert info["resource"][0]["size"] == 182_204
    assert (info["area"][0]["altitude"], info["area"][0]["ceiling"]) == ("0", "1500.0")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_body_carries_the_file_byte_for_byte(name: str) -> None:
    body = disaster_alert_body(example(name))
    assert cap_bytes(body) == example(name)
    assert list(prose_warnings("", body["alert"])) == []


@pytest.mark.parametrize(
    ("old", "new", "path", "found"),
    [
        ("<scope>Public</scope>", "", "/scope", "info"),
        ("<identifier>A1</identifier><sender>s@example</sender>", "<sender/><identifier/>", "/identifier", "sender"),
        ("</identifier>", "</identifier><identifier>A2</identifier>", "/sender", "identifier"),
        ("<category>Fire</category>", "", "/info/0/category", "event"),
        ("<category>Fire</category>", "<category>fire</category>", "/info/0/category/0", "'fire'"),
        ("<category>Fire</category>", "<category> Fire</category>", "/info/0/category/0", "' Fire'"),
        ("<event>Steppe fire</event>", "<event><b/></event>", "/info/0/event", "the element b inside"),
        ("<event>Steppe fire</event>", '<event lang="en">x</event>', "/info/0/event", "the attribute 'lang'"),
        ("<certainty>Possible</certainty>", "<certainty>Very Likely</certainty>", "/info/0/certainty", "'Very Likely'"),
        ("<severity>Minor</severity>", "", "/info/0/severity", "certainty"),
        ("</info>", "<areaDesc/></info>", "/info/0", "areaDesc as child 7"),
        ("</info>", "stray</info>", "/info/0", "text between elements"),
        ("<area>", "stray<area>", "/info/0", "text between elements"),
        ("<areaDesc>North</areaDesc>", "", "/info/0/area/0/areaDesc", "polygon"),
        ("</polygon>", "</polygon><altitude>1e3</altitude>", "/info/0/area/0/altitude", "'1e3'"),
        ("<info>", "<info><language>en_US</language>", "/info/0/language", "'en_US'"),
        ("</info>", f"{PAIR}</info>", "/info/0", "eventCode as child 7"),
        ("</certainty>", "</certainty><parameter><valueName/></parameter>", "/info/0/parameter/0/value", "the end"),
        ("</certainty>", RESOURCE, "/info/0/resource/0/size", "'1.5'"),
        ("</alert>", '<x xmlns="urn:other"/></alert>', "", "x as child 8"),
    ],
)  # fmt: skip
def test_what_the_schema_forbids_is_refused_by_name(old: str, new: str, path: str, found: str) -> None:
    assert refusal(changed(old, new)) == (path, found)


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-31T12:00:00Z",
        "2026-03-31T12:00:00",
        "2026-03-31T12:00:00.5+05:00",
        "2026-03-31T12:00:00,05:00",
        "2026-02-29T12:00:00+05:00",
        "2026-03-31T12:60:00+05:00",
        "2026-03-31T24:00:01+05:00",
        "2026-03-31T12:00:00+14:30",
        "0000-03-31T12:00:00+05:00",
        "31.03.2026",
        "\u00a02026-03-31T12:00:00+05:00",
        "٢٠٢٦-03-31T12:00:00+05:00",
        "",
    ],
)
def test_a_time_that_the_schema_forbids_is_refused(time: str) -> None:
    assert refusal(changed("2026-03-31T12:00:00+05:00", time))[0] == "/sent"


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-31T12:00:00-00:00",
        "2024-02-29T24:00:00+14:00",
        "9999-12-31T24:00:00+00:00",
        "0001-01-01T00:00:00-14:00",
        " 2026-03-31T12:00:00+05:00\n",
    ],
)
def test_a_time_that_the_schema_allows_is_read(time: str) -> None:
    assert read_alert(changed("2026-03-31T12:00:00+05:00", time))["sent"] == time.strip()


def test_every_element_tells_its_first_fault() -> None:
    xml = changed("<status>Test</status><msgType>", "<msgType>").replace(b">Fire<", b">Blaze<").replace(b"2026", b"26")
    with pytest.raises(RecordError) as caught:
        read_alert(xml)
    assert [fault.path for fault in caught.value.faults] == ["/sent", "/status", "/info/0/category/0"]


def test_faults_are_told_up_to_a_bound() -> None:
    xml = changed("<category>Fire</category>", "<category>Blaze</category>" * 1000)
    with pytest.raises(RecordError) as caught:
        read_alert(xml)
    assert len(caught.value.faults) == MAX_FAULTS


@pytest.mark.parametrize(
    ("digits", "value"),
    [("5", 5), ("+5", 5), ("-5", -5), (" 5\n", 5), ("0" * 5000 + "7", 7), ("9" * 15, 10**15 - 1), ("9" * 16, None)],
)
def test_a_size_is_projected_when_json_keeps_it(digits: str, value: int | None) -> None:
    resource = f"<resource><resourceDesc/><mimeType/><size>{digits}</size></resource>"
    resources = read_alert(changed("<area>", f"{resource}<area>"))["info"][0]["resource"]
    assert resources[0].get("size") == value


SCHEMA = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:s="http://www.w3.org/2001/XMLSchema"'


@pytest.mark.parametrize("name", ["s:string", "s:token", " s:string\n"])
def test_an_element_may_name_the_type_that_it_has_anyway(name: str) -> None:
    xml = changed("<event>", f'<event {SCHEMA} i:type="{name}">')
    assert read_alert(xml)["info"][0]["event"] == "Steppe fire"


@pytest.mark.parametrize("name", ["s:integer", "string", "x:string", "s:NCName"])
def test_an_element_may_not_name_another_type(name: str) -> None:
    assert refusal(changed("<event>", f'<event {SCHEMA} i:type="{name}">'))[0] == "/info/0/event"


@pytest.mark.parametrize("version", ["1.1", "1.0", "1.3"])
def test_another_version_of_cap_is_refused_by_its_namespace(version: str) -> None:
    path, found = refusal(changed("cap:1.2", f"cap:{version}"))
    assert path == ""
    assert version in found


def bomb() -> str:
    levels = [f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 12)]
    return '<!ENTITY a0 "aaaaaaaaaa">' + "".join(levels)


def hostile() -> Iterator[tuple[str, bytes]]:
    body = ALERT.partition("?>")[2]
    event = "<event>Steppe fire</event>"
    passwd = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    yield "external entity", (passwd + body.replace(event, "<event>&x;</event>")).encode()
    yield "billion laughs", (f"<!DOCTYPE a [{bomb()}]>" + body.replace(event, "<event>&a11;</event>")).encode()
    yield "laughs in an attribute", (f"<!DOCTYPE a [{bomb()}]>" + body.replace("<event>", '<event x="&a11;">')).encode()
    yield "default attribute", ('<!DOCTYPE a [<!ATTLIST event x CDATA "1">]>' + body).encode()
    yield "bare doctype", ("<!DOCTYPE alert>" + body).encode()
    yield "external subset", ('<!DOCTYPE alert SYSTEM "http://127.0.0.1:9/x.dtd">' + body).encode()
    yield "doctype in utf-16", ("<!DOCTYPE alert>" + body).encode("utf-16")
    yield "undefined entity", body.replace("Steppe", "&nbsp;").encode()
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>'
    yield "inclusion", body.replace("Steppe fire", include).encode()
    yield (
        "nil by schema instance",
        body.replace("<event>", '<event xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true">').encode(),
    )
    yield "deep nesting", b"<a>" * 100_000
    yield "wrong bytes for the encoding", ALERT.encode().replace(b"Steppe", b"\xff\xfe")
    yield "too large", ALERT.encode() + b" " * MAX_CAP_BYTES
    yield "zero bytes", bytes(16)
    yield "nothing", b""


HOSTILE = dict(hostile())


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_xml_is_refused(attack: str) -> None:
    path, found = refusal(HOSTILE[attack])
    assert "root:" not in path + found


def test_the_largest_file_is_read() -> None:
    assert read_alert(ALERT.encode() + b" " * (MAX_CAP_BYTES - len(ALERT)))["identifier"] == "A1"


def test_comments_instructions_and_character_data_sections_change_no_text() -> None:
    xml = changed("Steppe fire", "Ste<!-- c -->ppe<?p i?> <![CDATA[fi]]>re")
    assert read_alert(xml)["info"][0]["event"] == "Steppe fire"


def test_an_empty_language_is_the_default_and_an_absent_one_stays_absent() -> None:
    assert read_alert(changed("<info>", "<info><language/>"))["info"][0]["language"] == "en-US"
    assert "language" not in read_alert(ALERT.encode())["info"][0]


def test_a_schema_location_is_no_fault() -> None:
    hint = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="urn:x x.xsd"'
    assert read_alert(changed("<alert ", f"<alert {hint} "))["identifier"] == "A1"


def test_a_signature_may_end_an_alert_and_nothing_may_follow_it() -> None:
    signature = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature>'
    assert "Signature" not in read_alert(changed("</alert>", f"{signature}</alert>"))
    assert refusal(changed("</alert>", f"{signature}<note/></alert>"))[0] == ""


def test_an_enclosed_file_is_left_to_the_alert_itself() -> None:
    resource = "<resource><resourceDesc/><mimeType>a/b</mimeType><derefUri>AAAA</derefUri><digest>d</digest></resource>"
    alert = read_alert(changed("<area>", f"{resource}<area>"))
    assert alert["info"][0]["resource"] == [{"resourceDesc": "", "mimeType": "a/b", "digest": "d"}]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("<identifier>A1<", "<identifier>A 1<", "/identifier"),
        ("<sender>s@example<", "<sender>s,t<", "/sender"),
        ("<sender>s@example<", "<sender><", "/sender"),
        (">Public<", ">Restricted<", "/restriction"),
        (">Public<", ">Private<", "/addresses"),
        ("</scope>", "</scope><references>a,b</references>", "/references"),
        ("1,2 3,4 5,6 1,2", "1,2 3,4 1,2", "/info/0/area/0/polygon/0"),
        ("1,2 3,4 5,6 1,2", "1,2 3,4 5,6 1,3", "/info/0/area/0/polygon/0"),
        ("1,2 3,4 5,6 1,2", "1,2 (3,4 5,6 1,2", "/info/0/area/0/polygon/0"),
        ("1,2 3,4 5,6 1,2", "1,2 91,4 5,6 1,2", "/info/0/area/0/polygon/0"),
        ("</polygon>", "</polygon><circle>1,2</circle>", "/info/0/area/0/circle/0"),
        ("</polygon>", "</polygon><circle>1,181 5</circle>", "/info/0/area/0/circle/0"),
    ],
)
def test_what_only_the_text_of_the_standard_forbids_is_a_warning(old: str, new: str, path: str) -> None:
    found = list(prose_warnings("", read_alert(changed(old, new))))
    assert [(fault.path, fault.warning) for fault in found] == [(path, True)]


def issued_alerts() -> list[Path]:
    folder = os.environ.get("CBM_TEST_DATA")
    if folder is None:
        pytest.skip("CBM_TEST_DATA names no folder of issued alerts")
    found = sorted(path for path in Path(folder, "cap").iterdir() if path.suffix in {".xml", ".cap"})
    assert found
    return found


def test_issued_alerts_are_read_and_the_two_invalid_ones_refused_by_name() -> None:
    refused = {}
    for path in issued_alerts():
        try:
            body = disaster_alert_body(path.read_bytes())
        except RecordError as error:
            refused[path.name] = error.faults[0].path
        else:
            assert cap_bytes(body) == path.read_bytes()
    assert refused == INVALID
