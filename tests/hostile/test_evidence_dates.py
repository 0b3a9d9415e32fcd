"""Evidence files in which a relay, or who wrote them, chose a date: genuine signatures, told of another time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgpack
import pytest

from exchange.audit.claims import Claim, date
from exchange.audit.evidence import NoEvidence
from keys.logsigner import cosign_checkpoint
from schemas.canon import encode
from schemas.endings import WithdrawalTarget
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.limits import DAY, HOUR, MAX_CLOCK_AHEAD, MERGE_DELAY
from schemas.receipt import SIGNED_RECEIPT
from schemas.refused import RefusedTransfer, encode_refused
from tests.hostile.test_false_evidence import both
from tests.hostile.test_late_evidence import broken
from tests.standards.second_verifier import Broken, verify
from tests.support.changes import withdrawal
from tests.support.cosigners import cosigned, signed_checkpoint, voters
from tests.support.evidence import Kept, judge, members, of
from tests.support.late import Late, accepted, before
from tests.support.proofs import note_of

LINE = b"cbm/1 evidence\n"


def forwarded(late: Late, until: int = 30 * DAY) -> tuple[Kept, Kept, SignedGrant]:
    """MNG passes on to UZB what KAZ provides, with KAZ's Grant."""
    w = late.world
    first = late.case.send("KAZ", ["MNG"])
    provision = first.sealed.header.core.provisions[0].provision
    grant = w.grant(provision, "KAZ", "MNG", ["UZB"], until=w.now + until)
    return first, late.case.accept(w.forward(first.sealed, "MNG", ["UZB"], grants=[grant])), grant


def notice(late: Late, kept: Kept, **receipt: Any) -> bytes:  # noqa: ANN401  # as of World.receipt
    """Of a receipt that the relay has signed besides, with these fields."""
    signed = encode(SIGNED_RECEIPT, late.world.receipt(kept.sealed, **receipt))
    time = receipt.get("time", late.world.now)
    return encode_refused(RefusedTransfer(kept.sealed.header_bytes, signed, "no-consent", time))


class TestALawfulForwarderIsBlamed:
    """MNG passed it on under a Grant; the relay, perhaps with the provider, gives a second receipt for it."""

    def test_by_a_receipt_of_after_the_envelope_and_the_grant_had_ended(self) -> None:
        late = before()
        first, passed, _ = forwarded(late, until=HOUR)
        expired = notice(late, passed, time=passed.sealed.header.core.expires)
        data = late.case.file(first, passed, refused=(expired,), time=late.world.now + 90 * DAY)
        assert broken(late, data) == "transfer-refused"

    def test_by_a_receipt_of_another_body(self) -> None:
        late = before()
        first = late.case.send("KAZ", ["MNG"])
        bare = late.case.accept(late.world.forward(first.sealed, "MNG", ["UZB"]))
        assert broken(late, late.case.file(first, refused=(notice(late, bare, body_size=1),))) == "transfer-refused"
        assert "transfer-refused" in both(late.world, late.case.file(first, refused=(notice(late, bare),)))

    def test_by_a_receipt_whose_directory_was_out_of_date(self) -> None:
        late = before()
        w = late.world
        first = late.case.send("KAZ", ["MNG"])
        bare = late.case.accept(w.forward(first.sealed, "MNG", ["UZB"]))
        w.publish(withdrawal(w.nodes["XAA"], WithdrawalTarget.GRANT, w.random(16), w.now))
        newest = note_of(w, w.entries)
        for after, holds in ((MERGE_DELAY, True), (MERGE_DELAY + 1, False)):
            shown = notice(late, bare, time=w.now + after, directory_size=late.size)
            data = late.case.file(first, refused=(shown,), note=newest)
            if holds:
                assert "transfer-refused" in both(w, data)
            else:
                assert broken(late, data) == "transfer-refused"

    def test_by_a_receipt_of_after_consent_was_withdrawn(self) -> None:
        """The relay may have kept it back until then: what was lawful when made is not called unlawful for certain."""
        late = before()
        w = late.world
        first, passed, grant = forwarded(late)
        w.publish(withdrawal(w.nodes["KAZ"], WithdrawalTarget.GRANT, grant.grant.id, w.now))
        held = notice(late, passed, time=w.now + HOUR, directory_size=w.directory.size)
        data = late.file(first, refused=(held,))
        both(w, data)
        (found,) = of(judge(w, data), Claim.TRANSFER_REFUSED)
        assert "on the word of the relay" in found.sentence
        assert "it may have been lawful when it was made" in found.sentence

    def test_one_that_never_had_consent_is_told_with_the_receipts_time(self) -> None:
        late = before()
        w = late.world
        first = late.case.send("KAZ", ["MNG"])
        bare = late.case.accept(w.forward(first.sealed, "MNG", ["UZB"]))
        later = RefusedTransfer(bare.sealed.header_bytes, bare.receipt, "no-consent", w.now + HOUR)
        told = {}
        for notices in (encode_refused(later), encode_refused(replace(later, time=w.now))):
            (found,) = of(judge(w, late.case.file(first, refused=(notices,))), Claim.TRANSFER_REFUSED)
            told[notices] = found.sentence
            assert "the word of" not in found.sentence
        assert len(set(told.values())) == 1

    @pytest.mark.parametrize(("rule", "after"), [("nonsense", 0), ("no-consent", 5 * DAY)])
    def test_by_a_notice_of_no_rule_or_of_a_time_to_come(self, rule: str, after: int) -> None:
        """The time of who wrote the file is what is now."""
        late = before()
        w = late.world
        first = late.case.send("KAZ", ["MNG"])
        tried = w.forward(first.sealed, "MNG", ["UZB"])
        made = encode_refused(RefusedTransfer(tried.header_bytes, None, rule, w.now + after))
        assert broken(late, late.case.file(first, refused=(made,))) == "transfer-refused"


