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
MAX_ATTACHMENTS: Final = 32

# One wrap is about 1.3 KB, one signed Provision at most 1.6 KB, one signed Grant at most 0.5 KB.
MAX_PROVISION: Final = 2 * KIB
MAX_GRANT: Final = 2 * KIB
MAX_CORE: Final = 448 * KIB
MAX_WRAPS: Final = 128 * KIB
MAX_HEADER: Final = MAX_CORE + MAX_WRAPS + KIB
# The smallest object that a third party may hand in unauthenticated; all are signed and of nearly fixed size.
MAX_SMALL_OBJECT: Final = KIB
# One hybrid public key (1,984 B), one hybrid signature (3,373 B), names and digests.
MAX_KEY_FILE: Final = 8 * KIB
# A charter of 128 members carries a hybrid root key (1,984 B) and a hybrid signature (3,373 B) for each.
MAX_CHARTER: Final = 384 * KIB
MAX_DIRECTORY_ENTRY: Final = MAX_CHARTER + MAX_MEMBERS * 4 * KIB
# Weekly epochs of 128 members for some 20 years.
MAX_DIRECTORY_SIZE: Final = 200_000
# Signing keys and epochs of one member: one that publishes without end must not fill the directory for the others.
MAX_MEMBER_ENTRIES: Final = MAX_DIRECTORY_SIZE // MAX_MEMBERS

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

# Unix seconds; the upper bound is the year 9999 and keeps every time an RFC 3339 date.
MAX_TIME: Final = 253_402_300_799
# A stream between two nodes: at a thousand messages a second this lasts for 285 years.
MAX_NUMBER: Final = 2**43

# Time rules of delivery (docs/protocol.md, "Times").
MAX_CLOCK_AHEAD: Final = 120
OUTBOX_LIMIT: Final = 30 * DAY
EXPIRY_MARGIN: Final = HOUR
# An envelope may wait for 30 days. Weekly epochs with 35 days of grace allow it 42, and 60 leave room for longer terms;
# without an end, whoever sends to itself makes the relay keep it for ever.
MAX_LIFE: Final = 60 * DAY
# The longest time from an epoch's end to the end of its key. An envelope sealed in the epoch's last second needs
# MAX_LIFE and an hour at most; a key that is kept longer opens recorded traffic for longer, and nobody gains by it.
MAX_EPOCH_GRACE: Final = 100 * DAY
LOG_BY: Final = 60
