"""Tests of CBM Exchange; a regular package, so that `tests.support` is ours and no other distribution's."""
