"""CAP alerts to `disaster-alert` records and back (OASIS Common Alerting Protocol 1.2).

A valid alert goes into the record byte for byte and comes out byte for byte. An alert that breaks the schema is refused
with the fault, unless its sender is one whose habits the operator accepts; then the record holds an alert rebuilt from
what could be read, and names the issuer's own file as an attachment. That a file names a sender proves nothing: the
list says whose form is tolerated, never who is believed.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final

from lxml import etree

from exchange.convert.cap_links import AlertName, linked_records, name_of, record_id
from exchange.convert.cap_mend import Mender
from exchange.convert.cap_write import write_alert
from exchange.convert.errors import ConversionError, refuse
from exchange.convert.imported import Imported, Json, complete
from exchange.convert.limits import MAX_AROUND_ALERT, MAX_DEREF_URI
from exchange.convert.texts import clean, lang_text, language_tag, title_text
from schemas.cap import cap_bytes, disaster_alert_body, parse_xml, read_alert
from schemas.cap_grammar import NAMESPACE
from schemas.record_errors import Fault, RecordError, shorten
from schemas.record_limits import MAX_RECORD_BYTES

CAP_MEDIA_TYPE: Final = "application/cap+xml"
NAMESPACE_1_1: Final = "urn:oasis:names:tc:emergency:cap:1.1"
_FORM: Final = "cap"
_ACTIONS: Final = {"Alert": "new", "Update": "update", "Cancel": "cancel", "Ack": "ack", "Error": "error"}
_NO_ONE: Final[frozenset[str]] = frozenset()
_REMARK: Final = "Rebuilt by CBM Exchange; the issuer's own file is attached, SHA-256"
_REBUILT: Final = re.compile(rb"<\?xml[^>]*>\n<!-- " + re.escape(_REMARK.encode("ascii")) + rb" ([0-9a-f]{64}) -->\n")


def cap_to_record(
    xml: bytes,
    template: Json,
    *,
    accepted_senders: frozenset[str] = _NO_ONE,
    known: Mapping[AlertName, str] | None = None,
    convert_1_1: bool = False,
    filename: str = "original-alert.xml",
) -> Imported:
    """The record of one alert.

    Args:
        xml: the file.
        template: what the file cannot say (see `imported.complete`); `record_id` and `references` are derived from the
            alert's own name and references when the template has none.
        accepted_senders: senders, as the alert writes them, whose alerts may break the schema.
        known: ids of records whose id was not derived from an alert's name.
        convert_1_1: convert an alert of CAP 1.1 instead of refusing it.
        filename: name of the attachment that will carry the issuer's file, if the record cannot.

    Raises:
        ConversionError: no alert, or one that breaks the schema.
        RecordError: the record that comes of it is not valid, for example because the template lacks a member.
    """
    try:
        root = parse_xml(xml)
        _bound_embedded_files(root)
        if root.tag == f"{{{NAMESPACE_1_1}}}alert" and convert_1_1:
            return _rebuilt(xml, root, NAMESPACE_1_1, template, known, filename)
        alert = read_alert(xml)
    except RecordError as error:
        root = _parsed_or_refused(xml, error)
        if root.tag != f"{{{NAMESPACE}}}alert" or _sender(root) not in accepted_senders:
            raise ConversionError(_FORM, error.faults) from None
        return _rebuilt(xml, root, NAMESPACE, template, known, filename)
    body = disaster_alert_body(xml)
    derived, warnings = _derived(alert, template, known or {}, _room(body))
    found = complete(_FORM, template, derived, body)
    return Imported(found.record, (*warnings, *found.warnings))


def record_to_cap(record: Json, original: bytes | None = None) -> bytes:
    """The CAP file of a `disaster-alert` record: the bytes that it keeps, or a file built from its projection.

    Args:
        record: a record, or the draft of one whose body has `alert` and no `cap` yet.
        original: the issuer's file, for a record that names it as an attachment; it is returned if it is that file.

    Raises:
        ConversionError: the record holds no alert, or `original` is not the file that it names.
        RecordError: its `cap` is not base64.
    """
    body = record.get("body")
    if not isinstance(body, dict) or not ({"cap", "alert"} & body.keys()):
        raise refuse(_FORM, "/body", "no alert", "a body with cap or alert, as a disaster-alert record has")
    if original is not None:
        digest = hashlib.sha256(original).hexdigest()
        if all(file.get("sha256") != digest for file in record.get("attachments", ())):
            raise refuse(_FORM, "/attachments", "no such file", f"an attachment with the SHA-256 {digest}")
        return original
    return cap_bytes(body) if "cap" in body else write_alert(body["alert"])


def kept_original(record: Json) -> str | None:
    """SHA-256, in hexadecimal, of the attachment that is the issuer's own file; None when `cap` is that file.

    The alert of such a record was rebuilt here, because the issuer's is not valid CAP 1.2; it names the file.
    """
    match = _REBUILT.match(cap_bytes(record["body"])) if "cap" in record["body"] else None
    digest = match[1].decode("ascii") if match is not None else None
    return digest if any(file["sha256"] == digest for file in record.get("attachments", ())) else None


def with_alert(record: Json) -> Json:
    """A draft whose body has `alert` and no `cap`, completed by the file built from it.

    Raises:
        ConversionError: the projection is no alert.
    """
    xml = record_to_cap(record)
    return record | {"body": record["body"] | disaster_alert_body(xml)}


def _rebuilt(
    xml: bytes,
    root: etree._Element,
    namespace: str,
    template: Json,
    known: Mapping[AlertName, str] | None,
    filename: str,
) -> Imported:
    mender = Mender(namespace)
    mended = mender.alert(root)
    digest = hashlib.sha256(xml).hexdigest()
    built = write_alert(mended, f"{_REMARK} {digest}")
    body = disaster_alert_body(built)
    derived, warnings = _derived(body["alert"], template, known or {}, _room(body))
    places = ", ".join(dict.fromkeys(fault.path or "/" for fault in mender.faults)) or "its version"
    told = (
        f"The issuer's file is not valid CAP 1.2 ({places}). It is attached unchanged; this alert was rebuilt from it."
    )
    if {"summary", "attachments"} & template.keys():
        expected = "neither in the template: both tell of the issuer's file"
        raise refuse(_FORM, "", "a summary or attachments in the template", expected)
    texts = derived.get("summary", {})
    texts = {derived["language"]: told, **texts, "en": f"{told}\n\n{texts.get('en', '')}"}
    derived["summary"] = lang_text(texts.items(), told)
    derived["attachments"] = [
        {"filename": filename, "media_type": CAP_MEDIA_TYPE, "size": len(xml), "sha256": digest},
    ]
    found = complete(_FORM, template, derived, body)
    return Imported(found.record, (*mender.faults, *warnings, *found.warnings), xml)


def _room(body: Json) -> int:
    """Bytes that are left in a record for texts that its alert has as well."""
    return MAX_RECORD_BYTES - MAX_AROUND_ALERT - len(json.dumps(body, ensure_ascii=False).encode("utf-8"))


def _derived(alert: Json, template: Json, known: Mapping[AlertName, str], room: int) -> tuple[Json, list[Fault]]:
    """Members of the record that the alert says; its descriptions only when they take no more than `room` bytes."""
    given = template.get("originators")
    # What is no list of codes gets no further than the validation of the record.
    originators = [str(code) for code in given] if isinstance(given, list) else []
    references, warnings = linked_records(alert, originators, known)
    references = template.get("references", references)
    # An alert that names no other acts on no record that could be named.
    action = _ACTIONS[alert["msgType"]] if references else "new"
    infos = alert.get("info", ())
    told = [(language_tag(info.get("language", "en-US")), info) for info in infos]
    plain = _plain_title(alert)
    spoken = title_text(
        ((tag, text) for tag, info in told for text in (info.get("headline", ""), info["event"])), plain
    )
    summary = lang_text(((tag, info.get("description", "")) for tag, info in told), plain)
    derived = {
        "record_id": record_id(originators, name_of(alert)),
        "record_type": "disaster-alert",
        "schema_version": "1.0.0",
        "action": action,
        "mode": alert["status"].lower(),
        "language": told[0][0] if told and told[0][0] in spoken else next(iter(spoken)),
        "title": spoken,
    }
    if references:
        derived["references"] = references
    if len(json.dumps(summary, ensure_ascii=False).encode("utf-8")) > room:
        expected = f"at most {max(room, 0)} bytes beside the alert: read the descriptions in the alert itself"
        warnings.append(Fault("/summary", "longer descriptions", expected, warning=True))
    elif any(info.get("description", "").strip() for info in infos) and derived["language"] in summary:
        derived["summary"] = summary
    return derived, warnings


def _plain_title(alert: Json) -> str:
    """A title in English out of the alert's codes, for an alert that speaks neither English nor Russian."""
    infos = alert.get("info", ())
    codes = [code for info in infos[:1] for code in (*info["category"], info["severity"], info["urgency"])]
    sender = clean(alert["sender"], 120) or "an unnamed sender"
    return f"CAP {alert['msgType']} from {sender}" + "".join(f", {code}" for code in codes[:8])


def _bound_embedded_files(root: etree._Element) -> None:
    for node in root.iter("{*}derefUri"):
        if len(node.text or "") > MAX_DEREF_URI:
            expected = f"at most {MAX_DEREF_URI} characters: name the file by uri, or attach it to the record"
            raise RecordError([Fault("/info", "a larger derefUri", expected)])


def _parsed_or_refused(xml: bytes, error: RecordError) -> etree._Element:
    try:
        root = parse_xml(xml)
        _bound_embedded_files(root)
    except RecordError:
        raise ConversionError(_FORM, error.faults) from None
    if root.tag == f"{{{NAMESPACE_1_1}}}alert":
        raise refuse(_FORM, "", shorten(root.tag), "CAP 1.2; ask for the conversion if this CAP 1.1 alert is wanted")
    return root


def _sender(root: etree._Element) -> str | None:
    node = root.find(f"{{{NAMESPACE}}}sender")
    return None if node is None else node.text
