"""Who comes in, who is turned away, what is refused and what is read: each in the audit log, and no flood fills it."""

import sqlite3
from collections import Counter
from typing import Any

import aiohttp
import pytest

from exchange.node.access import Caller, Scope
from schemas.audit import AuditEntry, AuditKind, read_entry
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, sealed_by
from tests.support.world import World

DAY = 86_400
MINUTE = 60


async def entries(tested: TestNode, *kinds: AuditKind) -> list[AuditEntry]:
    found = [read_entry(leaf.leaf or b"") for leaf in await tested.parts.stores.audit.leaves(0, 10_000)]
    return [entry for entry in found if not kinds or entry.kind in kinds]


async def ask(api: Api, bearer: str, path: str = "/v1/members", method: str = "GET", **more: Any) -> int:  # noqa: ANN401  # as the client has it
    headers = {"Authorization": f"Bearer {bearer}"}
    async with api.http.request(method, api.url + path, headers=headers, **more) as answer:
        await answer.read()
        return answer.status


async def test_the_first_request_of_a_day_is_a_login(kaz: TestNode, api: Api, token: str) -> None:
    for _ in range(3):
        assert await ask(api, token) == 200
    kaz.clock.time += DAY
    assert await ask(api, token) == 200
    first, second = await entries(kaz, AuditKind.LOGIN)
    assert first.actor == second.actor == f"defence/{token.split('_')[1]}"
    assert first.address is not None
    assert first.address != second.address
    assert b"127.0.0.1" not in first.address


async def test_denied_requests_are_counted_and_written_when_the_minute_is_over(kaz: TestNode, api: Api) -> None:
    kaz.clock.time -= kaz.clock.time % 60
    for number in range(500):
        assert await ask(api, f"cbm_{number:016x}_{'0' * 64}") == 401
    assert await ask(api, "nonsense") == 401
    await kaz.parts.doors.flush()
    assert await entries(kaz) == []
    kaz.clock.time += 60
    await kaz.parts.doors.flush()
    (entry,) = await entries(kaz)
    assert (entry.kind, entry.reason, entry.count, entry.actor) == (AuditKind.LOGIN_DENIED, "bad-token", 501, None)
    assert entry.address is not None
    await kaz.parts.doors.flush(whole=True)
    assert len(await entries(kaz)) == 1


async def test_a_refusal_says_who_and_why_and_nothing_else(kaz: TestNode, api: Api, token: str) -> None:
    body = {"to": ["MNG"], "measure": "9.9.9", "record": {"secret": "a title nobody may see"}}
    assert await ask(api, token, "/v1/messages", "POST", json=body) == 422
    reader = await kaz.token("health", ("read",))
    assert await ask(api, reader, "/v1/messages", "POST", json=body) == 403
    assert await ask(api, reader, "/v1/messages/00") == 404
    first, second = await entries(kaz, AuditKind.SUBMISSION_REFUSED)
    assert first.actor is not None
    assert (first.actor.split("/")[0], second.reason) == ("defence", "scope-missing")
    for leaf in await kaz.parts.stores.audit.leaves(0, 99):
        assert b"nobody" not in (leaf.leaf or b"")


async def test_what_is_read_of_the_inbox_is_opened(
    world: World, relay: HostileRelay, kaz: TestNode, api: Api, token: str
) -> None:
    relay.accept(sealed_by(world, "MNG", ("KAZ",)))
    await kaz.pull()
    (message,) = kaz.inbox()
    ident = message.hex()
    assert await ask(api, token, f"/v1/messages/{ident}") == 200
    assert await ask(api, token, "/v1/messages") == 200
    (entry,) = await entries(kaz, AuditKind.OPENED)
    assert entry.actor == f"defence/{token.split('_')[1]}"
    assert entry.subject == bytes.fromhex(ident)


async def test_what_cannot_be_written_down_is_not_shown(
    world: World, relay: HostileRelay, kaz: TestNode, api: Api, token: str
) -> None:
    relay.accept(sealed_by(world, "MNG", ("KAZ",)))
    await kaz.pull()
    (message,) = kaz.inbox()
    ident = message.hex()
    assert await ask(api, token) == 200
    await kaz.database.write(
        lambda c: c.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    )
    async with api.http.get(f"{api.url}/v1/messages/{ident}", headers={"Authorization": f"Bearer {token}"}) as answer:
        assert answer.status >= 500
        assert "record" not in await answer.json(content_type=None)


