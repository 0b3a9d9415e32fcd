"""Both modalities of section 3 by the command line, over a relay and four nodes as processes, from first to last step.

KAZ has the Chairmanship. What a state may not do, its own node refuses with the reason; what it could not know, the
others' nodes show as no valid step.
"""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exchange.demo.processes import Processes
from exchange.demo.site import NAMES
from tests.support.cbm import answer, cbm, line
from tests.support.records import example
from tests.support.running import client, in_state, running
from tests.support.waiting import until

STATES = ("KAZ", "MNG", "UZB")
ALL = (*STATES, "CICA")
AREA = "energy-security"


class Floor:
    """Who acts, by `cbm`."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self.folder = folder
        self.processes = processes

    async def run(self, member: str, *arguments: str) -> tuple[int, str, str]:
        site = self.processes.site
        access = ("--node", self.processes.url(member), "--token-file", str(site.token_file(member)))
        return await cbm(*arguments, *access, "--json", cwd=self.folder)

    async def advance(
        self, member: str, thread: str, step: str, body: dict[str, Any], *options: str, to: str = "", doubt: str = ""
    ) -> str:
        """Take a step that is this member's, with or without a warning; once all have it, the id of its record."""
        receivers = to.split(",") if to else [code for code in ALL if code != member]
        result = await self.try_to(member, thread, step, body, *options, to=",".join(receivers))
        assert result[0] == 0, result
        told = json.loads(result[1])
        assert [warning["detail"] for warning in told["warnings"]] == ([doubt] if doubt else [])
        message = told["id"]
        async with client(self.processes, member) as node:
            sent = await in_state(node, message, "delivered")
        return str(sent.record["record_id"])

    async def try_to(
        self, member: str, thread: str, step: str, body: dict[str, Any], *options: str, to: str = "KAZ"
    ) -> tuple[int, str, str]:
        file = self.folder / f"{step}.json"
        file.write_text(json.dumps(body))
        return await self.run(
            member, "procedure", "advance", thread, "--step", step, "--body", str(file), "--to", to, *options
        )

    async def refused(self, member: str, thread: str, step: str, body: dict[str, Any], *options: str) -> str:
        """The line with which a member's own node refuses a step; nothing is stored."""
        async with client(self.processes, member) as node:
            before = [row.id async for row in node.messages("outbox")]
            to = "KAZ" if member != "KAZ" else "MNG"
            code, out, err = await self.try_to(member, thread, step, body, *options, to=to)
            assert json.loads(out)["type"] == "urn:cbm:problem:step-refused"
            assert [row.id async for row in node.messages("outbox")] == before
        return line((code, "", err), 1)

    async def send(self, member: str, measure: str, record: dict[str, Any], *options: str) -> str:
        """Any other record of the procedure, to all; its message's id."""
        file = self.folder / "record.json"
        file.write_text(json.dumps(record))
        to = ",".join(code for code in ALL if code != member)
        sent = answer(
            await self.run(member, "send", "--to", to, "--measure", measure, "--record", str(file), *options)
        )["id"]
        async with client(self.processes, member) as node:
            await in_state(node, sent, "delivered")
        return str(sent)

    async def record(self, member: str, message: str) -> dict[str, Any]:
        """What `cbm show` says of a message."""
        shown: dict[str, Any] = answer(await self.run(member, "show", message))
        return shown

    async def show(self, member: str, thread: str) -> dict[str, Any]:
        found: dict[str, Any] = answer(await self.run(member, "procedure", "show", thread))
        return found


@asynccontextmanager
async def floor(folder: Path) -> AsyncIterator[Floor]:
    assert set(STATES) <= NAMES.keys()
    async with running(folder / "site", ALL) as processes:
        work = folder / "work"
        work.mkdir()
        (work / "financing.pdf").write_bytes(b"%PDF financing")
        (work / "paper.pdf").write_bytes(b"%PDF paper")
        yield Floor(work, processes)


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


async def a_second() -> None:
    """Wait until another second has begun for everybody: of what was accepted in one, none came before the other."""
    begun = time.time()
    await until(lambda: time.time() > begun + 1)


