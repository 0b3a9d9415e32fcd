"""Evidence files by thieves of keys that have ended, with a relay that logs late what they sign and dates it back.

Whoever makes a file chooses the checkpoints in it. So that something was logged before a key ended counts only with
what a quorum of members had seen of the directory at that time.
"""

from typing import Any

import pytest

from exchange.audit import evidence_view
from exchange.audit.claims import Claim
from keys.amendment import Changes
from keys.directory import handover_of
from schemas.charter import Relay
from schemas.endings import WithdrawalTarget
from schemas.ids import MemberId
from schemas.limits import DAY, HOUR, MERGE_DELAY
from schemas.refused import RefusedTransfer, encode_refused
from tests.hostile.test_false_evidence import both
from tests.standards.second_verifier import Broken, verify
from tests.support.changes import certificate, identity, term, withdrawal
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.evidence import Kept, judge, members, of
from tests.support.late import Late, accepted, answered, before
from tests.support.proofs import note_of


def broken(late: Late, data: bytes) -> str:
    """The claim that does not hold, for both verifiers."""
    judged = judge(late.world, data)
    assert judged.broken is not None
    with pytest.raises(Broken) as told:
        verify(data, late.world.charter_digest)
    assert told.value.claim == judged.broken.claim.value
    return told.value.claim


class TestAnAnswerOfAThief:
    def test_that_is_logged_late(self) -> None:
        late = before()
        kept, entry = answered(late)
        found = both(late.world, late.file(kept, logged_entries=(entry,)))
        assert ("delivered" in found, found["undated"], found["logged"]) == (False, 1, 1)

    def test_with_checkpoints_of_before_it_was_logged_and_of_after_the_ending(self) -> None:
        late = before()
        kept, entry = answered(late)
        shown = [late.earlier(after=HOUR - MERGE_DELAY - 1), late.earlier(late.size + 1, after=HOUR)]
        assert "delivered" not in both(late.world, late.file(kept, logged_entries=(entry,), earlier=shown))

    def test_with_a_checkpoint_that_too_few_have_seen(self) -> None:
        """The thief cosigns with the key that it has; the others have seen the ending."""
        late = before()
        kept, entry = answered(late)
        shown = late.earlier(after=HOUR, by=["KAZ", "MNG"])
        assert broken(late, late.file(kept, logged_entries=(entry,), earlier=[shown])) == "directory"

    def test_with_a_checkpoint_whose_time_is_the_thiefs_own(self) -> None:
        """Three make a quorum, and the latest time that three have reached counts."""
        late = before()
        kept, entry = answered(late)
        w = late.world
        signed = cosigned(w, signed_checkpoint(w, "directory", w.entries[: late.size]), ["KAZ", "UZB"], w.now)
        shown = cosigned(w, signed, ["MNG"], w.now + HOUR).encode()
        assert "delivered" not in both(w, late.file(kept, logged_entries=(entry,), earlier=[shown]))

    def test_with_a_checkpoint_of_another_directory(self) -> None:
        late = before()
        kept, entry = answered(late)
        w = late.world
        other = note_of(w, [*w.entries[: late.size - 1], b"\x80"], late.others, w.now + HOUR)
        assert broken(late, late.file(kept, logged_entries=(entry,), earlier=[other])) == "directory"

    def test_with_a_checkpoint_that_is_larger_than_the_file(self) -> None:
        late = before()
        kept, entry = answered(late)
        w = late.world
        other = note_of(w, [*w.entries, b"\x80"], late.others, w.now + HOUR)
        assert broken(late, late.file(kept, logged_entries=(entry,), earlier=[other])) == "directory"

    def test_with_a_bare_majority_of_which_the_thief_is_one(self) -> None:
        """Of three two are a quorum: KAZ has seen the ending with MNG's new node, UZB has been kept from it."""
        late = before(codes=("KAZ", "MNG", "UZB"))
        assert late.world.charter.quorums.witness == 2
        kept, entry = answered(late)
        shown = [late.earlier(after=HOUR, by=by) for by in (["MNG", "UZB"], ["KAZ", "MNG", "UZB"])]
        files = [late.file(kept, logged_entries=(entry,), earlier=[one]) for one in shown]
        assert ["delivered" in both(late.world, one) for one in files] == [False, True]

    def test_after_the_member_was_removed(self) -> None:
        late = before()
        kept = late.case.send("KAZ", ["MNG"])
        late.world.amend(Changes(removed=(MemberId("MNG"),)), late.others)
        late.case.answer(kept, "MNG")
        entry = late.case.logged(kept, "MNG", by=late.others, after=HOUR, directory_size=late.size)
        data = late.file(kept, logged_entries=(entry,))
        assert "delivered" not in both(late.world, data)
        shown = late.earlier(after=HOUR)
        assert "delivered" in both(late.world, late.file(kept, logged_entries=(entry,), earlier=[shown]))

    def test_after_the_keys_term(self) -> None:
        """Nothing ended the key: it is too old, and what it signed says that it is older."""
        late = before()
        w = late.world
        old = identity("old", "MNG")
        w.publish(certificate(term(old, w.now - DAY, w.now + DAY), w.roots["MNG"]))
        kept = late.case.send("KAZ", ["MNG"])
        late.case.answer(kept, "MNG", signer=old, key_id=old.key_id)
        note = note_of(w, w.entries, time=w.now + 2 * DAY)
        entries = [(late.case.logged(kept, "MNG", after=after),) for after in (DAY, DAY + 1)]
        files = [late.case.file(kept, note=note, logged_entries=shown) for shown in (*entries, ())]
        assert ["delivered" in both(w, data) for data in files] == [True, False, False]


