"""A log and member nodes that sign and cosign its checkpoints, from seeds."""

from functools import partial

from keys import primitives
from keys.checkpoint import LogKeys, SignedCheckpoint
from keys.cosign import CosignerKeys
from keys.merkle import MemoryTree, leaf_hash, tree_root
from keys.note import KeyType, NoteKey, NoteSignature, Sign
from schemas.charter import HybridPublic
from schemas.ids import Digest, MemberId
from tests.support.entropy import derived

ORIGIN = "cbm.exchange/directory/0123456789abcdef"
NOW = 1_800_000_000

LEAVES = tuple(leaf_hash(str(number).encode()) for number in range(40))
TREE = MemoryTree(LEAVES)


def root(size: int) -> Digest:
    """Of the log's first leaves."""
    return tree_root(size, TREE)


class Log:
    """A log's operator: `seed` decides its keys."""

    def __init__(self, seed: str = "log", origin: str = ORIGIN) -> None:
        self._ed25519, self._mldsa65 = derived(seed, "ed25519"), derived(seed, "mldsa65")
        self.public = HybridPublic(primitives.ed25519_public(self._ed25519), primitives.mldsa65_public(self._mldsa65))
        self.keys = LogKeys.of(origin, self.public)

    def checkpoint(self, size: int, other: Digest | None = None) -> SignedCheckpoint:
        """The checkpoint of `size`, or one with another root than the log's."""
        return self.keys.sign(size, other or root(size), *self.signers())

    def signers(self) -> tuple[Sign, Sign]:
        """What signs with the Ed25519 and with the ML-DSA-65 half."""
        return partial(primitives.ed25519_sign, self._ed25519), partial(primitives.mldsa65_sign, self._mldsa65)


class Node:
    """A member's node as a witness."""

    def __init__(self, code: str, seed: str = "node") -> None:
        self.member = MemberId(code)
        self._ed25519, self._mldsa44 = derived(seed, code, "ed25519"), derived(seed, code, "mldsa44")
        self.keys = CosignerKeys.of(
            self.member, primitives.ed25519_public(self._ed25519), primitives.mldsa44_public(self._mldsa44)
        )

    def lines(self, signed: SignedCheckpoint, time: int = NOW) -> tuple[NoteSignature, ...]:
        """Both cosignature lines."""
        return self.keys.sign(signed.checkpoint, time, *self.signers())

    def signers(self) -> tuple[Sign, Sign]:
        """What signs with the Ed25519 and with the ML-DSA-44 half."""
        return partial(primitives.ed25519_sign, self._ed25519), partial(primitives.mldsa44_sign, self._mldsa44)


def plain_key(name: str, seed: str = "plain") -> tuple[NoteKey, Sign]:
    """An Ed25519 key for notes and what signs with it."""
    private = derived(seed, name)
    public = primitives.ed25519_public(private)
    return NoteKey(name, KeyType.ED25519, public), partial(primitives.ed25519_sign, private)
