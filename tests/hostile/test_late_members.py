"""Evidence files by thieves of keys of before the union grew: whose cosignatures say what a quorum had not seen."""

from keys.amendment import Changes
from schemas.limits import DAY, HOUR
from tests.hostile.test_false_evidence import both
from tests.support.changes import certificate, identity, party, revocation, term
from tests.support.late import Late, before
from tests.support.proofs import note_of

NEW = ("YYY", "ZZZ")


def stolen(late: Late) -> bytes:
    """Of four states two more are admitted; four of the six see MNG's revocation, two are kept from it.

    These two and the thief were a quorum once, and cosign nine hours later how the directory was then.
    """
    w, kept = late.world, late.case.send("KAZ", ["MNG"])
    kept.logged, kept.index = late.case.log.proof(kept.index or 0), None
    old = w.nodes["MNG"]
    roots, nodes = ({code: identity(kind, code) for code in NEW} for kind in ("root", "node"))
    w.amend(Changes(admitted=tuple(party(code, root=roots[code]) for code in NEW)), list(w.roots), roots)
    for code in NEW:
        w.publish(certificate(term(nodes[code], w.now, w.now + 300 * DAY), roots[code]))
    w.publish(revocation(w.roots["MNG"], old.key_id, w.now))
    fresh = identity("fresh", "MNG")
    w.publish(certificate(term(fresh, w.now, w.now + 300 * DAY), w.roots["MNG"]))
    assert (w.charter.quorums.witness, len(w.charter.voters())) == (4, 6)
    thieves = dict(w.nodes)
    w.nodes = {**thieves, "MNG": fresh, **nodes}
    newest = note_of(w, w.entries, ["KAZ", "MNG", *NEW], w.now + 10 * HOUR)
    w.nodes = thieves
    late.case.answer(kept, "MNG")
    own = ["MNG", "UZB", "XAA"]
    entry = late.case.logged(kept, "MNG", by=own, after=9 * HOUR, directory_size=late.size)
    shown = late.earlier(after=9 * HOUR, by=own)
    return late.case.file(kept, note=newest, logged_entries=(entry,), earlier=[shown])


def test_who_cosigned_before_others_were_admitted_says_nothing_of_what_these_have_seen() -> None:
    late = before()
    found = both(late.world, stolen(late))
    assert ("delivered" in found, found["undated"]) == (False, 1)
