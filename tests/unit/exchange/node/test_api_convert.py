"""Conversions over the node's real API: bytes kept, faults placed, bounds held, nobody exports what is not theirs."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar
from openpyxl import Workbook

from exchange.convert.cap_write import write_alert
from exchange.convert.formats import EXPORTERS, IMPORTERS
from exchange.convert.milex import record_to_milex
from exchange.node.config import Convert, load_config
from schemas.record_limits import MAX_CAP_BYTES
from tests.support.convert import alert, oasis_errors
from tests.support.forms import FORM, form, part
from tests.support.hostile_relay import HostileRelay
from tests.support.node import ROUTED, Api, Reply, TestNode, api_of
from tests.support.records import example
from tests.unit.exchange.node.test_api_matters import receive

SENDER = "alerts@hydromet.example"
TEMPLATE: dict[str, Any] = {
    "measure": "2.4.3",
    "recipients": ["MNG"],
    "handling": {"tlp": "GREEN", "onward": "none"},
}
BUNDLE = example("ict-incident", "indicators")["body"]["stix_bundle"]


def xml(size: int = 0) -> bytes:
    return write_alert(alert(size))


def out_of_order() -> bytes:
    """The alert with sender and sent in the wrong order, as some issuers write them."""
    sender = f"  <sender>{SENDER}</sender>\n".encode()
    return xml().replace(sender, b"").replace(b"  <status>", sender + b"  <status>")


async def convert(
    api: Api, token: str, name: str, data: bytes, template: object = TEMPLATE, query: str = "", filename: str = "a.xml"
) -> Reply:
    body = form(part("template", json.dumps(template).encode()), part("file", data, filename))
    return await api.ask("POST", f"/v1/convert/{name}{query}", token, data=io.BytesIO(body), headers=FORM)


async def export(api: Api, token: str, ident: str, name: str, internal: str = "false") -> Reply:
    return await api.ask("GET", f"/v1/messages/{ident}/export?as={name}&internal={internal}", token)


async def sent(api: Api, token: str, record: dict[str, Any], *files: tuple[str, bytes]) -> str:
    """A record handed in with its files; the message's id."""
    terms = {"to": record["recipients"], "measure": record["measure"], "tlp": record["handling"]["tlp"]}
    content = {name: value for name, value in record.items() if name not in ("handling", "attachments")}
    message = json.dumps({**terms, "record": content}).encode()
    more = "Content-Type: application/cap+xml\r\n"
    body = form(part("message", message), *(part("attachment", data, name, more) for name, data in files))
    reply = await api.ask("POST", "/v1/messages", token, data=io.BytesIO(body), headers=FORM)
    assert reply.status == 202, reply.json
    return str(reply.json["id"])


def own(record_type: str, name: str) -> dict[str, Any]:
    """A worked example as KAZ's own record for MNG."""
    record = example(record_type, name)
    record.pop("copy_secretariat", None)
    return record | {"originators": ["KAZ"], "recipients": ["MNG"], "handling": record["handling"] | {"onward": "none"}}


@pytest.fixture
async def accepting(kaz: TestNode) -> AsyncIterator[Api]:
    """The API of a node whose operator accepts the habits of one sender."""
    config = kaz.parts.config.model_copy(update={"convert": Convert(accepted_senders=(SENDER,))})
    kaz.parts = replace(kaz.parts, config=config)
    async with api_of(kaz) as opened:
        yield opened


async def test_an_alert_becomes_a_record_that_is_sent_and_exported_byte_for_byte(api: Api, token: str) -> None:
    data = b"\xef\xbb\xbf" + xml(2000).replace(b"  <status>", b"  <!-- kept -->\r\n  <status>")
    before = api.node.facts()
    reply = await convert(api, token, "cap", data)
    assert (reply.status, reply.json["attachment"]) == (200, None), reply.json
    assert api.node.facts() == before
    record = reply.json["record"]
    assert record["originators"] == ["KAZ"]
    ident = await sent(api, token, record)
    exported = await export(api, token, ident, "cap")
    assert (exported.status, exported.body) == (200, data)
    assert exported.headers["Content-Type"] == "application/cap+xml"
    assert exported.headers["X-Content-Type-Options"] == "nosniff"
    assert exported.headers["Content-Disposition"].startswith('attachment; filename="disaster-alert-')
    assert "CBM-Note" not in exported.headers


async def test_an_alert_of_no_accepted_sender_is_refused_with_every_place(api: Api, token: str) -> None:
    before = api.node.facts()
    reply = await convert(api, token, "cap", out_of_order())
    assert (reply.status, reply.code, reply.json["path"]) == (422, "not-cap", "/sender")
    assert reply.json["faults"][0] == {
        "path": "/sender",
        "found": "sent",
        "expected": "the element sender, which is required here",
    }
    assert api.node.facts() == before


