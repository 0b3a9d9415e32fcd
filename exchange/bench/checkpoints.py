"""Verification of a checkpoint that 28 members cosigned, against the time that a node may take for it."""

from typing import Final

from exchange.bench.parties import NOW, make_parties
from exchange.bench.result import Result, at_most, medians
from keys.checkpoint import parse_signed
from keys.logsigner import cosign_checkpoint, sign_checkpoint
from keys.quorum import verify_cosigned
from schemas.ids import Digest

_MEMBERS: Final = 28
# Microseconds. A node looks every half a minute, and once for every log that it is shown.
_GOAL: Final = 15_000.0


def checkpoint_results() -> list[Result]:
    """From the note's bytes to the quorum, with every signature: two of the relay, two of each member."""
    parties = make_parties(_MEMBERS)
    signed = sign_checkpoint(parties.relay, "directory", parties.directory.size, Digest(bytes(32)))
    for identity in parties.signing.values():
        signed = signed.add(cosign_checkpoint(identity, signed.checkpoint, NOW))
    note = signed.encode()
    (taken,) = medians([lambda: verify_cosigned(parse_signed(note), "directory", parties.directory)], 10)
    what = f"verifying a checkpoint that {_MEMBERS} members cosigned, {len(note)} bytes / the goal"
    return [at_most("checkpoint-verify", taken, _GOAL, 1, "us", what)]