async def test_many_addresses_become_few_entries(kaz: TestNode, api: Api) -> None:
    """As many as loopback has: each is another caller to the node."""
    kaz.clock.time -= kaz.clock.time % 60
    for number in range(40):
        connector = aiohttp.TCPConnector(local_addr=(f"127.0.0.{number + 2}", 0))
        async with aiohttp.ClientSession(connector=connector) as http, http.get(f"{api.url}/v1/members") as answer:
            assert answer.status == 401
    await kaz.parts.doors.flush(whole=True)
    counts = Counter(entry.address is None for entry in await entries(kaz))
    assert counts == {False: 16, True: 1}
    assert sum(entry.count or 0 for entry in await entries(kaz)) == 40


async def test_denied_requests_are_not_forgotten_while_the_disk_is_full(kaz: TestNode, api: Api) -> None:
    assert await ask(api, "nonsense") == 401
    full = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    await kaz.database.write(lambda c: c.execute(full))
    with pytest.raises(sqlite3.IntegrityError):
        await kaz.parts.doors.flush(whole=True)
    await kaz.database.write(lambda c: c.execute("DROP TRIGGER full"))
    for _ in range(2):
        await kaz.parts.doors.flush()
        assert [entry.count for entry in await entries(kaz)] == [1]


async def test_a_token_that_is_refused_again_and_again_becomes_few_entries(kaz: TestNode, api: Api, token: str) -> None:
    """The first ones are entries of their own; the rest is counted, of each token and reason, and nothing is lost."""
    kaz.clock.time -= kaz.clock.time % MINUTE
    reader = await kaz.token("health", ("read",))
    for _ in range(50):
        assert await ask(api, token, "/v1/messages", "POST", json={}) == 422
    assert await ask(api, reader, "/v1/messages", "POST", json={}) == 403
    assert await ask(api, token, "/v1/audit") == 403
    kaz.clock.time += MINUTE
    assert await ask(api, token, "/v1/messages", "POST", json={}) == 422
    await kaz.parts.doors.flush()
    refused = await entries(kaz, AuditKind.SUBMISSION_REFUSED)
    counted = Counter[tuple[str | None, str | None]]()
    for entry in refused:
        counted[entry.actor, entry.reason] += entry.count or 1
    own, other = (f"{name}/{text.split('_')[1]}" for name, text in (("defence", token), ("health", reader)))
    (reason,) = {one for who, one in counted if who == own} - {"scope-missing"}
    assert counted == {(own, reason): 51, (own, "scope-missing"): 1, (other, "scope-missing"): 1}
    assert len(refused) == 32 + 1 + 1 + 2


async def test_what_was_refused_is_not_forgotten_when_the_node_stops(kaz: TestNode, api: Api, token: str) -> None:
    for _ in range(40):
        assert await ask(api, token, "/v1/messages", "POST", json={}) == 422
    await kaz.parts.doors.flush(whole=True)
    assert sum(entry.count or 1 for entry in await entries(kaz, AuditKind.SUBMISSION_REFUSED)) == 40


async def test_one_token_from_many_addresses_makes_a_few_logins_a_minute(kaz: TestNode, api: Api, token: str) -> None:
    kaz.clock.time -= kaz.clock.time % MINUTE
    for number in range(2, 102):
        connector = aiohttp.TCPConnector(local_addr=(f"127.0.0.{number}", 0))
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(connector=connector, headers=headers) as http,
            http.get(f"{api.url}/v1/members") as answer,
        ):
            assert answer.status == 200
    await kaz.parts.doors.flush(whole=True)
    found = await entries(kaz, AuditKind.LOGIN)
    assert len(found) == 33
    assert (found[-1].reason, found[-1].count, found[-1].actor) == ("again", 68, found[0].actor)


async def test_one_token_that_reads_or_exports_again_and_again_is_counted(
    world: World, kaz: TestNode, api: Api
) -> None:
    caller = Caller("0" * 16, "defence", frozenset({Scope.READ}), ("*",))
    kaz.clock.time -= kaz.clock.time % MINUTE
    for number in range(100):
        await kaz.parts.doors.opened(caller, b"p" * 32, number.to_bytes(16, "big"))
    for _ in range(100):
        await kaz.parts.doors.opened(caller, b"p" * 32, bytes(16))
        await kaz.parts.doors.exported(caller)
    await kaz.parts.doors.flush(whole=True)
    opened, out = await entries(kaz, AuditKind.OPENED), await entries(kaz, AuditKind.EXPORTED)
    assert len({entry.subject for entry in opened[:100]}) == 100
    assert (len(opened), opened[-1].count, len(out), out[-1].count) == (133, 68, 33, 68)
