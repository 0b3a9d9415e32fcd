"""Trust policies (C2SP tlog-policy): which logs and witnesses count, and which witnesses are enough.

The file by which operators of logs and verifiers of others name witnesses, with their keys and addresses. The quorum of
member nodes is the charter's and needs no policy (see `keys.cosign`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from keys.checkpoint import SignedCheckpoint
from keys.cosign import cosigned_at
from keys.errors import Untrusted
from keys.lines import decimal
from keys.note import KeyType, NoteKey, parse_vkey, signed_by
from schemas.errors import DecodeError, Reason
from schemas.limits import MAX_POLICY, MAX_POLICY_NAMES

_NONE: Final = "none"
_COSIGNING: Final = (KeyType.COSIGNATURE_ED25519, KeyType.COSIGNATURE_MLDSA44)
# tlog-checkpoint lets a log sign with an ML-DSA-44 cosignature too.
_SIGNING: Final = (KeyType.ED25519, KeyType.MLDSA65, KeyType.COSIGNATURE_MLDSA44)


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """A log or a witness: its key and, when it can be reached, its address."""

    key: NoteKey
    url: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses or groups by their names, of which at least `needed` have to have witnessed."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as read. Names are those of the file and mean nothing outside of it; `quorum` None needs no witness."""

    logs: tuple[PolicyKey, ...]
    witnesses: Mapping[str, PolicyKey]
    groups: Mapping[str, Group]
    quorum: str | None

    def verify(self, signed: SignedCheckpoint) -> None:
        """That one of the logs signed the checkpoint and the quorum cosigned it. Raises Untrusted or BadSignature.

        A line by a known key that does not verify refuses the whole, needed or not.
        """
        checkpoint = signed.checkpoint
        logs = [log.key for log in self.logs if log.key.name == checkpoint.origin]
        if True not in [_signed(signed, key) for key in logs]:
            raise Untrusted("a checkpoint is not signed by a log of the policy")
        # One after another: a group stands after its members.
        held = {name: cosigned_at(signed, witness.key) is not None for name, witness in self.witnesses.items()}
        for name, group in self.groups.items():
            held[name] = sum(held[member] for member in group.members) >= group.needed
        if self.quorum is not None and not held[self.quorum]:
            raise Untrusted(f"a checkpoint of {checkpoint.origin} lacks the witnesses that the policy asks for")


def parse_policy(data: bytes) -> Policy:
    """A policy file of at most 256 KiB, 128 logs and 128 names. Raises DecodeError."""
    if len(data) > MAX_POLICY:
        raise DecodeError(Reason.TOO_LARGE, "Policy")
    # Bytes above ASCII are opaque (tlog-policy, "Character set"): those that are no UTF-8 are kept apart as they are.
    *lines, rest = data.decode("utf-8", "surrogateescape").split("\n")
    if rest or any((c < " " and c != "\t") or c == "\x7f" for line in lines for c in line):
        raise DecodeError(Reason.MALFORMED, "Policy")
    reader = _Reader()
    for line in lines:
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if words and not words[0].startswith("#"):
            reader.read(words)
    return reader.policy()


class _Reader:
    """What has been read so far."""

    def __init__(self) -> None:
        self._logs: list[PolicyKey] = []
        self._witnesses: dict[str, PolicyKey] = {}
        self._groups: dict[str, Group] = {}
        self._quorums: list[str | None] = []

    def read(self, words: list[str]) -> None:
        """One line that says something."""
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self._logs.append(_row(vkey, url, _SIGNING, self._logs))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._new(name)
                self._witnesses[name] = _row(vkey, url, _COSIGNING, self._witnesses.values())
            case ["group", name, threshold, *members] if members:
                self._new(name)
                self._groups[name] = self._group(threshold, members)
            case ["quorum", name]:
                self._quorums.append(None if name == _NONE else self._known(name))
            case _:
                raise DecodeError(Reason.MALFORMED, "Policy")

    def policy(self) -> Policy:
        """The whole."""
        if len(self._quorums) != 1:
            raise DecodeError(Reason.CONTRADICTION, "Policy.quorum")
        return Policy(tuple(self._logs), self._witnesses, self._groups, self._quorums[0])

    def _group(self, threshold: str, members: list[str]) -> Group:
        if len({self._known(member) for member in members}) != len(members):
            raise DecodeError(Reason.CONTRADICTION, "Policy.group")
        needed = {"any": 1, "all": len(members)}.get(threshold) or decimal(threshold, "Policy.threshold")
        if not 1 <= needed <= len(members):
            raise DecodeError(Reason.OUT_OF_RANGE, "Policy.threshold")
        return Group(needed, tuple(members))

    def _new(self, name: str) -> None:
        if name == _NONE or name in self._witnesses or name in self._groups:
            raise DecodeError(Reason.CONTRADICTION, "Policy.name")
        if len(self._witnesses) + len(self._groups) >= MAX_POLICY_NAMES:
            raise DecodeError(Reason.TOO_LARGE, "Policy.names")

    def _known(self, name: str) -> str:
        if name not in self._witnesses and name not in self._groups:
            raise DecodeError(Reason.CONTRADICTION, "Policy.name")
        return name


def _row(vkey: str, url: list[str], types: tuple[KeyType, ...], others: Collection[PolicyKey]) -> PolicyKey:
    key = parse_vkey(vkey)
    if key.type not in types:
        raise DecodeError(Reason.OUT_OF_RANGE, "Policy.key")
    if len(others) >= MAX_POLICY_NAMES:
        raise DecodeError(Reason.TOO_LARGE, "Policy")
    # One key under two names would count twice.
    if any(other.key.public == key.public for other in others):
        raise DecodeError(Reason.CONTRADICTION, "Policy.key")
    return PolicyKey(key, url[0] if url else None)


def _signed(signed: SignedCheckpoint, key: NoteKey) -> bool:
    if key.type in _COSIGNING:
        return cosigned_at(signed, key) is not None
    return signed_by(signed.note, key)
