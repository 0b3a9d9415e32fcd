"""Vectors of class tags and what the content says of them, and of groups of states."""

from collections.abc import Iterator

from schemas.canon import encode
from schemas.content import ClassMeaning
from schemas.contexts import Context
from schemas.errors import Reason
from schemas.group import GROUP, SIGNED_GROUP, Group, SignedGroup
from schemas.ids import ClassTag, MemberId
from tests.support.wire import changed, fields
from tests.vectors.gen.later import UNDECRYPTABLE
from tests.vectors.gen.model import ACCEPTED, Vector, decode
from tests.vectors.gen.valid import Story

_FIRST, _SECOND = ClassTag(b"\x01" * 16), ClassTag(b"\x02" * 16)
_MEANINGS = (ClassMeaning(_FIRST, "borders"), ClassMeaning(_SECOND, "readiness"))


def objects(story: Story) -> Iterator[Vector]:
    """A manifest that explains two tags, and a group; and what is wrong with others."""
    world = story.world
    manifest = world.manifest(["KAZ"], classes=_MEANINGS)
    meanings = fields(manifest)[6]
    yield decode("with-classes", "manifest", manifest)
    yield decode("class-repeated", "manifest", changed(manifest, {6: meanings[:1] * 2}), Reason.BAD_ORDER)
    yield decode("class-without-name", "manifest", changed(manifest, {6: [{1: _FIRST}]}), Reason.MISSING_FIELD)
    yield decode("classes-empty", "manifest", changed(manifest, {6: []}), Reason.OUT_OF_RANGE)
    members = (MemberId("MNG"), MemberId("UZB"))
    body = encode(GROUP, Group(MemberId("KAZ"), "near", 1, members, world.now))
    signed = encode(SIGNED_GROUP, SignedGroup(body, world.nodes["KAZ"].sign(Context.GROUP, body)))
    yield decode("near", "group", body)
    yield decode("name-in-capitals", "group", changed(body, {2: "Near"}), Reason.OUT_OF_RANGE)
    yield decode("members-repeated", "group", changed(body, {4: ["MNG", "MNG"]}), Reason.BAD_ORDER)
    yield decode("members-none", "group", changed(body, {4: []}), Reason.OUT_OF_RANGE)
    yield decode("near", "signed-group", signed)
    other = changed(signed, {2: fields(signed)[2] | {1: "UZB"}})
    yield decode("signer-is-not-the-owner", "signed-group", other, Reason.CONTRADICTION)


def opening(story: Story) -> Iterator[Vector]:
    """MNG opens an envelope whose content explains exactly the class tags of its Provision, or others."""
    world = story.world

    def vector(name: str, tags: tuple[ClassTag, ...], meanings: tuple[ClassMeaning, ...], expect: str) -> Vector:
        manifest = world.manifest(["KAZ"], classes=meanings or None)
        provision = world.signed_provision(manifest, ["KAZ"], ["MNG"], class_tags=tags)
        sealed = world.envelope(["MNG"], manifest=manifest, provisions=[provision])
        given = {"recipient": "MNG", "header": sealed.header_bytes.hex(), "body": sealed.body.hex()}
        if expect == ACCEPTED:
            given["manifest"] = manifest.hex()
        return Vector("open", f"envelope-{name}", "envelope", expect, "", given)

    yield vector("class-tags-explained", (_FIRST, _SECOND), _MEANINGS, ACCEPTED)
    yield vector("class-tag-not-explained", (_FIRST, _SECOND), _MEANINGS[:1], UNDECRYPTABLE)
    yield vector("class-explained-that-it-has-not", (_FIRST,), _MEANINGS, UNDECRYPTABLE)
    yield vector("class-tag-without-any-meaning", (_FIRST,), (), UNDECRYPTABLE)
