"""Standards in and out: other formats to records and back. Pure functions: no files, no clock, no network."""
