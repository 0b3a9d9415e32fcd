"""The client against a real server: what is sent again keeps its key, and nothing is lost or doubled."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.client import Attachment, BadAnswer, Box, Message, NodeClient, NotPrivate, Problem, Retry, Unreachable
from tests.support.small_node import DROP_AFTER, DROP_BEFORE, TOKEN, SmallNode

QUICK = Retry(attempts=4, first_wait=0.001, longest_wait=0.01)
RECORD = {"record_type": "defence-budget", "note": "Қазақстан"}
A, B, C = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture
async def node() -> AsyncIterator[SmallNode]:
    async with SmallNode().running() as small:
        yield small


@pytest.fixture
async def client(node: SmallNode) -> AsyncIterator[NodeClient]:
    async with NodeClient(node.url, TOKEN, retry=QUICK) as opened:
        yield opened


async def test_a_record_arrives_as_it_was_given(node: SmallNode, client: NodeClient) -> None:
    queued = await client.send(["MNG", "UZB"], "2.1.1.b", RECORD, onward="none", expires="30d", copy_secretariat=True)
    assert queued.state == "queued"
    assert node.sent[queued.id] == {
        "to": ["MNG", "UZB"],
        "measure": "2.1.1.b",
        "record": RECORD,
        "onward": "none",
        "expires": "30d",
        "copy_secretariat": True,
    }


@pytest.mark.parametrize("fault", [DROP_BEFORE, DROP_AFTER, 503, 429, 502])
async def test_a_send_that_is_repeated_keeps_its_key_and_happens_once(
    node: SmallNode, client: NodeClient, fault: int | str
) -> None:
    node.faults = [fault, fault]
    queued = await client.send(["MNG"], "2.1.1.b", RECORD)
    keys = [key for method, _, key in node.seen if method == "POST"]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert list(node.queued.values()) == [queued.id]


async def test_two_sends_have_two_keys(node: SmallNode, client: NodeClient) -> None:
    await client.send(["MNG"], "2.1.1.b", RECORD)
    await client.send(["MNG"], "2.1.1.b", RECORD)
    assert len(node.queued) == 2


async def test_the_callers_key_is_the_one_that_is_sent(node: SmallNode, client: NodeClient) -> None:
    first = await client.send(["MNG"], "2.1.1.b", RECORD, idempotency_key="budget-2027")
    assert await client.send(["MNG"], "2.1.1.b", RECORD, idempotency_key="budget-2027") == first
    assert list(node.queued) == ["budget-2027"]


async def test_attempts_are_bounded(node: SmallNode, client: NodeClient) -> None:
    node.faults = [503] * 9
    with pytest.raises(Problem) as caught:
        await client.send(["MNG"], "2.1.1.b", RECORD)
    assert (caught.value.status, caught.value.type) == (503, "urn:cbm:problem:asked-for")
    assert len(node.seen) == QUICK.attempts
    assert node.queued == {}


@pytest.mark.parametrize("status", [400, 403, 409, 413, 422, 500])
async def test_a_final_refusal_is_not_repeated(node: SmallNode, client: NodeClient, status: int) -> None:
    node.faults = [status]
    with pytest.raises(Problem) as caught:
        await client.forward(A, ["UZB"])
    assert caught.value.status == status
    assert len(node.seen) == 1
    assert node.queued == {}


async def test_a_refused_forward_names_the_provider(node: SmallNode, client: NodeClient) -> None:
    node.refusal = {
        "type": "urn:cbm:problem:no-consent",
        "title": "Refused",
        "status": 403,
        "detail": "KAZ has not consented",
        "provider": "KAZ",
        "recipient": "UZB",
    }
    with pytest.raises(Problem) as caught:
        await client.forward(A, ["UZB"])
    assert caught.value.extra == {"provider": "KAZ", "recipient": "UZB"}
    assert caught.value.document() == node.refusal


async def test_a_forward_that_is_repeated_keeps_its_key(node: SmallNode, client: NodeClient) -> None:
    node.faults = [DROP_AFTER]
    queued = await client.forward(A, ["UZB"], precedence="flash")
    assert node.sent[queued.id] == {"forwarded": A, "to": ["UZB"], "precedence": "flash"}
    assert len(node.seen) == 2
    assert len(node.queued) == 1


# The server's own multipart reader calls what aiohttp has deprecated.
@pytest.mark.filterwarnings("ignore:unread_data")
async def test_attachments_are_streamed_and_sent_again_whole(
    node: SmallNode, client: NodeClient, tmp_path: Path
) -> None:
    large, odd = tmp_path / "large.zzz", tmp_path / 'План "1".pdf'
    large.write_bytes(bytes(range(256)) * 4096)
    odd.write_bytes(b"%PDF")
    steps: list[tuple[int, int]] = []
    node.faults = [DROP_AFTER]
    files: list[Attachment | Path | str] = [large, Attachment(odd, odd.name, "application/pdf")]
    queued = await client.send(
        ["MNG"], "2.1.1.b", RECORD, attachments=files, progress=lambda sent, total: steps.append((sent, total))
    )
    assert node.sent[queued.id]["record"] == RECORD
    assert node.files[queued.id] == [
        ("large.zzz", "application/octet-stream", large.read_bytes()),
        ('План "1".pdf', "application/pdf", b"%PDF"),
    ]
    assert steps[-1] == (2**20 + 4, 2**20 + 4)
    assert len(node.seen) == 2


@pytest.mark.parametrize("name", ["", "a\r\nContent-Type: text/html", "a\x00b"])
def test_a_name_cannot_add_headers(name: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        Attachment(Path("a"), name)


async def test_a_missing_attachment_is_found_before_anything_is_sent(node: SmallNode, client: NodeClient) -> None:
    with pytest.raises(FileNotFoundError):
        await client.send(["MNG"], "2.1.1.b", RECORD, attachments=["no such file"])
    assert node.seen == []


@pytest.mark.parametrize(("box", "expected"), [("inbox", [A, C]), ("outbox", [B])])
async def test_a_box_is_read_page_after_page(
    node: SmallNode, client: NodeClient, box: Box, expected: list[str]
) -> None:
    node.add(A)
    node.add(B, box="outbox")
    node.add(C)
    assert [summary.id async for summary in client.messages(box)] == expected


async def test_a_message_has_its_record_and_terms(node: SmallNode, client: NodeClient) -> None:
    attached = {"index": 0, "filename": "a.pdf", "media_type": "application/pdf", "size": 3, "sha256": "00"}
    node.add(A, attachments=[attached])
    node.blobs[A, 0] = b"abc" * 300_000
    message = await client.message(A)
    assert (message.id, message.record) == (A, {"record_type": "x"})
    assert (message.summary.title, message.envelopes[0]["receipt"]) == ("A budget", None)
    assert message.summary.attachments[0].filename == "a.pdf"
    assert message.summary.recipients[0].member == "MNG"
    assert b"".join([piece async for piece in client.attachment(A, 0)]) == node.blobs[A, 0]


async def test_the_inbox_goes_on_after_every_break_without_loss_or_repeat(node: SmallNode, client: NodeClient) -> None:
    node.events_per_connection = 1
    node.add(A)
    node.add(B)
    node.add(C)
    received = await first(client, 3)
    assert [(message.id, message.event_id) for message in received] == [(A, "1"), (B, "2"), (C, "3")]
    assert node.resumed == [None, "1", "2"]


async def test_the_inbox_goes_on_after_the_event_that_is_given(node: SmallNode, client: NodeClient) -> None:
    node.add(A)
    node.add(B)
    assert [message.id for message in await first(client, 1, "1")] == [B]


async def test_a_message_that_was_purged_since_is_passed_over(node: SmallNode, client: NodeClient) -> None:
    node.add(A)
    node.add(B)
    del node.rows[A]
    assert [message.id for message in await first(client, 1)] == [B]


async def test_events_survive_a_node_that_is_busy(node: SmallNode, client: NodeClient) -> None:
    node.add(A)
    node.faults = [503, DROP_BEFORE]
    async for event in client.events():
        assert (event.kind, event.data) == ("message.received", {"id": A, "box": "inbox"})
        break
    assert node.resumed == [None]


async def test_events_end_when_the_token_is_refused(node: SmallNode) -> None:
    async with NodeClient(node.url, "another", retry=QUICK) as client:
        with pytest.raises(Problem, match="no valid token"):
            await anext(client.events())


async def test_members_and_status(client: NodeClient) -> None:
    members = await client.members()
    assert (members.charter, members.directory_size) == (1, 9)
    assert members.members[0].names == {"en": "Kazakhstan"}
    assert await client.status() == {"member": "MNG"}


async def test_what_is_no_node_is_said_to_be_none(node: SmallNode, client: NodeClient) -> None:
    node.add(A, recipients="all")
    with pytest.raises(BadAnswer):
        await client.message(A)


async def test_a_node_that_is_away_is_unreachable() -> None:
    async with NodeClient("http://127.0.0.1:9", TOKEN, retry=Retry(2, 0.001, 0.001)) as client:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
            await client.members()


async def test_a_redirect_is_not_followed_with_the_token(node: SmallNode, client: NodeClient) -> None:
    node.faults = [307]
    with pytest.raises(Problem) as caught:
        await client.members()
    assert caught.value.status == 307
    assert len(node.seen) == 1


async def test_a_certificate_that_is_not_trusted_ends_it_at_once(node: SmallNode) -> None:
    tls = ssl.create_default_context()
    url = node.url.replace("http://", "https://")
    async with NodeClient(url, TOKEN, tls=tls, retry=Retry(100, 10, 10)) as client:
        with pytest.raises(Unreachable):
            await client.members()
    assert node.seen == []


@pytest.mark.parametrize("ident", ["", "../status", "a/b", "a?x"])
async def test_an_id_never_becomes_another_path(node: SmallNode, client: NodeClient, ident: str) -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        await client.message(ident)
    assert node.seen == []


@pytest.mark.parametrize(
    "url",
    ["http://node.example:80", "http://192.0.2.1", "ftp://127.0.0.1", "https://user@node.example", "node", "http://["],
)
def test_a_token_never_travels_in_clear_or_to_no_node(url: str) -> None:
    with pytest.raises(NotPrivate) as caught:
        NodeClient(url, TOKEN)
    assert TOKEN not in str(caught.value)


async def first(client: NodeClient, count: int, last_id: str | None = None) -> list[Message]:
    """The first messages that the inbox yields."""
    found: list[Message] = []
    async for message in client.inbox(last_id):
        found.append(message)
        if len(found) == count:
            break
    return found
