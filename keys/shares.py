"""A root key in shares: any k of n restore it, fewer tell nothing (SLIP-0039, one group, no passphrase).

The arithmetic is that of shamir-mnemonic, the reference implementation, which draws its randomness itself and takes no
care against who measures the machine while it works: shares are made and put together offline (docs/ceremonies.md).
A root is split as its 96 bytes of entropy, 84 words a share. A wrong word is found by the share's checksum, a share of
another root by the digest that is shared along with the secret.
"""

from collections.abc import Sequence
from typing import Final

from shamir_mnemonic import MnemonicError, Share, combine_mnemonics, generate_mnemonics

from keys.errors import KeystoreFault
from keys.identity import SIGNING_ENTROPY, SigningIdentity
from schemas.charter import HybridPublic
from schemas.ids import MemberId

MIN_NEEDED: Final = 2
MAX_SHARES: Final = 16
"""The standard numbers members with four bits."""


def split_root(root: SigningIdentity, needed: int, total: int) -> tuple[str, ...]:
    """`total` shares, each a line of words; any `needed` of them restore the root. Raises KeystoreFault for other k, n.

    A share that restores the root alone is a copy of it, and is not made.
    """
    if not MIN_NEEDED <= needed <= total <= MAX_SHARES:
        raise KeystoreFault(f"{needed} of {total} shares cannot be: at least {MIN_NEEDED}, at most {MAX_SHARES} in all")
    (shares,) = generate_mnemonics(1, [(needed, total)], root.entropy)
    return tuple(shares)


def combine_root(owner: MemberId, public: HybridPublic, shares: Sequence[str]) -> SigningIdentity:
    """The root whose public half is `public`, from exactly as many shares as it needs. Raises KeystoreFault.

    Words may be in capitals, and be separated by any white space.
    """
    words = [" ".join(share.lower().split()) for share in shares]
    for number, text in enumerate(words, 1):
        _check(number, text, len(words))
    try:
        entropy = combine_mnemonics(words)
    except (MnemonicError, ValueError):
        raise KeystoreFault(
            "these shares do not go together: are they all of one splitting, each given once?"
        ) from None
    if len(entropy) != SIGNING_ENTROPY:
        raise KeystoreFault("what these shares restore is no root key")
    root = SigningIdentity.from_entropy(owner, entropy)
    if root.public != public:
        raise KeystoreFault(f"these shares restore another root key than the one of {owner} that was given")
    return root


def _check(number: int, text: str, given: int) -> None:
    """One share alone: its checksum holds, and it asks for as many shares as are given."""
    try:
        share = Share.from_mnemonic(text)
    except (MnemonicError, ValueError):
        raise KeystoreFault(f"share {number} has a wrong or missing word: compare it with the original") from None
    if share.member_threshold != given:
        raise KeystoreFault(f"share {number} is one of {share.member_threshold} that are needed, {given} were given")
