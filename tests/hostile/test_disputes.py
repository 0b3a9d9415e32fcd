"""Disputes, each settled by files alone, on a machine that has nothing but the charter.

What one side shows is judged by `cbm evidence verify`, and again by a verifier that shares no code with it; what the
other side made up convinces neither.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from schemas.ids import EnvelopeId, KeyId, MemberId
from schemas.limits import DAY, HOUR
from schemas.opening import OPENING, SIGNED_OPENING, Opening, SignedOpening
from schemas.receipt import SIGNED_RECEIPT, Outcome
from schemas.refused import RefusedTransfer, encode_refused
from schemas.statement import read_entry
from tests.standards.second_verifier import Broken, verify
from tests.support.changes import ChangingWorld, revocation, withdrawal
from tests.support.evidence import Case, Kept
from tests.support.proofs import note_of
from tests.support.world import World


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the command said."""

    code: int
    findings: list[dict[str, Any]]
    broken: dict[str, str] | None

    @property
    def outline(self) -> tuple[list[tuple[str, str]], str | None]:
        """What the second verifier says as well: claims and about whom, or the one that does not hold."""
        if self.broken is not None:
            return [], self.broken["claim"]
        rows = [(row["claim"], row["member"] or "") for row in self.findings]
        # Why a transfer was not lawful is told once for each rule.
        return sorted({(claim, "" if claim == "without-consent" else member) for claim, member in rows}), None

    def of(self, claim: str) -> list[tuple[str, str]]:
        """About whom a claim was found, and the sentence."""
        return [(row["member"], row["finding"]) for row in self.findings if row["claim"] == claim]


Settle = Callable[[World, bytes], Verdict]


def second_opinion(world: World, data: bytes) -> tuple[list[tuple[str, str]], str | None]:
    """That of a verifier that was written from the document alone."""
    try:
        return sorted(set(verify(data, world.charter_digest))), None
    except Broken as fault:
        return [], fault.claim


@pytest.fixture
def settle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Settle:
    """Judge a file with the charter, and nothing else, at hand."""

    def judged(world: World, data: bytes) -> Verdict:
        charter, file = tmp_path / "charter.cbm", tmp_path / "evidence.cbm"
        charter.write_bytes(encode_file(SIGNED_CHARTER, read_entry(world.entries[0])))
        file.write_bytes(data)
        code = run(["evidence", "verify", str(file), "--charter", str(charter), "--json"])
        told = json.loads(capsys.readouterr().out)
        verdict = Verdict(code, told["findings"], told["broken"])
        assert verdict.outline == second_opinion(world, data)
        return verdict

    return judged


@pytest.fixture
def case(world: World) -> Case:
    """Files of an envelope by hand."""
    return Case(world)


def changing() -> Case:
    """The same over a directory that grows."""
    return Case(ChangingWorld())


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


