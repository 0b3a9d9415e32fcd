"""Classes of information: names for officials, random tags for the relay, so that a Grant can be for a whole class."""

from collections.abc import Iterable

from exchange.node.parts import Parts
from keys.primitives import random_bytes
from schemas.content import ClassMeaning
from schemas.ids import ClassTag


class Classes:
    """The tags that this state puts into its Provisions; a name has one tag for ever."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._store = parts.stores.classes

    async def meanings(self, names: Iterable[str]) -> tuple[ClassMeaning, ...]:
        """Each name with its tag, made if it has none yet; in the order of the tags, as content has them."""
        vault, now = self._parts.keyring.vault, self._parts.clock.now()
        found = []
        for name in set(names):
            digest = self._digest(name)
            fresh = random_bytes(16)
            tag = await self._store.tag(digest, fresh, vault.seal("class", digest + fresh, name.encode()), now)
            found.append(ClassMeaning(ClassTag(tag), name))
        return tuple(sorted(found, key=lambda meaning: meaning.tag))

    async def find(self, name: str) -> ClassTag | None:
        """The tag of a class, if this node has given it one: what a Grant for the class names."""
        tag = await self._store.find(self._digest(name))
        return None if tag is None else ClassTag(tag)

    async def all(self) -> tuple[ClassMeaning, ...]:
        """Every class, the oldest first. Raises Undecryptable for a row that was altered."""
        vault = self._parts.keyring.vault
        rows = await self._store.classes()
        return tuple(
            ClassMeaning(ClassTag(tag), vault.open("class", digest + tag, sealed).decode())
            for digest, tag, sealed in rows
        )

    def _digest(self, name: str) -> bytes:
        return self._parts.keyring.vault.request_digest(b"class", name.encode("utf-8"))
