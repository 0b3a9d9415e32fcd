"""Withdrawals that this node obeys before they stand in the cosigned directory: its own, and what a provider told it.

They stop what it would send or pass on. What others send is judged by the directory alone: it may have been accepted
before.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from exchange.consent.authorise import authorise
from exchange.consent.decision import Ledger
from exchange.errors import Forbidden, Unavailable
from exchange.node.parts import Parts
from exchange.node.stored import open_manifest
from exchange.storage.node_values import Message
from exchange.storage.withdrawal_port import Name
from keys.directory import Directory, WithdrawalRecord
from keys.errors import KeyFault
from keys.origin import LeastSize, origins_of
from keys.verify import verify_header
from schemas.canon import decode
from schemas.consent import JOINT_DRAFT
from schemas.content import ContentKind
from schemas.envelope import Core, Header
from schemas.grant import SignedGrant
from schemas.ids import NO_DIGEST, KeyId, MemberId
from schemas.limits import MAX_PROVISION, MAX_RECORD
from schemas.provision import PROVISION, SignedProvision

# No key has said it in the directory yet.
_NO_KEY: Final = KeyId(NO_DIGEST)


def names_of(provisions: Iterable[SignedProvision], grants: Iterable[SignedGrant]) -> tuple[Name, ...]:
    """What could be withdrawn of these, by provider and id."""
    names: list[Name] = [
        (provider, signed.provision.id) for signed in provisions for provider in signed.provision.providers
    ]
    names += [(signed.grant.provider, signed.grant.id) for signed in grants]
    return tuple(dict.fromkeys(names))


def withdrawal_index(directory: Directory, provider: str, ident: bytes) -> int | None:
    """The index at which a withdrawal stands in a directory; None when it does not."""
    record = directory.withdrawn.get((MemberId(provider), ident))
    return None if record is None else record.index


def with_withdrawn(directory: Directory, names: Iterable[Name]) -> Directory:
    """The directory as if these were withdrawn in it."""
    beside = {
        (MemberId(provider), ident): WithdrawalRecord(MemberId(provider), ident, directory.size, _NO_KEY)
        for provider, ident in names
    }
    if not beside:
        return directory
    return replace(directory, withdrawn=MappingProxyType({**beside, **directory.withdrawn}))


async def withdrawn_beside(
    parts: Parts, provisions: Iterable[SignedProvision], grants: Iterable[SignedGrant]
) -> frozenset[Name]:
    """Which of these are withdrawn and do not stand in the cosigned directory yet."""
    return await parts.stores.held.beside(parts.member, names_of(provisions, grants))


async def obeying(parts: Parts, provisions: Iterable[SignedProvision], grants: Iterable[SignedGrant]) -> Directory:
    """The newest directory for what this node itself sends under these."""
    provisions, grants = tuple(provisions), tuple(grants)
    return with_withdrawn(parts.directory.current, await withdrawn_beside(parts, provisions, grants))


async def may_leave(parts: Parts, header: Header) -> bool:
    """False when what was sealed is refused by now: consent was withdrawn, or its time is over.

    The relay would refuse it, or could date its acceptance back.
    """
    directory, core, now = parts.directory.current, header.core, parts.clock.now()
    ends = (*(one.provision.until for one in core.provisions), *(one.grant.until for one in core.grants))
    over = any(end is not None and end < now for end in ends)
    if not over and directory.withdrawn.keys().isdisjoint(names_of(core.provisions, core.grants)):
        return True
    return await asyncio.to_thread(_is_allowed, header, directory, parts.directory.least_size, now)


def _is_allowed(header: Header, directory: Directory, least_size: LeastSize, now: int) -> bool:
    try:
        verified = verify_header(header, directory, now)
    except KeyFault:
        return False
    proved = origins_of(header.core.origins, directory, least_size)
    return authorise(verified, directory, Ledger(origins=proved), now).allowed


async def require_not_withdrawn(parts: Parts, core: Core) -> None:
    """Raises Unavailable while a withdrawal keeps back what was sealed before; once in force, the relay refuses it."""
    beside = await withdrawn_beside(parts, core.provisions, core.grants)
    if beside:
        provider = min(beside)[0]
        raise Unavailable("consent-withdrawn", f"{provider} has withdrawn its consent: it stands in the directory soon")


async def require_draft_stands(parts: Parts, message: Message) -> None:
    """Raises Forbidden for a message that carries the text of a joint Provision which a provider has withdrawn.

    It stands under a Provision of its own, which nobody withdraws.
    """
    if message.kind != ContentKind.DRAFT:
        return
    manifest = open_manifest(parts.keyring.vault, message)
    drafted = decode(PROVISION, decode(JOINT_DRAFT, manifest.body, MAX_RECORD).provision, MAX_PROVISION)
    names: list[Name] = [(provider, drafted.id) for provider in drafted.providers]
    beside = await parts.stores.held.beside(parts.member, names)
    withdrawn = {name for name in names if name in beside or name in parts.directory.current.withdrawn}
    if withdrawn:
        raise Forbidden("consent-withdrawn", f"{min(withdrawn)[0]} has withdrawn its consent to what was to be signed")
