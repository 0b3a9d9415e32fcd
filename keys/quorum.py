"""Whether a checkpoint has the cosignatures that the charter asks for, by the keys that a view of the directory knows.

Only Member States' nodes count, each once, with both lines of a key that is in force and was valid when it cosigned.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from keys.checkpoint import Checkpoint, LogKeys, SignedCheckpoint
from keys.cosign import Cosigner, CosignerKeys, Quorum, verify_quorum
from keys.digests import key_id
from keys.errors import Untrusted
from keys.view import Directory, SigningRecord
from schemas.charter import Role
from schemas.ids import KeyId


def origin_of(log: str, relay: KeyId) -> str:
    """The origin of one of a relay's logs (`directory`, `audit`)."""
    return f"cbm.exchange/{log}/{relay.hex()[:16]}"


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log of a relay that some version of the charter names.

    `end`: the index of the first version that does not name the relay any more, where its directory ends; None while it
    is in force.
    """

    keys: LogKeys
    end: int | None


def known_log(origin: str, log: str, directory: Directory) -> KnownLog | None:
    """The log with this origin, when it is the directory's (or `audit`) of a relay that the charter names or named."""
    found: KnownLog | None = None
    for record in directory.charters:
        relays = {origin_of(log, key_id(relay.keys)): relay for relay in record.charter.relays}
        if origin in relays:
            found = KnownLog(LogKeys.of(origin, relays[origin].keys), None)
        elif found is not None and found.end is None:
            found = KnownLog(found.keys, record.index)
    return found


def cosigner_keys(record: SigningRecord) -> CosignerKeys:
    """The keys under which the node with this signing key cosigns."""
    return record.cosigning


def member_keys(directory: Directory) -> Iterator[SigningRecord]:
    """Signing keys in force of the nodes that count: those of Member States."""
    for record in directory.signing.values():
        if directory.in_force(record) and directory.members[record.member].role is Role.MEMBER:
            yield record


def verify_cosigned(signed: SignedCheckpoint, log: str, directory: Directory) -> tuple[Checkpoint, Quorum]:
    """A checkpoint of this log by a relay of the charter, with the charter's witness quorum.

    Raises Untrusted, or BadSignature when any line by one of the keys that count does not verify.
    """
    checkpoint = _by_a_relay(signed, log, directory)
    cosigners = (
        Cosigner(record.member, cosigner_keys(record), record.valid_from, record.valid_until)
        for record in member_keys(directory)
    )
    return checkpoint, verify_quorum(signed, cosigners, directory.charter.quorums.witness)


def _by_a_relay(signed: SignedCheckpoint, log: str, directory: Directory) -> Checkpoint:
    for key, relay in directory.relays.items():
        origin = origin_of(log, key)
        if signed.checkpoint.origin == origin:
            return LogKeys.of(origin, relay.keys).verify(signed)
    raise Untrusted(f"{signed.checkpoint.origin} is no log of a relay of the charter")
