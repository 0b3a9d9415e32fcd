"""Every bound of the relay's own, with its reason. Bounds of the wire format are in `schemas.limits`.

What exceeds one is answered with the problem that is named here; nothing is stored then.
"""

from typing import Final

from schemas import limits, relayapi
from schemas.limits import GIB, KIB, MIB

# Uploads at once, of everybody (503 `uploads-busy`): each may hold a header (577 KiB) and a piece of a body on its
# way to the disk (256 KiB), so that all of them stay near 100 MiB.
MAX_UPLOADS: Final = 128
# Uploads whose sender is not known yet, from one address (503 `uploads-busy`): whoever opens connections and stays
# silent takes a quarter of the places at most. A node has 16 under way, and two may share an address.
MAX_ADDRESS_UPLOADS: Final = 32
# Uploads at once, of one member (429 `member-uploads-busy`), and how many of them may be of large bodies: these last,
# and one member on a slow link must not take all the places.
MAX_MEMBER_UPLOADS: Final = 32
MAX_MEMBER_LARGE: Final = 16
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

# Bytes held of one sender (429 `sender-quota`): 27 of the largest envelopes. And bytes in one mailbox (429
# `mailbox-quota`), more than one sender may have in it, so that it takes several to fill another's.
SENDER_BYTES: Final = 8 * GIB
MAILBOX_BYTES: Final = 32 * GIB
# Of both, the part that is kept for what is more urgent than routine: one in so many.
URGENT_PART: Final = 4

# A judgement that is this many seconds old stands in the accepting transaction, with its own time: the writer is
# everybody's, and an envelope with hundreds of signatures costs a tenth of a second.
JUDGEMENT_AGE: Final = 2
# A header up to this size is judged at once, in two or three milliseconds; a larger one in a thread.
SMALL_HEADER: Final = 16 * KIB

# Sessions that have not proved who they are (503 `sessions-busy`), in all and from one address, and how long the proof
# may take.
MAX_HANDSHAKES: Final = 64
MAX_ADDRESS_HANDSHAKES: Final = 16
PROOF_TIMEOUT: Final = 10
# How far a statement's or a signed request's time may be from the relay's clock.
SESSION_SKEW: Final = limits.MAX_CLOCK_AHEAD
# A session whose peer does not answer a ping within half of this is closed.
HEARTBEAT: Final = 30
# Headers and bodies read at once for a session: a mailbox of large headers must not fill the memory.
PUSH_BYTES: Final = 4 * MIB
# Envelopes under way in a session, by precedence from flash to routine: how many places are open to this precedence and
# those below it, so that the more urgent always find some. Large bodies are fetched and take long; they are counted
# apart. Together they are the protocol's window.
SMALL_PLACES: Final = (48, 44, 40, 32)
LARGE_PLACES: Final = (16, 14, 12, 8)
# One with a small body that is not acknowledged within so many seconds gives its place to the next: the node has put it
# off. It is sent again after a longer time; so many are remembered for that.
UNANSWERED: Final = 120
SEND_AGAIN: Final = 600
MAX_LATE: Final = 1024
# Notices told and not yet confirmed; more are told when these are.
NOTICE_WINDOW: Final = 256

# Refused transfers that providers are told of: of one sender to one provider in a day, more than anybody reads; the
# headers of one sender that wait for one provider, seven of the largest (what waits for others takes no room from it);
# and for how long. What is beyond is counted only.
DAILY_REFUSALS: Final = 64
REFUSAL_BYTES: Final = 8 * MIB
REFUSAL_LIFE: Final = 30 * limits.DAY
# Refusals told and not yet confirmed; each may hold a header of the largest size.
REFUSAL_WINDOW: Final = 4

# A signed request (RFC 9421) is good for this long at most, and its nonce is remembered for as long.
REQUEST_AGE: Final = 120
MAX_NONCE: Final = 64
# Nonces of one member that are remembered (429 `too-many-requests`); beyond it no replay could be told any more.
MAX_MEMBER_NONCES: Final = 4096

# Checkpoints: a log that grows has one every ten seconds at most, 8,640 a day, and an acceptance stands in one well
# before the minute of its receipt is over; a log that rests is cosigned every hour, so that nodes can judge its age.
# Before the first one stands nobody can send, so it does not wait.
CHECKPOINT_FIRST: Final = 1
CHECKPOINT_EVERY: Final = 10
CHECKPOINT_REFRESH: Final = 3600
# A node answers within the second; a witness of others is given the time of a slow line. None of them is waited for
# beyond the quorum, and one that did not answer is asked again after a while.
WITNESS_PATIENCE: Final = 15
WITNESS_AGAIN: Final = 30
# An answer of a witness of others over HTTP, larger than any signature lines that it may send.
WITNESS_BYTES: Final = relayapi.MAX_WITNESS_ANSWER
# Leaves read at once while a log grows.
LEAVES_BYTES: Final = 4 * MIB
# And hashes of leaves when the relay starts.
LEAF_HASHES: Final = 4096
# Requests of the open log from one address (429 `too-many-requests`): 28 nodes behind one address that ask every few
# seconds stay far below; a monitor that begins fetches a thousand tiles in some seconds.
LOG_RATE: Final = 50
LOG_AT_ONCE: Final = 1000
MAX_RATED_ADDRESSES: Final = 4096

# Entries of the audit log about one member and one kind of act in a minute that it could cause without end (refused
# envelopes, sessions); the rest is counted. And callers that are told apart in a minute's counts.
SINGLE_ENTRIES: Final = 32
ADDRESSES_APART: Final = 256

# Entries about envelopes that were sent wait this long for one transaction (seconds).
HANDED_EVERY: Final = 0.25

# Leaves of one member's log that are anchored (429 `anchor-quota`), 32 bytes each: a busy node makes some a second, and
# one that was away has millions. An anchor of few leaves counts as so many, for it is an entry of the audit log.
ANCHOR_RATE: Final = 200
ANCHOR_AT_ONCE: Final = 4_000_000
ANCHOR_LEAST: Final = 64
# Hashes in one answer, 128 KiB.
ANCHOR_HASHES: Final = 4096
# Contradictions that are kept of one member: one is enough, and more show how it went on.
MAX_FORKS: Final = 16

# Ciphertexts whose time is over are deleted this often (seconds).
SWEEP_INTERVAL: Final = 30
