"""Evidence files that blame somebody innocent: every object in them is genuine, or signed by a thief."""

import pytest

from exchange.audit.claims import Claim
from keys.identity import SigningIdentity
from schemas.canon import encode
from schemas.grant import SIGNED_GRANT
from schemas.limits import HOUR
from schemas.receipt import SIGNED_RECEIPT, Outcome
from schemas.refused import RefusedTransfer, encode_refused
from tests.standards.second_verifier import Broken, verify
from tests.support.changes import ChangingWorld, revocation
from tests.support.evidence import Case, Kept, claims, judge, members, of
from tests.support.proofs import note_of
from tests.support.world import World


@pytest.fixture
def case(world: World) -> Case:
    return Case(world)


@pytest.fixture
def changing() -> tuple[Case, ChangingWorld]:
    world = ChangingWorld()
    return Case(world), world


def both(world: World, data: bytes) -> dict[str, int]:
    """What is found, by the product and by the second verifier."""
    judged = judge(world, data)
    assert judged.broken is None
    second = {claim for claim, _ in verify(data, world.charter_digest)}
    assert second == set(claims(judged))
    return dict(claims(judged))


def dated_back(case: Case, kept: Kept, size: int) -> Kept:
    """What a hostile relay signs for a thief: an acceptance of before the revocation, which is in no log."""
    kept.receipt = encode(SIGNED_RECEIPT, case.world.receipt(kept.sealed, directory_size=size))
    kept.index = None
    return kept


class TestTheRelayIsBlamed:
    def test_by_a_head_that_was_sent_before_the_envelope_that_it_names(self, case: Case) -> None:
        """Its sender made the header first, and offered it when the recipient had the head."""
        w = case.world
        kept, head = case.send("KAZ", ["MNG"]), case.head("KAZ", "MNG")
        case.answer(head, "MNG")
        for later in (1, HOUR):
            kept.receipt, kept.index = encode(SIGNED_RECEIPT, w.receipt(kept.sealed, time=w.now + later)), None
            assert Claim.WITHHELD.value not in both(w, case.file(kept, heads=[head]))

    def test_by_an_acknowledgement_that_is_left_out(self, case: Case) -> None:
        """Then it is told as something that is missing, not as proved, and the silent recipient is named too."""
        kept, head = case.send("KAZ", ["MNG"]), case.head("KAZ", "MNG")
        case.answer(head, "MNG")
        (found,) = of(judge(case.world, case.file(kept, heads=[head])), Claim.WITHHELD)
        assert found.claim.of_absence
        assert "or MNG has it and does not say so" in found.sentence

    def test_by_an_envelope_that_stands_in_the_file_with_its_acknowledgement_and_again_without(
        self, case: Case
    ) -> None:
        kept, head = case.send("KAZ", ["MNG"]), case.head("KAZ", "MNG")
        bare = Kept(kept.sealed, kept.receipt, kept.index)
        case.answer(head, "MNG")
        case.answer(kept, "MNG")
        for data in (case.file(kept, bare, heads=[head]), case.file(kept, heads=[head, head])):
            broken = judge(case.world, data).broken
            assert broken is not None
            assert broken.claim is Claim.SENT
            with pytest.raises(Broken, match="sent"):
                verify(data, case.world.charter_digest)

    def test_by_a_head_that_its_recipient_refused(self, case: Case) -> None:
        kept, head = case.send("KAZ", ["MNG"]), case.head("KAZ", "MNG")
        case.answer(head, "MNG", outcome=Outcome.REFUSED)
        assert Claim.WITHHELD.value not in both(case.world, case.file(kept, heads=[head]))


