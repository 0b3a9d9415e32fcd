"""Whether a log shows of an envelope that it was signed, and accepted, before what the directory says since.

A relay writes into its receipts and its log whatever time and directory it likes. What members had cosigned by then
tells whether it did so late (`FileView.holds`).
"""

from collections.abc import Iterator
from dataclasses import replace

from exchange.audit.evidence_view import FileView
from exchange.consent.decision import Decision
from keys.digests import logged_grant, logged_provision
from keys.origin import Origin
from keys.primitives import ed25519_verify
from keys.verify import Moment, grant_fault
from schemas.contexts import Context, framed
from schemas.envelope import Core
from schemas.grant import SignedGrant
from schemas.ids import Digest, KeyId, MemberId
from schemas.limits import MERGE_DELAY
from schemas.receipt import Receipt


def undated_signer(
    core: Core, digest: Digest, here: Origin | None, moment: Moment, view: FileView, decision: Decision | None
) -> MemberId | None:
    """Whose key is over and signed the envelope, or a Provision or a Grant that matters, perhaps only since.

    `digest`: of the header; `here`: that its acceptance stood in a log, `moment`: what else did, and when and by what
    directory consent was judged; `decision`: how, if it was.
    """
    named: dict[Digest, list[Origin]] = {}
    for origin in moment.origins:
        named.setdefault(origin.digest, []).append(origin)
    for name, member, key in _signers(core, digest, moment, view, decision):
        own = [] if here is None else [replace(here, digest=name)]
        if not view.holds((*named.get(name, ()), *own), name, member, key):
            return member
    return None


def _signers(
    core: Core, digest: Digest, moment: Moment, view: FileView, decision: Decision | None
) -> Iterator[tuple[Digest, MemberId, KeyId]]:
    """Everyone, with the digest by which a log names what they signed."""
    yield digest, core.sender, core.key_id
    for signed in core.provisions:
        for one in signed.signatures:
            yield logged_provision(signed), one.signer, one.key_id
    refused = decision is not None and not decision.allowed
    for grant in core.grants:
        # What was taken for good, and did not make the transfer lawful all the same, excuses nobody.
        taken = refused and grant_fault(grant, moment) is None
        if _matches(grant, core) and not taken and _is_signed(grant, view):
            yield logged_grant(grant), grant.signature.signer, grant.signature.key_id


def _matches(signed: SignedGrant, core: Core) -> bool:
    """Whether it is about something in the envelope: a sender could add what makes everything undated."""
    grant = signed.grant
    return grant.holder == core.sender and any(grant.is_about(one.provision) for one in core.provisions)


def _is_signed(signed: SignedGrant, view: FileView) -> bool:
    """Whether the key that is named for it has signed it, whenever that was."""
    signature = signed.signature
    record = view.current.signing.get((signature.signer, signature.key_id))
    message = framed(Context.GRANT, signed.body)
    return record is not None and ed25519_verify(record.keys.ed25519, message, signature.value)


def receipt_undated(receipt: Receipt, here: Origin | None, view: FileView) -> bool:
    """Whether the charter does not name the relay any more, and it may have signed the receipt only since."""
    ending = view.relay_ending(receipt.relay, receipt.directory_size)
    return ending is not None and (here is None or not view.logged_before(here, ending))


def decided_then(core: Core, receipt: Receipt, here: Origin | None, view: FileView) -> bool:
    """Whether the relay decided when it says, before the next charter version and before anything here was withdrawn.

    Consent ends by its date as well, with no entry in the directory, so the log has to be of the receipt's own time.
    When that cannot be seen, it is its own word alone, and it may have decided later.
    """
    carried: set[tuple[MemberId, bytes]] = {(said.grant.provider, said.grant.id) for said in core.grants}
    carried |= {(provider, said.provision.id) for said in core.provisions for provider in said.provision.providers}
    changes = [record.index for record in view.current.charters]
    changes += [record.index for name, record in view.current.withdrawn.items() if name in carried]
    later = [index for index in changes if index >= receipt.directory_size]
    if here is None or here.time > receipt.time + MERGE_DELAY:
        return False
    return all(view.logged_before(here, index) for index in later)
