-- A table for measuring what a commit costs.
CREATE TABLE rows (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
