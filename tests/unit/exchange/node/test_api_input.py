"""Wrong input to the node's real API: the exact problem, and nothing has changed."""

import io
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.limits import MAX_ATTACHMENTS, MAX_RECORD
from tests.support.forms import FORM, JSON, form, part, text
from tests.support.node import Api, Reply, bare_record


def record(**changes: object) -> dict[str, Any]:
    return {"record": {**bare_record(), **changes}}


@dataclass(frozen=True)
class Wrong:
    """A request that is refused: its body, and the exact answer."""

    data: bytes
    status: int
    code: str
    path: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


WRONG: dict[str, Wrong] = {
    "no-body": Wrong(b"", 400, "bad-json"),
    "no-json": Wrong(b"{", 400, "bad-json"),
    "json-in-another-encoding": Wrong('{"to":"Ä"}'.encode("latin-1"), 400, "bad-json"),
    "a-member-twice": Wrong(b'{"to":["MNG"],"to":["UZB"]}', 400, "bad-json"),
    "not-a-number": Wrong(b'{"to":NaN}', 400, "bad-json"),
    "nested-without-end": Wrong(b"[" * 100_000, 400, "bad-json"),
    "an-unpaired-surrogate": Wrong(b'{"measure":"\\ud800"}', 400, "bad-json"),
    "larger-than-a-record": Wrong(b'"' + b"x" * MAX_RECORD + b'"', 413, "request-too-large"),
    "no-object": Wrong(b"[]", 422, "bad-request", "/"),
    "nothing-in-it": Wrong(b"{}", 422, "bad-request", "/to"),
    "an-unknown-field": Wrong(text(priority="flash"), 422, "bad-request", "/priority"),
    "no-recipient": Wrong(text(to=[]), 422, "bad-request", "/to"),
    "a-recipient-that-is-no-code": Wrong(text(to=["Mongolia"]), 422, "bad-member"),
    "a-recipient-in-no-charter": Wrong(text(to=["IND"]), 404, "unknown-member"),
    "the-own-member": Wrong(text(to=["KAZ", "MNG"]), 422, "own-member"),
    "no-secretariat-in-the-charter": Wrong(text(copy_secretariat=True), 404, "unknown-member"),
    "an-unknown-precedence": Wrong(text(precedence="urgent"), 422, "bad-request", "/precedence"),
    "an-unknown-marking": Wrong(text(tlp="SECRET"), 422, "bad-request", "/tlp"),
    "unknown-onward-terms": Wrong(text(onward="maybe"), 422, "bad-request", "/onward"),
    "an-unknown-purpose": Wrong(text(purpose="war"), 422, "bad-request", "/purpose"),
    "no-date": Wrong(text(until="tomorrow"), 422, "bad-request", "/until"),
    "no-span": Wrong(text(expires="soon"), 422, "bad-request", "/expires"),
    "an-end-before-the-beginning": Wrong(text(until="2020-01-01"), 422, "bad-terms"),
    "a-year-before-all-time": Wrong(text(until="0001-01-01"), 422, "bad-terms"),
    "an-embargo-longer-than-an-outbox": Wrong(text(not_before="2027-06-01"), 422, "embargo-too-long"),
    "red-and-public": Wrong(text(tlp="RED", onward="public"), 422, "invalid-record", "/record/handling/onward"),
    "a-record-of-no-type": Wrong(text(record={}), 422, "invalid-record", "/record/record_type"),
    "a-record-against-its-schema": Wrong(text(**record(title="text")), 422, "invalid-record", "/record/title"),
    "a-record-with-an-unknown-field": Wrong(text(**record(note="x")), 422, "invalid-record"),
    "a-record-of-another-measure": Wrong(text(measure="2.4.3"), 422, "record-differs", "/record/measure"),
    "a-record-of-another-originator": Wrong(
        text(**record(originators=["MNG"])), 422, "invalid-record", "/record/originators"
    ),
    "an-empty-idempotency-key": Wrong(text(), 422, "bad-idempotency-key", headers={"Idempotency-Key": ""}),
    "a-long-idempotency-key": Wrong(text(), 422, "bad-idempotency-key", headers={"Idempotency-Key": "k" * 201}),
    "a-form-without-a-boundary": Wrong(
        form(part("message", text())), 400, "bad-form", headers={"Content-Type": "multipart/form-data"}
    ),
    "a-form-of-another-boundary": Wrong(b"--other\r\n\r\nx\r\n--other--", 400, "bad-form", headers=FORM),
    "a-form-without-parts": Wrong(form(), 400, "bad-form", headers=FORM),
    "a-form-that-is-empty": Wrong(b"", 400, "bad-form", headers=FORM),
    "a-form-whose-first-part-is-a-file": Wrong(form(part("attachment", b"x", "a")), 400, "bad-form", headers=FORM),
    "a-form-with-an-unknown-part": Wrong(
        form(part("message", text()), part("attachment", b"x", "a"), part("other", b"x")), 400, "bad-form", headers=FORM
    ),
    "a-form-whose-message-is-no-json": Wrong(form(part("message", b"{")), 400, "bad-json", headers=FORM),
    "a-form-with-a-nested-form": Wrong(
        form(part("message", b"x", None, "Content-Type: multipart/mixed; boundary=inner\r\n")),
        400,
        "bad-form",
        headers=FORM,
    ),
    "a-form-whose-part-has-headers-without-end": Wrong(
        form(part("message", text(), None, "X-A: a\r\n" * 2_000)), 400, "bad-form", headers=FORM
    ),
    "a-form-whose-file-has-a-header-without-end": Wrong(
        form(part("message", text()), part("attachment", b"x", "a", "X-A: " + "a" * 100_000 + "\r\n")),
        400,
        "bad-form",
        headers=FORM,
    ),
    "a-form-cut-in-a-file": Wrong(
        form(part("message", text()), part("attachment", b"x" * 100_000, "a"), end=b""), 400, "bad-form", headers=FORM
    ),
    "a-form-with-too-many-files": Wrong(
        form(part("message", text()), *(part("attachment", b"x", f"{n}") for n in range(MAX_ATTACHMENTS + 1))),
        413,
        "too-many-attachments",
        headers=FORM,
    ),
    "a-form-whose-record-is-invalid-after-its-files": Wrong(
        form(part("message", text(record={})), part("attachment", b"x", "a")), 422, "invalid-record", headers=FORM
    ),
}
NAMES = ("../../etc/passwd", "/etc/passwd", "a/b", "..", ".", "a\\\\b", "..%2f..%2f\u202egnp.exe")