async def test_an_accepted_senders_file_travels_along_and_is_what_an_export_gives(accepting: Api, token: str) -> None:
    data = out_of_order()
    reply = await convert(accepting, token, "cap", data, filename="alert-7.xml")
    assert reply.status == 200, reply.json
    assert reply.json["attachment"]["filename"] == "alert-7.xml"
    assert reply.json["warnings"]
    record = reply.json["record"]
    ident = await sent(accepting, token, record, ("alert-7.xml", data))
    exported = await export(accepting, token, ident, "cap")
    assert exported.body == data
    assert "rebuilt" in exported.headers["CBM-Note"]
    whole = json.loads((await export(accepting, token, ident, "json")).body)
    assert "not valid CAP 1.2" in whole["summary"]["en"]
    assert oasis_errors(EXPORTERS["cap"].convert([whole])) == []


async def test_cap_1_1_is_converted_when_asked_for(api: Api, token: str) -> None:
    old = xml().replace(b"cap:1.2", b"cap:1.1")
    assert (await convert(api, token, "cap", old)).status == 422
    reply = await convert(api, token, "cap", old, query="?cap_1_1=true")
    assert (reply.status, reply.json["attachment"]["size"]) == (200, len(old))


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_a_form_goes_in_and_out(api: Api, token: str, kind: str) -> None:
    budget = own("defence-budget", "simplified-actual-outlay")
    data = record_to_milex(budget, kind)
    reply = await convert(api, token, f"milex-{kind}", data, TEMPLATE | {"measure": "2.1.1.b"})
    assert reply.status == 200, reply.json
    ident = await sent(api, token, reply.json["record"])
    assert (await export(api, token, ident, kind)).body == data
    other = "xlsx" if kind == "csv" else "csv"
    wrong = await convert(api, token, f"milex-{other}", data, TEMPLATE | {"measure": "2.1.1.b"})
    assert (wrong.status, wrong.code) == (422, "not-milex")


def formula() -> bytes:
    book, out = Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    sheet.append(["form", "simplified"])
    sheet.append(["currency", "=1+1"])
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "path"),
    [
        ("milex-csv", b"form,simplified\r\ncode,,land\r\n1,,x\r\n", "row 3, column 3 (C)"),
        ("milex-xlsx", formula(), "row 2, column 2 (B)"),
        ("stix", json.dumps(BUNDLE | {"objects": [{"type": "x"}]}).encode(), "/objects/0/type"),
    ],
)
async def test_a_fault_is_told_with_its_row_and_column_or_path(
    api: Api, token: str, name: str, data: bytes, path: str
) -> None:
    reply = await convert(api, token, name, data)
    assert reply.status == 422
    assert path in [fault["path"] for fault in reply.json["faults"]]


async def test_a_bundle_goes_in_and_out(api: Api, token: str) -> None:
    source = own("ict-incident", "indicators")
    body = {name: value for name, value in source["body"].items() if name != "stix_bundle"}
    template = TEMPLATE | {"measure": source["measure"], "handling": source["handling"], "body": body}
    reply = await convert(api, token, "stix", json.dumps(BUNDLE).encode(), template)
    assert reply.status == 200, reply.json
    ident = await sent(api, token, reply.json["record"])
    assert json.loads((await export(api, token, ident, "stix")).body) == BUNDLE


@pytest.mark.parametrize("name", IMPORTERS)
async def test_a_file_beyond_the_bound_of_its_format_is_refused_before_it_is_read(
    api: Api, token: str, name: str
) -> None:
    reply = await convert(api, token, name, b"x" * (IMPORTERS[name].largest + 1))
    assert (reply.status, reply.code) == (413, "request-too-large")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (form(part("file", b"<alert/>", "a.xml")), "bad-form"),
        (form(part("template", b"{}")), "bad-form"),
        (form(part("template", b"{}"), part("file", b"x", "a"), part("file", b"x", "b")), "bad-form"),
        (form(part("template", b"{"), part("file", b"x", "a")), "bad-json"),
        (form(part("template", b"[]"), part("file", b"x", "a")), "bad-template"),
        (b"--b0undary", "bad-form"),
    ],
)
async def test_another_form_is_refused(api: Api, token: str, body: bytes, code: str) -> None:
    reply = await api.ask("POST", "/v1/convert/cap", token, data=io.BytesIO(body), headers=FORM)
    assert (reply.status in (400, 422), reply.code) == (True, code)


async def test_what_is_no_form_and_what_is_no_format_are_refused(api: Api, token: str) -> None:
    assert (await api.ask("POST", "/v1/convert/cap", token, json={})).code == "bad-form"
    assert (await convert(api, token, "pdf", b"x")).code == "no-such-format"
    ident = (await api.send(token, ["MNG"])).json["id"]
    wrong = await export(api, token, ident, "pdf")
    assert (wrong.status, wrong.code) == (422, "bad-request")


