"""Rules of records that JSON Schema cannot express: one module per record type, and the rules of every record."""
