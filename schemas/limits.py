"""Every bound of the wire format, with its reason. Bounds of records live in `record_limits`.

A bound is part of the protocol: what is one larger is refused with `too-large` or `out-of-range` by every
implementation, so that no member can send what another cannot hold.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
HOUR: Final = 3600
DAY: Final = 24 * HOUR

# 28 Member States, 9 observers and the Secretariat are 38 today; 64 leaves room and keeps a header under 100 KiB.
MAX_RECIPIENTS: Final = 64
MAX_MEMBERS: Final = 128
# A joint provision is signed by each provider; eight is beyond any joint text known in the Catalogue.
MAX_PROVIDERS: Final = 8
# A compilation lists one Provision per source record.
MAX_PROVISIONS: Final = 64
MAX_GRANTS: Final = 128
# Pairs of a Grant and a Provision that it is about, in one envelope: what a judge looks at for each recipient. Eight
# providers with one Grant each for a class of 64 sources are 512.
MAX_GRANT_PAIRS: Final = 1024
MAX_CLASS_TAGS: Final = 8
# How a state calls a list of states that it often sends to.
MAX_GROUP_NAME: Final = 40
MAX_ATTACHMENTS: Final = 32

# One wrap is about 1.3 KB, one signed Provision at most 1.6 KB, one signed Grant at most 0.5 KB; a checkpoint with the
# cosignatures of 19 of 28 Member States is 70 KB, and several have to fit beside 64 Provisions.
MAX_PROVISION: Final = 2 * KIB
MAX_GRANT: Final = 2 * KIB
MAX_CORE: Final = MIB
MAX_WRAPS: Final = 128 * KIB
MAX_HEADER: Final = MAX_CORE + MAX_WRAPS + KIB
# The smallest object that a third party may hand in unauthenticated; all are signed and of nearly fixed size.
MAX_SMALL_OBJECT: Final = KIB
# One hybrid public key (1,984 B), one hybrid signature (3,373 B), names and digests.
MAX_KEY_FILE: Final = 8 * KIB
# A charter of 128 members carries a hybrid root key (1,984 B) and a hybrid signature (3,373 B) for each.
MAX_CHARTER: Final = 384 * KIB
MAX_DIRECTORY_ENTRY: Final = MAX_CHARTER + MAX_MEMBERS * 4 * KIB
# Weekly epochs of 128 members for some 20 years are 133,000; the rest is for withdrawals of consent and for keys.
MAX_DIRECTORY_SIZE: Final = 1_000_000
# What one member may state: one that publishes without end must not fill the directory for the others.
MAX_MEMBER_ENTRIES: Final = MAX_DIRECTORY_SIZE // MAX_MEMBERS
# Of these, what only the root may use, a key a month for 20 years: who has stolen a node's key must not be able to use
# up its member's part, and so keep the root from revoking it.
MAX_ROOT_ENTRIES: Final = 256
# Of the rest, the epochs and withdrawals that one signing key may certify: weekly epochs of a key of two years are 104.
# A thief of such a key uses up an eighth of its member's part, and after the revocation the next key has a full share.
MAX_KEY_ENTRIES: Final = (MAX_MEMBER_ENTRIES - MAX_ROOT_ENTRIES) // 8

# The largest record is an alert that carries its original file (see record_limits); larger matter is an attachment.
MAX_RECORD: Final = 4 * MIB
MAX_MANIFEST: Final = MAX_RECORD + 64 * KIB
MAX_TRANSPORT: Final = 16 * KIB
# One envelope's content; Padme adds at most 12 %, the AEAD 16 bytes per 64 KiB.
MAX_CONTENT: Final = 256 * MIB
MAX_BODY: Final = 300 * MIB
CHUNK: Final = 64 * KIB

MAX_FILENAME: Final = 255
MAX_NAME: Final = 200
MAX_SERVICE: Final = 64 * KIB

# What an official writes to explain a request or an answer.
MAX_REASON: Final = 2000
# Transfers that one statement of a holder lists: as many as any list has items.
MAX_PASSED_ON: Final = 256
# A consent message: at most a refused transfer, which carries a header and the relay's receipt.
MAX_CONSENT: Final = MAX_HEADER + 8 * KIB
# A draft carries a manifest inside its own, and has to leave room for the rest of it.
MAX_DRAFT_MANIFEST: Final = MAX_RECORD - 8 * KIB

# Unix seconds; the upper bound is the year 9999 and keeps every time an RFC 3339 date.
MAX_TIME: Final = 253_402_300_799
# A stream between two nodes: at a thousand messages a second this lasts for 285 years.
MAX_NUMBER: Final = 2**43

# Epochs under one signing key; a number is mostly that of a week since 1970.
MAX_EPOCH: Final = 2**32

# Time rules of delivery (docs/protocol.md, "Times").
MAX_CLOCK_AHEAD: Final = 120
OUTBOX_LIMIT: Final = 30 * DAY
EXPIRY_MARGIN: Final = HOUR
# An envelope may wait for 30 days. Weekly epochs with 35 days of grace allow it 42, and 60 leave room for longer terms;
# without an end, whoever sends to itself makes the relay keep it for ever.
MAX_LIFE: Final = 60 * DAY
# Nobody needs longer epochs than a month, and what one key opens is what a thief of it reads. It is also how long after
# the end of a signing key something may still be sealed to an epoch that this key certified.
MAX_EPOCH_TERM: Final = 31 * DAY
# The longest time from an epoch's end to the end of its key. An envelope sealed in the epoch's last second needs
# MAX_LIFE and an hour at most; a key that is kept longer opens recorded traffic for longer, and nobody gains by it.
MAX_EPOCH_GRACE: Final = 100 * DAY
LOG_BY: Final = 60
# From when a quorum had cosigned a checkpoint, by the cosigners' clocks, until everything that the relay decides has to
# be decided under it, by the relay's: what a receipt promises, and what clocks may differ.
MERGE_DELAY: Final = LOG_BY + MAX_CLOCK_AHEAD

# Transparency logs. Sizes are what Go's int64 holds, as in every existing witness and monitor.
MAX_TREE_SIZE: Final = 2**63 - 1
# The two-byte length of an entry bundle (tlog-tiles); a longer entry stands in the log by its digest.
MAX_LOG_ENTRY: Final = 2**16 - 1
# ML-DSA-44 cosignatures state both names after a length of one byte (tlog-cosignature).
MAX_NOTE_NAME: Final = 255
# Two lines for each of 128 member nodes and the relay, and 60 of foreign witnesses.
MAX_NOTE_SIGNATURES: Final = 2 * MAX_MEMBERS + 64
# signed-note counts on signatures of up to 5 KB. Ours are 4.5 KB for the relay, 3.7 KB for the two of a member node.
MAX_NOTE: Final = MIB
# One hash for each level of a tree of MAX_TREE_SIZE (tlog-witness).
MAX_PROOF: Final = 63
# The unauthenticated extra data of a proof file: what is needed to rebuild the entry, at most the entry.
MAX_PROOF_EXTRA: Final = MAX_DIRECTORY_ENTRY
# tlog-policy asks for at least 32 logs, witnesses and groups; a line with an ML-DSA key is 2 KB long.
MAX_POLICY: Final = 256 * KIB
MAX_POLICY_NAMES: Final = 128

# Origin proofs in one envelope: as many as a compilation may have sources. A leaf names at most 64 Provisions and 128
# Grants with a digest each (6.6 KB).
MAX_ORIGINS: Final = MAX_PROVISIONS
MAX_ACCEPTANCE: Final = 8 * KIB
# Checkpoints that a judge verifies for one envelope. One may prove many acceptances, and each costs two verifications
# for every cosigner.
MAX_ORIGIN_CHECKPOINTS: Final = 8
# The two lines of each of 128 members (3,406 B), the relay's two (4,594 B) and the text (102 B): the first publication
# may have those of all, and so may the quorum. A core that also holds 64 Provisions with a Grant and a proof for each
# has room for eight checkpoints while there are up to 29 cosigners, for two with 120.
MAX_ORIGIN_NOTE: Final = 432 * KIB

# A checkpoint inside an envelope: origin, size, root, and the relay's Ed25519 line (some 300 bytes).
MAX_GOSSIP: Final = KIB
# A log that rests is cosigned anew every hour: one that is older than this has been kept back, or its quorum is away.
FRESH: Final = DAY
# A proof file: what a node observed, and the directory by which it can be checked. That of 28 Member States grows by
# 7 MB a year.
MAX_OBSERVATION: Final = 2 * MAX_NOTE + 8 * KIB
MAX_PROOF_FILE: Final = 512 * MIB

# An entry of an audit log: at most ten ids and digests of 32 bytes, a name and a code.
MAX_AUDIT_ENTRY: Final = KIB
# Days for which no entry of an audit log is pruned: who looks into what went wrong begins weeks later.
MIN_KEPT_DAYS: Final = 30
# Longer no log is silent whose keeper runs: beyond, the clock of whoever prunes may be ahead.
MAX_QUIET: Final = 7 * DAY
# What may be asked for in days: a hundred years.
MAX_DAYS: Final = 36_500
# A ministry's name has 40 characters, a token's id 16; the name of a rule may be longer.
MAX_ACTOR: Final = 80
MAX_CODE: Final = 64
# Leaf hashes in one request: a node that was away for long anchors in several.
MAX_ANCHORED: Final = 1024
# A checkpoint with both lines of one hybrid key: 4.6 KB.
MAX_ANCHOR_NOTE: Final = 8 * KIB
MAX_ANCHOR: Final = MAX_ANCHOR_NOTE + MAX_ANCHORED * 32 + KIB

# An evidence file: the envelopes that one node knows of for one message, at most one first sending to each of 64 and as
# many ways that it came or went on by; and heads of two streams for a month.
MAX_EVIDENCE_ENVELOPES: Final = 128
# Two of one recipient may contradict each other, and then both are evidence.
MAX_ACKNOWLEDGEMENTS: Final = 2 * MAX_RECIPIENTS
MAX_EVIDENCE_REFUSALS: Final = 16
MAX_EVIDENCE_ITEMS: Final = 256
# One for each time at which keys ended that a message rests on. Each costs two verifications for every cosigner.
MAX_EVIDENCE_EARLIER: Final = 32
# 128 envelopes have some 16 MB with their proofs. All at their largest would be ten times that, and are cut by who
# writes the file.
MAX_EVIDENCE: Final = 64 * MIB
# Headers that a head names beside the last: what is sent in a day by one state to another, with room. 4 KB.
MAX_RECENT: Final = 128
# Openings that one message tells a sender of; more go into the next.
MAX_OPENINGS: Final = 64
