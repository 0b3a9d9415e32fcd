"""Attacks by an insider on classes: to consent, through one of its own records, to what other ministries provide."""

from collections.abc import AsyncIterator

import pytest

from tests.support.node import Api, TestNode, api_of, request_of
from tests.support.officials import asking_others
from tests.support.records import example

CLASS = "dispositions"


@pytest.fixture
async def api(kaz: TestNode) -> AsyncIterator[Api]:
    """KAZ's node."""
    async with api_of(kaz) as opened:
        yield opened


async def own_record_in_the_class(api: Api, token: str) -> str:
    """The insider sends a record of its own measure as one of the defence ministry's class."""
    defence = await api.node.token("defence", ("send", "read"), ("2.1.*",))
    assert (await api.send(defence, ["MNG"], classes=[CLASS])).status == 202
    routed = ("record_id", "originators", "recipients", "copy_secretariat", "handling")
    record = {
        name: value for name, value in example("best-practice", "early-warning-guideline").items() if name not in routed
    }
    value = request_of(["MNG"], measure=record["measure"], record=record, classes=[CLASS])
    reply = await api.ask("POST", "/v1/messages", token, json=value)
    assert reply.status == 202, reply.json
    return str(reply.json["id"])


def giving(message: str, **form: object) -> dict[str, object]:
    return {"message": message, "holder": "MNG", "to": ["UZB"], "until": "30d", "unlimited": True, **form}


async def test_a_grant_for_a_class_by_who_is_not_for_all_that_is_in_it(api: Api) -> None:
    insider = await api.node.token("health", ("send", "read", "consent"), ("2.2.*", "2.3.*", "2.4.*"))
    message = await own_record_in_the_class(api, insider)
    reply = await api.ask("POST", "/v1/consent/grants", insider, json=giving(message, class_name=CLASS))
    assert (reply.status, reply.code) == (403, "measure-not-allowed")
    assert api.node.rows("consent_grants") == []
    assert (await api.ask("POST", "/v1/consent/grants", insider, json=giving(message))).status == 201


async def test_who_is_for_all_measures_may_and_so_may_only_the_others_who_approve_it(kaz: TestNode) -> None:
    asking_others(kaz, consents=1, release=[])
    async with api_of(kaz) as api:
        insider = await kaz.token("health", ("send", "read", "consent"), ("2.2.*", "2.3.*", "2.4.*"))
        whole = await kaz.token("foreign-affairs", ("consent",))
        message = await own_record_in_the_class(api, insider)
        held = await api.ask("POST", "/v1/consent/grants", whole, json=giving(message, class_name=CLASS))
        assert held.status == 202, held.json
        shown = await api.ask("GET", f"/v1/releases/{held.json['id']}", whole)
        digest = {"digest": shown.json["digest"]}
        path = f"/v1/releases/{held.json['id']}/approve"
        assert (await api.ask("POST", path, insider, json=digest)).status == 404
        second = await kaz.token("cabinet", ("consent",))
        assert (await api.ask("POST", path, second, json=digest)).json["state"] == "done"
        assert len(kaz.rows("consent_grants")) == 1
