"""Signatures that many nodes of one process verify are verified once: what was asked before has the same answer.

with verified_once():
    ...                    # everything is as it was, and quicker
    with plainly():
        ...                # but for what is to be measured
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from keys import primitives

Verify = Callable[[bytes, bytes, bytes], bool]

_PLAIN: Final[dict[str, Verify]] = {
    name: getattr(primitives, name) for name in ("ed25519_verify", "mldsa44_verify", "mldsa65_verify")
}
# What is verified between a statement's first reader and its last; some thousands of some 10 KB at most.
_KEPT: Final = 4096


@contextmanager
def verified_once() -> Iterator[None]:
    """As long as the block lasts."""
    with _using({name: lru_cache(_KEPT)(verify) for name, verify in _PLAIN.items()}):
        yield


@contextmanager
def plainly() -> Iterator[None]:
    """Every signature is verified, as long as the block lasts."""
    with _using(_PLAIN):
        yield


@contextmanager
def _using(verifies: dict[str, Verify]) -> Iterator[None]:
    before = {name: getattr(primitives, name) for name in verifies}
    for name, verify in verifies.items():
        setattr(primitives, name, verify)
    try:
        yield
    finally:
        for name, verify in before.items():
            setattr(primitives, name, verify)
