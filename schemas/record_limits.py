"""Bounds of records, with their reasons. Bounds of members stand in the JSON Schemas, those of the wire in `limits`."""

from typing import Final

from schemas.limits import KIB, MAX_RECORD

# A record is part of an envelope's content, whose decoder has the same bound.
MAX_RECORD_BYTES: Final = MAX_RECORD
# The deepest record type (a MultiPolygon inside a phase) nests 10 levels; 32 leaves room for later types.
MAX_DEPTH: Final = 32
# Integers above 2^53 - 1 (16 digits) change on their way through programs that keep every number as a double.
MAX_INTEGER: Final = 2**53 - 1
MAX_NUMBER_CHARS: Final = 40

# More faults than this help nobody, and a hostile record could otherwise cause megabytes of them.
MAX_FAULTS: Final = 50
MAX_FOUND: Final = 80
# The schema engine finds all faults before it tells the first, and spends about 30 KB on each: a record of 4 MiB could
# take all memory and end the process. A larger record than this is told its first fault only. The largest example has
# 283 values and 8 KB; at these bounds the worst record costs 0.2 s and 60 MB.
MAX_EXPLAINED_VALUES: Final = 2_000
MAX_EXPLAINED_CHARS: Final = 256 * KIB
MAX_CHOICES_SHOWN: Final = 12

# Base64 makes 1.5 MiB into 2 MiB, the projection beside it is at most about as long as the file itself, and both have
# to fit MAX_RECORD_BYTES. Alerts seen in public feeds stay below 100 KiB; a larger one travels as an attachment.
MAX_CAP_BYTES: Final = 1536 * KIB
MAX_CAP_BASE64: Final = MAX_CAP_BYTES // 3 * 4
# The only integer of CAP is the size of a resource in bytes; fifteen digits stay below MAX_INTEGER, and one that is
# longer is not projected.
MAX_CAP_INTEGER_DIGITS: Final = 15
