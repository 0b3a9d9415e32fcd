"""Disputes settled by files alone: `cbm evidence verify` with nothing but the charter at hand, and a second verifier.

verdict = settle(case.world, case.file(case.send("KAZ", ["MNG"])))     # both verifiers agree, or the test ends
verdict.of("accepted")
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exchange.cli.main import run
from schemas.files import SIGNED_CHARTER, encode_file
from schemas.statement import read_entry
from tests.standards.second_verifier import Broken, verify
from tests.support.changes import ChangingWorld
from tests.support.evidence import Case
from tests.support.world import World


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the command said."""

    code: int
    findings: list[dict[str, Any]]
    broken: dict[str, str] | None

    @property
    def outline(self) -> tuple[list[tuple[str, str]], str | None]:
        """What the second verifier says as well: claims and about whom, or the one that does not hold."""
        if self.broken is not None:
            return [], self.broken["claim"]
        rows = [(row["claim"], row["member"] or "") for row in self.findings]
        # Why a transfer was not lawful is told once for each rule.
        return sorted({(claim, "" if claim == "without-consent" else member) for claim, member in rows}), None

    def of(self, claim: str) -> list[tuple[str, str]]:
        """About whom a claim was found, and the sentence."""
        return [(row["member"], row["finding"]) for row in self.findings if row["claim"] == claim]


Settle = Callable[[World, bytes], Verdict]


def second_opinion(world: World, data: bytes) -> tuple[list[tuple[str, str]], str | None]:
    """That of a verifier that was written from the document alone."""
    try:
        return sorted(set(verify(data, world.charter_digest))), None
    except Broken as fault:
        return [], fault.claim


@pytest.fixture
def settle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Settle:
    """Judge a file with the charter, and nothing else, at hand."""

    def judged(world: World, data: bytes) -> Verdict:
        charter, file = tmp_path / "charter.cbm", tmp_path / "evidence.cbm"
        charter.write_bytes(encode_file(SIGNED_CHARTER, read_entry(world.entries[0])))
        file.write_bytes(data)
        code = run(["evidence", "verify", str(file), "--charter", str(charter), "--json"])
        told = json.loads(capsys.readouterr().out)
        verdict = Verdict(code, told["findings"], told["broken"])
        assert verdict.outline == second_opinion(world, data)
        return verdict

    return judged


@pytest.fixture
def case(world: World) -> Case:
    """Files of an envelope by hand."""
    return Case(world)


def changing() -> Case:
    """The same over a directory that grows."""
    return Case(ChangingWorld())


def assert_broken(verdict: Verdict, claim: str) -> None:
    """The command failed, and named this claim."""
    assert verdict.code == 1
    assert verdict.broken is not None
    assert verdict.broken["claim"] == claim, verdict.broken