class TestConsentThatHadEnded:
    @pytest.mark.parametrize(("after", "proved"), [(MERGE_DELAY, True), (MERGE_DELAY + 1, False), (10 * DAY, False)])
    def test_by_its_date_is_told_as_the_relays_word_when_it_was_logged_later(self, after: int, proved: bool) -> None:
        """Nothing in the directory ended it: MNG passes it on ten days later, and the relay dates it back."""
        late = before()
        w = late.world
        first, passed, _ = forwarded(late, until=DAY)
        accepted(late, passed, late.logged(passed, after))
        data = late.case.file(first, passed, note=note_of(w, w.entries, time=w.now + 11 * DAY))
        both(w, data)
        (found,) = of(judge(w, data), Claim.FORWARDED)
        assert ("if the relay decided when it says" not in found.sentence) is proved

    def test_is_not_undone_by_a_grant_under_a_key_that_is_over(self) -> None:
        """Grants of somebody else, or that nobody signed, would make every transfer without consent undated."""
        late = before("XAA")
        w = late.world
        first = late.case.send("KAZ", ["MNG"])
        late.end()
        late.size = w.directory.size
        provision = first.sealed.header.core.provisions[0].provision
        decoy = w.grant(provision, "XAA", "MNG", ["UZB"])
        junk = replace(decoy, signature=replace(decoy.signature, value=bytes(64)))
        for grants in ([], [decoy], [junk]):
            kept = Kept(w.forward(first.sealed, "MNG", ["UZB"], grants=grants), None, None)
            found = both(w, late.file(first, accepted(late, kept, late.logged(kept, 0))))
            assert ("without-consent" in found, "undated" in found) == (True, False)

    def test_is_not_undone_by_the_providers_own_grant_to_somebody_else(self) -> None:
        """It was taken for good, and covers another recipient."""
        late = before("KAZ")
        w = late.world
        first = late.case.send("KAZ", ["MNG"])
        accepted(late, first, late.logged(first, 0))
        provision = first.sealed.header.core.provisions[0].provision
        grant = w.grant(provision, "KAZ", "MNG", ["XAA"])
        passed = w.forward(first.sealed, "MNG", ["UZB"], grants=[grant], core={"origins": late.logged(first, 0)})
        kept = accepted(late, Kept(passed, None, None), None)
        late.end()
        found = both(w, late.file(first, kept, earlier=[late.earlier()]))
        assert ("without-consent" in found, "undated" in found) == (True, False)


class TestASenderIsToldToHaveSaidMore:
    def test_by_a_head_that_the_relay_held_back(self) -> None:
        """Both heads are of one moment; the relay accepts the second a day later, and there was an envelope between."""
        late = before()
        w, case = late.world, late.case
        one = case.send("KAZ", ["MNG"])
        stated = {"stream": w.places["KAZ", "MNG"].stream, "last": 1, "digest": one.sealed.digest}
        heads = [case.head("KAZ", "MNG", **stated), case.head("KAZ", "MNG", **stated)]
        heads[1].receipt = encode(SIGNED_RECEIPT, w.receipt(heads[1].sealed, time=w.now + DAY - 1))
        data = case.file(heads=heads, note=note_of(w, w.entries, None, w.now + 2 * DAY))
        assert "nothing-sent" not in both(w, data)
        moments = {found.sentence.split(" signed a head at ")[1][:20] for found in of(judge(w, data), Claim.NUMBERED)}
        assert len(moments) == 1, "a head speaks of when it was made"

    @pytest.mark.parametrize("delay", [1, DAY - HOUR])
    def test_beyond_the_moment_of_its_second_head(self, delay: int) -> None:
        late = before()
        w, case = late.world, late.case
        one = case.send("KAZ", ["MNG"])
        stated = {"stream": w.places["KAZ", "MNG"].stream, "last": 1, "digest": one.sealed.digest}
        heads = [case.head("KAZ", "MNG", **stated)]
        w.now += HOUR
        heads.append(case.head("KAZ", "MNG", **stated))
        heads[1].receipt = encode(SIGNED_RECEIPT, w.receipt(heads[1].sealed, time=w.now + delay))
        data = case.file(heads=heads, note=note_of(w, w.entries, None, w.now + 2 * DAY))
        assert both(w, data)["nothing-sent"] == 1
        (found,) = of(judge(w, data), Claim.NOTHING_SENT)
        assert f"between {date(w.now - HOUR)} and {date(w.now)}, by its own clock" in found.sentence


