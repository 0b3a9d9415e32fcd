"""Records: what the records that a node holds mean together - chains, participation, calendar, procedures, review."""