class TestAnHonestAnswer:
    @pytest.mark.parametrize(("after", "counts"), [(MERGE_DELAY, True), (MERGE_DELAY + 1, False)])
    def test_counts_when_members_had_not_seen_the_ending(self, after: int, counts: bool) -> None:
        """What was logged at the time of the checkpoint without the ending, or within the merge delay after it."""
        late = before()
        kept, entry = answered(late, after)
        data = late.file(kept, logged_entries=(entry,), earlier=[late.earlier()])
        assert ("delivered" in both(late.world, data)) is counts

    def test_counts_when_a_larger_checkpoint_of_before_the_ending_is_shown(self) -> None:
        late = before()
        w = late.world
        w.publish(withdrawal(w.nodes["KAZ"], WithdrawalTarget.GRANT, w.random(16), w.now))
        late.size = w.directory.size
        kept, entry = answered(late, 30 * 60)
        shown = [late.earlier(late.size - 1), late.earlier(after=HOUR)]
        assert "delivered" in both(w, late.file(kept, logged_entries=(entry,), earlier=shown))


class TestAnEnvelopeOfAThief:
    def test_whose_acceptance_is_logged_late(self) -> None:
        late = before("KAZ")
        kept = late.case.send("KAZ", ["MNG"])
        late.end()
        data = late.file(accepted(late, kept, late.logged(kept, HOUR)))
        assert not {"sent", "accepted", "relayed"} & set(both(late.world, data))
        assert members(judge(late.world, data), Claim.UNDATED) == ["KAZ"]

    def test_an_honest_one_is_dated_by_the_members(self) -> None:
        late = before("KAZ")
        kept = late.case.send("KAZ", ["MNG"])
        late.end()
        data = late.file(accepted(late, kept, late.logged(kept, 0)), earlier=[late.earlier()])
        assert {"sent", "accepted", "relayed"} <= set(both(late.world, data))

    def test_with_a_key_whose_term_is_over(self) -> None:
        """With a receipt that the relay dates back, with none, and logged in the term."""
        late = before()
        w = late.world
        old = identity("old", "KAZ")
        w.publish(certificate(term(old, w.now - DAY, w.now + DAY), w.roots["KAZ"]))
        late.size = w.directory.size
        note = note_of(w, w.entries, time=w.now + 2 * DAY)
        kept = late.case.send("KAZ", ["MNG"], signer=old, core={"key_id": old.key_id})
        proofs = (None, late.logged(kept, DAY + 1), late.logged(kept, HOUR))
        files = [late.case.file(accepted(late, kept, proof), note=note) for proof in proofs]
        assert ["sent" in both(w, data) for data in files] == [False, False, True]
        kept.receipt = kept.logged = None
        assert "sent" not in both(w, late.case.file(kept, note=note))

    def test_a_head_whose_acceptance_is_logged_late(self) -> None:
        late = before("KAZ")
        first = late.case.send("MNG", ["KAZ"])
        head = late.case.head("KAZ", "MNG")
        late.end()
        found = []
        for after in (HOUR, 0):
            accepted(late, head, late.logged(head, after))
            found.append(both(late.world, late.file(first, heads=[head], earlier=[late.earlier()])))
        assert [("numbered" in one, "undated" in one) for one in found] == [(False, True), (True, False)]

    def test_an_honest_one_that_no_relay_has_taken_does_not_break_the_file(self) -> None:
        """It waits at its sender, whose key is revoked then."""
        late = before("KAZ")
        kept = late.case.send("KAZ", ["MNG"])
        kept.receipt, kept.index = None, None
        late.end()
        assert both(late.world, late.file(kept))["undated"] == 1


