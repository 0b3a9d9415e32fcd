"""What is in a stored message: its manifest and its Provision."""

from exchange.node.files import manifest_name
from exchange.storage.node_values import Message
from exchange.storage.withdrawal_port import DestroyedMessage
from keys.digests import provision_digest
from keys.vault import Vault
from schemas.canon import decode
from schemas.content import Manifest, read_manifest
from schemas.limits import MAX_PROVISION
from schemas.provision import SIGNED_PROVISION, Provision


def open_manifest(vault: Vault, message: Message) -> Manifest:
    """What a message was stored with; raises Undecryptable for another's, or one whose files were exchanged."""
    return read_manifest(open_raw(vault, message))


def open_raw(vault: Vault, message: Message) -> bytes:
    """The exact bytes of its manifest, to which its Provision commits; raises as `open_manifest`."""
    return vault.open("manifest", manifest_name(message.id, message.attachments), message.sealed_manifest)


def provision_of(message: Message | DestroyedMessage) -> Provision:
    """The Provision that a message's own content stands under."""
    all_signed = (decode(SIGNED_PROVISION, raw, 2 * MAX_PROVISION) for raw in message.signed_provisions)
    return next(signed.provision for signed in all_signed if provision_digest(signed.body) == message.provision)
