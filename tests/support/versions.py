"""Charter versions of a world of four Member States, three of which amend; and what being refused means."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import pytest

from keys.amendment import Changes
from keys.ceremony import root_public
from keys.directory import extend
from keys.errors import KeyFault
from keys.identity import SigningIdentity
from schemas.charter import Charter, Member
from schemas.ids import MemberId
from schemas.statement import DirectoryEntry
from tests.support.changes import ChangingWorld, epoch_of, identity
from tests.support.world import NOW

ALL: Final = ("KAZ", "MNG", "UZB", "XAA")
OTHERS: Final = ("KAZ", "UZB", "XAA")
MNG: Final = MemberId("MNG")
NEW_MNG: Final = identity("root", "MNG")


def roots(world: ChangingWorld, codes: Iterable[str]) -> list[SigningIdentity]:
    """The roots of these members."""
    return [world.roots[code] for code in codes]


def rows(charter: Charter, **changed: SigningIdentity) -> tuple[Member, ...]:
    """The charter's rows, some of them with other roots."""
    return tuple(replace(m, root=changed[m.code].public) if m.code in changed else m for m in charter.members)


def other_chair(world: ChangingWorld) -> Charter:
    """A version that only gives the Chairmanship to UZB."""
    return world.draft(Changes(chairmanship=replace(world.charter.chairmanship, member=MemberId("UZB"))))


def removal(world: ChangingWorld) -> Charter:
    """A version without MNG."""
    return world.draft(Changes(removed=(MNG,)))


def new_root(world: ChangingWorld) -> Charter:
    """A version with another root of MNG."""
    return world.draft(Changes(roots=(root_public(NEW_MNG),)))


def refused(world: ChangingWorld, fault: type[KeyFault], forged: DirectoryEntry) -> None:
    """Alone and behind an honest entry, which is accepted all the same; the directory is what it was."""
    directory = world.directory
    before = replace(directory)
    honest = epoch_of(world.nodes["KAZ"], 9, NOW)
    with pytest.raises(fault):
        extend(directory, [forged])
    # Behind another entry a handover would be wrong for that alone.
    if not isinstance(forged.statement, Charter) or forged.statement.handover is None:
        with pytest.raises(fault):
            extend(directory, [honest, forged])
    assert directory == before
    assert extend(directory, [honest]).size == directory.size + 1
