"""Callers by their address: one for each network, and nobody learns which."""

import pytest

from exchange.audit.pseudonym import network_of, pseudonym

HERE, THERE = "192.0.2.1", "192.0.2.2"
SECRET = b"1" * 32


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (HERE, HERE, True),
        (HERE, THERE, False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", HERE, True),
        (None, "no address", True),
        (None, HERE, False),
    ],
)
def test_who_has_a_whole_network_counts_as_one(first: str | None, second: str | None, same: bool) -> None:
    assert (network_of(first) == network_of(second)) is same


@pytest.mark.parametrize(("peer", "same"), [("2001:db8::1", True), ("2001:db8::2:3", True), ("2001:db8:0:1::1", False)])
def test_who_has_a_whole_network_has_one_pseudonym(peer: str, same: bool) -> None:
    assert (pseudonym(SECRET, peer) == pseudonym(SECRET, "2001:db8::ffff")) is same


def test_a_pseudonym_tells_callers_apart_and_changes_with_the_secret() -> None:
    one, two = b"1" * 32, b"2" * 32
    made = {pseudonym(one, "192.0.2.1"), pseudonym(one, "192.0.2.2"), pseudonym(two, "192.0.2.1")}
    assert {len(item) for item in made} == {16}
    assert len(made) == 3
    assert pseudonym(one, "192.0.2.1") in made
