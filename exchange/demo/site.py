"""Sets up a relay and nodes in one folder, with the same functions that the commands use. For the demo and the tests.

Everything in such a folder has one passphrase and roots that lie beside their nodes: it protects nothing.
"""

import datetime
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trustme

from exchange.errors import Unavailable
from exchange.process import write_durably
from exchange.wiring.node import create_node, create_token
from exchange.wiring.relay import create_relay, install_charter
from exchange.wiring.statements import install_statement
from keys.ceremony import assemble_charter, certify_signing_key, draft_charter, sign_charter
from keys.identity import SIGNING_ENTROPY, SigningIdentity
from keys.primitives import random_bytes
from keys.token import TokenPlace
from schemas.catalogue import edition
from schemas.charter import Chairmanship, Member, Name, Role
from schemas.files import SIGNED_CHARTER, SIGNING_REQUEST, decode_file, encode_file
from schemas.ids import SECRETARIAT, MemberId
from schemas.limits import DAY
from schemas.statement import DirectoryEntry

PASSPHRASE: Final = b"correct horse battery staple"
NAMES: Final = {"KAZ": "Kazakhstan", "MNG": "Mongolia", "UZB": "Uzbekistan", "XAA": "Placeholder state"}
MINISTRIES: Final = {
    "defence": ("2.1.*",),
    "emergency": ("2.4.*",),
    "all": ("*",),
}
OFFICIALS: Final = "officials"
# Whoever watches a demonstration does not wait ten seconds for what it has published.
_CHECKPOINT_EVERY: Final = 0.2
# Below the ports that Linux gives to outgoing connections, so that a process that is killed finds its port free again;
# each is handed out once.
_PORTS: Final = iter(secrets.SystemRandom().sample(range(20_000, 32_000), 12_000))


def free_port() -> int:
    """A port of the loopback interface that nothing listens on now, and that no outgoing connection is given."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Unavailable("demo-ports", "no free port on loopback: end what listens there")


@dataclass(frozen=True, slots=True)
class Site:
    """Where everything is: one folder for the relay, one for each node. `roots`: the members', for who made them."""

    folder: Path
    members: tuple[str, ...]
    roots: Mapping[str, SigningIdentity] = field(default_factory=dict, repr=False)

    @property
    def relay(self) -> Path:
        """The relay's folder."""
        return self.folder / "relay"

    @property
    def passphrase_file(self) -> Path:
        """The one passphrase."""
        return self.folder / "passphrase"

    def node(self, member: str) -> Path:
        """A node's folder."""
        return self.folder / f"node-{member.lower()}"

    def token_file(self, member: str, ministry: str = "all") -> Path:
        """The token of a ministry at a node."""
        return self.node(member) / f"{ministry}.token"


def build_site(
    folder: Path,
    members: Sequence[str],
    now: int,
    relay_port: int,
    *,
    delivery: dict[str, int] | None = None,
    signing: Mapping[str, tuple[TokenPlace, bytes]] | None = None,
) -> Site:
    """Make roots, relay, charter, nodes and tokens in an empty folder. `delivery`: settings of every node.

    `signing`: the PKCS#11 token, with its PIN, in which a member's Ed25519 key is made.
    """
    roots = {code: SigningIdentity.from_entropy(MemberId(code), random_bytes(SIGNING_ENTROPY)) for code in members}
    site = Site(folder, tuple(members), roots)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durably(site.passphrase_file, PASSPHRASE + b"\n", 0o600)
    certificate, key = _certificate(folder)
    values: dict[str, Any] = {
        "name": "relay-demo",
        "host": "127.0.0.1",
        "port": relay_port,
        "plain": False,
        "tls_cert": str(certificate),
        "tls_key": str(key),
        "checkpoint_every": _CHECKPOINT_EVERY,
    }
    relay = create_relay(site.relay, values, PASSPHRASE)
    rows = [_row(MemberId(code), root) for code, root in roots.items()]
    chair = Chairmanship(MemberId(members[0]), now, now + 730 * DAY)
    draft = draft_charter(rows, chair, [relay], [edition().catalogue_id], (None, None), now)
    voters = [roots[member] for member in draft.voters()]
    charter = assemble_charter(draft, [sign_charter(root, draft) for root in voters])
    write_durably(folder / "charter.cbm", encode_file(SIGNED_CHARTER, charter))
    install_charter(site.relay, charter, relay)
    for code, root in roots.items():
        _build_node(site, root, charter, relay_port, now, (signing or {}).get(code))
        if delivery:
            _append(site.node(code) / "node.toml", "delivery", delivery)
    return site


def _row(code: MemberId, root: SigningIdentity) -> Member:
    role = Role.SECRETARIAT if code == SECRETARIAT else Role.MEMBER
    return Member(code, role, (Name("en", NAMES.get(code, code)),), root.public)


def _build_node(
    site: Site,
    root: SigningIdentity,
    charter: DirectoryEntry,
    relay_port: int,
    now: int,
    signing: tuple[TokenPlace, bytes] | None,
) -> None:
    code = root.owner
    folder = site.node(code)
    settings: dict[str, str | int] = {
        "member": code,
        "relay_url": f"https://127.0.0.1:{relay_port}",
        "host": "127.0.0.1",
        "port": free_port(),
    }
    create_node(folder, settings, charter, PASSPHRASE, signing)
    request = decode_file(SIGNING_REQUEST, (folder / "signing-request.cbm").read_bytes())
    install_statement(folder, certify_signing_key(root, request, now - DAY, now + 730 * DAY, now))
    tokens = {ministry: (("send", "read"), measures) for ministry, measures in MINISTRIES.items()}
    tokens[OFFICIALS] = (("read", "consent"), ("*",))
    for ministry, (scopes, measures) in tokens.items():
        text = create_token(folder, ministry, scopes, measures)
        write_durably(site.token_file(code, ministry), f"{text}\n".encode("ascii"), 0o600)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of an authority that nobody trusts: what counts is its digest in the charter."""
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=730)
    issued = trustme.CA().issue_cert("127.0.0.1", not_after=until)
    certificate, key = folder / "relay-cert.pem", folder / "relay-key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    handle = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(issued.private_key_pem.bytes())
    return certificate, key


def _append(path: Path, table: str, values: dict[str, int]) -> None:
    lines = "\n".join(f"{name} = {value}" for name, value in values.items())
    write_durably(path, f"{path.read_text('utf-8')}\n[{table}]\n{lines}\n".encode())
