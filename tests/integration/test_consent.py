"""Passing on only with consent, over a relay and five nodes as processes, by the command line alone (1.7).

KAZ and MNG provide together; UZB asks, is refused, asks again, and passes on to TJK, which passes on to KGZ. Then MNG
withdraws, and the holders state what they did.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.desks import SEND, Officials, names, officials

FIVE = ("KAZ", "MNG", "UZB", "TJK", "KGZ")
PROVIDERS = ("KAZ", "MNG")


async def test_a_joint_record_goes_from_state_to_state_only_with_the_consent_of_both_providers(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    began = time.monotonic()
    async with officials(tmp_path, FIVE) as work:
        message = await _provided(work)
        refused = await _refused_by_one(work, message)
        granted = await _granted_by_both(work, "UZB", message, "TJK")
        first = await _forwarded(work, message, "UZB", "TJK", *PROVIDERS)
        further = await _granted_by_both(work, "TJK", message, "KGZ")
        second = await _forwarded(work, message, "TJK", "KGZ", *PROVIDERS, "UZB")
        last, withdrawal = await _withdrawn(work, message)
        await _stated(work, withdrawal, message, first, second)
        asked = (refused, granted, further, last)
        await _told(work, withdrawal, asked)
        (draft,) = [row["subject"] for row in await work.consent("KAZ", "log") if row["kind"] == "draft.proposed"]
        _logged(work, withdrawal, draft, asked, {first: "UZB", second: "TJK"})
    tell(f"consent: joint, asked, refused, granted, passed on twice, withdrawn, in {time.monotonic() - began:.0f} s")


async def _provided(work: Officials) -> str:
    """Two states provide, a third receives, once both have signed."""
    made = await work.do("KAZ", "send", "--to", "UZB", "--joint", "MNG", *SEND)
    assert made["state"] == "awaiting-signatures"
    message: str = made["id"]
    (draft,) = await work.seen("MNG", bool, "joint", "list")
    assert (draft["message"], draft["lead"]) == (message, "KAZ")
    assert names(await work.do("UZB", "inbox")) == []
    assert (await work.do("MNG", "joint", "sign", draft["digest"]))["state"] == "signed"
    await work.arrived("UZB", message, "MNG", "KAZ")
    assert (await work.do("UZB", "show", message))["provision"]["providers"] == ["KAZ", "MNG"]
    return message


async def _refused_by_one(work: Officials, message: str) -> str:
    """One provider's refusal is enough, whatever the other says."""
    before = await work.may("UZB", message, "TJK")
    (answer_,) = before["answers"]
    assert (before["allowed"], answer_["rule"]) == (False, "no-consent")
    assert {one["provider"] for one in answer_["missing"]} == {"KAZ", "MNG"}
    problem = await work.refused("UZB", "forward", message, "--to", "TJK")
    assert (problem["status"], problem["rule"], problem["recipient"]) == (403, "no-consent", "TJK")
    assert problem["ask"] == ["KAZ", "MNG"]

    ident = await work.request("UZB", message, "TJK", PROVIDERS)
    assert (await work.consent("MNG", "show", ident))["reason"] == "TJK is concerned"
    await work.consent("KAZ", "grant", ident)
    told = await work.consent("MNG", "refuse", ident, "--reason", "the figures are provisional")
    assert told["state"] == "refused"
    made = await work.settled("UZB", ident, "refused")
    reasons = {row["provider"]: row["reason"] for row in made["answers"]}
    assert reasons["MNG"] == "the figures are provisional"
    problem = await work.refused("UZB", "forward", message, "--to", "TJK")
    assert (problem["rule"], problem["ask"]) == ("no-consent", ["MNG"])
    return ident


async def _granted_by_both(work: Officials, holder: str, message: str, to: str) -> str:
    """Nothing is enough but a Grant of each."""
    assert not (await work.may(holder, message, to))["allowed"]
    ident = await work.request(holder, message, to, PROVIDERS)
    given = await work.each(PROVIDERS, "consent", "grant", ident)
    assert [row["provider"] for row in given] == list(PROVIDERS)
    made = await work.settled(holder, ident, "granted")
    assert [(row["provider"], row["state"]) for row in made["answers"]] == [("KAZ", "granted"), ("MNG", "granted")]
    after = await work.may(holder, message, to)
    (answer_,) = after["answers"]
    assert (after["allowed"], answer_["ground"]) == (True, "grant")
    assert {one["provider"] for one in answer_["grants"]} >= {"KAZ", "MNG"}
    return ident


async def _forwarded(work: Officials, message: str, holder: str, to: str, *path: str) -> str:
    """Pass it on; the envelope under which the relay accepted it, the same at both ends."""
    await work.do(holder, "forward", message, "--to", to)
    await work.arrived(to, message, *path, holder)
    used = [row["used"] for row in await work.consent(holder, "grants") if to in row["recipients"]]
    assert used.count(1) == len(PROVIDERS)
    shown = await work.do(to, "show", message)
    return str(shown["envelopes"][0]["id"])


