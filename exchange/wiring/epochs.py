"""What a node's folder says of its epochs, and what a theft exposes: read without any key, also while the node runs."""

from dataclasses import dataclass
from pathlib import Path

from exchange.node.config import load_config
from exchange.storage.node_reading import Arrived, count_stored, read_arrivals, read_directory
from exchange.wiring.custody import KEYS
from keys.directory import Directory, EpochRecord, begin, extend
from keys.epochs import Exposure, exposed_keys, exposure, half_name
from keys.errors import Untrusted
from keys.mortal import ends
from schemas.envelope import decode_header
from schemas.ids import Digest, KeyId, MemberId
from schemas.statement import EpochKey, read_entry


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One published epoch of this node. `held`: its private half is here. `in_force`: no revocation ended it."""

    record: EpochRecord
    held: bool
    in_force: bool


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A private half that is here and in no entry: its number, and when it is destroyed (Unix seconds)."""

    name: str
    destroy_at: int


@dataclass(frozen=True, slots=True)
class Loss:
    """What whoever took everything of a node at a time can read.

    Attributes:
        exposures: each published epoch, exposed or not.
        opened: the envelopes that can be opened by who recorded them, before the theft or after it.
        closed: how many others were received: their private halves were gone.
        stored: messages that stood in the store, under the local key that was taken with it.
    """

    exposures: tuple[Exposure, ...]
    opened: tuple[Arrived, ...]
    closed: int
    stored: int


def list_epochs(folder: Path) -> tuple[tuple[EpochRow, ...], tuple[Unpublished, ...]]:
    """The node's published epochs, and halves that are not published yet. Raises StoreFault, Untrusted, Invalid."""
    member, directory, _ = _directory(folder)
    here = ends(folder / KEYS)
    records = directory.epochs.get(member, ())
    named = {half_name(record.number, record.key_id): record for record in records}
    rows = tuple(EpochRow(record, name in here, directory.in_force(record)) for name, record in named.items())
    others = tuple(Unpublished(name, end) for name, end in here.items() if name not in named)
    return rows, others


def loss_at(folder: Path, stolen_at: int) -> Loss:
    """What was exposed when everything of the node was stolen at a time. Raises StoreFault, Untrusted, Invalid."""
    member, directory, made = _directory(folder)
    records = directory.epochs.get(member, ())
    exposures = exposure(records, [made[record.index] for record in records], stolen_at)
    exposed = exposed_keys(exposures)
    arrivals = read_arrivals(folder)
    opened = tuple(arrived for arrived in arrivals if _key_of(arrived, member) in exposed)
    return Loss(exposures, opened, len(arrivals) - len(opened), count_stored(folder, stolen_at))


def node_directory(folder: Path) -> Directory:
    """The node's verified view of the directory, from its store. Raises StoreFault, Untrusted, Invalid."""
    return _directory(folder)[1]


def _directory(folder: Path) -> tuple[MemberId, Directory, dict[int, int]]:
    """Member, verified view, and by index when the private half of each epoch was made."""
    config = load_config(folder)
    entries = [read_entry(raw) for raw in read_directory(folder)]
    if not entries:
        raise Untrusted("there is no charter in this node's store: run `cbm node init` first")
    directory = extend(begin(entries[0], Digest(bytes.fromhex(config.charter_digest))), entries[1:])
    statements = ((index, entry.statement) for index, entry in enumerate(entries))
    made = {index: found.created for index, found in statements if isinstance(found, EpochKey)}
    return MemberId(config.member), directory, made


def _key_of(arrived: Arrived, member: MemberId) -> KeyId | None:
    wrap = decode_header(arrived.header).wrap_for(member)
    return None if wrap is None else wrap.key_id
