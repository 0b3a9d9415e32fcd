"""TLS of our own servers: a key that others can read is not used, and one certificate is one server."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from exchange.certificates import leaf, only, server_context
from exchange.errors import Invalid


def files(folder: Path, authority: trustme.CA, name: str) -> tuple[Path, Path]:
    """A certificate chain and its key."""
    issued = authority.issue_cert(name)
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(b"".join(pem.bytes() for pem in (*issued.cert_chain_pems, authority.cert_pem)))
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    return certificate, key


async def reach(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """What comes over a connection to a server under a name that its certificate does not have."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server) as listening:
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        try:
            return await reader.read()
        finally:
            writer.close()


async def test_the_server_with_this_certificate_is_reached_under_any_name(tmp_path: Path) -> None:
    certificate, key = files(tmp_path, trustme.CA(), "node.example")
    assert await reach(server_context(certificate, key), only(certificate)) == b"hello"


async def test_another_server_of_the_same_authority_is_not_reached(tmp_path: Path) -> None:
    authority = trustme.CA()
    own, _ = files(tmp_path, authority, "node.example")
    certificate, key = files(tmp_path, authority, "other.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        await reach(server_context(certificate, key), only(own))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    certificate, key = files(tmp_path, trustme.CA(), "node.example")
    key.chmod(mode)
    with pytest.raises(Invalid, match="chmod go=") as caught:
        server_context(certificate, key)
    assert caught.value.code == "key-not-private"


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    certificate, key = files(tmp_path, trustme.CA(), "node.example")
    with pytest.raises(Invalid, match=r"missing\.key"):
        server_context(certificate, tmp_path / "missing.key")
    with pytest.raises(Invalid, match="cannot be used for TLS"):
        server_context(key, key)
    for text in ("", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        certificate.write_text(text)
        with pytest.raises(Invalid, match=str(certificate)):
            only(certificate)
    with pytest.raises(Invalid, match="cannot be read"):
        leaf(tmp_path / "missing.pem")
