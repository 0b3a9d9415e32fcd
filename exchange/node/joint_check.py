"""What has to hold of a joint Provision before a person is asked to sign it. Pure: values in, values out.

Who signs promises that the content is what the Provision commits to: so all of it is checked that a receiver would
check, and nobody is asked about a text that could never be sent.
"""

from dataclasses import dataclass
from typing import Any, Final

from exchange.errors import Invalid
from exchange.node.inbound import Unreadable
from exchange.node.opening import sound_record
from keys.digests import content_commitment
from keys.directory import Directory
from keys.primitives import equal
from keys.verify import verify_bytes
from schemas.canon import decode
from schemas.consent import JointDraft
from schemas.content import ContentKind, Manifest, read_manifest
from schemas.contexts import Context
from schemas.ids import MemberId
from schemas.limits import MAX_CLOCK_AHEAD, MAX_PROVISION
from schemas.provision import PROVISION, Provision
from schemas.signed import Signature

_CODE: Final = "bad-draft"


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft that may be shown: its terms, its content, and the record inside."""

    provision: Provision
    manifest: Manifest
    record: dict[str, Any]


def checked_draft(
    said: JointDraft, sender: MemberId, carried: Manifest, member: MemberId, directory: Directory, now: int
) -> Drafted:
    """What `sender` asks `member` to sign; `carried`: the manifest of the message that brought it, with its files.

    Raises Invalid (bad-draft), DecodeError, or KeyFault for the sender's signature.
    """
    provision = decode(PROVISION, said.provision, MAX_PROVISION)
    if member not in provision.providers or sender not in provision.providers:
        raise Invalid(_CODE, f"its providers are {', '.join(provision.providers)}: not both {sender} and {member}")
    if said.signature.signer != sender:
        raise Invalid(_CODE, f"{sender} has not signed it")
    verify_provider(said.signature, said.provision, directory, now)
    manifest = checked_content(provision, said.manifest)
    if manifest.attachments != carried.attachments:
        raise Invalid(_CODE, "it does not come with exactly the attachments of its content")
    try:
        record = sound_record(manifest, provision)
    except Unreadable as fault:
        raise Invalid(_CODE, fault.detail) from None
    _check_times(said, provision, now)
    parties = {*provision.providers, *provision.audience}
    unknown = sorted(parties - directory.members.keys())
    mute = [code for code in provision.providers if not directory.may_send(code)]
    if unknown or mute:
        raise Invalid(_CODE, f"it could not be sent: {', '.join(unknown or mute)} may take no part")
    return Drafted(provision, manifest, record)


def checked_content(provision: Provision, raw: bytes) -> Manifest:
    """The manifest that a Provision commits to. Raises Invalid or DecodeError."""
    manifest = read_manifest(raw)
    if not equal(content_commitment(raw), provision.commitment):
        raise Invalid(_CODE, "its content is another than its Provision commits to")
    if manifest.providers != provision.providers or manifest.class_tags != provision.class_tags:
        raise Invalid(_CODE, "its content names other providers or classes than its Provision")
    if manifest.kind is not ContentKind.RECORD:
        raise Invalid(_CODE, "its content is no record")
    return manifest


def verify_provider(signature: Signature, provision: bytes, directory: Directory, now: int) -> None:
    """A provider's signature under exactly these bytes, by a key that is in force now. Raises KeyFault."""
    verify_bytes(directory, signature.signer, signature.key_id, now, signature.value, Context.PROVISION, provision)


def _check_times(said: JointDraft, provision: Provision, now: int) -> None:
    if said.sign_by <= now:
        raise Invalid(_CODE, "the time for signing it is over")
    if said.sign_by > provision.send_by:
        raise Invalid(_CODE, "it could be signed when it may not be sent any more")
    if provision.created > now + MAX_CLOCK_AHEAD:
        raise Invalid(_CODE, "its Provision is dated in the future")
    if provision.until is not None and provision.until < now:
        raise Invalid(_CODE, "the end date of its terms has passed")
