"""Vectors of what states tell each other about consent, and of refused transfers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from keys.digests import provision_digest
from schemas.canon import encode
from schemas.consent import (
    HOLDER_STATEMENT,
    JOINT_DRAFT,
    SIGNED_STATEMENT,
    Conduct,
    ConsentGiven,
    ConsentMessage,
    ConsentRefused,
    ConsentRequest,
    ConsentWithdrawn,
    HolderStatement,
    JointDraft,
    JointRefused,
    JointSigned,
    PassedOn,
    SignedStatement,
    encode_consent,
)
from schemas.contexts import Context
from schemas.endings import WithdrawalTarget
from schemas.errors import Reason
from schemas.ids import MemberId
from schemas.limits import DAY, MAX_REASON
from schemas.receipt import SIGNED_RECEIPT
from schemas.refused import REFUSED_TRANSFER, RefusedTransfer
from schemas.relayapi import MAILBOX, Mailbox, RefusalsSeen, encode_frame
from schemas.terms import Purpose
from tests.support.wire import ABSENT, changed, fields, pack
from tests.vectors.gen.later import BAD, UNTRUSTED
from tests.vectors.gen.model import ACCEPTED, Vector, decode
from tests.vectors.gen.valid import Story

_KAZ, _MNG, _UZB = MemberId("KAZ"), MemberId("MNG"), MemberId("UZB")
_ID = bytes(range(16, 32))
_REASON = "flood relief"

Case = tuple[str, Mapping[int, Any], Reason]


def _request(story: Story) -> ConsentRequest:
    now = story.world.now
    ends, answer_by = now + 30 * DAY, now + 7 * DAY
    return ConsentRequest(_ID, story.provision, (_UZB,), Purpose.DISASTER_RESPONSE, ends, None, _REASON, now, answer_by)


def _withdrawn(story: Story) -> ConsentWithdrawn:
    digest = provision_digest(story.provision.body)
    return ConsentWithdrawn(
        WithdrawalTarget.PROVISION, story.provision.provision.id, digest, "source at risk", story.world.now
    )


def _statement(story: Story) -> HolderStatement:
    now = story.world.now
    onward = (PassedOn(_UZB, story.forward.header.core.id, now),)
    name = story.provision.provision.id
    return HolderStatement(_MNG, _KAZ, WithdrawalTarget.PROVISION, name, Conduct.DESTROYED, onward, now + DAY)


def _signed_statement(story: Story) -> SignedStatement:
    body = encode(HOLDER_STATEMENT, _statement(story))
    return SignedStatement(body, story.world.nodes["MNG"].sign(Context.HOLDER_STATEMENT, body))


def _draft(story: Story) -> JointDraft:
    """The Provision of KAZ and UZB, which UZB is asked to sign."""
    manifest = story.world.manifest(["KAZ", "UZB"], b'{"measure":"2.1.1.b","title":{"en":"Joint"}}', salt=bytes(32))
    joint = story.world.signed_provision(manifest, ["KAZ", "UZB"], ["MNG"], id=b"joint" * 3 + b"j")
    return JointDraft(joint.body, manifest, joint.signatures[0], story.world.now + DAY)


def _refused(story: Story) -> RefusedTransfer:
    """MNG passed on what it had no consent for, and the relay refused it."""
    forward = story.world.forward(story.original, "MNG", ["UZB"], core={"id": b"refused!" * 2})
    return RefusedTransfer(forward.header_bytes, None, "no-consent", story.world.now)


def _accepted(story: Story) -> RefusedTransfer:
    """The same by the node of a recipient, with the receipt of a relay that had accepted."""
    receipt = encode(SIGNED_RECEIPT, story.world.receipt(story.forward))
    return RefusedTransfer(story.forward.header_bytes, receipt, "no-consent", story.world.now + 60)


def messages(story: Story) -> Iterator[Vector]:
    """Every message about consent, accepted."""
    request, withdrawn, draft = _request(story), _withdrawn(story), _draft(story)
    digest = provision_digest(draft.provision)
    named: dict[str, ConsentMessage] = {
        "request": request,
        "request-for-three-uses": replace(request, uses=3),
        "given": ConsentGiven(story.grant, _ID),
        "given-unasked": ConsentGiven(story.class_grant, None),
        "refused": ConsentRefused(_ID, "not for this purpose"),
        "withdrawn-provision": withdrawn,
        "withdrawn-grant-for-a-class": replace(
            withdrawn, target=WithdrawalTarget.GRANT, id=story.class_grant.grant.id, provision=None
        ),
        "statement": _signed_statement(story),
        "joint-signed": JointSigned(digest, story.world.nodes["UZB"].sign(Context.PROVISION, draft.provision)),
        "joint-refused": JointRefused(digest, "the text has changed"),
        "refused-transfer": _accepted(story),
    }
    for name, message in named.items():
        yield decode(name, "consent-message", encode_consent(message))


def objects(story: Story) -> Iterator[Vector]:
    """What stands in them or travels on its own, accepted; frames of refused transfers."""
    statement, refused = _statement(story), _refused(story)
    not_held = replace(statement, conduct=Conduct.NOT_HELD, passed_on=())
    yield decode("destroyed", "holder-statement", encode(HOLDER_STATEMENT, statement))
    yield decode("not-held", "holder-statement", encode(HOLDER_STATEMENT, not_held))
    yield decode("destroyed", "signed-statement", encode(SIGNED_STATEMENT, _signed_statement(story)))
    yield decode("example", "joint-draft", encode(JOINT_DRAFT, _draft(story)))
    yield decode("by-the-relay", "refused-transfer", encode(REFUSED_TRANSFER, refused))
    yield decode("by-a-recipient", "refused-transfer", encode(REFUSED_TRANSFER, _accepted(story)))
    yield decode("refused-transfer", "frame", encode_frame(refused))
    yield decode("refusals-seen", "frame", encode_frame(RefusalsSeen((story.forward.digest,))))
    yield decode("with-refusals", "mailbox", encode(MAILBOX, Mailbox((), (), (refused, _accepted(story)))))


def signatures(story: Story) -> Iterator[Vector]:
    """A holder's statement, by the directory of world.json at the statement's date."""
    signed, made = _signed_statement(story), _statement(story).created
    forged = story.world.nodes["KAZ"].sign(Context.HOLDER_STATEMENT, signed.body)
    mislabelled = story.world.nodes["MNG"].sign(Context.GRANT, signed.body)
    named = {
        "destroyed": (signed.signature, ACCEPTED),
        "signed-by-the-provider": (replace(forged, signer=_MNG), UNTRUSTED),
        "signed-under-another-label": (mislabelled, BAD),
    }
    for name, (signature, expect) in named.items():
        data = encode(SIGNED_STATEMENT, SignedStatement(signed.body, signature))
        given = {"now": made, "hex": data.hex()}
        yield Vector("signature", f"signed-statement-{name}", "signed-statement", expect, "", given)


def _changed(of: str, data: bytes, cases: list[Case], kind: bytes = b"") -> Iterator[Vector]:
    for name, changes, reason in cases:
        yield decode(name, of, kind + changed(data, changes), reason)


def defects(story: Story) -> Iterator[Vector]:
    """Messages with one defect each."""
    now = story.world.now
    request, withdrawn = encode_consent(_request(story)), encode_consent(_withdrawn(story))
    refused, given = encode_consent(ConsentRefused(_ID, _REASON)), encode_consent(ConsentGiven(story.grant, _ID))
    yield decode("empty", "consent-message", b"", Reason.WRONG_TYPE)
    yield decode("kind-zero", "consent-message", b"\x00" + refused[1:], Reason.WRONG_TYPE)
    yield decode("kind-unknown", "consent-message", b"\xff" + refused[1:], Reason.WRONG_TYPE)
    yield decode("kind-without-object", "consent-message", refused[:1], Reason.MALFORMED)
    yield decode("trailing-byte", "consent-message", refused + b"\x00", Reason.TRAILING_BYTES)
    yield decode("refusal-as-a-request", "consent-message", b"\x01" + refused[1:], Reason.WRONG_TYPE)
    cases: list[Case] = [
        ("request-answered-when-made", {9: now}, Reason.CONTRADICTION),
        ("request-over-before-made", {5: now - 1}, Reason.CONTRADICTION),
        ("request-for-nobody", {3: []}, Reason.OUT_OF_RANGE),
        ("request-recipients-unordered", {3: ["UZB", "MNG"]}, Reason.BAD_ORDER),
        ("request-for-no-uses", {6: 0}, Reason.OUT_OF_RANGE),
        ("request-reason-empty", {7: ""}, Reason.OUT_OF_RANGE),
        ("request-reason-too-long", {7: "a" * (MAX_REASON + 1)}, Reason.OUT_OF_RANGE),
        ("request-reason-of-two-lines", {7: "flood\nrelief"}, Reason.OUT_OF_RANGE),
        ("request-provision-unsigned", {2: fields(request[1:])[2] | {2: []}}, Reason.OUT_OF_RANGE),
    ]
    yield from _changed("consent-message", request[1:], cases, request[:1])
    cases = [
        ("given-request-nil", {2: None}, Reason.WRONG_TYPE),
        ("given-grant-as-bytes", {1: story.grant.body}, Reason.WRONG_TYPE),
        ("given-by-another-signer", {1: _by_another(given)}, Reason.CONTRADICTION),
    ]
    yield from _changed("consent-message", given[1:], cases, given[:1])
    cases = [
        ("withdrawn-target-unknown", {1: 3}, Reason.OUT_OF_RANGE),
        ("withdrawn-digest-too-short", {3: bytes(31)}, Reason.OUT_OF_RANGE),
    ]
    yield from _changed("consent-message", withdrawn[1:], cases, withdrawn[:1])


def _by_another(given: bytes) -> dict[int, Any]:
    """The signed Grant of a message, with another signer's name."""
    signed: dict[int, Any] = fields(given[1:])[1]
    return signed | {2: signed[2] | {1: "MNG"}}


