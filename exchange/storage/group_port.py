"""What a node asks of its store about lists of states and class tags; the contract is that of `node_port`."""

from typing import Protocol


class GroupStore(Protocol):
    """Lists of states; the newest version of each."""

    async def put(self, name: str, signed: bytes) -> None:
        """Store a group in place of the one of that name."""
        ...

    async def group(self, name: str) -> bytes | None:
        """A group's signed bytes."""
        ...

    async def groups(self) -> tuple[bytes, ...]:
        """All of them, by name."""
        ...

    async def remove(self, name: str) -> bool:
        """Remove a group; False when there is none."""
        ...


class ClassStore(Protocol):
    """The tags of classes."""

    async def tag(self, name: bytes, fresh: bytes, sealed_name: bytes, now: int) -> bytes:
        """The tag of a class by the keyed digest of its name; `fresh` when it has none yet."""
        ...

    async def find(self, name: bytes) -> bytes | None:
        """The tag of a class, if it has one."""
        ...

    async def classes(self) -> tuple[tuple[bytes, bytes, bytes], ...]:
        """Keyed digest of the name, tag and sealed name of every class, the oldest first."""
        ...
