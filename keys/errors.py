"""Faults of keys, signatures and ciphertexts. No message ever holds a secret or a plaintext."""


class KeyFault(Exception):
    """Base of every fault that this package raises; one line: what, why, what to do."""


class BadSignature(KeyFault):
    """A signature does not verify under the key that is named for it."""


class Untrusted(KeyFault):
    """A key, a statement or a charter that the directory does not vouch for."""


class DirectoryFull(Untrusted):
    """An entry too many; `member` is whose or whose key's bound it exceeds, None when the directory itself is full."""

    def __init__(self, detail: str, member: str | None = None) -> None:
        """`detail` as of every fault."""
        super().__init__(detail)
        self.member = member


class Undecryptable(KeyFault):
    """A ciphertext that does not open: wrong key, altered bytes or wrong context, on purpose not said which."""


class KeystoreFault(KeyFault):
    """Key files that are missing, readable by others, damaged, or sealed under another passphrase."""


class BadProof(KeyFault):
    """A Merkle proof that does not lead where it claims."""
