"""States only move forward."""

from itertools import product

import pytest

from exchange.delivery.state import (
    MESSAGE_MOVES,
    RECIPIENT_MOVES,
    message_may_move,
    message_state,
    recipient_may_move,
)
from exchange.delivery.state import MessageState as M
from exchange.delivery.state import RecipientState as R

ORDER = {M.QUEUED: 0, M.SEALED: 1, M.ACCEPTED: 2}


def test_every_state_has_its_moves() -> None:
    assert MESSAGE_MOVES.keys() == set(M)
    assert RECIPIENT_MOVES.keys() == set(R)


@pytest.mark.parametrize(("old", "new"), list(product(M, M)))
def test_a_message_never_goes_back_or_leaves_an_end(old: M, new: M) -> None:
    if old is M.REFUSED and new is M.DELIVERED:
        # The relay said so; its recipients have the last word.
        assert message_may_move(old, new)
    elif old is M.SEALED and new is M.QUEUED:
        # Its node gives up the envelope and seals it anew.
        assert message_may_move(old, new)
    elif old not in ORDER or new is M.RECEIVED:
        assert not message_may_move(old, new)
    elif new in ORDER:
        assert message_may_move(old, new) is (ORDER[new] == ORDER[old] + 1)


def test_a_message_is_delivered_only_after_the_relay_had_it() -> None:
    assert [old for old in M if message_may_move(old, M.DELIVERED)] == [M.ACCEPTED, M.REFUSED]


@pytest.mark.parametrize(("old", "new"), list(product(R, R)))
def test_a_recipient_never_goes_back(old: R, new: R) -> None:
    if old is new or new is R.PENDING or old is R.DELIVERED:
        assert not recipient_may_move(old, new, answered=False)
    elif old in (R.EXPIRED, R.REFUSED):
        assert recipient_may_move(old, new, answered=False) is (new is R.DELIVERED)
    else:
        assert recipient_may_move(old, new, answered=False)


@pytest.mark.parametrize(("old", "new"), list(product(R, R)))
def test_a_recipients_own_answer_is_final(old: R, new: R) -> None:
    assert not recipient_may_move(old, new, answered=True)


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        ((R.PENDING,), M.ACCEPTED),
        ((R.DELIVERED, R.ACCEPTED), M.ACCEPTED),
        ((R.DELIVERED, R.DELIVERED), M.DELIVERED),
        ((R.DELIVERED, R.REFUSED), M.REFUSED),
        ((R.EXPIRED, R.REFUSED), M.REFUSED),
        ((R.DELIVERED, R.EXPIRED), M.EXPIRED),
        ((R.REFUSED, R.PENDING), M.ACCEPTED),
    ],
)
def test_a_message_is_settled_when_all_its_recipients_are(recipients: tuple[R, ...], expected: M) -> None:
    assert message_state(recipients) is expected
