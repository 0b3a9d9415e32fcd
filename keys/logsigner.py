"""How an identity signs for a log: a relay its checkpoints, a node its cosignatures. Needs the private halves."""

from functools import partial

from keys import primitives
from keys.checkpoint import Checkpoint, LogKeys, SignedCheckpoint
from keys.cosign import CosignerKeys
from keys.identity import SigningIdentity
from keys.nodelog import node_log_keys
from keys.note import NoteSignature
from keys.quorum import origin_of
from schemas.ids import Digest


def sign_checkpoint(relay: SigningIdentity, log: str, size: int, root: Digest) -> SignedCheckpoint:
    """A checkpoint of one of the relay's logs (`directory`, `audit`), signed with both halves of its key.

    Whoever calls it answers for the log: nothing that contradicts an earlier checkpoint may ever be signed.
    """
    keys = LogKeys.of(origin_of(log, relay.key_id), relay.public)
    return keys.sign(
        size,
        root,
        relay.sign_note,
        partial(primitives.mldsa65_sign, relay.mldsa65_seed),
    )


def sign_node_checkpoint(node: SigningIdentity, size: int, root: Digest) -> SignedCheckpoint:
    """A checkpoint of a node's own audit log, signed with both halves of its signing key; the same holds for it."""
    keys = node_log_keys(node.owner, node.public)
    return keys.sign(size, root, node.sign_note, partial(primitives.mldsa65_sign, node.mldsa65_seed))


def cosign_checkpoint(node: SigningIdentity, checkpoint: Checkpoint, time: int) -> tuple[NoteSignature, ...]:
    """Both lines of a node's cosignature, made at `time` (Unix seconds).

    Only for a checkpoint that `keys.witness.judge` accepted and that is kept durably.
    """
    return CosignerKeys.of(node.owner, node.public.ed25519, node.cosigner).sign(
        checkpoint,
        time,
        node.sign_note,
        partial(primitives.mldsa44_sign, node.mldsa44_seed),
    )
