"""Where a node's private keys are: a keystore under a passphrase, and perhaps an Ed25519 key in a PKCS#11 token."""

from pathlib import Path
from typing import Final

from exchange.logs import get_logger
from exchange.node.config import NodeConfig
from exchange.node.keyring import SIGNING, Keyring
from keys.identity import SigningIdentity
from keys.keystore import Keystore
from keys.mortal import destroy_due
from keys.token import TokenKey, TokenPlace, make_token_key, open_token
from schemas.ids import MemberId

KEYS: Final = "keys"
TOKEN_PIN: Final = "token-pin"  # noqa: S105  # its name in the keystore
NEXT_SIGNING: Final = "next-signing"
"""The signing key that is to follow (`exchange.wiring.rekey`), and the label of its half in a token."""
NEXT_TOKEN: Final = "next-token-key"  # noqa: S105  # its name in the keystore


def create_keyring(
    folder: Path, member: MemberId, passphrase: bytes, token: tuple[TokenPlace, bytes] | None
) -> Keyring:
    """New keys in a node's folder; with a `token` and its PIN the Ed25519 key is made there. Raises KeystoreFault."""
    keystore = Keystore.create(folder / KEYS, passphrase)
    if token is None:
        return Keyring.create(member, keystore)
    place, pin = token
    key = make_token_key(place, pin)
    keyring = Keyring.create(member, keystore, key)
    keystore.put(TOKEN_PIN, pin)
    return keyring


def open_signing(folder: Path, config: NodeConfig, passphrase: bytes) -> SigningIdentity:
    """Only the signing identity, also beside the node that runs. Raises KeystoreFault."""
    keystore = Keystore.open(folder / KEYS, passphrase)
    return SigningIdentity.from_entropy(MemberId(config.member), keystore.get(SIGNING), _token(config, keystore))


def open_keyring(folder: Path, config: NodeConfig, passphrase: bytes, now: int) -> Keyring:
    """The keys of a node; those whose time has come are destroyed before anything is opened. Raises KeystoreFault."""
    destroyed = destroy_due(folder / KEYS, now)
    if destroyed:
        get_logger("keyring").info("epochs.destroyed", names=destroyed)
    keystore = Keystore.open(folder / KEYS, passphrase)
    return Keyring(MemberId(config.member), keystore, _token(config, keystore))


def _token(config: NodeConfig, keystore: Keystore) -> TokenKey | None:
    place = config.token
    if place is None:
        return None
    return open_token(TokenPlace(place.module, place.label, place.key), keystore.get(TOKEN_PIN))