class TestConsentOfAThief:
    """KAZ's key is stolen; MNG passes on what KAZ never consented to, with a proof that the relay logged late."""

    def passed(self, late: Late, after: int) -> tuple[Kept, Kept]:
        """The first sending, and the forward under a Grant that stood in the log by then, as the relay says."""
        w = late.world
        manifest = w.manifest()
        first = late.case.send("KAZ", ["MNG"], manifest=manifest)
        provision = first.sealed.header.core.provisions[0]
        grant = w.grant(provision.provision, "KAZ", "MNG", ["UZB"])
        carrier = Kept(
            w.envelope(["MNG"], "KAZ", manifest=manifest, provisions=[provision], grants=[grant]), None, None
        )
        late.end()
        origins = late.logged(carrier, after)
        passed = w.forward(first.sealed, "MNG", ["UZB"], grants=[grant], core={"origins": origins})
        return accepted(late, first, late.logged(first, 0)), late.case.accept(passed)

    def test_that_is_logged_late(self) -> None:
        late = before("KAZ")
        first, passed = self.passed(late, HOUR)
        data = late.file(first, passed, earlier=[late.earlier()])
        assert "forwarded" not in both(late.world, data)
        assert members(judge(late.world, data), Claim.UNDATED) == ["KAZ"]

    def test_an_honest_one(self) -> None:
        late = before("KAZ")
        first, passed = self.passed(late, 0)
        assert "forwarded" in both(late.world, late.file(first, passed, earlier=[late.earlier()]))
        assert both(late.world, late.file(first, passed))["undated"] == 2, "a member that came later has none"

    def test_does_not_make_a_notice_of_a_refused_transfer_false(self) -> None:
        """Who told of it would be blamed, for a Grant that the relay and the thief have made since."""
        late = before("KAZ")
        first, passed = self.passed(late, HOUR)
        notice = encode_refused(
            RefusedTransfer(passed.sealed.header_bytes, passed.receipt, "no-consent", late.world.now)
        )
        data = late.file(first, refused=(notice,), earlier=[late.earlier()])
        assert ("transfer-refused" in both(late.world, data), members(judge(late.world, data), Claim.UNDATED)) == (
            False,
            ["KAZ"],
        )

    def test_a_notice_of_before_the_forwarders_own_key_ended_does_not_break_the_file(self) -> None:
        late = before("MNG")
        w = late.world
        first = late.case.send("KAZ", ["MNG"])
        tried = w.forward(first.sealed, "MNG", ["UZB"])
        notice = encode_refused(RefusedTransfer(tried.header_bytes, None, "no-consent", w.now))
        late.end()
        data = late.file(first, refused=(notice,))
        both(w, data)
        assert members(judge(w, data), Claim.UNDATED) == ["MNG"]

    def test_a_grant_that_is_in_force_in_the_directory_of_a_receipt_that_is_dated_back(self) -> None:
        late = before("KAZ")
        first, passed = self.passed(late, 0)
        accepted(late, passed, late.logged(passed, HOUR))
        data = late.file(first, passed, earlier=[late.earlier()])
        assert "forwarded" in both(late.world, data), "the proof in its header shows it"
        bare = late.world.forward(first.sealed, "MNG", ["UZB"], grants=passed.sealed.header.core.grants)
        kept = accepted(late, Kept(bare, None, None), None)
        kept.logged = late.logged(kept, HOUR)
        data = late.file(first, kept, earlier=[late.earlier()])
        assert "forwarded" not in both(late.world, data)
        assert members(judge(late.world, data), Claim.UNDATED) == ["KAZ"]