async def refused(api: Api, wrong: Wrong, token: str) -> Reply:
    before = api.node.facts()
    reply = await api.ask("POST", "/v1/messages", token, data=io.BytesIO(wrong.data), headers={**JSON, **wrong.headers})
    assert (reply.status, reply.code) == (wrong.status, wrong.code), reply.body
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert api.node.facts() == before
    assert api.node.files() == []
    return reply


@pytest.mark.parametrize("name", WRONG)
async def test_wrong_input_is_a_problem_and_changes_nothing(api: Api, token: str, name: str) -> None:
    reply = await refused(api, WRONG[name], token)
    assert reply.json.keys() >= {"type", "title", "status", "detail"}
    assert "Traceback" not in reply.body.decode()
    if WRONG[name].path is not None:
        assert reply.json["path"] == WRONG[name].path


@pytest.mark.parametrize("filename", NAMES)
async def test_an_attachment_named_as_a_path_is_refused(api: Api, token: str, filename: str) -> None:
    data = form(part("message", text()), part("attachment", b"x", filename))
    await refused(api, Wrong(data, 422, "bad-attachment", headers=FORM), token)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/messages?box=trash", 422, "bad-request"),
        ("GET", "/v1/messages?limit=201", 422, "bad-request"),
        ("GET", "/v1/messages?limit=-1", 422, "bad-request"),
        ("GET", "/v1/messages?after=x", 422, "bad-request"),
        ("GET", "/v1/messages?after=7", 422, "bad-request"),
        ("GET", f"/v1/messages?after={'0' * 96}", 422, "bad-request"),
        ("GET", f"/v1/messages?after={'0' * 1000}", 422, "bad-request"),
        ("GET", "/v1/messages/xyz", 404, "no-such-message"),
        ("GET", f"/v1/messages/{'0' * 32}", 404, "no-such-message"),
        ("GET", f"/v1/messages/{'0' * 32}/attachments/x", 404, "no-such-message"),
        ("DELETE", "/v1/messages", 405, "bad-request"),
        ("GET", "/v2/messages", 404, "no-such-path"),
        ("GET", "/v1/events?after=x", 422, "bad-request"),
    ],
)
async def test_a_wrong_question(api: Api, token: str, method: str, path: str, status: int, code: str) -> None:
    reply = await api.ask(method, path, token)
    assert (reply.status, reply.code) == (status, code)
