-- The two logs: the directory's entries are the leaves of one, the acceptances those of the other; and the checkpoints.

CREATE TABLE audit (
    position INTEGER PRIMARY KEY,            -- from 0 without a gap
    leaf     BLOB NOT NULL,
    envelope INTEGER NOT NULL UNIQUE REFERENCES envelopes (position)  -- whose acceptance it states
) STRICT;

-- Signed before anybody sees one; published when the quorum has cosigned it.
CREATE TABLE checkpoints (
    log       TEXT NOT NULL,                 -- 'directory' or 'audit'
    size      INTEGER NOT NULL,
    note      BLOB NOT NULL,                 -- with the signatures and cosignatures that it has
    published INTEGER NOT NULL,              -- 0 or 1; it only grows
    time      INTEGER NOT NULL,              -- of the last change
    view      INTEGER NOT NULL,              -- size of the directory by which its witnesses were judged
    first     BLOB,                          -- the note of its first publication
    PRIMARY KEY (log, size)
) STRICT, WITHOUT ROWID;

CREATE INDEX published_checkpoints ON checkpoints (log, published, size);
