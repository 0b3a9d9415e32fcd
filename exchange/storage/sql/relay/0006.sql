-- The audit log takes entries of every kind, in the form that a node's has (docs/protocol.md, "Audit logs"); and what
-- members' nodes anchor here of their own logs ("Anchors").

CREATE TABLE audit_classes (
    id     INTEGER PRIMARY KEY,
    kind   INTEGER NOT NULL,
    member TEXT NOT NULL,                    -- '' for none, as in the next two
    actor  TEXT NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (kind, member, actor, reason)
) STRICT;

CREATE TABLE audit_entries (
    position INTEGER PRIMARY KEY,            -- from 0 without a gap
    time     INTEGER NOT NULL,
    class    INTEGER NOT NULL,
    envelope BLOB,                           -- its id
    subject  BLOB,
    leaf     BLOB,
    hash     BLOB,                           -- of a leaf that is not here any more
    CHECK ((leaf IS NULL) <> (hash IS NULL)),
    CHECK (hash IS NULL OR length(hash) = 32)
) STRICT;
INSERT INTO audit_classes (kind, member, actor, reason)
    SELECT DISTINCT 1, sender, '', '' FROM audit JOIN envelopes ON envelopes.position = audit.envelope;
INSERT INTO audit_entries (position, time, class, envelope, leaf)
    SELECT audit.position, accepted, audit_classes.id, envelopes.id, leaf FROM audit
    JOIN envelopes ON envelopes.position = audit.envelope JOIN audit_classes ON member = sender;
DROP TABLE audit;
ALTER TABLE audit_entries RENAME TO audit;
CREATE INDEX audit_by_class ON audit (class, time);
CREATE INDEX audit_by_envelope ON audit (envelope) WHERE envelope IS NOT NULL;
CREATE INDEX audit_by_subject ON audit (subject) WHERE subject IS NOT NULL;

ALTER TABLE deliveries ADD COLUMN pushed INTEGER NOT NULL DEFAULT 0;  -- 1: handed over once at least

-- The log of a member's node, by the hashes of its leaves.
CREATE TABLE member_logs (
    member   TEXT PRIMARY KEY,
    size     INTEGER NOT NULL,
    frontier BLOB NOT NULL                   -- roots of the complete subtrees that make it up, 32 bytes each
) STRICT, WITHOUT ROWID;

CREATE TABLE member_leaves (
    member TEXT NOT NULL,
    tile   INTEGER NOT NULL,
    hashes BLOB NOT NULL,                    -- 256 of 32 bytes; of the last tile fewer
    UNIQUE (member, tile)
) STRICT;

-- Every anchor, and the entry of the audit log that states it.
CREATE TABLE anchors (
    member   TEXT NOT NULL,
    size     INTEGER NOT NULL,
    root     BLOB NOT NULL,
    position INTEGER NOT NULL REFERENCES audit (position),
    PRIMARY KEY (member, size)
) STRICT, WITHOUT ROWID;

-- The signed checkpoints: the last of each day.
CREATE TABLE anchor_notes (
    member TEXT NOT NULL,
    day    INTEGER NOT NULL,                 -- days since 1970
    size   INTEGER NOT NULL,
    note   BLOB NOT NULL,
    UNIQUE (member, day)
) STRICT;

-- Checkpoints that contradict what stood here, with the one that stood: evidence against the node's operator.
CREATE TABLE anchor_forks (
    position INTEGER PRIMARY KEY,
    member   TEXT NOT NULL,
    time     INTEGER NOT NULL,
    held     BLOB NOT NULL,
    offered  BLOB NOT NULL,
    UNIQUE (member, offered)
) STRICT;
