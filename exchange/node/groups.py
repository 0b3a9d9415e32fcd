"""Groups of states: lists under a name, signed by this node, which stand for recipients when a message is composed."""

from collections.abc import Sequence
from typing import Final

from exchange.errors import Conflict, Invalid, NotFound
from exchange.node.parts import Parts
from keys.errors import KeyFault
from keys.verify import verify_bytes
from schemas import limits
from schemas.canon import decode, encode
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.group import GROUP, GROUP_NAME, SIGNED_GROUP, Group, SignedGroup
from schemas.ids import MemberId, member_id

SIGN: Final = "@"
# A state has a handful of them; listing verifies each.
_MOST: Final = 256
_MAX_SIGNED: Final = 2 * limits.MAX_SMALL_OBJECT


class Groups:
    """Sets, shows and expands the groups of this node's state."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._store = parts.stores.groups

    async def put(self, name: str, codes: Sequence[str]) -> Group:
        """Make a group, or the next version of one. Raises Invalid, NotFound, Conflict."""
        parts = self._parts
        if len(name) > limits.MAX_GROUP_NAME or GROUP_NAME.fullmatch(name) is None:
            most = limits.MAX_GROUP_NAME
            raise Invalid("bad-group", f"a group's name has at most {most} lower-case letters, digits and dashes")
        members = tuple(sorted({self._member(code) for code in codes}))
        if not 1 <= len(members) <= limits.MAX_RECIPIENTS:
            raise Invalid("bad-group", f"a group has 1 to {limits.MAX_RECIPIENTS} states")
        standing = await self._store.group(name)
        if standing is None and len(await self._store.groups()) >= _MOST:
            raise Conflict("too-many-groups", f"there are {_MOST} groups: remove one first")
        version = 1 if standing is None else _version(standing) + 1
        identity = parts.keyring.signing
        body = encode(GROUP, Group(identity.owner, name, version, members, parts.clock.now()))
        signed = SignedGroup(body, identity.sign(Context.GROUP, body))
        await self._store.put(name, encode(SIGNED_GROUP, signed))
        return signed.group

    async def named(self, name: str) -> Group:
        """A group as this node signed it. Raises NotFound, or Conflict for one that was altered."""
        stored = await self._store.group(name)
        if stored is None:
            raise NotFound("no-such-group", f"there is no group @{name[: limits.MAX_GROUP_NAME]}: see `cbm group list`")
        return self._verified(name, stored)

    async def all(self) -> tuple[Group, ...]:
        """All groups, by name. Raises Conflict."""
        return tuple([self._verified(None, stored) for stored in await self._store.groups()])

    async def remove(self, name: str) -> None:
        """Remove a group. Raises NotFound."""
        if not await self._store.remove(name):
            raise NotFound("no-such-group", f"there is no group @{name[: limits.MAX_GROUP_NAME]}: see `cbm group list`")

    async def expand(self, to: Sequence[str]) -> list[str]:
        """The codes in place of the groups that are named as `@name`, sorted and without the own state.

        Raises NotFound for an unknown group, Conflict for an altered one, Invalid for one that names a state which is
        not in the charter any more, or nobody else.
        """
        if not any(code.startswith(SIGN) for code in to):
            return list(to)
        directory, own = self._parts.directory.current, self._parts.member
        codes = {code for code in to if not code.startswith(SIGN)}
        for name in sorted(code.removeprefix(SIGN) for code in to if code.startswith(SIGN)):
            members = (await self.named(name)).members
            for member in members:
                if member not in directory.members:
                    detail = f"group @{name} names {member}, which is not in the charter any more: set the group anew"
                    raise Invalid("group-member-removed", detail, {"group": name, "member": member})
            codes.update(member for member in members if member != own)
        if not codes:
            raise Invalid("empty-group", "the groups name no other state: name recipients")
        return sorted(codes)

    def _member(self, code: str) -> MemberId:
        try:
            member = member_id(code)
        except DecodeError:
            raise Invalid("bad-member", f"{code[:10]!r} is no member's code: use three capital letters") from None
        if member not in self._parts.directory.current.members:
            raise NotFound("unknown-member", f"{code} is not in the charter: see GET /v1/members", {"member": code})
        return member

    def _verified(self, name: str | None, stored: bytes) -> Group:
        """By the key that was in force when it was signed, unless that was revoked."""
        own = self._parts.member
        try:
            signed = decode(SIGNED_GROUP, stored, _MAX_SIGNED)
            group, signature = signed.group, signed.signature
            verify_bytes(
                self._parts.directory.current,
                own,
                signature.key_id,
                group.created,
                signature.value,
                Context.GROUP,
                signed.body,
            )
        except (DecodeError, KeyFault):
            raise _altered(name) from None
        if group.owner != own or name not in (None, group.name):
            raise _altered(name)
        return group


def _version(stored: bytes) -> int:
    """Of a group that is replaced; whatever was in the place of an altered one counts as nothing."""
    try:
        return decode(SIGNED_GROUP, stored, _MAX_SIGNED).group.version
    except DecodeError:
        return 0


def _altered(name: str | None) -> Conflict:
    which = "a group" if name is None else f"group @{name}"
    return Conflict("group-not-signed", f"{which} in the store is not one that this node signed: set it anew")
