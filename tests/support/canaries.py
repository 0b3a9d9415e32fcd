"""Secrets that are told to running processes everywhere, and the search for them in all that these write."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from exchange.demo.site import PASSPHRASE, Site
from keys.keystore import Keystore
from tests.support.secrets import node_secrets


def forms(secret: bytes) -> frozenset[bytes]:
    """How a secret may be written: as it is, in hexadecimal, base64 at any offset, in a URL, in JSON, in Python."""
    assert len(secret) >= 9, "a shorter one could be found by chance"
    found = {secret, secret.hex().encode(), secret.hex().upper().encode(), repr(secret)[2:-1].encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        # Neither end may depend on what stands beside it.
        whole = text[4 if shift else 0 : len(text) // 4 * 4 - 4]
        found |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    try:
        text_form = secret.decode("utf-8")
    except UnicodeDecodeError:
        return frozenset(found)
    found |= {quote(text_form).encode(), json.dumps(text_form)[1:-1].encode()}
    return frozenset(found)


def found(texts: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> set[tuple[str, str]]:
    """Which text holds which secret."""
    return {
        (where, name)
        for name, secret in secrets.items()
        for form in forms(secret)
        for where, text in texts.items()
        if form in text
    }


def site_secrets(site: Site) -> dict[str, bytes]:
    """Every key of every keystore, the passphrase, and every token: the secret half, as text and as bytes."""
    secrets = {"passphrase": PASSPHRASE}
    keystore = Keystore.open(site.relay / "keys", PASSPHRASE)
    for name in keystore.names():
        secrets |= dict(_halves(f"relay {name}", keystore.get(name)))
    for member in site.members:
        for name, secret in node_secrets(site, member).items():
            secrets |= dict(_halves(name, secret))
    return secrets


def _halves(name: str, secret: bytes) -> Iterator[tuple[str, bytes]]:
    """A key that has several parts is not written as a whole only."""
    yield name, secret
    if len(secret) >= 64:
        yield f"{name}, first half", secret[:32]
        yield f"{name}, last half", secret[-32:]


def log_lines(path: Path) -> list[dict[str, object]]:
    """What a process logged; raises ValueError or TypeError for a line that is no JSON object."""
    rows = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        if not isinstance(row, dict):
            raise TypeError(f"a line is no object: {line[:80]}")
        rows.append(row)
    return rows
