"""What the offline ceremonies do, as functions: they are given entropy and the time, and read and write nothing.

A state makes its root key, certifies and revokes its node's signing keys with it, and signs the charter with it; with
its node's signing key it withdraws its consent. Drafts of later charter versions are made in `keys.amendment`. The
files that travel between the ceremonies are those of `schemas.files`.
"""

from collections.abc import Iterable
from typing import Final

from keys.charter import verify_amendment, verify_first_charter
from keys.digests import charter_digest, key_id
from keys.errors import BadSignature, KeystoreFault, Untrusted
from keys.hybrid import verify_hybrid
from keys.identity import SigningIdentity
from schemas.canon import Field, Struct, decode, encode, fixed
from schemas.charter import (
    CHARTER,
    Chairmanship,
    Charter,
    Member,
    Quorums,
    Relay,
    Role,
    default_witness_quorum,
)
from schemas.contexts import Context
from schemas.endings import REVOCATION, WITHDRAWAL, Revocation, RevocationReason, Withdrawal, WithdrawalTarget
from schemas.errors import DecodeError
from schemas.files import CharterSignature, RootPublic
from schemas.ids import MEMBER, GrantId, KeyId, ProvisionId
from schemas.limits import MAX_SMALL_OBJECT
from schemas.statement import (
    KEY_REQUEST,
    SIGNING_KEY,
    DirectoryEntry,
    EntryKind,
    KeyRequest,
    SignedKeyRequest,
    SigningKey,
)

ROOT_LABEL: Final = "root"
"""The label under which a root key is sealed in its file."""

_SECRET: Final = Struct(
    SigningIdentity,
    Field(1, "owner", MEMBER),
    Field(2, "ed25519_seed", fixed(32)),
    Field(3, "mldsa65_seed", fixed(32)),
    Field(4, "mldsa44_seed", fixed(32)),
)


def identity_secret(identity: SigningIdentity) -> bytes:
    """A signing identity as the secret that a key file holds."""
    return encode(_SECRET, identity)


def identity_of(secret: bytes) -> SigningIdentity:
    """Read what `identity_secret` made; raises KeystoreFault."""
    try:
        return decode(_SECRET, secret, MAX_SMALL_OBJECT)
    except DecodeError:
        raise KeystoreFault("the file opens but holds no signing identity: it is a key of another kind") from None


def root_public(root: SigningIdentity) -> RootPublic:
    """The half of a root key that goes into the charter."""
    return RootPublic(root.owner, root.public)


def request_signing_key(node: SigningIdentity, now: int) -> SignedKeyRequest:
    """A node's request that its root certify its new key, signed by that key."""
    body = encode(KEY_REQUEST, KeyRequest(node.owner, node.public, now, node.cosigner))
    return SignedKeyRequest(body, node.sign_hybrid(Context.KEY_REQUEST, body))


def check_request(request: SignedKeyRequest) -> KeyRequest:
    """The request, when the key that it names has signed it; raises BadSignature."""
    named = request.request
    if request.signature.signer != named.member:
        raise BadSignature(f"a request for {named.member} is signed by {request.signature.signer}: make a new one")
    verify_hybrid(named.keys, request.signature, Context.KEY_REQUEST, request.body)
    return named


def certify_signing_key(
    root: SigningIdentity, request: SignedKeyRequest, valid_from: int, valid_until: int, now: int
) -> DirectoryEntry:
    """The root's statement that the requested key signs for its node; times are Unix seconds.

    Raises BadSignature when the requester does not hold the key, Untrusted when it is another member's or the root
    itself, DecodeError for an empty term.
    """
    named = check_request(request)
    if named.member != root.owner:
        raise Untrusted(f"the request is {named.member}'s and the root is {root.owner}'s: use the root of the member")
    if key_id(named.keys) == root.key_id:
        raise Untrusted("the request names the root key itself: a node has a key of its own")
    statement = SigningKey(named.member, named.keys, valid_from, valid_until, now, named.cosigner)
    body = encode(SIGNING_KEY, statement)
    return DirectoryEntry(EntryKind.SIGNING_KEY, body, (root.sign_hybrid(Context.SIGNING_KEY, body),))


def revoke_signing_key(
    root: SigningIdentity, key: KeyId, reason: RevocationReason, compromised_at: int | None, now: int
) -> DirectoryEntry:
    """The root's statement that a signing key of its node counts no more; times are Unix seconds.

    The key need not be in the directory yet. Raises Untrusted for the root itself, DecodeError when the key is said to
    have been compromised in the future.
    """
    if key == root.key_id:
        raise Untrusted("a root does not revoke itself: the other Member States replace it in the charter")
    body = encode(REVOCATION, Revocation(root.owner, key, reason, compromised_at, now))
    return DirectoryEntry(EntryKind.REVOCATION, body, (root.sign_hybrid(Context.REVOCATION, body),))