def decision(by: str, subject: str, outcome: str = "agreed", **members: object) -> dict[str, Any]:
    return {"subject_ref": subject, "outcome": outcome, "by": by, "date": today(), "priority_area": AREA, **members}


def paper(designation: str, version: int = 1) -> dict[str, Any]:
    body: dict[str, Any] = example("concept-paper", "circulated")["body"]
    body |= {"coordinator": ["MNG"], "designation_ref": designation, "version": version}
    del body["document_status"]
    return body


def steps(shown: dict[str, Any]) -> list[str]:
    return [taken["step"] for taken in shown["done"]]


def members(shown: dict[str, Any]) -> dict[str, list[str]]:
    """Who may take which open step."""
    return {row["step"]: row["members"] for row in shown["open"]}


async def test_modality_a_from_interest_to_approval(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        interest = {"modality": "A", "priority_area": AREA, "intent": "coordinate"}
        start = await at.advance("MNG", "new", "A1", interest, "--title", "Interest in energy security")
        await at.advance("UZB", start, "A1", {**interest, "intent": "participate"})
        refusal = await at.refused("UZB", start, "A2", decision("chairman", start))
        assert "step A2 is for CICA Chairman, here KAZ: not for UZB" in refusal
        await at.advance("KAZ", start, "A2", decision("chairman", start))
        designation = await at.advance("KAZ", start, "A3", decision("chairman", start, designated=["MNG"]))
        shown = await at.show("UZB", start)
        assert (steps(shown), members(shown)["A4"]) == (["A1", "A1", "A2", "A3"], ["MNG"])
        refusal = await at.refused("UZB", start, "A4", {**paper(designation), "coordinator": ["UZB"]})
        assert "step A4 is for Coordinating country, here MNG: not for UZB" in refusal
        assert "A7" not in members(shown)
        refusal = await at.refused("KAZ", start, "A7", decision("soc", start))
        assert "step A7 needs the agreement of the SWG first" in refusal
        await _paper(at, start, designation)
        await _approval(at, start)


async def _paper(at: Floor, start: str, designation: str) -> None:
    """The draft, with a correction and its translation, and its distribution."""
    with_file = {**paper(designation), "financing": {"file": {"filename": "financing.pdf"}}}
    draft = await at.advance("MNG", start, "A4", with_file, "--attach", "financing.pdf")
    corrected = {
        "record_type": "concept-paper",
        "schema_version": "1.0.0",
        "action": "correction",
        "language": "en",
        "title": {"en": "Draft concept paper, corrected"},
        "body": {**paper(designation, 2), "document_status": "draft"},
    }
    message = await at.send("MNG", "3.A", corrected, "--thread", draft)
    text = await at.record("MNG", message)
    translated = {
        **corrected,
        "action": "translation",
        "language": "ru",
        "title": {"ru": "Проект концепции"},
        "translation_of": {"record_id": text["record"]["record_id"], "sha256": text["record_sha256"]},
    }
    await at.send("MNG", "3.A", translated, "--thread", text["record"]["record_id"])
    for member in STATES:
        shown = await at.show(member, draft)
        lines = [(row["depth"], row["action"], row["language"], row["state"]) for row in shown["records"]]
        assert lines[-3:] == [
            (0, "new", "en", "superseded"),
            (1, "correction", "en", "current"),
            (2, "translation", "ru", "current"),
        ]
        assert (steps(shown)[-1], shown["done"][-1]["record_id"], shown["refused"]) == ("A4", draft, [])
    await at.advance("CICA", start, "A5", paper(designation, 3))
    refusal = await at.refused("MNG", start, "A4", paper(designation, 4))
    assert "step A4 is out of order: A5 was taken" in refusal


async def _approval(at: Floor, start: str) -> None:
    """Consideration and approval; a state that was not told of the end acts, and the others show why that is void."""
    await at.advance("KAZ", start, "A6", decision("swg", start))
    await at.advance("KAZ", start, "A7", decision("soc", start), to="MNG,CICA")
    shown = await at.show("MNG", start)
    assert (shown["state"], shown["open"]) == ("ended", [])
    assert steps(shown) == ["A1", "A1", "A2", "A3", "A4", "A5", "A6", "A7"]
    refusal = await at.refused("MNG", start, "A1", {"modality": "A", "priority_area": AREA, "intent": "implement"})
    assert "step A1 is out of order: A7 was taken" in refusal
    await a_second()
    late = await at.advance("UZB", start, "A1", {"modality": "A", "priority_area": AREA, "intent": "implement"})
    for member in ("KAZ", "MNG", "CICA"):
        (refused,) = (await at.show(member, start))["refused"]
        assert refused["record_id"] == late
        assert refused["reason"].startswith("step A1 is out of order: A7 was taken")
    (row,) = answer(await at.run("KAZ", "procedure", "list"))
    assert (row["id"], row["state"], row["priority_area"]) == (start, "ended", AREA)
    assert row["title"] == {"en": "Interest in energy security"}


async def test_modality_b_from_views_to_decision(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        views = {"modality": "B", "priority_area": AREA, "views": {"en": "A common standard would help."}}
        start = await at.advance("UZB", "new", "B1", views)
        consent = {"record": start, "originator": "UZB", "consent_ref": "Note 9"}
        entry = {"entry_of": [start], "originator_consents": [consent], "compiled_by": "secretariat", "edition": 1}
        entry["content"] = {"en": "One member proposes a standard."}
        assert "B2 is for CICA Chairman or CICA Secretariat" in await at.refused("MNG", start, "B2", entry)
        await at.advance("CICA", start, "B2", entry)
        nominated = await at.advance("MNG", start, "B3", _nomination("MNG"), "--tlp", "RED")
        # For the area, whatever the thread.
        doubt = "no step B1, B2 before B3"
        other = await at.advance("KAZ", "new", "B3", _nomination("KAZ"), "--tlp", "RED", doubt=doubt)
        await at.advance("CICA", start, "B4", _meeting())
        assert "B5 is for Specialized meeting, here KAZ" in await at.refused(
            "CICA", start, "B5", decision("meeting", start)
        )
        tasking = await at.advance("KAZ", start, "B5", decision("meeting", start))
        shown = await at.show("MNG", start)
        assert (steps(shown), members(shown)["B6"]) == (["B1", "B2", "B3", "B3", "B4", "B5"], ["KAZ", "MNG"])
        authored = _authored(tasking, nominated, other)
        assert "B6 is for Experts, here KAZ, MNG: not for UZB" in await at.refused(
            "UZB", start, "B6", authored, "--attach", "paper.pdf"
        )
        await at.advance("MNG", start, "B6", authored, "--attach", "paper.pdf")
        await at.advance("KAZ", start, "B7", decision("swg", start, "returned"))
        await a_second()
        again = await at.advance("MNG", start, "B6", {**authored, "version": 2}, "--attach", "paper.pdf")
        await at.advance("KAZ", start, "B7", decision("swg", again))
        await at.advance("KAZ", start, "B8", decision("soc", again))
        for member in ALL:
            shown = await at.show(member, start)
            assert (shown["state"], shown["refused"]) == ("ended", [])
            assert steps(shown)[-5:] == ["B6", "B7", "B6", "B7", "B8"]
            assert members(shown) == {"B3": list(STATES)}
        refusal = await at.refused("UZB", start, "B1", views)
        assert "step B1 is out of order: B8 was taken" in refusal


def _nomination(member: str) -> dict[str, Any]:
    body: dict[str, Any] = example("expert-nomination", "expert")["body"]
    year = datetime.now(UTC).year
    body["expert"] |= {"country": member}
    term = {"start": f"{year}-01-01", "end": f"{year + 2}-12-31"}
    return {**body, "priority_area": AREA, "term": term, "retention_until": f"{year + 3}-12-31"}


def _meeting() -> dict[str, Any]:
    body: dict[str, Any] = example("visit-event-invitation", "specialized-meeting")["body"]
    times = {"rsvp_by": day(10), "dtstart": day(30), "dtend": day(31)}
    return {**body, **times, "priority_area": AREA}


def _authored(tasking: str, *nominations: str) -> dict[str, Any]:
    body: dict[str, Any] = example("working-paper", "tourism")["body"]
    (author,) = body["authors"]
    body["authors"] = [{**author, "nomination_ref": ref} for ref in nominations]
    return {**body, "priority_area": AREA, "tasking_ref": tasking, "paper": {"filename": "paper.pdf"}}
