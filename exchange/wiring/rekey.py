"""A node's next signing key: made beside the one in use, and used once the directory has it.

The root's statement decides which key is in use: it is renamed in one step, and what a crash leaves undone after that
is done at the next start. `keys/next-signing.key` is the private half until then.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from exchange.clock import SystemClock
from exchange.errors import ExchangeError, Invalid
from exchange.logs import get_logger
from exchange.node.config import CONFIG_FILE, NodeConfig, load_config
from exchange.node.keyring import SIGNING
from exchange.node.parts import Parts
from exchange.process import write_durably
from exchange.wiring.custody import KEYS, NEXT_SIGNING, NEXT_TOKEN, TOKEN_PIN
from exchange.wiring.statements import NEXT_STATEMENT, STATEMENT, installed_statement, write_request
from keys.digests import key_id
from keys.errors import KeyFault, Untrusted
from keys.identity import SIGNING_ENTROPY, SigningIdentity
from keys.keystore import Keystore
from keys.primitives import random_bytes
from keys.token import TokenPlace, make_token_key, open_token
from schemas.canon import encode
from schemas.errors import DecodeError
from schemas.ids import MemberId
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry, SigningKey

_PACE: Final = 1.0
# A relay that refused the statement is asked again at this pace: it may not have the root's new charter yet.
_AGAIN: Final = 60
_TOKEN_KEY: Final = re.compile(r"(^\[token\]$(?:\n(?!\[).*)*?\nkey\s*=).*$", re.MULTILINE)


def make_next(folder: Path, passphrase: bytes, token_key: str | None) -> str:
    """A new signing key that is to follow the one in use, and its request; gives its fingerprint.

    It replaces one that was made before and is not in use yet. `token_key`: the label of its half in the node's token.
    Raises KeystoreFault, Invalid.
    """
    config = load_config(folder)
    if (config.token is None) != (token_key is None):
        raise Invalid("token-key", "--token-key is for a node whose key is in a token, and needed there: a new label")
    keystore = Keystore.open(folder / KEYS, passphrase)
    (folder / NEXT_STATEMENT).unlink(missing_ok=True)
    if config.token is not None and token_key is not None:
        make_token_key(TokenPlace(config.token.module, config.token.label, token_key), keystore.get(TOKEN_PIN))
        keystore.put(NEXT_TOKEN, token_key.encode("utf-8"))
    keystore.put(NEXT_SIGNING, random_bytes(SIGNING_ENTROPY))
    return write_request(folder, _next(config, keystore), SystemClock().now())


def adopt_next(folder: Path) -> None:
    """From now on the next key is the one in use: `settle` brings the keystore in line."""
    (folder / NEXT_STATEMENT).replace(folder / STATEMENT)


def settle(folder: Path, passphrase: bytes) -> None:
    """Finish what `adopt_next` began, if anything. Raises KeystoreFault, Invalid."""
    entry = installed_statement(folder)
    if entry is None or not (folder / KEYS / f"{NEXT_SIGNING}.key").exists():
        return
    config = load_config(folder)
    keystore = Keystore.open(folder / KEYS, passphrase)
    if _next(config, keystore).key_id != key_id(_certified(entry).keys):
        return
    if config.token is not None:
        _set_token_key(folder, keystore.get(NEXT_TOKEN).decode("utf-8"))
    keystore.put(SIGNING, keystore.get(NEXT_SIGNING))
    keystore.delete(NEXT_SIGNING)
    get_logger("keyring").info("signing-key.renewed", key=key_id(_certified(entry).keys).hex()[:16])


async def serve_until_renewed(
    serve: Callable[[asyncio.Event], Awaitable[None]], parts: Parts, folder: Path, stop: asyncio.Event
) -> bool:
    """Serve until `stop` is set, or the directory has the node's next key; True in the second case."""
    end = asyncio.Event()
    renewal = asyncio.create_task(_renewal(parts, folder))
    stopping = asyncio.create_task(stop.wait())
    for task in (renewal, stopping):
        task.add_done_callback(lambda _: end.set())
    try:
        await serve(end)
        return renewal.done() and not stop.is_set()
    finally:
        for task in (renewal, stopping):
            task.cancel()
        await asyncio.gather(renewal, stopping, return_exceptions=True)


async def _renewal(parts: Parts, folder: Path) -> None:
    """Publish the next key's statement once it is installed; ends when the verified directory has it."""
    log, due, told = get_logger("keyring"), 0, ""
    while True:
        now = parts.clock.now()
        try:
            entry = installed_statement(folder, NEXT_STATEMENT)
            if entry is not None:
                statement = _certified(entry)
                name = (statement.member, key_id(statement.keys))
                if parts.directory.current.knows(*name):
                    parts.directory.current.signing_key(*name, now)
                    return
                if now >= due:
                    due = now + _AGAIN
                    await parts.relay.publish(encode(DIRECTORY_ENTRY, entry))
                    parts.wakes.directory.set()
        except (ExchangeError, KeyFault, DecodeError, OSError) as fault:
            if told != str(fault):
                told = str(fault)
                log.warning("signing-key.not-renewed", why=told)
        await asyncio.sleep(_PACE)


def _certified(entry: DirectoryEntry) -> SigningKey:
    if not isinstance(entry.statement, SigningKey):
        raise Untrusted("the installed statement is about no signing key: install the right one")
    return entry.statement


def _next(config: NodeConfig, keystore: Keystore) -> SigningIdentity:
    token, place = None, config.token
    if place is not None:
        label = keystore.get(NEXT_TOKEN).decode("utf-8")
        token = open_token(TokenPlace(place.module, place.label, label), keystore.get(TOKEN_PIN))
    return SigningIdentity.from_entropy(MemberId(config.member), keystore.get(NEXT_SIGNING), token)


def _set_token_key(folder: Path, label: str) -> None:
    path = folder / CONFIG_FILE
    text, count = _TOKEN_KEY.subn(lambda found: f"{found[1]} {json.dumps(label)}", path.read_text("utf-8"))
    if count != 1:
        raise Invalid("bad-config", f"{path} has not one line key in [token]: set it to {label!r} by hand")
    write_durably(path, text.encode("utf-8"))
