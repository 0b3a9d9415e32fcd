"""`GET /v1/audit`: the log, searched by those who may; whoever may not learns nothing of it."""

import pytest

from exchange.storage.audit_port import AuditFact
from schemas.audit import AuditKind, read_entry
from tests.support.node import Api, TestNode, api_of

T0 = 1_700_000_000


async def filled(tested: TestNode) -> None:
    """Entries on other days than those of the requests themselves."""
    facts = [
        AuditFact(
            (AuditKind.OPENED, AuditKind.SEALED)[number % 2],
            T0 + number,
            actor=f"{('defence', 'border')[number // 4 % 2]}/desk",
            member=("KAZ", "UZB")[number // 2 % 2],
            envelope=bytes([number]) * 16,
            reason="by-rule" if number == 7 else None,
        )
        for number in range(12)
    ]
    await tested.parts.stores.audit.add(tuple(facts))


async def found(api: Api, token: str, query: str) -> list[int]:
    """Which of these entries: by their envelope."""
    reply = await api.ask("GET", f"/v1/audit?until=2023-12-01&{query}", token)
    assert reply.status == 200, reply.json
    return [int(row["envelope"][:2], 16) for row in reply.json["entries"]]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", list(range(12))),
        ("kind=opened", [0, 2, 4, 6, 8, 10]),
        ("kind=opened,sealed&limit=3", [0, 1, 2]),
        ("member=UZB", [2, 3, 6, 7, 10, 11]),
        ("actor=border/desk", [4, 5, 6, 7]),
        ("actor=border/&newest=true", [7, 6, 5, 4]),
        ("reason=by-rule", [7]),
        ("envelope=" + "03" * 16, [3]),
        ("member=UZB&kind=sealed&actor=defence/", [3, 11]),
        ("since=2023-11-14T22:13:29Z", [9, 10, 11]),
        ("member=TJK", []),
    ],
)
async def test_entries_are_found(kaz: TestNode, query: str, numbers: list[int]) -> None:
    await filled(kaz)
    async with api_of(kaz) as api:
        assert await found(api, await kaz.token("audit", ("audit",)), query) == numbers


async def test_pages_follow_each_other(kaz: TestNode) -> None:
    await filled(kaz)
    async with api_of(kaz) as api:
        token = await kaz.token("audit", ("audit",))
        seen: list[int] = []
        after = ""
        while True:
            reply = await api.ask("GET", f"/v1/audit?until=2023-12-01&limit=5{after}", token)
            seen += [int(row["envelope"][:2], 16) for row in reply.json["entries"]]
            if reply.json["next"] is None:
                break
            after = f"&after={reply.json['next']}"
    assert seen == list(range(12))


async def test_one_entry_is_shown_with_its_bytes(kaz: TestNode) -> None:
    await filled(kaz)
    async with api_of(kaz) as api:
        token = await kaz.token("audit", ("audit",))
        rows = (await api.ask("GET", "/v1/audit?reason=by-rule", token)).json["entries"]
        shown = (await api.ask("GET", f"/v1/audit/{rows[0]['index']}", token)).json
        assert shown.items() >= rows[0].items()
        assert read_entry(bytes.fromhex(shown["leaf"])).reason == "by-rule"
        assert (await api.ask("GET", "/v1/audit/999999", token)).code == "no-such-entry"


@pytest.mark.parametrize(("scopes", "measures"), [(("read", "send", "consent"), ("*",)), (("audit",), ("2.1.1.d",))])
@pytest.mark.parametrize("path", ["/v1/audit", "/v1/audit/0"])
async def test_who_does_not_audit_the_whole_sees_nothing(
    kaz: TestNode, scopes: tuple[str, ...], measures: tuple[str, ...], path: str
) -> None:
    await filled(kaz)
    async with api_of(kaz) as api:
        reply = await api.ask("GET", path, await kaz.token("other", scopes, measures))
        assert reply.status == 403
        assert (await api.ask("GET", path)).status == 401


@pytest.mark.parametrize(
    "query", ["kind=nothing", "envelope=xyz", "since=yesterday", "limit=9999", "newest=1", "subject=", "after=-1"]
)
async def test_a_query_that_makes_no_sense_is_refused(kaz: TestNode, query: str) -> None:
    async with api_of(kaz) as api:
        reply = await api.ask("GET", f"/v1/audit?{query}", await kaz.token("audit", ("audit",)))
        assert (reply.status, reply.code) == (422, "bad-request")


async def test_who_takes_entries_out_is_written_down_once_and_before(kaz: TestNode) -> None:
    await filled(kaz)
    async with api_of(kaz) as api:
        token = await kaz.token("audit", ("audit",))
        path = "/v1/audit?export=true&until=2023-12-01&limit=5"
        page = (await api.ask("GET", path, token)).json
        assert (await api.ask("GET", f"{path}&after={page['next']}", token)).status == 200
        (row,) = (await api.ask("GET", "/v1/audit?kind=exported", token)).json["entries"]
        assert (row["actor"], row["reason"]) == (f"audit/{token.split('_')[1]}", "audit.exported")
        other = await kaz.token("other", ("audit",), ("2.1.*",))
        assert (await api.ask("GET", path, other)).status == 403
        assert len((await api.ask("GET", "/v1/audit?kind=exported", token)).json["entries"]) == 1