async def _withdrawn(work: Officials, message: str) -> tuple[str, str]:
    """One provider ends it for all, also what was just granted; each holder's node says by which rule, whom to ask."""
    asked = await work.request("UZB", message, "KGZ", PROVIDERS)
    await work.each(PROVIDERS, "consent", "grant", asked)
    await work.settled("UZB", asked, "granted")
    assert (await work.may("UZB", message, "KGZ"))["allowed"]
    made = await work.consent("MNG", "withdraw", message, "--reason", "the figures were wrong")
    name: str = made["name"]
    assert [row["member"] for row in made["holders"]] == ["KAZ", "KGZ", "TJK", "UZB"]

    async def ended(who: str, to: str) -> None:
        told = await work.seen(who, lambda told: _in_force(told["others"], name), "consent", "withdrawals")
        assert [(row["provider"], row["target"]) for row in told["others"]] == [("MNG", "provision")]
        after = await work.may(who, message, to)
        assert (after["allowed"], after["answers"][0]["rule"]) == (False, "consent-withdrawn")
        assert after["answers"][0]["missing"][0]["ask"] == ["MNG"]
        if who not in PROVIDERS:
            problem = await work.refused(who, "forward", message, "--to", to)
            assert (problem["rule"], problem["provider"], problem["ask"][0]) == ("consent-withdrawn", "MNG", "MNG")

    await asyncio.gather(
        *(ended(who, to) for who, to in (("UZB", "KGZ"), ("TJK", "KGZ"), ("KGZ", "TJK"), ("KAZ", "UZB")))
    )
    return asked, name


def _in_force(rows: list[dict[str, Any]], name: str) -> bool:
    return any(row["name"] == name and row["state"] == "in-force" for row in rows)


async def _stated(work: Officials, withdrawal: str, message: str, first: str, second: str) -> None:
    """Every holder says what it did, and to whom it had passed it on; what is destroyed is gone."""
    conducts = {"UZB": "ceased", "TJK": "destroyed", "KGZ": "destroyed"}
    await asyncio.gather(*(work.consent(who, "state", withdrawal, f"--{what}") for who, what in conducts.items()))
    asked = ("consent", "withdrawals", withdrawal)
    told = await work.seen("MNG", lambda row: _stating(row) >= conducts.keys(), *asked)
    said = {row["member"]: row["statements"][-1] for row in told["holders"] if row["statements"]}
    assert {member: row["conduct"] for member, row in said.items()} == conducts
    passed = {member: [(one["recipient"], one["envelope"]) for one in row["passed_on"]] for member, row in said.items()}
    assert passed == {"UZB": [("TJK", first)], "TJK": [("KGZ", second)], "KGZ": []}
    assert (await work.do("UZB", "show", message))["record"]["title"]["en"] == "Outlays of two states"
    for who in ("TJK", "KGZ"):
        assert "Outlays" not in str(await work.run(who, "show", message))


def _stating(told: dict[str, Any]) -> set[str]:
    return {row["member"] for row in told["holders"] if row["statements"]}


async def _told(work: Officials, withdrawal: str, asked: tuple[str, ...]) -> None:
    """What happened is in the lists and the consent log of each side."""
    states = ("refused", "granted", "granted", "granted")
    for provider in PROVIDERS:
        rows = {row["id"]: row for row in await work.consent(provider, "list")}
        ours = [next(a["state"] for a in rows[ident]["answers"] if a["provider"] == provider) for ident in asked]
        assert ours == ([*states] if provider == "MNG" else ["granted"] * 4)
    made = {row["id"]: row["state"] for row in await work.consent("UZB", "list", "--made")}
    assert [made.get(ident) for ident in asked] == ["refused", "granted", None, "granted"]

    kinds = {who: await _kinds(work, who) for who in FIVE}
    ident = withdrawal.partition("-")[2]
    assert ("request.refused", asked[0], "UZB") in kinds["MNG"]
    assert {("request.granted", asked[2], "TJK"), ("request.received", asked[2], "TJK")} <= kinds["MNG"] & kinds["KAZ"]
    assert {("withdrawal.made", ident, None), ("withdrawal.in-force", ident, None)} <= kinds["MNG"]
    for who in ("UZB", "TJK", "KGZ"):
        assert {("withdrawal.told", ident, "MNG"), ("withdrawal.stated", ident, "MNG")} <= kinds[who]
        assert ("withdrawal.statement", ident, who) in kinds["MNG"]
    about = await work.consent("KAZ", "log", "--about", asked[1])
    assert [row["kind"] for row in about] == ["request.received", "request.granted"]
    assert about[1]["official"].startswith("foreign-affairs/")


async def _kinds(work: Officials, who: str) -> set[tuple[str, str, str | None]]:
    return {(row["kind"], row["subject"], row["member"]) for row in await work.consent(who, "log")}


def _what(row: Mapping[str, object]) -> tuple[object, ...]:
    return row["event"], row.get("reason")


def _logged(work: Officials, withdrawal: str, draft: str, asked: tuple[str, ...], passed: dict[str, str]) -> None:
    """The processes' own logs name what happened by the same ids, and nothing of what was said."""
    ident = withdrawal.partition("-")[2]
    expected = {
        "KAZ": [("draft.proposed", draft), *(("request.granted", one) for one in asked)],
        "MNG": [("draft.signed", draft), ("request.refused", asked[0]), ("withdrawal.in-force", ident)],
        "UZB": [("request.made", asked[0]), ("request.refused", asked[0]), ("withdrawal.stated", ident)],
        "TJK": [("request.made", asked[2]), ("withdrawal.told", ident), ("withdrawal.stated", ident)],
        "KGZ": [("withdrawal.told", ident), ("withdrawal.stated", ident)],
        "relay": [("accepted", envelope) for envelope in passed],
    }
    for envelope, holder in passed.items():
        expected[holder].append(("relayed", envelope))
    for name, wanted in expected.items():
        said = {(what, row.get(of)) for row in work.log(name) for what in _what(row) for of in ("subject", "envelope")}
        assert [pair for pair in wanted if pair not in said] == [], name
        text = (work.processes.site.folder / f"{name.lower()}.log").read_text("utf-8")
        assert [
            secret for secret in ("provisional", "Outlays", "concerned", "wrong", "Traceback") if secret in text
        ] == []
