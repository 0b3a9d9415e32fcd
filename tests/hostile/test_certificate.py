"""Attacks by who sits between node and relay: another certificate, an older TLS; nothing is said to such a relay."""

import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from exchange.clock import SetClock
from exchange.node.transport import RelayClient, RelayUnreachable
from schemas.ids import Digest
from tests.support.node import sealed_by
from tests.support.world import World


class Middle:
    """A TLS server that counts what it is asked, and its certificate's digest."""

    def __init__(self) -> None:
        issued = trustme.CA().issue_cert("127.0.0.1")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(self.context)
        pem = issued.cert_chain_pems[0].bytes().decode("ascii")
        self.digest = Digest(hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest())
        self.asked: list[str] = []

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.Response(body=b"")

    @asynccontextmanager
    async def client(self, world: World, *pinned: Digest) -> AsyncIterator[RelayClient]:
        """The node's real client, which has pinned these certificates, pointed at this server."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        server = TestServer(app, host="127.0.0.1", scheme="https")
        await server.start_server(ssl=self.context)
        client = RelayClient(f"https://127.0.0.1:{server.port}", pinned, world.nodes["KAZ"], SetClock(world.now))
        try:
            yield client
        finally:
            await client.close()
            await server.close()


OTHER = Digest(b"o" * 32)


async def test_a_certificate_that_the_charter_does_not_name_is_told_nothing(world: World) -> None:
    """Whoever signed it: no certificate authority is trusted."""
    middle = Middle()
    sealed = sealed_by(world, "KAZ", ("MNG",))
    async with middle.client(world, OTHER) as client:
        for attempt in (
            client.directory(0),
            client.mailbox(),
            client.post_envelope(sealed.header_bytes, iter([sealed.body])),
            client.session(),
        ):
            with pytest.raises(RelayUnreachable) as caught:
                await attempt
            assert caught.value.code == "relay-not-pinned"
            assert middle.digest.hex() in caught.value.detail
    assert middle.asked == []


async def test_the_named_certificate_is_spoken_to(world: World) -> None:
    """The control; of several that the charter names, any will do."""
    middle = Middle()
    async with middle.client(world, OTHER, middle.digest) as client:
        assert await client.directory(7) == ()
    assert middle.asked == ["/v1/directory"]


async def test_an_older_tls_is_refused(world: World) -> None:
    middle = Middle()
    middle.context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with middle.client(world, middle.digest) as client:
        with pytest.raises(RelayUnreachable) as caught:
            await client.directory(0)
    assert caught.value.code == "relay-unreachable"
    # The TLS library's error numbers are not the system's.
    assert "not permitted" not in caught.value.detail
    assert middle.asked == []
