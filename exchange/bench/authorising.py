"""The rule of consent over one header, against the bare verification of exactly the signatures that it has to check."""

from typing import Final

from exchange.bench.parties import NOW, Parties, make_parties, places
from exchange.bench.result import Result, at_most, medians
from exchange.consent.authorise import authorise
from exchange.consent.decision import Ledger
from exchange.errors import Invalid
from exchange.node.outbound import Parcel, envelope_id, seal_header
from keys import primitives
from keys.digests import sha256
from keys.identity import SigningIdentity
from keys.primitives import random_bytes
from keys.verify import VerifiedHeader, verify_header
from schemas.canon import encode
from schemas.contexts import Context, framed
from schemas.envelope import decode_header, encode_header
from schemas.grant import GRANT, Grant, SignedGrant
from schemas.ids import Digest, GrantId, MemberId, ProvisionId
from schemas.limits import DAY
from schemas.provision import PROVISION, Provision, SignedProvision
from schemas.signed import Signature
from schemas.terms import Onward, Precedence, Purpose, Tlp

_RECIPIENTS: Final = 27
_PROVIDERS: Final = 3
_BODY: Final = 1024
_REPEATS: Final = 60

Call = tuple[bytes, bytes, bytes]


def authorise_results() -> list[Result]:
    """What three states provided, passed on by a fourth to 27 under a Grant of each, every Grant for all 27."""
    parties = make_parties(1 + _PROVIDERS + _RECIPIENTS)
    header, calls = _joint(parties)
    directory, ledger = parties.directory, Ledger()
    if len(authorise(header, directory, ledger, NOW).uses) != _PROVIDERS * _RECIPIENTS:
        raise Invalid("bench-authorise", "the transfer to be measured is not allowed under its Grants")

    def rule() -> None:
        authorise(header, directory, ledger, NOW)

    def signatures() -> None:
        for public, message, signature in calls:
            primitives.ed25519_verify(public, message, signature)

    ours, base = medians([rule, signatures], _REPEATS)
    what = f"authorise, {_RECIPIENTS} recipients under Grants of {_PROVIDERS} / its {len(calls)} verifications alone"
    return [at_most(f"authorise-{_RECIPIENTS}x{_PROVIDERS}", ours, base, 1.2, "us", what)]


def _joint(parties: Parties) -> tuple[VerifiedHeader, list[Call]]:
    """The sealed header, and public key, message and signature of each of its signatures of consent."""
    codes = list(parties.signing)
    holder, recipients = parties.sender.owner, tuple(codes[1 + _PROVIDERS :])
    signers = [parties.signing[code] for code in codes[1 : 1 + _PROVIDERS]]
    provision = _provision(tuple(signer.owner for signer in signers), holder)
    body = encode(PROVISION, provision)
    signed = SignedProvision(body, tuple(signer.sign(Context.PROVISION, body) for signer in signers))
    calls = [
        _call(signer, Context.PROVISION, body, signature)
        for signer, signature in zip(signers, signed.signatures, strict=True)
    ]
    grants = []
    for signer in signers:
        body = encode(GRANT, _grant(signer.owner, holder, provision, recipients))
        grants.append(SignedGrant(body, signer.sign(Context.GRANT, body)))
        calls.append(_call(signer, Context.GRANT, body, grants[-1].signature))
    parcel = Parcel(
        envelope=envelope_id(NOW * 1000, random_bytes(10)),
        provisions=(signed,),
        grants=tuple(sorted(grants, key=lambda one: one.grant.id)),
        purpose=provision.purpose,
        precedence=Precedence.ROUTINE,
        created=NOW,
        expires=NOW + DAY,
    )
    key, body_digest = random_bytes(32), sha256(bytes(_BODY))
    header = seal_header(parties.sender, parties.directory, parcel, places(recipients), key, _BODY, body_digest)
    return verify_header(decode_header(encode_header(header)), parties.directory, NOW), calls


def _provision(providers: tuple[MemberId, ...], holder: MemberId) -> Provision:
    return Provision(
        id=ProvisionId(random_bytes(16)),
        providers=providers,
        audience=(holder,),
        onward=Onward.ON_CONSENT,
        charter=1,
        purpose=Purpose.CONFIDENCE_BUILDING,
        until=NOW + 300 * DAY,
        not_before=None,
        tlp=Tlp.AMBER,
        created=NOW,
        send_by=NOW + DAY,
        max_precedence=Precedence.PRIORITY,
        class_tags=(),
        commitment=Digest(random_bytes(32)),
    )


def _grant(provider: MemberId, holder: MemberId, provision: Provision, recipients: tuple[MemberId, ...]) -> Grant:
    return Grant(
        id=GrantId(random_bytes(16)),
        provider=provider,
        holder=holder,
        provision=provision.id,
        class_tag=None,
        recipients=recipients,
        purpose=provision.purpose,
        created=NOW,
        until=NOW + 30 * DAY,
        uses=100,
    )


def _call(signer: SigningIdentity, context: Context, body: bytes, signature: Signature) -> Call:
    return signer.public.ed25519, framed(context, body), signature.value
