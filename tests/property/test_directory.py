"""What holds of the directory for any lawful history: every earlier view stays at hand, and no power comes back."""

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from keys.amendment import Changes
from keys.directory import Directory, extend, obey
from keys.errors import KeyFault, Untrusted
from keys.identity import SigningIdentity
from schemas.endings import WithdrawalTarget
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY
from schemas.statement import DirectoryEntry, read_entry
from tests.support.changes import (
    ChangingWorld,
    certificate,
    epoch_of,
    identity,
    party,
    revocation,
    term,
    withdrawal,
)
from tests.support.world import NOW

CODES = ("KAZ", "MNG", "UZB", "XAA", "XAB")
STEPS = ("key", "epoch", "revoke", "withdraw", "remove", "admit", "chair")
Key = tuple[MemberId, KeyId]


class History:
    """A world that goes on by lawful steps; one that the rules do not allow now is left out."""

    def __init__(self) -> None:
        self.world = ChangingWorld(codes=CODES, epochs=1)
        self.views = [self.world.directory]
        self.keys: dict[str, list[SigningIdentity]] = {code: [node] for code, node in self.world.nodes.items()}
        self._count = 0

    def step(self, kind: str, code: str) -> None:
        self._count += 1
        try:
            match kind:
                case "remove" | "admit" | "chair":
                    self._amend(kind, code)
                case _:
                    self.world.publish(self._entry(kind, code))
        except KeyFault:
            return
        self.views.append(self.world.directory)

    def _entry(self, kind: str, code: str) -> DirectoryEntry:
        world, key = self.world, self.keys[code][-1]
        if kind == "key":
            self.keys[code].append(identity(f"node {self._count}", code))
            return certificate(term(self.keys[code][-1], NOW - DAY, NOW + DAY), world.roots[code])
        if kind == "epoch":
            return epoch_of(key, 9 + self._count, NOW)
        if kind == "revoke":
            return revocation(world.roots[code], key.key_id, NOW)
        return withdrawal(key, WithdrawalTarget.GRANT, self._count.to_bytes(16, "big"), NOW)

    def _amend(self, kind: str, code: str) -> None:
        world = self.world
        voters = world.charter.voters()
        if kind == "chair" and code in voters:
            changes = Changes(chairmanship=replace(world.charter.chairmanship, member=MemberId(code)))
            world.amend(changes, voters)
        elif kind == "remove" and code != world.charter.chairmanship.member and len(voters) > 2:
            world.amend(Changes(removed=(MemberId(code),)), [voter for voter in voters if voter != code])
        elif kind == "admit" and code not in voters:
            root = identity(f"root {self._count}", code)
            world.amend(Changes(admitted=(party(code, root=root),)), voters, {code: root})


def powers(directory: Directory) -> set[Key]:
    """Which keys may sign now."""
    return {name for name in directory.signing if _may(directory, name)}


def _may(directory: Directory, name: Key) -> bool:
    try:
        directory.signing_key(*name, NOW)
    except Untrusted:
        return False
    return True


def _sealed_to(directory: Directory) -> Iterator[tuple[MemberId, KeyId]]:
    for member in directory.members:
        try:
            yield member, directory.epoch_at(member, NOW).key_id
        except Untrusted:
            continue


histories = st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(CODES)), min_size=1, max_size=14)


@settings(max_examples=40, deadline=None)
@given(histories)
def test_every_earlier_view_stays_at_hand_and_no_power_comes_back(steps: list[tuple[str, str]]) -> None:
    history = History()
    for kind, code in steps:
        history.step(kind, code)
    last = history.views[-1]
    ended: set[Key] = set()
    for view in history.views:
        assert last.as_of(view.size) == view
        now = powers(view)
        assert now.isdisjoint(ended)
        ended |= view.signing.keys() - now
        for member, key in _sealed_to(view):
            assert (member, view.epoch(member, key).certifier) in {
                n for n in view.signing if view.in_force(view.signing[n])
            }


@settings(max_examples=25, deadline=None)
@given(histories, st.integers(1, 5))
def test_in_any_batches_the_same_entries_make_the_same_directory(steps: list[tuple[str, str]], batch: int) -> None:
    history = History()
    first = history.views[0]
    for kind, code in steps:
        history.step(kind, code)
    entries = [read_entry(entry) for entry in history.world.entries[first.size :]]
    directory = first
    for start in range(0, len(entries), batch):
        directory = extend(directory, entries[start : start + batch])
    assert directory == history.views[-1]
    assert directory.tree == history.views[-1].tree


@settings(max_examples=25, deadline=None)
@given(histories, st.sampled_from(CODES))
def test_what_is_obeyed_beside_the_log_only_takes_power_away(steps: list[tuple[str, str]], code: str) -> None:
    history = History()
    for kind, member in steps:
        history.step(kind, member)
    directory = history.views[-1]
    key = history.keys[code][-1].key_id
    try:
        obeying = obey(directory, revocation(history.world.roots[code], key, NOW))
    except KeyFault:
        assert code not in directory.members
        return
    assert powers(obeying) == powers(directory) - {(MemberId(code), key)}
    assert set(_sealed_to(obeying)) <= set(_sealed_to(directory)) | {
        (member, epoch) for member, epoch in _sealed_to(obeying) if member == code
    }
