"""A time-stamping authority (RFC 3161) on loopback: OpenSSL's, with a root and a certificate of its own."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

_SETTINGS = """
[ req ]
distinguished_name = name
[ name ]
[ root ]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[ signer ]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ stamps ]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
signer_cert = {folder}/signer.pem
signer_key = {folder}/signer.key
signer_digest = sha256
ess_cert_id_alg = sha256
"""
_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
Answer = Callable[[bytes], Awaitable[web.StreamResponse]]


@dataclass
class Authority:
    """`certificates`: its root, PEM. `answer`: what it does in place of a stamp. `asked`: queries so far."""

    folder: Path
    url: str = ""
    answer: Answer | None = None
    asked: list[bytes] = field(default_factory=list)

    @property
    def certificates(self) -> Path:
        """For who trusts it."""
        return self.folder / "root.pem"

    def make(self) -> None:
        """Keys and certificates, in a folder that may be new."""
        self.folder.mkdir(exist_ok=True)
        settings = self.folder / "settings"
        settings.write_text(_SETTINGS.format(folder=self.folder))
        (self.folder / "serial").write_text("01\n")
        config = ("-config", "settings")
        self._openssl("req", "-x509", *_NEW, "-keyout", "root.key", "-out", "root.pem", *config, *_named("root"))
        self._openssl("req", *_NEW, "-keyout", "signer.key", "-out", "signer.csr", *config, "-subj", "/CN=signer")
        issued = ("-CA", "root.pem", "-CAkey", "root.key", "-set_serial", "2", "-days", "20")
        extensions = ("-extfile", "settings", "-extensions", "signer")
        self._openssl("x509", "-req", "-in", "signer.csr", *issued, "-out", "signer.pem", *extensions)

    def stamp(self, query: bytes) -> bytes:
        """The answer to a query."""
        (self.folder / "query").write_bytes(query)
        self._openssl("ts", "-reply", "-config", "settings", "-section", "stamps", "-queryfile", "query", "-out", "tsr")
        return (self.folder / "tsr").read_bytes()

    def holds(self, data: Path, stamp: Path) -> bool:
        """Whether another implementation finds that a stamp is for some data."""
        command = ("ts", "-verify", "-data", str(data), "-in", str(stamp), "-CAfile", "root.pem")
        return subprocess.run(("openssl", *command), cwd=self.folder, capture_output=True, check=False).returncode == 0

    async def _post(self, request: web.Request) -> web.StreamResponse:
        query = await request.read()
        assert request.content_type == "application/timestamp-query"
        self.asked.append(query)
        if self.answer is not None:
            return await self.answer(query)
        stamp = await asyncio.to_thread(self.stamp, query)
        return web.Response(body=stamp, content_type="application/timestamp-reply")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(("openssl", *arguments), cwd=self.folder, capture_output=True, check=True)


def _named(name: str) -> tuple[str, ...]:
    return "-subj", f"/CN={name}", "-days", "30", "-extensions", name


@asynccontextmanager
async def authority(folder: Path) -> AsyncIterator[Authority]:
    """One that answers."""
    made = Authority(folder)
    await asyncio.to_thread(made.make)
    app = web.Application()
    app.router.add_post("/tsa", made._post)
    async with TestServer(app, host="127.0.0.1") as server:
        made.url = str(server.make_url("/tsa"))
        yield made
