"""The second verifier is one: it shares no code with the product, and it comes to the same findings."""

import ast
import random
import sys
from pathlib import Path

import pytest

from exchange.audit.evidence import NoEvidence
from schemas.ids import MemberId
from tests.standards import second_verifier
from tests.standards.second_directory import Invalid
from tests.support.evidence import Case, judge
from tests.support.late import answered, before
from tests.support.world import World

FOLDER = Path(__file__).parent
PARTS = tuple(sorted(path.name for path in FOLDER.glob("second_*.py")))
FOREIGN = {"cryptography", "msgpack", "nacl"}
CHANGES = 150


def imported(path: Path) -> set[str]:
    """Every module that a file imports, at whatever place."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("part", PARTS)
def test_it_shares_no_code_with_the_product(part: str) -> None:
    modules = imported(FOLDER / part)
    own = {f"tests.standards.{name.removesuffix('.py')}" for name in PARTS}
    assert {module.split(".")[0] for module in modules - own} <= FOREIGN | sys.stdlib_module_names


def sample(world: World) -> bytes:
    """A first sending, a forward under a Grant, heads and answers."""
    case = Case(world)
    first = case.send("KAZ", ["MNG", "UZB"])
    case.answer(first, "MNG")
    grant = world.grant(first.sealed.header.core.provisions[0].provision, "KAZ", "MNG", ["XAA"])
    passed = case.accept(world.forward(first.sealed, "MNG", ["XAA"], grants=[grant]))
    head = case.head("KAZ", "UZB")
    case.answer(head, "UZB")
    return case.file(first, passed, heads=[head], member=MemberId("KAZ"))


def ended() -> tuple[World, bytes]:
    """An answer whose key has ended since, as the log and the members saw it before."""
    late = before("MNG")
    kept, entry = answered(late, 60)
    data = late.file(kept, logged_entries=(entry,), earlier=[late.earlier(), late.earlier(late.size - 1)])
    return late.world, data


def second(world: World, data: bytes) -> list[tuple[str, str]] | None:
    """None when a claim does not hold, or nothing can be read."""
    try:
        return second_verifier.verify(data, world.charter_digest)
    except (second_verifier.Broken, Invalid, KeyError, IndexError, ValueError, TypeError):
        return None


def first(world: World, data: bytes) -> list[tuple[str, str]] | None:
    try:
        told = judge(world, data)
    except NoEvidence:
        return None
    rows = [(finding.claim.value, str(finding.member or "")) for finding in told.findings]
    return None if told.broken is not None else rows


def test_both_come_to_the_same_findings(world: World) -> None:
    data = sample(world)
    told = first(world, data)
    assert told is not None
    assert sorted(told) == sorted(second(world, data) or ())
    assert {"forwarded", "withheld", "delivered", "relayed"} <= {claim for claim, _ in told}


@pytest.mark.parametrize("over", [False, True])
def test_what_the_first_believes_of_a_changed_file_the_second_believes_too(over: bool) -> None:
    """And the second is never led to another finding than the unchanged file has."""
    world = World()
    world, data = ended() if over else (world, sample(world))
    draw = random.Random(7)
    honest = sorted(second(world, data) or ())
    assert "delivered" in {claim for claim, _ in honest}
    refused = 0
    for _ in range(CHANGES):
        place = draw.randrange(len(data))
        changed = data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]
        ours, theirs = first(world, changed), second(world, changed)
        refused += ours is None
        assert theirs is None or sorted(theirs) == honest
        assert ours is None or sorted(ours) == honest
        assert ours is None or theirs is not None
    assert refused > CHANGES // 2
