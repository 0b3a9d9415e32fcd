"""Logs and checkpoints for the second verifier ("Transparency logs", "Evidence files"): no code of the product."""

import base64
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import mldsa

from tests.standards.second_directory import Directory, Fields, dilithium, ed25519, framed, key_id, need

MERGE_DELAY = 180


def leaf_hash(entry: bytes) -> bytes:
    if len(entry) > 65_535:
        entry = framed("cbm/1/large-entry", sha256(entry).digest())
    return sha256(b"\0" + entry).digest()


def root_of(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\1" + root_of(hashes[:split]) + root_of(hashes[split:])).digest()


def included(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that a path of RFC 6962 leads to (RFC 9162, 2.1.3.2)."""
    need(index < size, "outside the tree")
    node, last, current = index, size - 1, leaf_hash(leaf)
    for step in path:
        need(last, "path too long")
        if node & 1 or node == last:
            current = sha256(b"\1" + step + current).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            current = sha256(b"\1" + current + step).digest()
        node, last = node >> 1, last >> 1
    need(last == 0, "path too short")
    return current


@dataclass
class Cosigned:
    """A checkpoint with the times of the members who cosigned it, by their codes, and how many have to."""

    size: int
    root: bytes
    by: dict[str, int]
    quorum: int

    @property
    def times(self) -> list[int]:
        return sorted(self.by.values())

    @property
    def first(self) -> int:
        return self.times[self.quorum - 1]

    @property
    def latest(self) -> int:
        return self.times[-self.quorum]


@dataclass
class Past:
    """How large the directory was, by the checkpoints in a file: the newest, and those of before ("Evidence files")."""

    newest: Cosigned
    earlier: list[tuple[int, int]]

    def least(self, time: int) -> int:
        return self.newest.size if time > self.newest.first + MERGE_DELAY else 0

    def most(self, time: int) -> int:
        return min((size for size, at in self.earlier if at >= time - MERGE_DELAY), default=self.newest.size)

    def over(self, directory: Directory, name: tuple[str, bytes]) -> bool:
        ended = directory.ending(name, directory.size) is not None
        return ended or directory.keys[name][1][4] < self.newest.latest


def cosigned(note: bytes, log: str, directory: Directory, size: int) -> Cosigned:
    """By the directory at a size."""
    text, _, rest = note.decode().partition("\n\n")
    text += "\n"
    origin, count, root = text.splitlines()
    lines: list[tuple[str, bytes]] = []
    for line in rest.splitlines():
        mark, name, value = line.split(" ")
        need(mark == "—", "no signature line")
        lines.append((name, base64.b64decode(value, validate=True)))
    relays = {f"cbm.exchange/{log}/{key_id(relay[2]).hex()[:16]}": relay[2] for relay in directory.charter(size)[5]}
    need(origin in relays, "no log of a relay of the charter")
    keys = relays[origin]
    signed = framed("cbm/1/note", origin.encode(), text.encode())
    for identifier, public in ((b"\x01", keys[1]), (b"\xffcbm/1/note", keys[2])):
        mine = [v for n, v in lines if n == origin and v[:4] == note_key(origin, identifier, public)]
        need(mine, "the relay has not signed")
        for signature in mine:
            short = identifier == b"\x01"
            good = (
                ed25519(public, text.encode(), signature[4:])
                if short
                else dilithium(mldsa.MLDSA65PublicKey, public, signed, signature[4:])
            )
            need(good, "a line of the relay")
    states = {code for code, member in directory.members(size).items() if member[2] == 1}
    times: dict[str, int] = {}
    for (code, _), (index, said) in directory.keys.items():
        name = f"cbm.exchange/member/{code}"
        if code in states and index < size and directory.key((code, key_id(said[2])), size):
            both = [newest(lines, name, kind, said, text) for kind in (4, 6)]
            if None not in both and all(said[3] <= (at or 0) <= said[4] for at in both):
                times[code] = max(times.get(code, 0), min(at or 0 for at in both))
    needed = directory.charter(size)[7][2]
    need(len(times) >= needed, "no quorum")
    return Cosigned(int(count), base64.b64decode(root, validate=True), times, needed)


def enough(seen: Cosigned, directory: Directory) -> int | None:
    """The time at which enough members of every charter from then on cosigned an earlier checkpoint; None: never."""
    later = [charter for index, charter, _ in directory.charters if index >= seen.size]
    found: list[int] = []
    for charter in (directory.charter(seen.size), *later):
        states = {member[1] for member in charter[3] if member[2] == 1}
        quorum = charter[7][2]
        needed = min(max(quorum, len(states) - quorum + 2), len(states))
        times = sorted(time for code, time in seen.by.items() if code in states)
        if len(times) < needed:
            return None
        found.append(times[-needed])
    return min(found)


def note_key(name: str, identifier: bytes, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + identifier + public).digest()[:4]


def newest(lines: list[tuple[str, bytes]], name: str, kind: int, said: Fields, text: str) -> int | None:
    """The newest time of a node's cosignatures of one kind ("Cosignatures")."""
    public = said[2][1] if kind == 4 else said[6]
    origin, count, root = text.splitlines()
    found = None
    for value in [v[4:] for n, v in lines if n == name and v[:4] == note_key(name, bytes([kind]), public)]:
        time = int.from_bytes(value[:8], "big")
        if kind == 4:
            good = ed25519(public, f"cosignature/v1\ntime {time}\n{text}".encode(), value[8:])
        else:
            message = b"subtree/v1\n\0" + bytes([len(name)]) + name.encode() + time.to_bytes(8, "big")
            message += bytes([len(origin)]) + origin.encode() + bytes(8) + int(count).to_bytes(8, "big")
            good = dilithium(mldsa.MLDSA44PublicKey, public, message + base64.b64decode(root), value[8:])
        need(good, "a cosignature")
        found = max(time, found or 0)
    return found
