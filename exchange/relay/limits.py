"""Every bound of the relay's own, with its reason. Bounds of the wire format are in `schemas.limits`.

What exceeds one is answered with the problem that is named here; nothing is stored then.
"""

from typing import Final

from schemas import limits
from schemas.limits import KIB, MIB

# Uploads at once, of everybody (503 `uploads-busy`): each may hold a header (577 KiB) and a piece of a body on its
# way to the disk (256 KiB), so that all of them stay near 100 MiB.
MAX_UPLOADS: Final = 128
# Uploads of large bodies at once, of one member (429 `member-uploads-busy`): these last, and one member on a slow
# link must not take all the places.
MAX_MEMBER_UPLOADS: Final = 16
# For prefix and header (408 `upload-too-slow`): nobody is known yet, so a silent connection holds its place briefly.
HEADER_TIMEOUT: Final = 10
# For the body (408 `upload-too-slow`): this much, and time for its size at the slowest link that a member may have.
BODY_TIMEOUT: Final = 30
BODY_RATE: Final = 64 * KIB

# A connection without a complete request line and header fields for this long is closed: nothing is known of it, and
# a node that is merely idle connects again.
IDLE_TIMEOUT: Final = 60

# One answer of the directory; a client asks again from where it ended. One entry may be larger and goes alone.
DIRECTORY_BYTES: Final = 4 * MIB
# Entries about one member (403 `directory-quota`): a member that publishes without end must not fill the directory
# for the others. Enough for weekly epochs over twenty years.
MAX_MEMBER_ENTRIES: Final = limits.MAX_DIRECTORY_SIZE // limits.MAX_MEMBERS

# Sessions that have not proved who they are (503 `sessions-busy`), and how long the proof may take.
MAX_HANDSHAKES: Final = 64
PROOF_TIMEOUT: Final = 10
# How far a statement's or a signed request's time may be from the relay's clock.
SESSION_SKEW: Final = limits.MAX_CLOCK_AHEAD
# A session whose peer does not answer a ping within half of this is closed.
HEARTBEAT: Final = 30
# Headers and bodies read at once for a session: a mailbox of large headers must not fill the memory.
PUSH_BYTES: Final = 4 * MIB
# Notices told and not yet confirmed; more are told when these are.
NOTICE_WINDOW: Final = 256

# A signed request (RFC 9421) is good for this long at most, and its nonce is remembered for as long.
REQUEST_AGE: Final = 120
MAX_NONCE: Final = 64
# Nonces of one member that are remembered (429 `too-many-requests`); beyond it no replay could be told any more.
MAX_MEMBER_NONCES: Final = 4096

# Ciphertexts whose time is over are deleted this often (seconds).
SWEEP_INTERVAL: Final = 30
