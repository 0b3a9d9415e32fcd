"""Who has a node's folder but not its keys: guesses content, exchanges files, waits on a dead node's port."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.node.files import NodeFiles
from keys.errors import Undecryptable
from keys.vault import Vault
from tests.support.attacks import delivered
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, api_of, manifest_of, ministry, node, request_of, sealed_by
from tests.support.uploads import upload
from tests.support.world import World

SENDING = ("send", "read")


@pytest.fixture
async def api(mng: TestNode) -> AsyncIterator[Api]:
    """MNG's node, as its ministries see it."""
    async with api_of(mng) as opened:
        yield opened


async def test_a_request_is_not_guessed_from_its_digest_in_the_database(
    tmp_path: Path, world: World, relay: HostileRelay
) -> None:
    """A known form with five unknown digits: without a key, 100,000 tries would tell them."""
    value = request_of(["MNG"])
    text = json.dumps(value, sort_keys=True).encode()
    async with node(tmp_path, world, "KAZ", relay) as kaz:
        await kaz.composer.send(value, (), ministry(), "key")
        (row,) = kaz.rows("idempotency")
        assert row["request"] != hashlib.sha256(text).digest()
        assert row["request"] == kaz.parts.keyring.vault.request_digest(text)
        assert row["request"] != Vault(b"another key of 32 bytes of a node").request_digest(text)


async def test_a_text_is_not_guessed_from_what_the_log_says_of_its_export(
    api: Api, world: World, relay: HostileRelay
) -> None:
    ident = await delivered(api.node, relay, sealed_by(world, "KAZ", ("MNG",)))
    token = await api.node.token("defence", SENDING)
    reply = await api.ask("GET", f"/v1/messages/{ident.hex()}/export?internal=true", token)
    assert reply.status == 200
    (line,) = (row for row in api.node.rows("consent_log") if row["kind"] == "message.exported")
    assert hashlib.sha256(reply.body).hexdigest() not in line["detail"]
    key = api.node.parts.keyring.vault
    assert json.loads(line["detail"])["digest"] == key.request_digest(b"export", reply.body).hex()


def test_sealed_files_exchanged_on_the_disk_do_not_open(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path, Vault(b"L" * 32))
    first, second = files.new_name(), files.new_name()
    files.write_content(first, [b"of the health ministry"])
    files.write_content(second, [b"of the defence ministry"])
    (tmp_path / "content" / second).replace(tmp_path / "content" / first)
    with pytest.raises(Undecryptable):
        list(files.read_content(first))


async def test_attachments_exchanged_in_the_database_do_not_open(api: Api, world: World, relay: HostileRelay) -> None:
    """The rows say which file is whose; a message whose rows were changed gives nothing of the other's file."""
    ids = []
    for data in (b"a map of the sea", b"a secret map"):
        manifest = manifest_of(world, attachments=(world.attachment(data),))
        sealed = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, attachments=data)
        ids.append(await delivered(api.node, relay, sealed))
    token = await api.node.token("defence", SENDING)
    path = f"/v1/messages/{ids[0].hex()}/attachments/0"
    assert (await api.ask("GET", path, token)).body == b"a map of the sea"
    await api.node.database.write(
        lambda c: c.execute(
            "UPDATE attachments SET file = (SELECT file FROM attachments WHERE message = ?) WHERE message = ?",
            (ids[1], ids[0]),
        )
    )
    reply = await api.ask("GET", path, token)
    assert (reply.status, reply.code) == (403, "undecryptable")
    assert (await api.ask("GET", f"/v1/messages/{ids[1].hex()}/attachments/0", token)).body == b"a secret map"


async def test_an_attachment_exchanged_before_it_is_sealed_is_not_sent(kaz: TestNode, relay: HostileRelay) -> None:
    """Whoever can write rows would have another message's file go out under this one's recipients."""
    ids = []
    for data in (b"for all", b"for nobody"):
        taken = await kaz.composer.send(request_of(["MNG"]), (upload(kaz, data),), ministry(), None)
        ids.append(taken.message)
    await kaz.database.write(
        lambda c: c.execute(
            "UPDATE attachments SET file = (SELECT file FROM attachments WHERE message = ?) WHERE message = ?",
            (ids[1], ids[0]),
        )
    )
    await kaz.send()
    states = {row["id"]: (row["state"], row["waits"]) for row in kaz.rows("messages")}
    assert states[ids[0]] == ("queued", "a sealed value does not open with this key")
    assert states[ids[1]][1] is None
    assert len(relay.posted) == 1


async def test_status_sends_no_token_to_whoever_took_a_dead_nodes_port(tmp_path: Path) -> None:
    """`run.json` outlives a killed node; its lock does not."""
    heard: list[bytes] = []

    async def thief(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(thief, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (tmp_path / "run.json").write_text(json.dumps({"pid": 1, "url": f"http://127.0.0.1:{port}"}))
    (tmp_path / "lock").touch(0o600)
    (tmp_path / "admin.token").write_text("cbm_secret\n")
    (tmp_path / "admin.token").chmod(0o600)
    asked = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exchange.cli", "node", "status", "--dir", str(tmp_path)), stdout=-1, stderr=-1
    )
    _, told = await asked.communicate()
    server.close()
    assert (asked.returncode, heard) == (1, [])
    assert b"does not run" in told
