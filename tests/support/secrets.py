"""The secrets of a site, taken out of its keystores with the passphrase, so that a test can look for them elsewhere."""

import sqlite3
from contextlib import closing
from pathlib import Path

from exchange.demo.site import PASSPHRASE, Site
from keys.digests import epoch_key_id
from keys.epochs import read_epoch
from keys.identity import EpochIdentity
from keys.keystore import Keystore
from keys.mortal import MortalKeys
from keys.sealing import body_key, open_wrap
from schemas.envelope import Header, decode_header


def relay_headers(site: Site) -> dict[str, Header]:
    """The headers that the relay holds, by envelope id; read beside the running relay."""
    with closing(sqlite3.connect(f"{(site.relay / 'relay.db').as_uri()}?mode=ro", uri=True)) as connection:
        headers = [decode_header(row[0]) for row in connection.execute("SELECT header FROM contents")]
    return {header.core.id.hex(): header for header in headers}


def content_keys(site: Site, header: Header) -> dict[str, bytes]:
    """The content key of an envelope and the key of its body, opened with every recipient's epoch key."""
    opened = set()
    for wrap in header.wraps:
        keystore = Keystore.open(site.node(wrap.recipient) / "keys", PASSPHRASE)
        mortal = MortalKeys(keystore)
        epochs = [EpochIdentity(read_epoch(mortal.get(name))[1]) for name in mortal.names()]
        epoch = next(epoch for epoch in epochs if epoch_key_id(epoch.public) == wrap.key_id)
        core = header.core
        opened.add(open_wrap(wrap, core.suite, header.core_bytes, core.key_commitment, epoch).content_key)
    (key,) = opened
    ident = header.core.id.hex()
    return {f"content key {ident}": key, f"body key {ident}": body_key(key)}


def node_secrets(site: Site, member: str) -> dict[str, bytes]:
    """Everything that a node's keystore seals, its passphrase and its tokens. Halves stand alone."""
    folder = site.node(member)
    keystore = Keystore.open(folder / "keys", PASSPHRASE)
    mortal = MortalKeys(keystore)
    secrets = {f"{member} {name}": keystore.get(name) for name in keystore.names()}
    secrets |= {f"{member} {name}": bytes(read_epoch(mortal.get(name))[1]) for name in mortal.names()}
    whole = secrets.pop(f"{member} signing")
    secrets |= {f"{member} ed25519 seed": whole[:32], f"{member} ml-dsa seed": whole[32:]}
    for path in folder.glob("*.token"):
        secrets[f"{member} {path.name}"] = bytes.fromhex(_secret_half(path))
    return {**secrets, "passphrase": PASSPHRASE}


def _secret_half(path: Path) -> str:
    return path.read_text("ascii").strip().rpartition("_")[2]
