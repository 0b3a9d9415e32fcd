"""A relay is replaced, and somebody uses that to hide, change or invent what the directory held."""

from dataclasses import replace
from pathlib import Path

import pytest

from exchange.errors import Conflict, Invalid, Malformed
from exchange.node.config import CONFIG_FILE, load_config
from exchange.process import sole_owner
from exchange.storage.node_reading import read_directory
from exchange.wiring.epochs import node_directory
from exchange.wiring.node import create_node
from exchange.wiring.node_directory import export_directory, switch_relay
from exchange.wiring.relay_directory import write_directory
from keys import ceremony, primitives
from keys.amendment import Changes
from keys.directory import handover_of
from keys.errors import Untrusted
from schemas.charter import Handover
from schemas.ids import MemberId
from schemas.statement import DirectoryEntry, read_entry
from tests.support.changes import ChangingWorld, new_relay, revocation

OLD, NEW = "https://relay.example:8443", "https://relay-2.example:8443"
VOTERS = ("KAZ", "UZB", "XAA")


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primitives, "ARGON2_OPS", 1)
    monkeypatch.setattr(primitives, "ARGON2_MEMORY", 8192)


@pytest.fixture
def world() -> ChangingWorld:
    """A directory whose newest entry is a revocation that a thief would rather not see."""
    made = ChangingWorld()
    made.publish(revocation(made.roots["MNG"], made.nodes["MNG"].key_id, made.now))
    return made


def directory_file(path: Path, entries: tuple[bytes, ...]) -> Path:
    write_directory(path, entries)
    return path


def node_with(folder: Path, world: ChangingWorld, entries: tuple[bytes, ...]) -> Path:
    """A node that has verified these entries."""
    values: dict[str, str | int] = {"member": "KAZ", "relay_url": OLD, "host": "127.0.0.1", "port": 0}
    known = directory_file(folder / "known", entries)
    create_node(folder / "node", values, read_entry(world.entries[0]), b"correct horse", directory=known)
    return folder / "node"


def successor(world: ChangingWorld, end: Handover | None = None) -> DirectoryEntry:
    """The version that names another relay, signed by the quorum; by default with the true end."""
    before = world.directory.charter
    changes = Changes(relays=(new_relay(),), handover=end or handover_of(world.directory))
    draft = world.draft(changes)
    return ceremony.assemble_charter(
        draft, [ceremony.sign_charter(world.roots[code], draft) for code in VOTERS], before
    )


def state(node: Path) -> tuple[str, tuple[bytes, ...]]:
    return (node / CONFIG_FILE).read_text(), read_directory(node)


def test_a_node_takes_what_it_lacks_and_goes_over(tmp_path: Path, world: ChangingWorld) -> None:
    node = node_with(tmp_path, world, world.entries[:3])
    charter = successor(world)
    whole = directory_file(tmp_path / "whole", world.entries)
    view = switch_relay(node, NEW, charter, whole)
    assert (view.size, view.charter.version) == (len(world.entries) + 1, 2)
    assert load_config(node).relay_url == NEW
    assert read_directory(node)[:-1] == world.entries
    assert node_directory(node).relays == view.relays
    # Again, and without the file, it is what it is.
    after = state(node)
    switch_relay(node, NEW, charter, whole)
    switch_relay(node, NEW, charter, None)
    assert state(node) == after


def test_the_end_of_the_old_directory_is_hidden(tmp_path: Path, world: ChangingWorld) -> None:
    """The members were told an end without the last entry, the revocation, and signed it."""
    node = node_with(tmp_path, world, world.entries)
    before = state(node)
    shorter = ChangingWorld()
    assert world.entries[: len(shorter.entries)] == shorter.entries
    charter = successor(shorter)
    short = directory_file(tmp_path / "short", shorter.entries)
    for given in (short, None):
        with pytest.raises(Untrusted):
            switch_relay(node, NEW, charter, given)
        assert state(node) == before


def test_an_entry_of_the_old_directory_is_another_one(tmp_path: Path, world: ChangingWorld) -> None:
    """Both directories verify, and differ in one entry."""
    other = ChangingWorld()
    other.publish(revocation(other.roots["UZB"], other.nodes["UZB"].key_id, other.now))
    node = node_with(tmp_path, world, world.entries)
    before = state(node)
    forged = directory_file(tmp_path / "forged", other.entries)
    with pytest.raises(Untrusted, match="another one than there"):
        switch_relay(node, NEW, successor(other), forged)
    assert state(node) == before


def test_the_stated_end_is_not_that_of_the_file(tmp_path: Path, world: ChangingWorld) -> None:
    node = node_with(tmp_path, world, world.entries[:3])
    before = state(node)
    whole = directory_file(tmp_path / "whole", world.entries)
    true = handover_of(world.directory)
    for end in (
        replace(true, size=true.size - 1),
        replace(true, root_hash=handover_of(ChangingWorld().directory).root_hash),
    ):
        with pytest.raises(Untrusted, match="another directory"):
            switch_relay(node, NEW, successor(world, end), whole)
    assert state(node) == before


def test_a_version_that_too_few_signed(tmp_path: Path, world: ChangingWorld) -> None:
    node = node_with(tmp_path, world, world.entries)
    before = state(node)
    charter = successor(world)
    few = replace(charter, signatures=charter.signatures[:-1])
    with pytest.raises(Untrusted, match="needs"):
        switch_relay(node, NEW, few, None)
    assert state(node) == before


def test_a_file_that_is_cut_off(tmp_path: Path, world: ChangingWorld) -> None:
    node = node_with(tmp_path, world, world.entries[:3])
    before = state(node)
    whole = directory_file(tmp_path / "whole", world.entries)
    whole.write_bytes(whole.read_bytes()[:-1])
    with pytest.raises(Malformed, match="cut off"):
        switch_relay(node, NEW, successor(world), whole)
    assert state(node) == before


def test_an_address_without_tls_or_a_node_that_runs(tmp_path: Path, world: ChangingWorld) -> None:
    node = node_with(tmp_path, world, world.entries)
    before = state(node)
    with pytest.raises(Invalid, match="no address of a relay"):
        switch_relay(node, "http://relay-2.example:8443", successor(world), None)
    with sole_owner(node), pytest.raises(Conflict):
        switch_relay(node, NEW, successor(world), None)
    assert state(node) == before


def test_a_new_member_is_given_a_directory_of_another_charter(tmp_path: Path, world: ChangingWorld) -> None:
    """The fingerprint that was compared is of version 1: a directory that begins otherwise makes no node."""
    other = ChangingWorld(now=world.now + 1)
    with pytest.raises(Untrusted, match="not the one that was pinned"):
        node_with(tmp_path, ChangingWorld(), other.entries)
    assert not (tmp_path / "node").exists()


def test_what_a_node_exports_is_what_it_has_verified(tmp_path: Path, world: ChangingWorld) -> None:
    node = node_with(tmp_path, world, world.entries)
    directory = export_directory(node, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "known").read_bytes()
    assert directory.size == len(world.entries)
    assert MemberId("KAZ") in directory.members
