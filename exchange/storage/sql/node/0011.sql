-- The audit log of this node (docs/protocol.md, "Audit logs"). What counts is the leaves, in their order: what stands
-- beside them is for finding them, and can be made anew from them.

-- Every combination of these that has occurred, so that a search for any of them is by one index.
CREATE TABLE audit_classes (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    member TEXT NOT NULL,                  -- '' for none, as in the next two
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (kind, member, actor, reason)
) STRICT;

CREATE TABLE audit (
    position INTEGER PRIMARY KEY,          -- from 0, without a gap
    time INTEGER NOT NULL,
    class INTEGER NOT NULL,
    envelope BLOB,
    subject BLOB,
    leaf BLOB,                             -- exact bytes, NULL: pruned
    hash BLOB,                             -- of a leaf that was pruned
    CHECK ((leaf IS NULL) <> (hash IS NULL)),
    CHECK (hash IS NULL OR length(hash) = 32)
) STRICT;
CREATE INDEX audit_by_class ON audit (class, time);
CREATE INDEX audit_by_time ON audit (time, class);
CREATE INDEX audit_by_envelope ON audit (envelope) WHERE envelope IS NOT NULL;
CREATE INDEX audit_by_subject ON audit (subject) WHERE subject IS NOT NULL;

-- Checkpoints that this node signed: the newest, and those that the relay has.
CREATE TABLE audit_checkpoints (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    note BLOB NOT NULL,                    -- with both lines
    time INTEGER NOT NULL,                 -- when it was signed
    anchored INTEGER                       -- when the relay had it, NULL: not yet
) STRICT;

-- What partners have shown of their own logs: the last of each day, so that a later one does not take its place.
CREATE TABLE audit_heard (
    member TEXT NOT NULL,
    day INTEGER NOT NULL,                  -- days since 1970
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note BLOB NOT NULL,                    -- with the Ed25519 line
    time INTEGER NOT NULL,
    PRIMARY KEY (member, origin, day)
) STRICT, WITHOUT ROWID;

-- Checkpoints of partners that contradict one of those: of the same size, with another root.
CREATE TABLE audit_splits (
    member TEXT NOT NULL,
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note BLOB NOT NULL,
    other BLOB NOT NULL,                   -- the note that it contradicts
    time INTEGER NOT NULL,
    PRIMARY KEY (member, origin, size)     -- the first is enough
) STRICT, WITHOUT ROWID;
