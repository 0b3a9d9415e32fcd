"""What evidence can say of a message: the claims, and one sentence for each that was found to hold.

docs/evidence.md says which events of ETSI EN 319 522 come closest.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from schemas.canon import Codec, decode
from schemas.errors import DecodeError
from schemas.ids import MemberId

T = TypeVar("T")


class Claim(StrEnum):
    """What is claimed. Stable: output and reports carry it."""

    DIRECTORY = "directory"
    PROVIDED = "provided"
    CONTENT = "content"
    SENT = "sent"
    SEALED = "sealed"
    ACCEPTED = "accepted"
    RELAYED = "relayed"
    FORWARDED = "forwarded"
    WITHOUT_CONSENT = "without-consent"
    DELIVERED = "delivered"
    NOT_TAKEN = "refused-by-recipient"
    OPENED = "opened"
    CONSENTED = "consented"
    TRANSFER_REFUSED = "transfer-refused"
    WITHDRAWN = "withdrawn"
    STATED = "stated"
    NUMBERED = "numbered"
    WITHHELD = "withheld"
    NOTHING_SENT = "nothing-sent"
    LOGGED = "logged"
    UNDATED = "undated"
    NOT_ACCEPTED = "not-accepted"
    NOT_DELIVERED = "not-delivered"

    @property
    def of_absence(self) -> bool:
        """Whether it only says that something is not in this file: who has it can show it."""
        return self in (Claim.NOT_ACCEPTED, Claim.NOT_DELIVERED, Claim.WITHHELD, Claim.UNDATED)


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim that holds, in a sentence; about whom, and which envelope (hexadecimal), where it is about one."""

    claim: Claim
    sentence: str
    member: MemberId | None = None
    envelope: str | None = None


class Broken(Exception):
    """A claim that the file makes and that does not hold, in a sentence."""

    def __init__(self, claim: Claim, sentence: str, member: MemberId | None = None) -> None:
        """Keep all three."""
        super().__init__(f"{claim.value}: {sentence}")
        self.claim = claim
        self.sentence = sentence
        self.member = member


def date(seconds: int) -> str:
    """Unix seconds as sentences write them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def short(digest: bytes) -> str:
    """The beginning of a digest or id."""
    return digest.hex()[:16]


def listed(codes: tuple[MemberId, ...]) -> str:
    """Codes as a sentence lists them."""
    return ", ".join(codes[:-1]) + f" and {codes[-1]}" if len(codes) > 1 else codes[0]


def read(claim: Claim, what: str, codec: Codec[T], data: bytes, most: int) -> T:
    """An object of the file. Raises Broken."""
    try:
        return decode(codec, data, most)
    except DecodeError as fault:
        raise Broken(claim, f"the {what} in the file cannot be read: {fault}") from None
