"""Joint Provisions between nodes of a test world, turned by hand, and hostile ones sealed without a node."""

import json
from collections.abc import Mapping
from typing import Any, Final

from exchange.node.compose import Composer
from exchange.node.joint import Joint
from exchange.storage.joint_port import DraftRow
from keys.digests import provision_digest
from keys.identity import SigningIdentity
from schemas.canon import encode
from schemas.consent import JOINT_DRAFT, ConsentMessage, JointDraft, encode_consent
from schemas.content import Attachment, ContentKind
from schemas.contexts import Context
from schemas.limits import DAY
from schemas.provision import PROVISION, Provision
from schemas.terms import Onward, Tlp
from tests.support.desk import turn, without_effect
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, ministry, record_of, request_of
from tests.support.parties import replaced
from tests.support.world import Sealed, World

DRAFTS: Final = ("drafts", "draft_answers", "draft_files")


def joint_record(*providers: str) -> bytes:
    """A valid record of several originators."""
    record = json.loads(record_of(providers[0]))
    return json.dumps({**record, "originators": sorted(providers)}, ensure_ascii=False).encode("utf-8")


def draft_of(
    world: World,
    manifest: bytes,
    providers: tuple[str, ...] = ("KAZ", "MNG"),
    audience: tuple[str, ...] = ("UZB",),
    signer: SigningIdentity | None = None,
    terms: Mapping[str, object] | None = None,
    **fields: object,
) -> JointDraft:
    """What the first provider asks the others to sign; `terms` and `fields` replace those of Provision and draft."""
    provision: Provision = world.provision(manifest, providers, audience, **{"tlp": Tlp.AMBER, **(terms or {})})
    body = encode(PROVISION, provision)
    lead = providers[0]
    signature = world.posing(lead, (signer or world.nodes[lead]).sign_bytes(Context.PROVISION, body))
    values: dict[str, Any] = {
        "provision": body,
        "manifest": manifest,
        "signature": signature,
        "sign_by": world.now + DAY,
    }
    return JointDraft(**replaced(values, fields))


def carried(
    world: World,
    draft: JointDraft,
    to: str = "MNG",
    sender: str = "KAZ",
    attachments: tuple[Attachment, ...] = (),
    files: bytes = b"",
) -> Sealed:
    """The message that carries a draft."""
    body = encode(JOINT_DRAFT, draft)
    manifest = world.manifest((sender,), body, kind=ContentKind.DRAFT, attachments=attachments)
    return world.envelope([to], sender, manifest=manifest, attachments=files)


def saying(world: World, said: ConsentMessage, sender: str, to: str) -> Sealed:
    """A message about consent."""
    manifest = world.manifest((sender,), encode_consent(said), kind=ContentKind.CONSENT)
    provision = world.signed_provision(manifest, (sender,), [to], onward=Onward.NONE)
    return world.envelope([to], sender, manifest=manifest, provisions=[provision])


async def exchange_all(relay: HostileRelay, *nodes: TestNode) -> None:
    """Everything that waits goes out, arrives and is taken, twice: an answer may follow."""
    for _ in range(2):
        for one in nodes:
            await one.send()
        for one in nodes:
            await one.pull()
            relay.waiting.get(one.parts.member, []).clear()
            await turn(one)


async def propose(lead: TestNode, to: list[str], joint: list[str], **terms: object) -> bytes:
    """The lead's ministry asks; the id of the message that it becomes."""
    request = request_of(to, joint=joint, **terms)
    return (await Composer(lead.parts).send(request, (), ministry(), None)).message


async def draft_at(target: TestNode, ident: bytes | None = None) -> DraftRow:
    """The draft that a node holds, by default its only one."""
    if ident is None:
        (row,) = target.rows("drafts")
        ident = row["provision"]
    found = await target.parts.stores.joint.draft(ident)
    assert found is not None
    return found


async def sign_at(target: TestNode, ident: bytes | None = None) -> None:
    """An official signs."""
    await Joint(target.parts).sign(await draft_at(target, ident), ministry("cabinet"))


async def refuse_at(target: TestNode, reason: str = "Not in these words.") -> None:
    """An official refuses."""
    await Joint(target.parts).refuse(await draft_at(target), reason, ministry("cabinet"))


def digest_of(draft: JointDraft) -> bytes:
    """The Provision's digest."""
    return provision_digest(draft.provision)


def good(world: World, **fields: object) -> bytes:
    """The manifest of a record that KAZ and MNG provide."""
    values = {"body": joint_record("KAZ", "MNG"), **fields}
    return world.manifest(("KAZ", "MNG"), **values)  # type: ignore[arg-type]  # a test may put anything in


def drafts_of(target: TestNode) -> dict[str, object]:
    """All of drafts, and what would leave the node."""
    sent = [row for row in target.rows("messages") if row["box"] == "outbox"]
    return {**{table: target.rows(table) for table in DRAFTS}, "sent": sent}


async def is_not_shown(target: TestNode, relay: HostileRelay, sealed: Sealed) -> str:
    """No person is asked about it. Gives why."""
    return await without_effect(target, relay, sealed, drafts_of)


def sign(world: World, member: str, body: bytes) -> bytes:
    """The node of a member signs a Provision's bytes."""
    return world.nodes[member].sign_bytes(Context.PROVISION, body)
