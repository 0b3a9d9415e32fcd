"""Seeded bytes: a test that fails once fails again, and vectors can be written a second time."""

import hashlib


class Entropy:
    """Bytes by SHA-256 over seed and counter, in place of the operating system's generator."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode("utf-8")
        self._counter = 0

    def __call__(self, size: int) -> bytes:
        """The next `size` bytes."""
        blocks = []
        for _ in range(-(-size // 32)):
            self._counter += 1
            blocks.append(hashlib.sha256(self._seed + b"\x00" + self._counter.to_bytes(8, "big")).digest())
        return b"".join(blocks)[:size]


def derived(seed: str, *names: str, size: int = 32) -> bytes:
    """Bytes for one named thing: independent of what else was asked for before."""
    return Entropy("\x1f".join((seed, *names)))(size)