class TestAFormerRelay:
    """Its key is stolen, or it says today what it did long ago."""

    def replaced(self) -> tuple[Late, Kept]:
        late = before()
        w = late.world
        kept = accepted(late, late.case.send("KAZ", ["MNG"]), None)
        new = identity("relay", "CICA")
        w.amend(
            Changes(relays=(Relay("relay-2", new.public, ()),), handover=handover_of(w.directory)),
            [*late.others, "MNG"],
        )
        return late, kept

    def judged(self, late: Late, kept: Kept, **fields: Any) -> dict[str, int]:  # noqa: ANN401  # as of Case.file
        w, old = late.world, late.world.relay
        w.relay = identity("relay", "CICA")
        note = note_of(w, w.entries, late.others, w.now + 3 * HOUR)
        w.relay = old
        return both(w, late.case.file(kept, note=note, **fields))

    def test_a_receipt_alone(self) -> None:
        late, kept = self.replaced()
        found = self.judged(late, kept)
        assert ("sent" in found, "accepted" in found, found["undated"]) == (True, False, 1)

    def test_an_acceptance_that_is_logged_late_and_one_that_was_logged_then(self) -> None:
        late, kept = self.replaced()
        found = []
        for after in (HOUR, 0):
            kept.logged = late.logged(kept, after)
            found.append("accepted" in self.judged(late, kept, earlier=[late.earlier()]))
        assert found == [False, True]


class TestTheRelaysWord:
    """Receipts alone say when a transfer was decided."""

    AS_SAID = "if the relay decided when it says"

    def forwarded(self, late: Late) -> tuple[Kept, Kept]:
        w = late.world
        first = late.case.send("KAZ", ["MNG"])
        grant = w.grant(first.sealed.header.core.provisions[0].provision, "KAZ", "MNG", ["UZB"])
        return first, late.case.accept(w.forward(first.sealed, "MNG", ["UZB"], grants=[grant]))

    def test_is_told_as_such_when_no_log_has_it(self) -> None:
        late = before()
        first, passed = self.forwarded(late)
        said = []
        for index in (passed.index, None):
            passed.index = index
            (found,) = of(judge(late.world, late.case.file(first, passed)), Claim.FORWARDED)
            said.append(self.AS_SAID in found.sentence)
        assert said == [False, True]

    def test_of_what_was_withdrawn_since_is_told_as_such_when_it_was_logged_late(self) -> None:
        late = before()
        first, passed = self.forwarded(late)
        w = late.world
        name = passed.sealed.header.core.grants[0].grant.id
        w.publish(withdrawal(w.nodes["KAZ"], WithdrawalTarget.GRANT, name, w.now))
        said = []
        for after in (HOUR, 0):
            accepted(late, passed, late.logged(passed, after))
            judged = judge(w, late.file(first, passed, earlier=[late.earlier()]))
            (found,) = of(judged, Claim.FORWARDED)
            said.append(self.AS_SAID in found.sentence)
        assert said == [True, False]

    def test_against_a_sender_is_told_as_such_too(self) -> None:
        """The relay may have had it when it was lawful still, and have accepted it later."""
        late = before()
        first = late.case.send("KAZ", ["MNG"])
        passed = late.case.accept(late.world.forward(first.sealed, "MNG", ["UZB"]))
        passed.index = None
        (found,) = of(judge(late.world, late.case.file(first, passed)), Claim.WITHOUT_CONSENT)
        assert self.AS_SAID in found.sentence


def test_a_file_of_a_million_entries_that_nobody_has_cosigned_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No entry's signature is verified before it is known that the quorum has seen just these."""
    late = before()
    data = late.case.file(late.case.send("KAZ", ["MNG"]))
    few = late.case.file(late.case.send("KAZ", ["MNG"]), note=note_of(late.world, late.world.entries, ["KAZ", "MNG"]))

    def expensive(*_: object) -> None:
        raise AssertionError("the entries were verified")

    monkeypatch.setattr(evidence_view, "extend", expensive)
    assert broken(late, few) == "directory"
    with pytest.raises(AssertionError):
        judge(late.world, data)
