"""Disputes, each settled by files alone, on a machine that has nothing but the charter.

What one side shows is judged by `cbm evidence verify`, and again by a verifier that shares no code with it; what the
other side made up convinces neither.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from exchange.cli.main import run
from keys.digests import charter_digest
from keys.identity import SigningIdentity
from schemas.canon import encode
from schemas.consent import HOLDER_STATEMENT, SIGNED_STATEMENT, Conduct, HolderStatement, SignedStatement
from schemas.contexts import Context
from schemas.endings import WithdrawalTarget
from schemas.envelope import encode_header
from schemas.files import SIGNED_CHARTER, encode_file
from schemas.grant import SIGNED_GRANT
from schemas.ids import EnvelopeId, MemberId
from schemas.limits import DAY, HOUR
from schemas.opening import OPENING, SIGNED_OPENING, Opening, SignedOpening
from schemas.receipt import SIGNED_RECEIPT, Outcome
from schemas.refused import RefusedTransfer, encode_refused
from schemas.statement import read_entry
from tests.support.changes import ChangingWorld, withdrawal
from tests.support.evidence import Case, Kept
from tests.support.proofs import note_of
from tests.support.settling import Settle, assert_broken, changing
from tests.support.world import World


class TestNeverSent:
    """ "You never sent it." """

    def test_a_sender_shows_that_the_relay_accepted_it_and_logged_it(self, case: Case, settle: Settle) -> None:
        verdict = settle(case.world, case.file(case.send("KAZ", ["MNG"])))
        assert verdict.code == 0
        assert [member for member, _ in verdict.of("sent")] == ["KAZ"]
        assert len(verdict.of("accepted")) == len(verdict.of("relayed")) == 1

    def test_a_sender_that_sent_nothing_shows_a_header_and_no_receipt(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG"])
        kept.receipt, kept.index = None, None
        verdict = settle(case.world, case.file(kept))
        assert (verdict.of("accepted"), len(verdict.of("not-accepted"))) == ([], 1)

    def test_a_receipt_that_the_relay_never_signed(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG"])
        kept.receipt = encode(SIGNED_RECEIPT, case.world.receipt(kept.sealed, case.world.nodes["KAZ"]))
        assert_broken(settle(case.world, case.file(kept)), "accepted")

    def test_the_receipt_of_another_envelope(self, case: Case, settle: Settle) -> None:
        kept, other = case.send("KAZ", ["MNG"]), case.send("KAZ", ["MNG"])
        kept.receipt = other.receipt
        assert_broken(settle(case.world, case.file(kept)), "accepted")

    def test_the_log_entry_of_another_envelope(self, case: Case, settle: Settle) -> None:
        kept, other = case.send("KAZ", ["MNG"]), case.send("KAZ", ["MNG"])
        kept.index = other.index
        assert_broken(settle(case.world, case.file(kept)), "relayed")

    def test_a_recipient_that_makes_up_an_envelope_of_another(self, case: Case, settle: Settle) -> None:
        """ "You did send it": MNG signs in KAZ's name."""
        kept = case.send("KAZ", ["MNG"], signer=case.world.nodes["MNG"])
        assert_broken(settle(case.world, case.file(kept)), "sent")