def object_defects(story: Story) -> Iterator[Vector]:
    """The other objects with one defect each."""
    statement, signed = encode(HOLDER_STATEMENT, _statement(story)), encode(SIGNED_STATEMENT, _signed_statement(story))
    draft, refused = encode(JOINT_DRAFT, _draft(story)), encode(REFUSED_TRANSFER, _refused(story))
    (passed,) = fields(statement)[6]
    yield from _changed(
        "holder-statement",
        statement,
        [
            ("conduct-unknown", {5: 4}, Reason.OUT_OF_RANGE),
            ("passed-on-repeated", {6: [passed, passed]}, Reason.BAD_ORDER),
            ("passed-on-unordered", {6: [passed, passed | {1: "KAZ"}]}, Reason.BAD_ORDER),
            ("passed-on-left-out", {6: ABSENT}, Reason.MISSING_FIELD),
        ],
    )
    other = {2: fields(signed)[2] | {1: "UZB"}}
    yield decode("signer-is-not-the-holder", "signed-statement", changed(signed, other), Reason.CONTRADICTION)
    yield from _changed(
        "joint-draft",
        draft,
        [
            ("manifest-empty", {2: b""}, Reason.OUT_OF_RANGE),
            ("without-its-end", {4: ABSENT}, Reason.MISSING_FIELD),
        ],
    )
    yield from _changed(
        "refused-transfer",
        refused,
        [
            ("rule-in-capitals", {3: "No-consent"}, Reason.OUT_OF_RANGE),
            ("rule-with-two-dashes", {3: "no--consent"}, Reason.OUT_OF_RANGE),
            ("receipt-nil", {2: None}, Reason.WRONG_TYPE),
            ("without-header", {1: ABSENT}, Reason.MISSING_FIELD),
        ],
    )
    yield decode("refusals-seen-none", "frame", b"\x0b" + pack({1: []}), Reason.OUT_OF_RANGE)
    yield decode("refusals-empty", "mailbox", pack({1: [], 2: [], 3: []}), Reason.OUT_OF_RANGE)
