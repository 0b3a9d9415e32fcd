"""Bearer tokens: shown once, stored as digests, good for their scopes and measures only."""

from pathlib import Path

import pytest

from exchange.errors import Forbidden, Invalid, Unauthenticated
from exchange.node.access import Scope, authenticate, make_token
from tests.support.hostile_relay import HostileRelay
from tests.support.node import node
from tests.support.world import NOW, World

ENTROPY = bytes(range(40))


def test_a_token_holds_its_secret_and_the_row_does_not() -> None:
    text, row = make_token("defence", ("send",), ("2.1.*",), ENTROPY, NOW)
    secret = ENTROPY[8:40]
    assert text == f"cbm_{row.id}_{secret.hex()}"
    assert secret not in row.hash
    assert secret.hex() not in repr(row)
    assert (row.ministry, row.scopes, row.measures, row.created, row.revoked) == (
        "defence",
        ("send",),
        ("2.1.*",),
        NOW,
        None,
    )


@pytest.mark.parametrize(
    ("ministry", "scopes", "measures", "code"),
    [
        ("Defence", ("send",), ("*",), "bad-ministry"),
        ("", ("send",), ("*",), "bad-ministry"),
        ("d" * 41, ("send",), ("*",), "bad-ministry"),
        ("defence", (), ("*",), "bad-scope"),
        ("defence", ("send", "everything"), ("*",), "bad-scope"),
        ("defence", ("send",), (), "bad-measure"),
        ("defence", ("send",), ("2.*.1",), "bad-measure"),
        ("defence", ("send",), ("2.1,*",), "bad-measure"),
        ("defence", ("send",), ("[a-z]",), "bad-measure"),
        ("defence", ("send",), ("2.1.*", "1.5"), "bad-measure"),
        ("defence", ("send",), ("1.5:Defence",), "bad-measure"),
        ("defence", ("send",), ("2.1.1.b:defence-budget",), "bad-measure"),
    ],
)
def test_a_token_that_cannot_be(ministry: str, scopes: tuple[str, ...], measures: tuple[str, ...], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        make_token(ministry, scopes, measures, ENTROPY, NOW)
    assert caught.value.code == code


async def test_the_caller_of_a_token(tmp_path: Path, world: World) -> None:
    async with node(tmp_path, world, "KAZ", HostileRelay(world)) as kaz:
        text = await kaz.token("defence", ("send", "read"), ("2.1.*",))
        caller = await authenticate(kaz.parts.stores.access, f"bearer  {text} ")
    assert (caller.ministry, caller.scopes, caller.measures) == (
        "defence",
        frozenset({"send", "read"}),
        ("2.1.*",),
    )
    caller.require(Scope.SEND)
    with pytest.raises(Forbidden) as caught:
        caller.require(Scope.ADMIN)
    assert caught.value.code == "scope-missing"


async def test_no_token_is_told_from_another_wrong_one(tmp_path: Path, world: World) -> None:
    async with node(tmp_path, world, "KAZ", HostileRelay(world)) as kaz:
        access = kaz.parts.stores.access
        text = await kaz.token("defence", ("send",))
        token_id, secret = text.split("_")[1:]
        revoked = await kaz.token("health", ("send",))
        assert await access.revoke_token(revoked.split("_")[1], NOW)
        wrong = [
            "",
            "Bearer",
            "Bearer ",
            f"Basic {text}",
            text,
            f"Bearer {text}x",
            f"Bearer {text.upper()}",
            f"Bearer cbm_{token_id}_{'0' * 64}",
            f"Bearer cbm_{'0' * 16}_{secret}",
            f"Bearer {revoked}",
        ]
        said = set()
        for header in wrong:
            with pytest.raises(Unauthenticated) as caught:
                await authenticate(access, header)
            said.add((caught.value.code, caught.value.detail))
    assert len(said) == 1
