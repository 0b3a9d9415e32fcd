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
MAX_CHOICES_SHOWN: Final = 12

# Base64 makes 1.5 MiB into 2 MiB, the projection beside it is at most about as long as the file itself, and both have
# to fit MAX_RECORD_BYTES. Alerts seen in public feeds stay below 100 KiB; a larger one travels as an attachment.
MAX_CAP_BYTES: Final = 1536 * KIB
MAX_CAP_BASE64: Final = MAX_CAP_BYTES // 3 * 4
# The only integer of CAP is the size of a resource in bytes; fifteen digits also stay below MAX_INTEGER.
MAX_CAP_INTEGER_DIGITS: Final = 15
