"""The world of the vectors, and what in it is random: ML-DSA signatures and HPKE wraps are made once and then kept."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from keys.digests import charter_digest, sha256
from keys.directory import begin, extend
from keys.primitives import hpke_seal
from schemas.ids import KeyId, MemberId
from schemas.statement import KemPublic, read_entry
from schemas.terms import Suite
from schemas.wrap import Wrap, WrapSecret, wrap_info
from tests.support.world import World

FOLDER: Final = Path(__file__).parents[1]
FILE: Final = FOLDER / "gen" / "kept.json"


class Kept:
    """Random values by the digest of what they were made from; a new one is made only where there is none."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values
        self.used: set[str] = set()

    @classmethod
    def load(cls) -> "Kept":
        """What is on file; nothing when there is no file."""
        return cls(json.loads(FILE.read_text("utf-8")) if FILE.exists() else {})

    def once(self, what: str, made_from: bytes, make: Callable[[], bytes]) -> bytes:
        """The value kept for these inputs."""
        name = f"{what}-{hashlib.sha256(made_from).hexdigest()[:24]}"
        self.used.add(name)
        if name not in self.values:
            self.values[name] = make().hex()
        return bytes.fromhex(self.values[name])


class VectorWorld(World):
    """Three states, one epoch each; entries and wraps as they were kept."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(codes=("KAZ", "MNG", "UZB"), epochs=1, seed="vectors", edition="2021-draft")
        self.kept = kept
        fresh = self.entries
        self.entries = tuple(
            kept.once("entry", read_entry(entry).body, lambda entry=entry: entry)  # type: ignore[misc]  # bound now
            for entry in fresh
        )
        first, *others = [read_entry(entry) for entry in self.entries]
        self.charter_digest = charter_digest(first.body)
        self.directory = extend(begin(first, self.charter_digest), others)

    def wrap(
        self,
        secret: WrapSecret,
        core_bytes: bytes,
        recipient: str,
        key: KemPublic | None = None,
        key_id: KeyId | None = None,
    ) -> Wrap:
        """As the world's, with a kept value."""
        return self.wrap_text(secret.encode(), core_bytes, recipient, key, key_id)

    def wrap_text(
        self,
        text: bytes,
        core_bytes: bytes,
        recipient: str,
        key: KemPublic | None = None,
        key_id: KeyId | None = None,
    ) -> Wrap:
        """A wrap around any text, for secrets that no honest sender would write."""
        record = self.directory.epoch_at(MemberId(recipient), self.now)
        public, name = key or record.keys, key_id or record.key_id
        info = wrap_info(Suite.HYBRID_1, sha256(core_bytes), MemberId(recipient), name)
        made_from = info + public.mlkem768 + public.x25519 + text
        sealed = self.kept.once("wrap", made_from, lambda: hpke_seal(public.mlkem768, public.x25519, info, text))
        return Wrap(MemberId(recipient), name, sealed)
