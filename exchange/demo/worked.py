"""The worked exchange, step by step; each step says what it saw and whether that is what should have happened."""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Unpack

from exchange.client import ClientError, NodeClient, Problem, Retry
from exchange.client.node import Terms
from exchange.demo.consenting import Consenting
from exchange.demo.directory import revoke, witnessed
from exchange.demo.ministry import Ministry
from exchange.demo.processes import Processes
from exchange.demo.report import RefusalSeen, Report
from exchange.demo.site import OFFICIALS, Site, build_site, free_port
from exchange.demo.tampered import pass_on
from exchange.errors import ExchangeError
from keys.primitives import random_bytes
from schemas.cap import cap_bytes
from schemas.limits import MIB
from schemas.registry import examples

MEMBERS: Final = ("KAZ", "MNG", "UZB", "XAA")
# Generous: on a loaded machine a step may take long, and nothing is decided by how long it took.
_PATIENCE: Final = 60.0
_BURST: Final = 24
_ROUTING: Final = frozenset({"record_id", "originators", "recipients", "copy_secretariat", "handling"})
_DELIVERY: Final = {"retry_most": 1, "directory_every": 1}


class WorkedExchange:
    """One run of the demo in one folder."""

    def __init__(self, folder: Path, report: Report) -> None:
        """`folder`: empty, or not there."""
        self._folder = folder
        self._report = report
        self._ministries: dict[str, Ministry] = {}

    async def run(self) -> None:
        """All steps."""
        began = time.monotonic()
        site = await asyncio.to_thread(
            build_site, self._folder, MEMBERS, int(time.time()), free_port(), delivery=_DELIVERY
        )
        with Processes(site) as processes:
            try:
                await processes.start("relay", *MEMBERS)
                async with self._ministries_of(site, processes):
                    await self._steps(site, processes)
            except (ClientError, ExchangeError) as fault:
                self._report.step("unexpected", False, f"{type(fault).__name__}: {fault}")
        self._report.step("time", True, f"{time.monotonic() - began:.1f} s in all")

    async def _steps(self, site: Site, processes: Processes) -> None:
        ready = await self._all_can_receive()
        detail = f"relay and nodes {', '.join(MEMBERS)} run as processes of their own"
        self._report.step("set-up", ready, f"{detail}; TLS 1.3, certificate pinned by the charter")
        budget = await self._budget()
        await self._alert()
        await self._file()
        await self._refused_by_own_node(budget)
        await self._refused_by_relay(site, budget)
        await self._refused_by_receiver(site, processes, budget)
        await self._killed_in_mid_flight(processes)
        await self._consent(site, processes, budget)
        await self._count()
        await self._log(site)
        await self._revoked(site, budget)

    @asynccontextmanager
    async def _ministries_of(self, site: Site, processes: Processes) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            listening = []
            for member in MEMBERS:
                client = NodeClient(
                    processes.url(member), token_file=site.token_file(member), retry=Retry(40, 0.1, 1.0)
                )
                await stack.enter_async_context(client)
                self._ministries[member] = Ministry(member, client)
                listening.append(asyncio.create_task(self._ministries[member].listen()))
            try:
                yield
            finally:
                for task in listening:
                    task.cancel()
                await asyncio.gather(*listening, return_exceptions=True)

    async def _all_can_receive(self) -> bool:
        """Every node has published its keys, and every node sees those of all."""
        deadline = time.monotonic() + _PATIENCE
        for ministry in self._ministries.values():
            while not all(member.can_receive for member in (await ministry.client.members()).members):
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(0.05)
        return True

    async def _budget(self) -> str:
        """A defence budget from KAZ to MNG and XAA, which they may not pass on."""
        record = _example("defence-budget", "simplified-actual-outlay.json")
        queued = await self._send("KAZ", ["MNG", "XAA"], "2.1.1.b", record, tlp="AMBER")
        arrived = await self._arrived(queued, "MNG", "XAA")
        same = arrived and all(self._record_at(m, queued)["body"] == record["body"] for m in ("MNG", "XAA"))
        self._report.step("budget", same, "KAZ sent its defence budget to MNG and XAA; both hold the same figures")
        return queued

    async def _alert(self) -> None:
        """A flash alert to all; the original CAP file arrives byte for byte."""
        original = dict(examples("disaster-alert"))["flood-warning.json"]
        record = _without_routing(json.loads(original))
        others = ["MNG", "UZB", "XAA"]
        queued = await self._send("KAZ", others, "2.4.3", record, tlp="GREEN", onward="members", precedence="flash")
        arrived = await self._arrived(queued, *others)
        cap = cap_bytes(record["body"])
        same = arrived and all(cap_bytes(self._record_at(m, queued)["body"]) == cap for m in others)
        self._report.step(
            "alert", same, f"KAZ sent a flash alert to all; its CAP file of {len(cap)} bytes is unchanged"
        )

    async def _file(self) -> None:
        """A file of 8 MiB beside a notification."""
        path = self._folder / "exercise-map.bin"
        data = await asyncio.to_thread(random_bytes, 8 * MIB)
        await asyncio.to_thread(path.write_bytes, data)
        record = _example("military-activity-notification", "field-exercise.json")
        client = self._ministries["MNG"].client
        queued = await client.send(["KAZ", "UZB"], "2.1.1.d", record, attachments=[path], tlp="AMBER")
        arrived = await self._arrived(queued.id, "KAZ", "UZB")
        digests = []
        for member in ("KAZ", "UZB") if arrived else ():
            digest = hashlib.sha256()
            async for piece in self._ministries[member].client.attachment(queued.id, 0):
                digest.update(piece)
            digests.append(digest.digest())
        same = digests == [hashlib.sha256(data).digest()] * 2
        self._report.step("file", same, "MNG sent an exercise notification with a file of 8 MiB to KAZ and UZB")

    async def _refused_by_own_node(self, budget: str) -> None:
        """XAA asks its own node to pass the budget to UZB."""
        try:
            await self._ministries["XAA"].client.forward(budget, ["UZB"])
            refusal = None
        except Problem as problem:
            refusal = problem.type.rpartition(":")[2]
            self._report.refusals.append(RefusalSeen("node", refusal, "XAA"))
        held = refusal == "no-consent"
        self._report.step("refused-by-node", held, f"XAA's own node refused to pass the budget to UZB: {refusal}")

    async def _refused_by_relay(self, site: Site, budget: str) -> None:
        """XAA's operator skips the node's check and hands a signed envelope to the relay."""
        refusal = await pass_on(site.node("XAA"), bytes.fromhex(budget), "UZB")
        if refusal is not None:
            self._report.refusals.append(RefusalSeen("relay", refusal, "XAA"))
        held = refusal == "no-consent" and budget not in self._ministries["UZB"].messages
        self._report.step("refused-by-relay", held, f"a tampered client of XAA was refused by the relay: {refusal}")

    async def _refused_by_receiver(self, site: Site, processes: Processes, budget: str) -> None:
        """The relay colludes: it accepts what it should refuse. UZB's node refuses."""
        processes.kill("relay")
        processes.launch("relay", "exchange.demo.colluding")
        await processes.wait_ready("relay")
        accepted = await pass_on(site.node("XAA"), bytes.fromhex(budget), "UZB") is None
        alarm = await self._alarm_at(site, processes, "UZB", "no-consent")
        if alarm:
            self._report.refusals.append(RefusalSeen("receiver", "no-consent", "UZB"))
        held = accepted and alarm and budget not in self._ministries["UZB"].messages
        detail = "a colluding relay accepted it; UZB's node refused it and raised the alarm"
        self._report.step("refused-by-receiver", held, detail if held else f"accepted {accepted}, alarm {alarm}")
        processes.kill("relay")
        await processes.start("relay")

    async def _killed_in_mid_flight(self, processes: Processes) -> None:
        """SIGKILL for the relay and for MNG's node while messages are on their way."""
        record = _example("military-activity-notification", "field-exercise.json")
        sending = [
            asyncio.create_task(self._send(sender, [m for m in MEMBERS if m != sender], "2.1.1.d", record, tlp="AMBER"))
            for sender in (MEMBERS[n % len(MEMBERS)] for n in range(_BURST))
        ]
        await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
        processes.kill("relay")
        processes.kill("MNG")
        await processes.start("relay", "MNG")
        queued = await asyncio.gather(*sending)
        arrived = [
            await self._arrived(message, *(m for m in MEMBERS if m != MEMBERS[n % len(MEMBERS)]))
            for n, message in enumerate(queued)
        ]
        detail = (
            f"relay and MNG's node were killed while {_BURST} messages were on their way; all arrived after restart"
        )
        self._report.step("killed", all(arrived), detail)

    async def _consent(self, site: Site, processes: Processes, budget: str) -> None:
        """MNG asks, KAZ's official grants one transfer, UZB receives; then KAZ withdraws."""
        async with NodeClient(processes.url("KAZ"), token_file=site.token_file("KAZ", OFFICIALS)) as official:
            parties = Consenting(self._ministries["MNG"], self._ministries["UZB"], official, _PATIENCE)
            held = await parties.asked_and_passed_on(budget)
            detail = "MNG asked KAZ for consent, an official granted one transfer, UZB got the budget as KAZ signed it"
            self._report.step("consent", held, detail)
            in_force, refusal = await parties.withdrawn(budget)
            if refusal is not None:
                self._report.refusals.append(RefusalSeen("node", refusal, "MNG"))
            detail = f"KAZ withdrew its consent in the cosigned directory; the next transfer is refused: {refusal}"
            self._report.step("withdrawn", in_force and refusal == "consent-withdrawn", detail)

    async def _count(self) -> None:
        """Sent: what the senders hold a receipt for. Delivered: what ministries were handed."""
        report = self._report
        known: set[str] = set()
        for ministry in self._ministries.values():
            async for message in ministry.client.messages("outbox"):
                if message.state in ("accepted", "delivered"):
                    report.sent += len(message.recipients)
                    known.add(message.id)
        for ministry in self._ministries.values():
            report.delivered += len(ministry.handed_over.keys() & known)
            report.duplicates += sum(ministry.handed_over.values()) - len(ministry.handed_over)
        held = report.sent == report.delivered > 0 and report.duplicates == 0
        detail = f"sent {report.sent}, delivered {report.delivered}, duplicates {report.duplicates}"
        report.step("count", held, detail)

    async def _log(self, site: Site) -> None:
        """The directory that all act by: the same for all, because they cosign it."""
        found = await witnessed(site.node("UZB"))
        members = ", ".join(found.members)
        detail = f"the directory of {found.size} entries is cosigned by {len(found.members)} states ({members})"
        self._report.step("log", len(found.members) >= found.needed, f"{detail}; {found.needed} are needed")

    async def _revoked(self, site: Site, budget: str) -> None:
        """XAA's root revokes its node's key; whoever has that key is nobody any more."""
        published = await revoke(site, "XAA", "MNG", _PATIENCE)
        refusal = await pass_on(site.node("XAA"), bytes.fromhex(budget), "UZB")
        if refusal is not None:
            self._report.refusals.append(RefusalSeen("relay", refusal, "XAA"))
        detail = f"XAA's root revoked its node's key; the relay refused what that key signed: {refusal}"
        self._report.step("revoked", published and refusal == "untrusted", detail)

    async def _send(
        self, sender: str, to: list[str], measure: str, record: dict[str, Any], **terms: Unpack[Terms]
    ) -> str:
        return (await self._ministries[sender].client.send(to, measure, record, **terms)).id

    async def _arrived(self, message: str, *members: str) -> bool:
        return all([await self._ministries[member].received(message, _PATIENCE) for member in members])

    def _record_at(self, member: str, message: str) -> dict[str, Any]:
        return dict(self._ministries[member].messages[message].record)

    async def _alarm_at(self, site: Site, processes: Processes, member: str, kind: str) -> bool:
        """Whether a node raises an alarm of this kind within the patience."""
        deadline = time.monotonic() + _PATIENCE
        async with NodeClient(processes.url(member), token_file=site.node(member) / "admin.token") as operator:
            while time.monotonic() < deadline:
                if any(alarm["kind"] == kind for alarm in (await operator.status())["alarms"]):
                    return True
                await asyncio.sleep(0.05)
        return False


def _example(record_type: str, name: str) -> dict[str, Any]:
    return _without_routing(json.loads(dict(examples(record_type))[name]))


def _without_routing(record: dict[str, Any]) -> dict[str, Any]:
    """A worked example without what the node fills in from the request."""
    return {name: value for name, value in record.items() if name not in _ROUTING}