class TestNeverDelivered:
    """ "We never got it." """

    def test_the_recipients_own_signature_says_that_it_has_it(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG", "UZB"])
        case.answer(kept, "MNG")
        verdict = settle(case.world, case.file(kept))
        assert [member for member, _ in verdict.of("delivered")] == ["MNG"]
        assert [member for member, _ in verdict.of("not-delivered")] == ["UZB"]

    def test_a_recipient_that_refused_it(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG"])
        case.answer(kept, "MNG", outcome=Outcome.REFUSED)
        verdict = settle(case.world, case.file(kept))
        assert (verdict.of("delivered"), len(verdict.of("refused-by-recipient"))) == ([], 1)

    def test_an_acknowledgement_that_its_sender_made_up(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG"])
        case.answer(kept, "MNG", signer=case.world.nodes["KAZ"])
        assert_broken(settle(case.world, case.file(kept)), "delivered")

    def test_an_acknowledgement_of_another_envelope(self, case: Case, settle: Settle) -> None:
        kept, other = case.send("KAZ", ["MNG"]), case.send("KAZ", ["MNG"])
        case.answer(other, "MNG")
        kept.answers = other.answers
        assert_broken(settle(case.world, case.file(kept)), "delivered")

    def test_an_acknowledgement_by_a_state_that_is_no_recipient(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG"])
        case.answer(kept, "UZB")
        assert_broken(settle(case.world, case.file(kept)), "delivered")

    def test_it_expired_without_an_answer(self, case: Case, settle: Settle) -> None:
        w = case.world
        kept = case.send("KAZ", ["MNG"], core={"expires": w.now + HOUR})
        verdict = settle(w, case.file(kept, note=note_of(w, w.entries, time=w.now + 2 * HOUR)))
        ((member, sentence),) = verdict.of("not-delivered")
        assert (member, "it had expired" in sentence) == ("MNG", True)

    def test_an_opening_that_the_readers_node_signed(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG"])
        verdict = settle(case.world, case.file(kept, openings=(opening(case.world, kept, "MNG"),)))
        assert [member for member, _ in verdict.of("opened")] == ["MNG"]

    def test_an_opening_that_the_sender_made_up(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG"])
        made = opening(case.world, kept, "MNG", case.world.nodes["KAZ"])
        assert_broken(settle(case.world, case.file(kept, openings=(made,))), "opened")


class TestToWhom:
    """ "You were not on the list." """

    def test_the_senders_signature_covers_the_list(self, case: Case, settle: Settle) -> None:
        verdict = settle(case.world, case.file(case.send("KAZ", ["MNG", "UZB"])))
        ((_, sentence),) = verdict.of("sent")
        assert "for MNG and UZB and for nobody else" in sentence

    def test_a_wrap_that_was_added_afterwards(self, case: Case, settle: Settle) -> None:
        """The sender's header with the wraps of another: the signature covers both."""
        w = case.world
        kept, other = case.send("KAZ", ["MNG"]), case.send("KAZ", ["MNG", "UZB"])
        header = replace(kept.sealed.header, wraps_bytes=other.sealed.header.wraps_bytes)
        kept.sealed = replace(kept.sealed, header_bytes=encode_header(header))
        kept.receipt = encode(SIGNED_RECEIPT, w.receipt(kept.sealed))
        assert_broken(settle(w, case.file(kept)), "sent")


class TestPassedOn:
    """ "It was passed on without our consent." """

    def test_with_a_grant(self, case: Case, settle: Settle) -> None:
        w = case.world
        first = case.send("KAZ", ["MNG"])
        grant = w.grant(first.sealed.header.core.provisions[0].provision, "KAZ", "MNG", ["UZB"])
        passed = case.accept(w.forward(first.sealed, "MNG", ["UZB"], grants=[grant]))
        verdict = settle(w, case.file(first, passed, grants=(encode(SIGNED_GRANT, grant),)))
        ((member, sentence),) = verdict.of("forwarded")
        assert (member, "with the consent of KAZ" in sentence) == ("UZB", True)
        assert [who for who, _ in verdict.of("consented")] == ["KAZ"]
        assert verdict.of("without-consent") == []

    def test_without_one_and_with_the_relays_help(self, case: Case, settle: Settle) -> None:
        """The forwarder's own header convicts it, and the receipt convicts the relay."""
        first = case.send("KAZ", ["MNG"])
        passed = case.accept(case.world.forward(first.sealed, "MNG", ["UZB"]))
        verdict = settle(case.world, case.file(first, passed))
        ((member, sentence),) = verdict.of("without-consent")
        assert (member, "by MNG to UZB" in sentence, "no-consent" in sentence) == ("UZB", True, True)
        assert (verdict.code, verdict.of("forwarded")) == (0, [])

    def test_a_transfer_that_the_relay_refused(self, case: Case, settle: Settle) -> None:
        w = case.world
        first = case.send("KAZ", ["MNG"])
        tried = w.forward(first.sealed, "MNG", ["UZB"])
        notice = encode_refused(RefusedTransfer(tried.header_bytes, None, "no-consent", w.now))
        verdict = settle(w, case.file(first, refused=(notice,)))
        assert [member for member, _ in verdict.of("transfer-refused")] == ["MNG"]

    def test_a_notice_of_a_transfer_that_was_lawful(self, case: Case, settle: Settle) -> None:
        w = case.world
        first = case.send("KAZ", ["MNG"])
        grant = w.grant(first.sealed.header.core.provisions[0].provision, "KAZ", "MNG", ["UZB"])
        passed = case.accept(w.forward(first.sealed, "MNG", ["UZB"], grants=[grant]))
        notice = encode_refused(RefusedTransfer(passed.sealed.header_bytes, passed.receipt, "no-consent", w.now))
        assert_broken(settle(w, case.file(first, refused=(notice,))), "transfer-refused")

    def test_a_grant_that_the_holder_made_up(self, case: Case, settle: Settle) -> None:
        w = case.world
        first = case.send("KAZ", ["MNG"])
        grant = w.grant(first.sealed.header.core.provisions[0].provision, "KAZ", "MNG", ["UZB"], signer=w.nodes["MNG"])
        passed = case.accept(w.forward(first.sealed, "MNG", ["UZB"], grants=[grant]))
        verdict = settle(w, case.file(first, passed))
        assert (len(verdict.of("without-consent")) > 0, verdict.of("forwarded")) == (True, [])
        assert_broken(settle(w, case.file(first, grants=(encode(SIGNED_GRANT, grant),))), "consented")

    def test_after_a_withdrawal(self, settle: Settle) -> None:
        """What was accepted by a larger directory than the withdrawal's index was not lawful; before that it was."""
        case = changing()
        w = case.world
        assert isinstance(w, ChangingWorld)
        first = case.send("KAZ", ["MNG"])
        provision = first.sealed.header.core.provisions[0].provision
        grant = w.grant(provision, "KAZ", "MNG", ["UZB"])
        before = case.accept(w.forward(first.sealed, "MNG", ["UZB"], grants=[grant]))
        w.publish(withdrawal(w.nodes["KAZ"], WithdrawalTarget.GRANT, grant.grant.id, w.now))
        after = case.accept(w.forward(first.sealed, "MNG", ["UZB"], grants=[grant]))
        verdict = settle(w, case.file(first, before, after))
        names = {kept.sealed.header.core.id.hex(): kept for kept in (before, after)}
        told = {row["envelope"]: row["claim"] for row in verdict.findings if row["envelope"] in names}
        lawful = [row["envelope"] for row in verdict.findings if row["claim"] == "forwarded"]
        refused = {row["envelope"] for row in verdict.findings if row["claim"] == "without-consent"}
        assert (lawful, refused, len(told)) == (
            [before.sealed.header.core.id.hex()],
            {after.sealed.header.core.id.hex()},
            2,
        )
        assert [member for member, _ in verdict.of("withdrawn")] == ["KAZ"]

    def test_what_a_holder_stated_of_a_withdrawal(self, case: Case, settle: Settle) -> None:
        w = case.world
        first = case.send("KAZ", ["MNG"])
        verdict = settle(w, case.file(first, statements=(statement(w, first, "MNG", w.nodes["MNG"]),)))
        assert [member for member, _ in verdict.of("stated")] == ["MNG"]
        made = statement(w, first, "MNG", w.nodes["KAZ"])
        assert_broken(settle(w, case.file(first, statements=(made,))), "stated")


def opening(world: World, kept: Kept, reader: str, signer: SigningIdentity | None = None) -> bytes:
    """A reader's receipt, or one that somebody else has signed under its key's name."""
    core = kept.sealed.header.core
    body = encode(
        OPENING, Opening(MemberId(reader), core.sender, EnvelopeId(core.id), kept.sealed.digest, world.now + DAY)
    )
    signature = replace((signer or world.nodes[reader]).sign(Context.OPENING, body), signer=MemberId(reader))
    signature = replace(signature, key_id=world.nodes[reader].key_id)
    return encode(SIGNED_OPENING, SignedOpening(body, signature))


def statement(world: World, kept: Kept, holder: str, signer: SigningIdentity) -> bytes:
    """What a holder says it has done."""
    provision = kept.sealed.header.core.provisions[0].provision
    said = HolderStatement(
        MemberId(holder),
        MemberId("KAZ"),
        WithdrawalTarget.PROVISION,
        provision.id,
        Conduct.CEASED,
        (),
        world.now,
    )
    body = encode(HOLDER_STATEMENT, said)
    signature = replace(signer.sign(Context.HOLDER_STATEMENT, body), signer=MemberId(holder))
    signature = replace(signature, key_id=world.nodes[holder].key_id)
    return encode(SIGNED_STATEMENT, SignedStatement(body, signature))


def test_a_file_about_another_charter(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = World(seed="another")
    assert charter_digest(read_entry(other.entries[0]).body) != case.world.charter_digest
    charter, file = tmp_path / "charter.cbm", tmp_path / "evidence.cbm"
    charter.write_bytes(encode_file(SIGNED_CHARTER, read_entry(other.entries[0])))
    file.write_bytes(case.file(case.send("KAZ", ["MNG"])))
    assert run(["evidence", "verify", str(file), "--charter", str(charter)]) == 1
    out, err = capsys.readouterr()
    assert (out, "another charter" in err) == ("", True)