async def test_a_template_that_lacks_what_the_file_cannot_say_is_told_what(api: Api, token: str) -> None:
    reply = await convert(api, token, "cap", xml(), {"measure": "2.4.3"})
    assert (reply.status, reply.code) == (422, "invalid-record")
    assert {"/recipients", "/handling"} <= {fault["path"] for fault in reply.json["faults"]}


async def test_who_may_not_send_does_not_convert_and_who_may_not_read_does_not_export(api: Api, token: str) -> None:
    ident = (await api.send(token, ["MNG"])).json["id"]
    reader = await api.node.token("defence", ("read",))
    sender = await api.node.token("defence", ("send",))
    other = await api.node.token("health", ("read",))
    narrow = await api.node.token("defence", ("send", "read"), ("2.3.*",))
    assert (await convert(api, reader, "cap", xml())).code == "scope-missing"
    assert (await export(api, sender, ident, "json")).code == "scope-missing"
    for blind in (other, narrow):
        for name in ("json", *EXPORTERS):
            reply = await export(api, blind, ident, name)
            assert (reply.status, reply.code) == (404, "no-such-message")
    assert (await convert(api, narrow, "cap", xml())).code == "measure-not-allowed"
    assert (await api.ask("GET", f"/v1/messages/{ident}/export")).status == 401


async def test_a_record_comes_out_as_the_bytes_that_were_signed(api: Api, token: str) -> None:
    ident = (await api.send(token, ["MNG"])).json["id"]
    exported = await api.ask("GET", f"/v1/messages/{ident}/export", token)
    shown = (await api.ask("GET", f"/v1/messages/{ident}", token)).json["record"]
    assert exported.json == shown
    assert exported.body == json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", ["cap", "csv", "stix", "vcard", "xlsx"])
async def test_a_record_that_has_no_such_form_is_refused(api: Api, token: str, name: str) -> None:
    ident = (await api.send(token, ["MNG"])).json["id"]
    reply = await export(api, token, ident, name)
    assert (reply.status, reply.code.startswith("not-")) == (422, True), reply.json


async def test_a_place_and_a_card_come_out(api: Api, token: str) -> None:
    ident = (await api.send(token, ["MNG"])).json["id"]
    places = json.loads((await export(api, token, ident, "geojson")).body)
    assert places["type"] == "FeatureCollection"
    assert places["features"]
    card = await sent(api, token, own("contact-point", "coordination-body"))
    assert (await export(api, token, card, "vcard")).body.startswith(b"BEGIN:VCARD\r\nVERSION:4.0\r\n")


async def test_an_event_comes_out_as_it_stands_now_whichever_record_of_it_is_asked_for(
    api: Api, token: str, relay: HostileRelay
) -> None:
    content = {
        name: {
            key: value for key, value in example("military-activity-notification", name).items() if key not in ROUTED
        }
        for name in ("field-exercise", "cancellation")
    }
    first = await receive(api, relay, "MNG", content["field-exercise"], "urn:mng:1")
    before = Calendar.from_ical((await export(api, token, first, "ical", "true")).body).walk("VEVENT")[0]
    assert (str(before["UID"]), str(before["STATUS"])) == ("urn:mng:1@mng", "CONFIRMED")
    second = await receive(api, relay, "MNG", content["cancellation"] | {"references": ["urn:mng:1"]}, "urn:mng:2")
    await receive(api, relay, "UZB", content["field-exercise"], "urn:uzb:1")
    for ident in (first, second):
        (event,) = Calendar.from_ical((await export(api, token, ident, "ical", "true")).body).walk("VEVENT")
        assert (str(event["UID"]), str(event["STATUS"])) == ("urn:mng:1@mng", "CANCELLED")


async def test_an_alert_that_calls_a_huge_attachment_its_original_does_not_fill_the_memory(
    api: Api, token: str
) -> None:
    large = b"x" * (MAX_CAP_BYTES + 1)
    claimed = f"Rebuilt by CBM Exchange; the issuer's own file is attached, SHA-256 {sha256(large).hexdigest()}"
    record = (await convert(api, token, "cap", write_alert(alert(), claimed))).json["record"]
    ident = await sent(api, token, record, ("a.xml", large))
    refused = await export(api, token, ident, "cap")
    assert (refused.status, refused.code) == (409, "no-original")


async def test_many_conversions_at_once_are_all_answered(api: Api, token: str) -> None:
    replies = await asyncio.gather(*(convert(api, token, "cap", xml(200_000)) for _ in range(6)))
    assert {reply.status for reply in replies} == {200}


def test_accepted_senders_are_a_setting_of_the_node(tmp_path: Path) -> None:
    settings = 'member = "KAZ"\nrelay_url = "http://127.0.0.1:1"\ncharter_digest = "%s"\n' % ("0" * 64)
    (tmp_path / "node.toml").write_text(settings)
    assert load_config(tmp_path).convert.accepted_senders == ()
    (tmp_path / "node.toml").write_text(f'{settings}[convert]\naccepted_senders = ["{SENDER}"]\n')
    assert load_config(tmp_path).convert.accepted_senders == (SENDER,)
