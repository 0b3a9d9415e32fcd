"""Objects, signatures, directory and checkpoints for the second verifier (`second_verifier`): no code of the product.

It reads with msgpack and verifies with PyNaCl (Ed25519) and `cryptography` (ML-DSA). Names in quotes are of sections of
docs/protocol.md, the numbers in brackets its field numbers.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgpack
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import mldsa
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

Fields = dict[int, Any]


class Invalid(Exception):
    """A check that failed."""


def need(condition: object, why: str) -> None:
    if not condition:
        raise Invalid(why)


# "Encoding", "Labels", "Primitives".


def decode(data: bytes) -> Fields:
    """One object in its one encoding: msgpack writes integers and lengths in their shortest form."""
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=False)
    except (ValueError, msgpack.UnpackException):
        raise Invalid("no MessagePack value") from None
    need(isinstance(value, dict) and ordered(value), "fields out of order")
    need(msgpack.packb(value, use_bin_type=True) == data, "not the shortest form")
    return dict(value)


def ordered(value: Any) -> bool:  # noqa: ANN401  # any value that MessagePack can hold
    """Whether the fields of every object ascend, also of those inside."""
    if isinstance(value, dict):
        return list(value) == sorted(value) and all(map(ordered, value.values()))
    return not isinstance(value, list) or all(map(ordered, value))


def split(data: bytes) -> list[bytes]:
    """Parts after their lengths ("Files")."""
    parts, place = [], 0
    while place < len(data):
        end = place + 4 + int.from_bytes(data[place : place + 4], "big")
        parts.append(data[place + 4 : end])
        place = end
    return parts


def framed(label: str, *parts: bytes) -> bytes:
    return label.encode() + b"\0" + b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def digest(label: str, *parts: bytes) -> bytes:
    return sha256(framed(label, *parts)).digest()


def ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(public).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def dilithium(kind: Any, public: bytes, message: bytes, signature: bytes) -> bool:  # noqa: ANN401  # a key's class
    try:
        kind.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(keys: Fields) -> bytes:
    return digest("cbm/1/key-id", keys[1], keys[2])


def hybrid(keys: Fields, signature: Fields, label: str, body: bytes) -> None:
    message = framed(label, body)
    need(signature[2] == key_id(keys), "another key is named")
    need(ed25519(keys[1], message, signature[3]), "Ed25519 half")
    need(dilithium(mldsa.MLDSA65PublicKey, keys[2], message, signature[4]), "ML-DSA half")


# "Directory".


@dataclass
class Directory:
    """All entries; what is asked of it is asked at a size."""

    charters: list[tuple[int, Fields, bytes]] = field(default_factory=list)
    keys: dict[tuple[str, bytes], tuple[int, Fields]] = field(default_factory=dict)
    epochs: dict[tuple[str, bytes], tuple[int, bytes]] = field(default_factory=dict)
    revoked: dict[tuple[str, bytes], int] = field(default_factory=dict)
    withdrawn: dict[tuple[str, bytes], int] = field(default_factory=dict)
    size: int = 0

    def charter(self, size: int) -> Fields:
        return [charter for index, charter, _ in self.charters if index < size][-1]

    def members(self, size: int) -> dict[str, Fields]:
        return {member[1]: member for member in self.charter(size)[3]}

    def ending(self, name: tuple[str, bytes], size: int) -> int | None:
        """The index of the first entry below a size that ended a certified key."""
        found = [self.revoked[name]] if name in self.revoked else []
        for at, charter, _ in self.charters:
            roots = {member[1]: key_id(member[4]) for member in charter[3]}
            if at > self.keys[name][0] and roots.get(name[0], name[1]) == name[1]:
                found.append(at)
        return min((at for at in found if at < size), default=None)

    def before_ending(self, name: tuple[str, bytes]) -> int:
        """The size before a key was ended; all, for a key that is in force or is not known."""
        ending = self.ending(name, self.size) if name in self.keys else None
        return self.size if ending is None else ending

    def in_force(self, name: tuple[str, bytes], size: int) -> bool:
        return self.ending(name, size) is None

    def relay_ending(self, key: bytes, size: int) -> int | None:
        """The index of the first charter version behind a size that does not name a relay."""
        named = ((at, {key_id(relay[2]) for relay in charter[5]}) for at, charter, _ in self.charters if at >= size)
        return next((at for at, keys in named if key not in keys), None)

    def key(self, name: tuple[str, bytes], size: int) -> Fields | None:
        """A signing key in force at a size."""
        index, statement = self.keys.get(name, (size, {}))
        return statement if index < size and self.in_force(name, size) else None

    def add(self, raw: bytes) -> None:
        entry = decode(raw)
        kind, body, signatures = entry[1], entry[2], entry[3]
        label = ("", "charter", "signing-key", "epoch-key", "revocation", "withdrawal")[kind]
        said = decode(body)
        if kind == 1:
            self._charter(said, body, {signature[1]: signature for signature in signatures})
        else:
            need(len(signatures) == 1 and signatures[0][1] == said[1], "signed by another")
            signer, name = signatures[0], (said[1], signatures[0][2])
            if kind in (2, 4):
                hybrid(self.members(self.size)[said[1]][4], signer, f"cbm/1/{label}", body)
            else:
                _, certifier = self.keys[name]
                hybrid(certifier[2], signer, f"cbm/1/{label}", body)
                created = said[7] if kind == 3 else said[4]
                need(certifier[3] <= created <= certifier[4], "not in the key's term")
                need(kind == 5 or self.in_force(name, self.size), "the key was ended")
            self._place(kind, said, signer[2])
        self.size += 1

    def _place(self, kind: int, said: Fields, certifier: bytes) -> None:
        if kind == 2:
            name = (said[1], key_id(said[2]))
            need(name not in self.keys and name not in self.revoked, "this key is known")
            self.keys[name] = (self.size, said)
        elif kind == 3:
            self.epochs[said[1], digest("cbm/1/key-id", said[3][1], said[3][2])] = (self.size, certifier)
        else:
            known = self.revoked if kind == 4 else self.withdrawn
            name = (said[1], said[2] if kind == 4 else said[3])
            need(name not in known, "ended before")
            known[name] = self.size

    def _charter(self, said: Fields, body: bytes, signatures: dict[str, Fields]) -> None:
        roots = {member[1]: member[4] for member in said[3] if member[2] == 1}
        if not self.charters:
            need(said[1] == 1 and set(signatures) == set(roots), "not signed by all")
        else:
            _, before, known = self.charters[-1]
            need(said[1] == before[1] + 1 and said[2] == known, "not the next version")
            old = {member[1]: member[4] for member in before[3] if member[2] == 1}
            asked = {code: root for code, root in old.items() if roots.get(code) == root}
            fresh = {code: root for code, root in roots.items() if old.get(code) != root}
            admits = {member[1] for member in said[3]} - {member[1] for member in before[3]} or set(roots) - set(old)
            needed = len(asked) if admits else min(before[7][1], len(asked))
            least = max(len(old) // 2 + 1, min(-(-2 * len(old) // 3), before[7][1]))
            need(len(asked) >= least, "too few are left to be asked")
            need(len(set(signatures) & set(asked)) >= max(needed, least), "too few signatures")
            need(set(fresh) <= set(signatures) <= set(fresh) | set(asked), "signed by others")
            roots = asked | fresh
        for code, signature in signatures.items():
            hybrid(roots[code], signature, "cbm/1/charter", body)
        self.charters.append((self.size, said, digest("cbm/1/charter-digest", body)))