class TestAnAnswer:
    @pytest.mark.parametrize(("early", "counts"), [(2 * MAX_CLOCK_AHEAD, True), (2 * MAX_CLOCK_AHEAD + 1, False)])
    def test_of_before_the_envelope_was_made_proves_nothing(self, early: int, counts: bool) -> None:
        """And it does not break the file of who kept it."""
        late = before()
        kept = late.case.send("KAZ", ["MNG"])
        late.case.answer(kept, "MNG", time=late.world.now - early)
        data = late.case.file(kept)
        assert ("delivered" in both(late.world, data)) is counts
        assert members(judge(late.world, data), Claim.UNDATED) == ([] if counts else ["MNG"])


class TestBothVerifiersRefuse:
    def test_a_file_that_is_about_another_provision_than_an_envelope_in_it(self) -> None:
        late = before()
        kept = [late.case.send("KAZ", ["MNG"]) for _ in range(2)]
        assert broken(late, late.case.file(*kept)) == "sent"

    def test_a_quorum_with_one_line_of_after_its_keys_term(self) -> None:
        late = before()
        w = late.world
        kept = late.case.send("KAZ", ["MNG"])
        others = [code for code in voters(w) if code != "KAZ"][: w.charter.quorums.witness - 1]
        signed = cosigned(w, signed_checkpoint(w, "directory", w.entries), others)
        (record,) = (one for one in w.directory.signing.values() if one.member == "KAZ")
        ends = (record.valid_until, record.valid_until + 1)
        for place in (0, 1):
            inside, late_line = (cosign_checkpoint(w.nodes["KAZ"], signed.checkpoint, time)[place] for time in ends)
            other = cosign_checkpoint(w.nodes["KAZ"], signed.checkpoint, w.now)[1 - place]
            assert "sent" in both(w, late.case.file(kept, note=signed.add((inside, other)).encode()))
            assert broken(late, late.case.file(kept, note=signed.add((late_line, other)).encode())) == "directory"

    def test_an_origin_proof_of_a_larger_directory_than_the_receipt_states(self) -> None:
        """The relay says to have decided later by less: nothing is proved, neither by the one nor by the other."""
        late = before("KAZ")
        w = late.world
        first = late.case.send("KAZ", ["MNG"])
        small = w.directory.size
        w.publish(withdrawal(w.nodes["XAA"], WithdrawalTarget.GRANT, w.random(16), w.now))
        late.size = w.directory.size
        late.end()
        passed = w.forward(first.sealed, "MNG", ["UZB"], core={"origins": late.logged(first, 0)})
        counts = []
        for size in (small, late.size):
            receipt = encode(SIGNED_RECEIPT, w.receipt(passed, directory_size=size))
            counts.append("undated" in both(w, late.file(Kept(passed, receipt, None), earlier=[late.earlier()])))
        assert counts == [True, False]

    @pytest.mark.parametrize(
        "change",
        [
            lambda said: said.pop(1),
            lambda said: said.pop(2),
            lambda said: said.update({4: "MNG"}),
            lambda said: said.update({9: said[9][::-1]}),
            lambda said: said[6][0].update({4: said[6][0][4][::-1]}),
            lambda said: said[6].__setitem__(0, dict(reversed(said[6][0].items()))),
        ],
        ids=["member", "time", "about both", "grants", "answers", "fields"],
    )
    def test_another_form_of_the_same(self, change: Callable[[dict[int, Any]], object]) -> None:
        late = before()
        w = late.world
        kept = late.case.send("KAZ", ["MNG", "UZB"])
        provision = kept.sealed.header.core.provisions[0].provision
        grants = sorted(encode(SIGNED_GRANT, w.grant(provision, "KAZ", "MNG", [code])) for code in ("UZB", "XAA"))
        for code in ("MNG", "UZB"):
            late.case.answer(kept, code)
        data = late.case.file(kept, grants=tuple(grants))
        length = int.from_bytes(data[len(LINE) : len(LINE) + 4], "big")
        head, entries = data[len(LINE) + 4 :][:length], data[len(LINE) + 4 + length :]
        said = msgpack.unpackb(head, strict_map_key=False)
        change(said)
        changed = msgpack.packb(dict(sorted(said.items())))
        altered = LINE + len(changed).to_bytes(4, "big") + changed + entries
        assert altered != data
        with pytest.raises(NoEvidence):
            judge(w, altered)
        with pytest.raises(Broken, match="file"):
            verify(altered, w.charter_digest)
