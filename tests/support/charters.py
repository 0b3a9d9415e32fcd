"""Later versions of a test world's charter, signed by everybody."""

from dataclasses import replace
from typing import Any

from keys.directory import handover_of
from keys.identity import SigningIdentity
from keys.view import Directory
from schemas.charter import Relay
from tests.support.realm import charter_entry
from tests.support.world import World


def amendment(world: World, directory: Directory | None = None, **changes: Any) -> bytes:  # noqa: ANN401 - as replace
    """The version after the one in force, as a directory entry; `changes` replace attributes of Charter."""
    view = directory or world.directory
    old = view.charter
    changed: dict[str, Any] = {"version": old.version + 1, "previous": view.charter_digest, "handover": None, **changes}
    return charter_entry(replace(old, **changed), world.roots)


def relay_change(world: World, relay: SigningIdentity, directory: Directory | None = None, **changes: Any) -> bytes:  # noqa: ANN401
    """A version that names another relay in place of all others, and where their directory ends."""
    view = directory or world.directory
    values: dict[str, Any] = {"relays": (Relay("relay", relay.public, ()),), "handover": handover_of(view), **changes}
    return amendment(world, view, **values)
