"""Disputes about what was withheld in a stream, and what was not sent in it, settled by files alone."""

from schemas.ids import MemberId
from schemas.limits import HOUR
from tests.support.evidence import Case, Kept
from tests.support.settling import Settle, assert_broken


class TestWithheld:
    """ "Envelope 41 was withheld." """

    def test_the_recipient_has_the_head_that_names_it(self, case: Case, settle: Settle) -> None:
        """The relay accepted it, and handed over a later head, whose recipient has acknowledged only the head."""
        kept = case.send("KAZ", ["MNG"])
        head = case.head("KAZ", "MNG")
        case.answer(head, "MNG")
        verdict = settle(case.world, case.file(kept, heads=[head]))
        ((member, sentence),) = verdict.of("withheld")
        assert (member, "kept it back" in sentence) == ("MNG", True)

    def test_one_of_many_that_a_head_names(self, case: Case, settle: Settle) -> None:
        """Number 2 of 3: it is not the last one."""
        kept = [case.send("KAZ", ["MNG"]) for _ in range(3)]
        place = case.world.place("KAZ", "MNG")
        head = case.head("KAZ", "MNG", recent=tuple(one.sealed.digest for one in kept[:2]), digest=place.digest)
        case.answer(head, "MNG")
        ((member, sentence),) = settle(case.world, case.file(kept[1], heads=[head])).of("withheld")
        assert (member, "as number 2;" in sentence) == ("MNG", True)

    def test_it_is_withdrawn_by_an_acknowledgement(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG"])
        head = case.head("KAZ", "MNG")
        case.answer(head, "MNG")
        case.answer(kept, "MNG")
        assert settle(case.world, case.file(kept, heads=[head])).of("withheld") == []

    def test_a_recipient_shows_how_far_its_partner_says_it_was(self, case: Case, settle: Settle) -> None:
        for _ in range(3):
            case.send("KAZ", ["MNG"])
        head = case.head("KAZ", "MNG")
        ((member, sentence),) = settle(case.world, heads_of(case, head)).of("numbered")
        assert (member, "is 3" in sentence) == ("KAZ", True)

    def test_a_head_that_the_recipient_made_up(self, case: Case, settle: Settle) -> None:
        manifest = case.world.head_manifest("KAZ", "MNG", last=41)
        head = case.send("KAZ", ["MNG"], manifest=manifest, signer=case.world.nodes["MNG"])
        head.manifest = manifest
        assert_broken(settle(case.world, heads_of(case, head)), "sent")

    def test_a_head_with_another_content(self, case: Case, settle: Settle) -> None:
        head = case.head("KAZ", "MNG")
        head.manifest = case.world.head_manifest("KAZ", "MNG", last=41)
        assert_broken(settle(case.world, heads_of(case, head)), "content")

    def test_nothing_was_sent_between_two_dates(self, case: Case, settle: Settle) -> None:
        case.send("KAZ", ["MNG"])
        place = case.world.place("KAZ", "MNG")
        stated = {"stream": place.stream, "last": place.last, "digest": place.digest}
        heads = [case.head("KAZ", "MNG", **stated)]
        case.world.now += HOUR
        heads.append(case.head("KAZ", "MNG", **stated))
        assert [member for member, _ in settle(case.world, heads_of(case, *heads)).of("nothing-sent")] == ["KAZ"]
        more = case.head("KAZ", "MNG", **stated | {"last": place.last + 1})
        assert len(settle(case.world, heads_of(case, heads[0], more)).of("nothing-sent")) == 0


def heads_of(case: Case, *heads: Kept) -> bytes:
    """A file about the streams with a partner."""
    return case.file(heads=heads, partner=MemberId("MNG"))