class TestSwappedKeys:
    """ "That was not our key." """

    def test_an_envelope_that_is_sealed_to_a_key_of_the_relays(self, case: Case, settle: Settle) -> None:
        w = case.world
        swapped = w.epochs["XAA"][0]
        sealed = w.envelope(["MNG"], "KAZ")
        core = sealed.header.core_bytes
        wrap = w.wrap(sealed.secrets["MNG"], core, "MNG", swapped.public, KeyId(b"s" * 32))
        attacked = case.send("KAZ", ["MNG"], wraps={"MNG": wrap})
        assert_broken(settle(w, case.file(attacked)), "sealed")

    def test_an_acknowledgement_under_a_key_that_the_root_never_certified(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG"])
        swapped = SigningIdentity.from_entropy(MemberId("MNG"), b"s" * 96)
        case.answer(kept, "MNG", signer=swapped, key_id=swapped.key_id)
        assert_broken(settle(case.world, case.file(kept)), "delivered")

    def test_a_directory_with_a_swapped_key_in_it(self, case: Case, settle: Settle) -> None:
        """The relay's own entry: no root has signed it."""
        w = case.world
        kept = case.send("KAZ", ["MNG"])
        entries = [*w.entries[:3], w.entries[4], *w.entries[4:]]
        assert_broken(settle(w, case.file(kept, entries=entries, note=note_of(w, w.entries))), "directory")

    def test_a_directory_without_the_revocation(self, settle: Settle) -> None:
        """Whoever leaves an entry out has no checkpoint for what is left."""
        case = changing()
        w = case.world
        assert isinstance(w, ChangingWorld)
        kept = case.send("KAZ", ["MNG"])
        w.publish(revocation(w.roots["KAZ"], w.nodes["KAZ"].key_id, w.now))
        honest = case.file(kept)
        assert settle(w, honest).code == 0
        shorter = case.file(kept, entries=w.entries[:-1], note=note_of(w, w.entries))
        assert_broken(settle(w, shorter), "directory")

    def test_a_directory_that_no_quorum_has_seen(self, case: Case, settle: Settle) -> None:
        w = case.world
        kept = case.send("KAZ", ["MNG"])
        assert_broken(settle(w, case.file(kept, note=note_of(w, w.entries, ["KAZ", "MNG"]))), "directory")


class TestEndedKeys:
    """ "That key was revoked." """

    def test_a_recipient_that_revokes_its_key_afterwards(self, settle: Settle) -> None:
        """Without the relay's log nobody knows which was first: it is told, and nothing rests on it."""
        case = changing()
        w = case.world
        assert isinstance(w, ChangingWorld)
        kept = case.send("KAZ", ["MNG"])
        case.answer(kept, "MNG")
        w.publish(revocation(w.roots["MNG"], w.nodes["MNG"].key_id, w.now, compromised_at=w.now - 300 * DAY))
        verdict = settle(w, case.file(kept))
        assert (verdict.code, verdict.of("delivered")) == (0, [])
        assert [member for member, _ in verdict.of("undated")] == ["MNG"]

    def test_its_entry_in_the_relays_log_settles_it(self, settle: Settle) -> None:
        """The revocation counts from its index; the acknowledgement stood in a log when members had not seen it."""
        case = changing()
        w = case.world
        assert isinstance(w, ChangingWorld)
        kept = case.send("KAZ", ["MNG"])
        case.answer(kept, "MNG")
        entry, seen = case.logged(kept, "MNG"), note_of(w, w.entries)
        w.publish(revocation(w.roots["MNG"], w.nodes["MNG"].key_id, w.now, compromised_at=w.now - 300 * DAY))
        verdict = settle(w, case.file(kept, logged_entries=(entry,), earlier=[seen]))
        assert [member for member, _ in verdict.of("delivered")] == ["MNG"]
        assert (len(verdict.of("logged")), verdict.of("undated")) == (1, [])

    def test_an_entry_that_was_made_after_the_revocation_settles_nothing(self, settle: Settle) -> None:
        case = changing()
        w = case.world
        assert isinstance(w, ChangingWorld)
        kept = case.send("KAZ", ["MNG"])
        case.answer(kept, "MNG")
        w.publish(revocation(w.roots["MNG"], w.nodes["MNG"].key_id, w.now))
        verdict = settle(w, case.file(kept, logged_entries=(case.logged(kept, "MNG"),)))
        assert (verdict.of("delivered"), len(verdict.of("undated"))) == ([], 1)

    def test_an_entry_that_no_quorum_has_seen(self, case: Case, settle: Settle) -> None:
        kept = case.send("KAZ", ["MNG"])
        case.answer(kept, "MNG")
        entry = case.logged(kept, "MNG", by=["KAZ", "MNG"])
        assert_broken(settle(case.world, case.file(kept, logged_entries=(entry,))), "logged")

    def test_an_entry_that_is_dated_back(self, settle: Settle) -> None:
        """The relay logs today, as if decided before the revocation, what a thief of the key has signed since."""
        case = changing()
        w = case.world
        assert isinstance(w, ChangingWorld)
        kept = case.send("KAZ", ["MNG"])
        case.answer(kept, "MNG")
        size = w.directory.size
        w.publish(revocation(w.roots["MNG"], w.nodes["MNG"].key_id, w.now))
        entry = case.logged(kept, "MNG", by=["KAZ", "UZB", "XAA"], after=HOUR, directory_size=size)
        assert_broken(settle(w, case.file(kept, logged_entries=(entry,))), "logged")

    def test_a_sender_that_revokes_its_key_afterwards(self, settle: Settle) -> None:
        """The relay had decided before: what it accepted stays sent."""
        case = changing()
        w = case.world
        assert isinstance(w, ChangingWorld)
        kept, seen = case.send("KAZ", ["MNG"]), note_of(w, w.entries)
        w.publish(revocation(w.roots["KAZ"], w.nodes["KAZ"].key_id, w.now, compromised_at=w.now - 300 * DAY))
        verdict = settle(w, case.file(kept, earlier=[seen]))
        assert (verdict.code, [member for member, _ in verdict.of("sent")]) == (0, ["KAZ"])


def assert_broken(verdict: Verdict, claim: str) -> None:
    """The command failed, and named this claim."""
    assert verdict.code == 1
    assert verdict.broken is not None
    assert verdict.broken["claim"] == claim, verdict.broken


def heads_of(case: Case, *heads: Kept) -> bytes:
    """A file about the streams with a partner."""
    return case.file(heads=heads, partner=MemberId("MNG"))


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
