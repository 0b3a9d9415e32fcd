"""Attacks with signed consent whose key has ended: forged, dated back, or logged by a relay that helps.

KAZ's node signed with a key that ended a day ago. What stood in the relay's log by then is passed on; nothing else is,
neither by the relay nor to a recipient.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from exchange.consent.decision import Ledger
from exchange.errors import Forbidden
from exchange.node import inbound
from exchange.relay import core
from keys.origin import LeastSize, unbounded
from schemas.canon import encode
from schemas.contexts import Context
from schemas.grant import GRANT, SignedGrant
from schemas.ids import Digest, MemberId
from schemas.limits import DAY
from schemas.origin import Origins
from schemas.provision import PROVISION, SignedProvision
from schemas.terms import Onward, Tlp
from tests.support.changes import ChangingWorld, certificate, identity, revocation, term
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.origins import AuditLog
from tests.support.world import NOW, Sealed

UZB = MemberId("UZB")
TODAY = NOW + 2 * DAY
OLD = identity("old node", "KAZ")


class Case:
    """KAZ's old key, what it signed two days ago for MNG, and the log in which that stood."""

    def __init__(self) -> None:
        self.world = ChangingWorld()
        self.world.publish(certificate(term(OLD, NOW - DAY, NOW + DAY), self.world.roots["KAZ"]))
        self.log = AuditLog(self.world)
        self.manifest = self.world.manifest()
        self.provision = self.signed(self.manifest)
        self.original = self.world.envelope(["MNG"], manifest=self.manifest, provisions=[self.provision])
        self.index = self.log.accept(self.original)
        self.proof = self.log.proof(self.index)
        self.world.now = TODAY

    def signed(self, manifest: bytes, **terms: object) -> SignedProvision:
        """A Provision of KAZ for MNG, open to members, dated two days ago and signed with the old key."""
        values: dict[str, object] = {"onward": Onward.MEMBERS, "created": NOW, "send_by": NOW + DAY}
        provision = self.world.provision(manifest, ["KAZ"], ["MNG"], **(values | terms))
        body = encode(PROVISION, provision)
        return SignedProvision(body, (OLD.sign(Context.PROVISION, body),))

    def granted(self, uses: int | None = None) -> SignedGrant:
        """A Grant by the old key."""
        made = self.world.grant(self.provision.provision, "KAZ", "MNG", ["UZB"], created=NOW, uses=uses)
        body = encode(GRANT, made.grant)
        return SignedGrant(body, OLD.sign(Context.GRANT, body))

    def forward(self, origins: Origins | None, provision: SignedProvision | None = None, **steps: object) -> Sealed:
        """MNG passes it on to UZB."""
        return self.world.forward(
            self.original,
            "MNG",
            ["UZB"],
            **{"provisions": [provision or self.provision], "core": {"origins": origins}, **steps},
        )

    def accepted(self, sealed: Sealed, least_size: LeastSize = unbounded) -> None:
        """By the relay, and by a recipient whom the relay lets judge."""
        core.judge(sealed.header, self.world.directory, Ledger(), TODAY)
        self.received(sealed, least_size)

    def received(self, sealed: Sealed, least_size: LeastSize = unbounded) -> None:
        receipt = self.world.receipt(sealed)
        inbound.judge(sealed.header, receipt, self.world.directory, UZB, TODAY, least_size)

    def refused(self, sealed: Sealed, rule: str = "provision-signature") -> None:
        """By both."""
        with pytest.raises(Forbidden) as by_relay:
            core.judge(sealed.header, self.world.directory, Ledger(), TODAY)
        assert by_relay.value.code == rule
        self.refused_by_receiver(sealed, unbounded, rule)

    def refused_by_receiver(self, sealed: Sealed, least_size: LeastSize, rule: str = "provision-signature") -> None:
        with pytest.raises((inbound.RefusedEnvelope, inbound.PutOff)) as by_receiver:
            self.received(sealed, least_size)
        assert getattr(by_receiver.value, "rule", getattr(by_receiver.value, "code", None)) == rule


@pytest.fixture
def case() -> Case:
    return Case()


def test_an_old_provision_is_passed_on_with_its_proof(case: Case) -> None:
    """The control."""
    case.accepted(case.forward(case.proof))


def test_an_old_provision_without_its_proof(case: Case) -> None:
    case.refused(case.forward(None))


def test_a_provision_forged_with_a_key_that_has_ended_and_dated_before_its_end(case: Case) -> None:
    """Who gets the key a year later signs what it likes, with the date that it likes."""
    forged = case.signed(case.manifest, tlp=Tlp.CLEAR, created=NOW - 10)
    case.refused(case.forward(None, forged))
    case.refused(case.forward(case.proof, forged))


