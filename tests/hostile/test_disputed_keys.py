"""Disputes about keys: swapped by the relay, revoked by who wants to deny; settled by files alone."""

from keys.identity import SigningIdentity
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY, HOUR
from tests.support.changes import ChangingWorld, revocation
from tests.support.evidence import Case
from tests.support.proofs import note_of
from tests.support.settling import Settle, assert_broken, changing


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