def withdraw_grant(node: SigningIdentity, grant: GrantId, now: int) -> DirectoryEntry:
    """A provider's statement that it withdraws a Grant of its own; `node` is its node's signing key."""
    return _withdraw(node, WithdrawalTarget.GRANT, grant, now)


def withdraw_provision(node: SigningIdentity, provision: ProvisionId, now: int) -> DirectoryEntry:
    """A provider's statement that it withdraws a Provision of its own, with all its Grants and open terms."""
    return _withdraw(node, WithdrawalTarget.PROVISION, provision, now)


def _withdraw(node: SigningIdentity, target: WithdrawalTarget, name: bytes, now: int) -> DirectoryEntry:
    body = encode(WITHDRAWAL, Withdrawal(node.owner, target, name, now))
    return DirectoryEntry(EntryKind.WITHDRAWAL, body, (node.sign_hybrid(Context.WITHDRAWAL, body),))


def draft_charter(
    members: Iterable[Member],
    chairmanship: Chairmanship,
    relays: Iterable[Relay],
    editions: Iterable[str],
    quorums: tuple[int | None, int | None],
    now: int,
) -> Charter:
    """Version 1 of a charter, in the one order that the format has.

    `quorums`: amend and witness; None for the defaults, all Member States and two thirds of them, rounded up. Raises
    DecodeError for what the format refuses: a member twice, a quorum that no vote or a minority reaches.
    """
    rows = tuple(sorted(members, key=lambda member: member.code))
    votes = sum(member.role is Role.MEMBER for member in rows)
    amend, witness = quorums
    charter = Charter(
        version=1,
        previous=None,
        members=rows,
        chairmanship=chairmanship,
        relays=tuple(sorted(relays, key=lambda relay: relay.name)),
        editions=tuple(sorted(set(editions))),
        quorums=Quorums(
            votes if amend is None else amend, default_witness_quorum(votes) if witness is None else witness
        ),
        created=now,
    )
    encode(CHARTER, charter)
    return charter


def draft_warnings(charter: Charter) -> tuple[str, ...]:
    """What is allowed in a draft and yet likely to be regretted, one line each."""
    votes = len(charter.voters())
    warnings = []
    if charter.quorums.witness == votes and votes > 1:
        warnings.append(
            f"the witness quorum is all {votes} Member States: one silent node would stop the directory; "
            f"the default is {default_witness_quorum(votes)}"
        )
    if not any(relay.tls_digests for relay in charter.relays):
        warnings.append("no relay has a TLS digest: nodes cannot tell the relay's certificate from another's")
    return tuple(warnings)


def sign_charter(root: SigningIdentity, draft: Charter) -> CharterSignature:
    """A Member State's signature over a draft of any version; raises Untrusted when the draft does not name this root.

    So neither a member that the draft removes nor a root that it replaces signs: their signature would not count.
    """
    row = next((member for member in draft.members if member.code == root.owner), None)
    if row is None or row.role is not Role.MEMBER:
        raise Untrusted(f"{root.owner} is not a Member State of this draft: its signature would not count")
    if row.root != root.public:
        raise Untrusted(f"the draft names another root key for {root.owner}: have the draft made with the right file")
    body = encode(CHARTER, draft)
    return CharterSignature(charter_digest(body), root.sign_hybrid(Context.CHARTER, body))


def assemble_charter(
    draft: Charter, signatures: Iterable[CharterSignature], before: Charter | None = None
) -> DirectoryEntry:
    """The charter with all signatures that it needs, verified; `before`: the version that a later one follows.

    Raises Untrusted when signatures are missing, too many, twice, or over another draft, BadSignature when one does not
    verify.
    """
    body = encode(CHARTER, draft)
    digest = charter_digest(body)
    by_signer = {}
    for given in signatures:
        signer = given.signature.signer
        if given.charter != digest:
            raise Untrusted(f"the signature of {signer} is over another draft: compare the fingerprints of the drafts")
        if signer in by_signer:
            raise Untrusted(f"{signer} signed twice: give each signature once")
        by_signer[signer] = given.signature
    entry = DirectoryEntry(EntryKind.CHARTER, body, tuple(by_signer[signer] for signer in sorted(by_signer)))
    if before is None:
        verify_first_charter(entry, None)
    else:
        verify_amendment(entry, before)
    return entry
