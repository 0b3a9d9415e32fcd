"""Attacks by insiders: stolen, revoked and borrowed tokens, and what another ministry may not see."""

import hashlib
from collections.abc import AsyncIterator

import pytest

from tests.support.attacks import delivered
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, Reply, TestNode, api_of, bare_record, manifest_of, sealed_by
from tests.support.world import World

SENDING = ("send", "read")


@pytest.fixture
async def api(mng: TestNode) -> AsyncIterator[Api]:
    """MNG's node, as its ministries see it."""
    async with api_of(mng) as opened:
        yield opened


async def refused(
    api: Api, token: str | None, method: str, path: str, status: int, code: str, **request: object
) -> Reply:
    """Refused with a problem, and nothing has changed."""
    before = api.node.facts()
    reply = await api.ask(method, path, token, **request)
    assert (reply.status, reply.code) == (status, code)
    assert api.node.facts() == before
    return reply


async def every_way_in(api: Api, token: str | None, status: int, code: str) -> None:
    """All that a token could be good for."""
    message = "0" * 32
    for method, path in (
        ("POST", "/v1/messages"),
        ("GET", "/v1/messages"),
        ("GET", f"/v1/messages/{message}"),
        ("GET", f"/v1/messages/{message}/attachments/0"),
        ("POST", f"/v1/messages/{message}/forward"),
        ("GET", "/v1/events"),
        ("GET", "/v1/members"),
        ("GET", "/v1/status"),
        ("GET", "/metrics"),
    ):
        await refused(api, token, method, path, status, code, json={} if method == "POST" else None)


async def test_no_token(api: Api) -> None:
    await every_way_in(api, None, 401, "bad-token")


async def test_a_token_digest_stolen_from_the_database_is_no_token(api: Api) -> None:
    text = await api.node.token("defence", SENDING)
    (row,) = api.node.rows("tokens")
    stolen = row["hash"]
    assert stolen == hashlib.sha256(bytes.fromhex(text.split("_")[2])).digest()
    await every_way_in(api, f"cbm_{row['id']}_{stolen.hex()}", 401, "bad-token")
    await every_way_in(api, stolen.hex(), 401, "bad-token")
    assert text.split("_")[2] not in repr(api.node.rows("tokens"))


async def test_a_revoked_token_is_refused_at_once(api: Api) -> None:
    token = await api.node.token("defence", SENDING)
    assert (await api.ask("GET", "/v1/messages", token)).status == 200
    await api.node.parts.stores.access.revoke_token(token.split("_")[1], api.node.clock.now())
    await every_way_in(api, token, 401, "bad-token")


async def test_a_token_without_the_scope(api: Api) -> None:
    nothing = await api.node.token("defence", ("release", "consent", "audit"))
    await every_way_in(api, nothing, 403, "scope-missing")
    reader = await api.node.token("defence", ("read",))
    await refused(api, reader, "POST", "/v1/messages", 403, "scope-missing", json={})
    await refused(api, reader, "POST", f"/v1/messages/{'0' * 32}/forward", 403, "scope-missing", json={})
    await refused(api, reader, "GET", "/v1/status", 403, "scope-missing")
    await refused(api, reader, "GET", "/metrics", 403, "scope-missing")
    sender = await api.node.token("defence", ("send",))
    await refused(api, sender, "GET", "/v1/messages", 403, "scope-missing")
    await refused(api, sender, "GET", "/v1/events", 403, "scope-missing")
    await refused(api, sender, "POST", f"/v1/messages/{'0' * 32}/forward", 403, "scope-missing", json={})


async def test_the_operators_token_reads_no_mail_and_sends_none(api: Api) -> None:
    operator = await api.node.token("operator", ("admin",))
    assert (await api.ask("GET", "/v1/status", operator)).status == 200
    await refused(api, operator, "GET", "/v1/messages", 403, "scope-missing")
    await refused(api, operator, "POST", "/v1/messages", 403, "scope-missing", json={})


