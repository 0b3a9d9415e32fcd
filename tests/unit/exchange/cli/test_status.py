"""`cbm node status` sends its token to the node of its folder, over TLS to that node's certificate, or to nobody."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from exchange.certificates import server_context
from exchange.process import note_running, sole_owner, write_durably

TOKEN = "cbm_of_a_test"
SETTINGS = """
member = "KAZ"
relay_url = "https://relay.example:1"
charter_digest = "{digest}"
[listen]
tls_certificate = "node.pem"
tls_key = "node.key"
"""


def certified(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for another name than the address, and its key."""
    issued = trustme.CA().issue_cert("node.example")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    return certificate, key


async def ask(folder: Path, certificate: Path, key: Path) -> tuple[int | None, bytes, list[str | None]]:
    """Exit code and output of `status` while a server with this certificate listens, and the tokens that it got."""
    heard: list[str | None] = []

    async def status(request: web.Request) -> web.Response:
        heard.append(request.headers.get("Authorization"))
        return web.json_response({"member": "KAZ"})

    app = web.Application()
    app.router.add_get("/v1/status", status)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(certificate, key)).start()
        note_running(folder, f"https://127.0.0.1:{runner.addresses[0][1]}")
        asked = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "exchange.cli", "node", "status", "--json", "--dir", str(folder)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, _ = await asked.communicate()
    finally:
        await runner.cleanup()
    return asked.returncode, out, heard


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As much of a node's folder as the command reads."""
    (tmp_path / "node.toml").write_text(SETTINGS.format(digest="0" * 64))
    write_durably(tmp_path / "admin.token", TOKEN.encode(), 0o600)
    certified(tmp_path, "node")
    return tmp_path


async def test_a_node_with_tls_is_asked_without_an_authority(folder: Path) -> None:
    with sole_owner(folder):
        code, out, heard = await ask(folder, folder / "node.pem", folder / "node.key")
    assert (code, json.loads(out), heard) == (0, {"member": "KAZ"}, [f"Bearer {TOKEN}"])


async def test_a_server_with_another_certificate_gets_no_token(folder: Path) -> None:
    with sole_owner(folder):
        code, _, heard = await ask(folder, *certified(folder, "impostor"))
    assert (code, heard) == (1, [])
