"""Attacks on groups and classes: rows altered in the database, signatures of others, tags that the content denies."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from keys.identity import SigningIdentity
from schemas.canon import decode, encode
from schemas.content import ClassMeaning
from schemas.contexts import Context
from schemas.group import GROUP, SIGNED_GROUP, Group, SignedGroup
from schemas.ids import ClassTag, MemberId
from tests.support.attacks import delivered, refused_by_receiver
from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, api_of, manifest_of, sealed_by
from tests.support.world import World

TAG, OTHER = ClassTag(b"\x01" * 16), ClassTag(b"\x02" * 16)


@pytest.fixture
async def api(kaz: TestNode) -> AsyncIterator[Api]:
    """KAZ's node, with a group."""
    async with api_of(kaz) as opened:
        keeper = await kaz.token("foreign", ("admin",))
        assert (await opened.ask("PUT", "/v1/groups/near", keeper, json={"members": ["MNG"]})).status == 200
        yield opened


def signed(group: Group, signer: SigningIdentity) -> bytes:
    body = encode(GROUP, group)
    return encode(SIGNED_GROUP, SignedGroup(body, signer.sign(Context.GROUP, body)))


def more_members(world: World, stored: bytes) -> bytes:
    """The signature of before over another list."""
    found = decode(SIGNED_GROUP, stored, 4096)
    body = encode(GROUP, replace(found.group, members=(MemberId("MNG"), MemberId("UZB"))))
    return encode(SIGNED_GROUP, SignedGroup(body, found.signature))


def of_another_state(world: World, stored: bytes) -> bytes:
    group = decode(SIGNED_GROUP, stored, 4096).group
    return signed(replace(group, owner=MemberId("UZB"), members=(MemberId("UZB"),)), world.nodes["UZB"])


def under_another_name(world: World, stored: bytes) -> bytes:
    """Another group of the same node, put in the place of this one."""
    return signed(replace(decode(SIGNED_GROUP, stored, 4096).group, name="far"), world.nodes["KAZ"])


def as_a_provision(world: World, stored: bytes) -> bytes:
    """The node's signature over the same bytes for another purpose."""
    body = decode(SIGNED_GROUP, stored, 4096).body
    return encode(SIGNED_GROUP, SignedGroup(body, world.nodes["KAZ"].sign(Context.PROVISION, body)))


def of_no_form(world: World, stored: bytes) -> bytes:
    return stored[:-1]


@pytest.mark.parametrize("alter", [more_members, of_another_state, under_another_name, as_a_provision, of_no_form])
async def test_an_altered_row_defines_no_recipient(
    api: Api, world: World, alter: Callable[[World, bytes], bytes]
) -> None:
    token = await api.node.token("defence", ("send", "read"))
    stored = await api.node.parts.stores.groups.group("near")
    assert stored is not None
    await api.node.parts.stores.groups.put("near", alter(world, stored))
    before = api.node.facts()
    reply = await api.send(token, ["@near"])
    assert (reply.status, reply.code) == (409, "group-not-signed")
    assert api.node.facts() == before


async def test_a_ministry_that_sets_the_group_which_others_send_to(api: Api) -> None:
    token = await api.node.token("health", ("send", "read", "consent", "audit"))
    before = api.node.rows("state_groups")
    for method in ("PUT", "DELETE"):
        reply = await api.ask(method, "/v1/groups/near", token, json={"members": ["UZB"]})
        assert (reply.status, reply.code) == (403, "scope-missing")
    assert api.node.rows("state_groups") == before


@pytest.mark.parametrize(
    ("tags", "meanings"),
    [
        ((TAG,), ()),
        ((), (ClassMeaning(TAG, "borders"),)),
        ((TAG,), (ClassMeaning(OTHER, "borders"),)),
        ((TAG, OTHER), (ClassMeaning(TAG, "borders"),)),
        ((TAG,), (ClassMeaning(TAG, "borders"), ClassMeaning(OTHER, "readiness"))),
    ],
)
async def test_class_tags_that_the_content_does_not_explain(
    world: World,
    relay: HostileRelay,
    mng: TestNode,
    tags: tuple[ClassTag, ...],
    meanings: tuple[ClassMeaning, ...],
) -> None:
    """A Grant for a class would cover what its provider never put there."""
    manifest = manifest_of(world, classes=meanings or None)
    provision = world.signed_provision(manifest, ("KAZ",), ["MNG"], class_tags=tags)
    sealed = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, provisions=[provision])
    await refused_by_receiver(mng, relay, sealed, "unreadable")


async def test_class_tags_that_the_content_explains_are_taken(world: World, relay: HostileRelay, mng: TestNode) -> None:
    manifest = manifest_of(world, classes=(ClassMeaning(TAG, "borders"),))
    provision = world.signed_provision(manifest, ("KAZ",), ["MNG"], class_tags=(TAG,))
    await delivered(mng, relay, sealed_by(world, "KAZ", ("MNG",), manifest=manifest, provisions=[provision]))
