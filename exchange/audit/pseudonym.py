"""Callers by where they come from: what counts as one address, and its pseudonym.

Who looks at an audit log sees that it was the same caller, and not who.
"""

import hashlib
import ipaddress
from typing import Final

SECRET: Final = 32
"""Bytes of the secret of a day; it is kept in memory only, and thrown away with the day."""


def network_of(peer: str | None) -> str:
    """What counts as one address: an IPv4 address, an IPv6 network of 64 bits, or all that have none."""
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped.compressed if address.ipv4_mapped else address.packed[:8].hex()
    return address.compressed


def pseudonym(secret: bytes, peer: str | None) -> bytes:
    """16 bytes for all of what counts as one address; keyed BLAKE2b (RFC 7693)."""
    return hashlib.blake2b(network_of(peer).encode(), key=secret, digest_size=16).digest()