class TestAnotherMinistry:
    """A health token, for measures of emergencies and health, at a node that has defence matters."""

    async def health(self, api: Api) -> str:
        return await api.node.token("health", SENDING, ("2.4.*", "2.5.*"))

    async def test_a_health_token_does_not_send_defence_records(self, api: Api) -> None:
        token = await self.health(api)
        before = api.node.facts()
        reply = await api.send(token, ["KAZ"])
        assert (reply.status, reply.code) == (403, "measure-not-allowed")
        assert api.node.facts() == before

    async def test_a_health_token_does_not_send_a_defence_record_under_a_measure_of_its_own(self, api: Api) -> None:
        token = await self.health(api)
        before = api.node.facts()
        stated = await api.send(token, ["KAZ"], measure="2.4.3")
        assert (stated.status, stated.code) == (422, "record-differs")
        silent = {name: value for name, value in bare_record().items() if name != "measure"}
        filled = await api.send(token, ["KAZ"], measure="2.4.3", record=silent)
        assert (filled.status, filled.code) == (422, "invalid-record")
        assert api.node.facts() == before

    async def test_a_health_token_does_not_read_defence_records(
        self, api: Api, world: World, relay: HostileRelay
    ) -> None:
        data = b"a map"
        manifest = manifest_of(world, attachments=(world.attachment(data),))
        sealed = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, attachments=data)
        message = (await delivered(api.node, relay, sealed)).hex()
        defence = await api.node.token("defence", SENDING, ("2.1.*",))
        token = await self.health(api)
        assert (await api.ask("GET", f"/v1/messages/{message}/attachments/0", defence)).body == data
        listed = await api.ask("GET", "/v1/messages", token)
        assert listed.json == {"messages": [], "next": None}
        # What it may not see does not exist for it: the answer is that for an id that there is not.
        told = [
            await refused(api, token, method, f"/v1/messages/{name}{rest}", 404, "no-such-message", json=body)
            for method, rest, body in (
                ("GET", "", None),
                ("GET", "/attachments/0", None),
                ("POST", "/forward", {"to": ["UZB"]}),
            )
            for name in (message, "0" * 32)
        ]
        assert len({reply.body for reply in told}) == 1

    async def test_events_of_another_ministry_are_not_told(self, api: Api, world: World, relay: HostileRelay) -> None:
        await delivered(api.node, relay, sealed_by(world, "KAZ", ("MNG",)))
        await api.node.write(["KAZ"])
        token = await self.health(api)
        own = await api.send(await api.node.token("health", SENDING), ["KAZ"])
        everything = await api.node.token("health", SENDING)
        async with api.http.get(f"{api.url}/v1/events", headers={"Authorization": f"Bearer {everything}"}) as stream:
            told = await stream.content.readuntil(b"\n\n") + await stream.content.readuntil(b"\n\n")
        assert b"message.received" in told
        assert own.json["id"].encode() in told
        async with api.http.get(f"{api.url}/v1/events", headers={"Authorization": f"Bearer {token}"}) as stream:
            api.node.parts.wakes.tell_news()
            assert (await stream.content.readuntil(b"\n\n")).startswith(b":")

    async def test_what_another_ministry_of_the_same_measure_sent_is_its_own(self, api: Api) -> None:
        first = await api.node.token("defence", SENDING)
        sent = await api.send(first, ["KAZ"])
        token = await api.node.token("interior", SENDING)
        await refused(api, token, "GET", f"/v1/messages/{sent.json['id']}", 404, "no-such-message")
        assert (await api.ask("GET", "/v1/messages?box=outbox", token)).json["messages"] == []
        assert len((await api.ask("GET", "/v1/messages?box=outbox", first)).json["messages"]) == 1

    async def test_an_idempotency_key_of_another_token_gives_nothing_away(self, api: Api) -> None:
        first = await api.node.token("defence", SENDING)
        second = await api.node.token("interior", SENDING)
        one = await api.send(first, ["KAZ"], key="k")
        two = await api.send(second, ["KAZ"], key="k")
        assert (one.status, two.status) == (202, 202)
        assert one.json["id"] != two.json["id"]


async def test_sealed_rows_exchanged_on_the_disk_do_not_open(api: Api) -> None:
    """Who can write to the database but has no key puts the content of one message into another."""
    token = await api.node.token("defence", SENDING)
    first, second = await api.node.write(["KAZ"]), await api.node.write(["KAZ"])
    await api.node.database.write(
        lambda c: c.execute(
            "UPDATE messages SET sealed_manifest = (SELECT sealed_manifest FROM messages WHERE id = ?) WHERE id = ?",
            (first, second),
        )
    )
    assert (await api.ask("GET", f"/v1/messages/{first.hex()}", token)).status == 200
    reply = await api.ask("GET", f"/v1/messages/{second.hex()}", token)
    assert (reply.status, reply.code) == (403, "undecryptable")