class TestTheOwnerOfAStolenKeyIsBlamed:
    """A thief signs with a key that was revoked, and a hostile relay dates its receipt back; no log has it."""

    def test_for_what_it_never_sent(self, changing: tuple[Case, ChangingWorld]) -> None:
        case, w = changing
        size = w.directory.size
        stolen = case.send("KAZ", ["MNG"])
        w.publish(revocation(w.roots["KAZ"], w.nodes["KAZ"].key_id, w.now))
        found = both(w, case.file(dated_back(case, stolen, size)))
        assert not {"sent", "accepted", "provided", "relayed"} & set(found)
        assert found["undated"] == 1

    def test_for_a_transfer_without_consent(self, changing: tuple[Case, ChangingWorld]) -> None:
        case, w = changing
        size = w.directory.size
        first = case.send("KAZ", ["MNG"])
        passed = case.accept(w.forward(first.sealed, "MNG", ["UZB"]))
        w.publish(revocation(w.roots["MNG"], w.nodes["MNG"].key_id, w.now))
        data = case.file(first, dated_back(case, passed, size))
        assert "without-consent" not in both(w, data)
        assert members(judge(w, data), Claim.UNDATED) == ["MNG"]

    def test_for_consent_that_it_never_gave(self, changing: tuple[Case, ChangingWorld]) -> None:
        case, w = changing
        size = w.directory.size
        first = case.send("KAZ", ["MNG"])
        grant = w.grant(first.sealed.header.core.provisions[0].provision, "KAZ", "MNG", ["UZB"])
        passed = case.accept(w.forward(first.sealed, "MNG", ["UZB"], grants=[grant]))
        w.publish(revocation(w.roots["KAZ"], w.nodes["KAZ"].key_id, w.now))
        found = both(w, case.file(first, dated_back(case, passed, size), grants=(encode(SIGNED_GRANT, grant),)))
        assert not {"forwarded", "consented"} & set(found)

    def test_for_a_transfer_that_was_refused(self, changing: tuple[Case, ChangingWorld]) -> None:
        case, w = changing
        size = w.directory.size
        first = case.send("KAZ", ["MNG"])
        tried = dated_back(case, Kept(w.forward(first.sealed, "MNG", ["UZB"]), None, None), size)
        w.publish(revocation(w.roots["MNG"], w.nodes["MNG"].key_id, w.now))
        notice = encode_refused(RefusedTransfer(tried.sealed.header_bytes, tried.receipt, "no-consent", w.now))
        assert "transfer-refused" not in both(w, case.file(first, refused=(notice,)))

    def test_for_how_far_its_stream_was(self, changing: tuple[Case, ChangingWorld]) -> None:
        case, w = changing
        size = w.directory.size
        kept = case.send("KAZ", ["MNG"])
        head, seen = case.head("KAZ", "MNG"), note_of(w, w.entries)
        w.publish(revocation(w.roots["KAZ"], w.nodes["KAZ"].key_id, w.now))
        found = both(w, case.file(kept, heads=[dated_back(case, head, size)], earlier=[seen]))
        assert ("numbered" in found, found["undated"], found["sent"]) == (False, 1, 1)

    def test_a_forged_signature_is_not_merely_undated(self, changing: tuple[Case, ChangingWorld]) -> None:
        case, w = changing
        size = w.directory.size
        thief = SigningIdentity.from_entropy(w.nodes["KAZ"].owner, b"t" * 96)
        made = dated_back(case, case.send("KAZ", ["MNG"], signer=thief), size)
        w.publish(revocation(w.roots["KAZ"], w.nodes["KAZ"].key_id, w.now))
        broken = judge(w, case.file(made)).broken
        assert broken is not None
        assert broken.claim is Claim.SENT


class TestALawfulForwarderIsBlamed:
    def test_by_a_notice_that_is_dated_after_the_consent_had_ended(self, case: Case) -> None:
        """Without a receipt the accuser chooses the time; what was lawful when made is not called unlawful."""
        w = case.world
        first = case.send("KAZ", ["MNG"])
        provision = first.sealed.header.core.provisions[0].provision
        grant = w.grant(provision, "KAZ", "MNG", ["UZB"], until=w.now + HOUR)
        passed = w.forward(first.sealed, "MNG", ["UZB"], grants=[grant])
        notice = encode_refused(RefusedTransfer(passed.header_bytes, None, "no-consent", w.now + 2 * HOUR))
        (found,) = of(judge(w, case.file(first, refused=(notice,))), Claim.TRANSFER_REFUSED)
        assert "on the word of who refused it" in found.sentence


class TestTheSenderContradictsItself:
    def test_two_heads_with_one_number_and_two_headers_say_nothing(self, case: Case) -> None:
        case.send("KAZ", ["MNG"])
        place = case.world.place("KAZ", "MNG")
        stated = {"stream": place.stream, "last": place.last}
        heads = [case.head("KAZ", "MNG", **stated, digest=digest) for digest in (place.digest, bytes(32))]
        assert "nothing-sent" not in both(case.world, case.file(heads=heads))
