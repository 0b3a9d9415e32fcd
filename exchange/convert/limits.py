"""Bounds of conversions, with their reasons. What becomes part of a record also meets the bounds of `record_limits`."""

from typing import Final

from schemas.limits import KIB, MIB
from schemas.record_limits import MAX_RECORD_BYTES

# A file inside an alert; a larger one belongs beside the alert, where a `uri` names it.
MAX_DEREF_URI: Final = MIB
# What a record with an alert has besides its body and its summary: titles of 32 languages are 40 KB at most.
MAX_AROUND_ALERT: Final = 128 * KIB
# Bound of `references` in a record.
MAX_REFERENCES: Final = 64

# The largest form (39 rows by 11 columns, remarks in 32 languages of 20,000 characters) is mostly remarks.
MAX_TABLE_BYTES: Final = 4 * MIB
# 39 rows of figures, a note for each of their 429 cells, remarks and the head.
MAX_ROWS: Final = 600
# Row, its name, 11 columns; two more for a stray empty column.
MAX_COLUMNS: Final = 15
# The longest text of a record is a remark of 20,000 characters.
MAX_CELL_CHARS: Final = 20_001
# A filled form as a spreadsheet is 10 KiB compressed, below 100 KiB uncompressed. Nothing is unpacked
# beyond the sizes that the file declares.
MAX_SHEET_BYTES: Final = MIB
MAX_SHEET_UNPACKED: Final = 8 * MIB
MAX_SHEET_PARTS: Final = 64
# Of all parts, and of what openpyxl makes objects: 600 rows of 15 cells have 54,000, the styles of an office program
# some thousands. At the bound the costliest file takes about a second and 100 MB.
MAX_SHEET_TAGS: Final = 100_000
# The longest tag that an office program writes has the namespaces of a sheet, about 1 KB.
MAX_SHEET_TAG: Final = 8 * KIB

# A bundle is a member of a record.
MAX_STIX_BYTES: Final = MAX_RECORD_BYTES
# As the schema of `ict-incident` bounds them; here they are counted before any is looked at.
MAX_STIX_OBJECTS: Final = 2_000

# One thread of records in a calendar: a notification with its updates.
MAX_CALENDAR_RECORDS: Final = 1_000
# Octets of a line before the line break (RFC 5545, 3.1; RFC 6350, 3.2).
MAX_CONTENT_LINE: Final = 75

# Of a text that this project takes over from another format, as `common.json` bounds them.
MAX_TITLE: Final = 300
MAX_TEXT: Final = 20_000
MAX_SHORT_TEXT: Final = 500
MAX_LANGUAGES: Final = 32