def test_the_proof_of_another_provision(case: Case) -> None:
    other = AuditLog(case.world)
    index = other.accept(case.world.envelope(["MNG"], "KAZ"))
    case.refused(case.forward(other.proof(index, NOW)))


def test_a_provision_logged_by_the_relay_after_its_key_had_ended(case: Case) -> None:
    """The relay dates its leaf back; the members cosign with their own clocks."""
    index = case.log.accept(case.original, time=NOW)
    case.refused(case.forward(case.log.proof(index, TODAY)))


def test_a_body_that_was_logged_before_it_was_signed(case: Case) -> None:
    """The relay logs a body with an empty signature in time; its accomplice signs it with the stolen key later."""
    later = case.signed(case.manifest, until=NOW + 900 * DAY)
    unsigned = SignedProvision(later.body, tuple(replace(signature, value=bytes(64)) for signature in later.signatures))
    index = case.log.accept(case.original, provisions=[unsigned], time=NOW)
    case.refused(case.forward(case.log.proof(index, NOW), later))


def test_a_proof_that_a_minority_cosigned(case: Case) -> None:
    case.refused(case.forward(case.log.proof(case.index, NOW, ["KAZ", "MNG"])))


def test_a_log_of_another_relay(case: Case) -> None:
    stranger = ChangingWorld(seed="another world")
    log = AuditLog(stranger)
    index = log.accept(case.original, directory_size=stranger.directory.size)
    case.refused(case.forward(log.proof(index, NOW)))


def test_the_directory_s_log_in_place_of_the_audit_log(case: Case) -> None:
    """Whoever can have an entry appended there must not be able to prove consent by it."""
    signed = signed_checkpoint(case.world, "directory", case.log.leaves)
    note = cosigned(case.world, signed, time=NOW).encode()
    case.refused(case.forward(Origins((note,), case.proof.proofs)))


def test_a_forged_signature_with_a_true_proof_of_its_leaf(case: Case) -> None:
    """A relay can log any bytes: the signature has to hold all the same."""
    forged = SignedProvision(case.provision.body, tuple(replace(s, value=bytes(64)) for s in case.provision.signatures))
    index = case.log.accept(case.original, provisions=[forged], time=NOW)
    case.refused(case.forward(case.log.proof(index, NOW), forged))


def test_a_revocation_dated_back_does_not_undo_consent_that_stood_in_the_log(case: Case) -> None:
    """KAZ would like never to have provided it: it revokes the key as of before."""
    case.world.publish(revocation(case.world.roots["KAZ"], OLD.key_id, NOW - 300 * DAY, compromised_at=NOW - 400 * DAY))
    case.accepted(case.forward(case.proof))
    case.refused(case.forward(None))


def test_what_a_relay_logs_after_a_revocation_as_if_decided_before_it(case: Case) -> None:
    """Thief and relay together: only who knows how large the directory was by then can tell."""
    size = case.world.directory.size
    case.world.publish(revocation(case.world.roots["KAZ"], OLD.key_id, NOW))
    forged = case.signed(case.manifest, until=NOW + 900 * DAY)
    index = case.log.accept(case.original, provisions=[forged], directory_size=size)
    sealed = case.forward(case.log.proof(index, NOW + 100), forged)
    case.refused_by_receiver(sealed, lambda time: size + 1 if time > NOW + 60 else size)
    case.received(sealed, lambda time: size)


@pytest.mark.parametrize("proved", [True, False])
def test_a_grant_under_a_key_that_has_ended(case: Case, proved: bool) -> None:
    grant = case.granted()
    index = case.log.accept(case.original, grants=[grant], time=NOW)
    sealed = case.forward(case.log.proof(index, NOW) if proved else case.proof, grants=[grant])
    if proved:
        case.accepted(sealed)
    else:
        case.refused(sealed, "grant-signature")


def test_a_grant_made_wider_than_the_one_that_was_logged(case: Case) -> None:
    index = case.log.accept(case.original, grants=[case.granted(uses=1)], time=NOW)
    case.refused(case.forward(case.log.proof(index, NOW), grants=[case.granted()]), "grant-signature")


HOSTILE: dict[str, Callable[[Case], Origins]] = {
    "garbage-for-a-checkpoint": lambda case: Origins((b"\xff" * 40,), case.proof.proofs),
    "a-path-to-nowhere": lambda case: _path(case, (Digest(bytes(32)),) * 40),
}


def _path(case: Case, path: tuple[Digest, ...]) -> Origins:
    return replace(case.proof, proofs=(replace(case.proof.proofs[0], path=path),))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_proof_that_is_none(case: Case, name: str) -> None:
    case.refused(case.forward(HOSTILE[name](case)))
