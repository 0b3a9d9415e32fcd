"""A recipient judges by the directory as of the receipt's size: what came later undoes nothing."""

from collections.abc import Callable

import pytest

from exchange.node import inbound
from exchange.node.books import Books
from exchange.node.directory import DirectoryView
from exchange.node.following import Log
from exchange.node.guard import Guard
from keys.amendment import Changes
from keys.directory import handover_of, obey
from keys.merkle import MemoryTree
from keys.origin import unbounded
from schemas.endings import WithdrawalTarget
from schemas.ids import MemberId
from schemas.statement import DirectoryEntry
from tests.support.changes import ChangingWorld, identity, new_relay, revocation, withdrawal
from tests.support.world import NOW, Sealed

UZB = MemberId("UZB")


class Case:
    """From KAZ to UZB; then the directory goes on."""

    def __init__(self) -> None:
        self.world = ChangingWorld()
        self.sealed: Sealed = self.world.envelope(["UZB"])
        self.before = self.world.directory.size

    def outcome(self, size: int) -> str:
        """What UZB does with it when the relay accepted it at this directory size."""
        receipt = self.world.receipt(self.sealed, directory_size=size)
        view = self.world.directory.as_of(min(size, self.world.directory.size))
        try:
            inbound.judge(self.sealed.header, receipt, view, UZB, NOW, unbounded)
        except inbound.RefusedEnvelope as refused:
            return f"refused: {refused.rule}"
        except inbound.PutOff as put_off:
            return f"put off: {put_off.code}"
        return "accepted"


ENDINGS: dict[str, tuple[Callable[[Case], DirectoryEntry], str]] = {
    "the sender's key is revoked": (
        lambda c: revocation(c.world.roots["KAZ"], c.world.nodes["KAZ"].key_id, NOW),
        "put off: header-signature",
    ),
    "the recipient's key is revoked": (
        lambda c: revocation(c.world.roots["UZB"], c.world.nodes["UZB"].key_id, NOW),
        "put off: epoch-ended",
    ),
    "the Provision is withdrawn": (
        lambda c: withdrawal(
            c.world.nodes["KAZ"],
            WithdrawalTarget.PROVISION,
            c.sealed.header.core.provisions[0].provision.id,
            NOW,
        ),
        "refused: consent-withdrawn",
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_counts_from_an_index_on_binds_every_acceptance_at_a_larger_size(ending: str) -> None:
    case = Case()
    entry, outcome = ENDINGS[ending]
    case.world.publish(entry(case))
    assert case.outcome(case.before) == "accepted"
    assert case.outcome(case.before + 1) == outcome
    assert case.outcome(case.before + 2) == "put off: directory-behind"


def test_a_removed_sender_is_refused_from_that_index_on() -> None:
    case = Case()
    chair = case.world.charter.chairmanship
    case.world.amend(Changes(chairmanship=type(chair)(MemberId("MNG"), chair.start, chair.end)), case.world.roots)
    before = case.world.directory.size
    case.world.amend(Changes(removed=(MemberId("KAZ"),)), ["MNG", "UZB", "XAA"])
    assert case.outcome(before) == "accepted"
    assert case.outcome(before + 1) == "put off: header-signature"


def test_a_receipt_of_the_relay_before_counts_for_sizes_before_the_handover_only() -> None:
    case = Case()
    changes = Changes(relays=(new_relay(),), handover=handover_of(case.world.directory))
    case.world.amend(changes, ["KAZ", "MNG", "UZB"])
    assert case.outcome(case.before) == "accepted"
    assert case.outcome(case.before + 1) == "put off: receipt-signature"
    later = identity("relay-2", "CICA")
    early = case.world.receipt(case.sealed, later, relay=later.key_id)
    view = case.world.directory.as_of(case.before)
    with pytest.raises(inbound.PutOff, match="relay"):
        inbound.judge(case.sealed.header, early, view, UZB, NOW, unbounded)


def test_views_of_the_past_are_kept_and_obey_what_the_newest_obeys() -> None:
    world = ChangingWorld()
    cut = revocation(world.roots["KAZ"], world.nodes["KAZ"].key_id, NOW)
    books: Books = None  # type: ignore[assignment]  # nothing is stored here
    guard: Guard = None  # type: ignore[assignment]  # nor told
    view = DirectoryView(books, Log(world.directory, MemoryTree()), (), guard)
    past = view.as_of(5)
    assert view.as_of(5) is past
    assert past == world.directory.as_of(5)
    assert view.as_of(world.directory.size + 9) is world.directory
    view.current = obey(world.directory, cut)
    assert view.as_of(5) == view.current.as_of(5) != past
    for size in range(2, 13):
        assert view.as_of(size).size == size
    assert len(view._past) <= 8
