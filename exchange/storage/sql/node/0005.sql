-- What this node trusts: cosigned checkpoints, what it cosigned itself, what it heard, what it holds back, and proofs
-- of acceptance.

-- Checkpoints of the directory that a quorum had cosigned, as this node first verified each.
CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    first INTEGER NOT NULL,                -- by when a quorum had cosigned it
    latest INTEGER NOT NULL,               -- when a quorum last had it for the newest, as far as is known
    note BLOB,                             -- signed note, the newest that was seen of this size; NULL: too old to be kept
    first_note BLOB                        -- the one that says `first`, when it is not the same
) STRICT;

-- As a witness: the newest checkpoint of each log that this node has cosigned. Replaced before it is answered.
CREATE TABLE witnessed (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note BLOB NOT NULL,                    -- with the signatures of the log
    time INTEGER NOT NULL                  -- of the cosignature, or when it was taken from a quorum of others
) STRICT, WITHOUT ROWID;

-- Checkpoints that came from other members and are larger than what the relay has shown: one of each, the oldest.
CREATE TABLE heard (
    member TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note BLOB NOT NULL,
    time INTEGER NOT NULL                  -- when it came
) STRICT, WITHOUT ROWID;

-- Members to whom nothing is sent until an operator allows it.
CREATE TABLE holds (
    member TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Revocations that reached this node by hand.
CREATE TABLE obeyed (
    entry BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Proofs that an envelope's acceptance stands in the relay's log. `sender` is empty for this node's own envelopes.
CREATE TABLE origins (
    sender TEXT NOT NULL,
    envelope BLOB NOT NULL,
    leaf BLOB NOT NULL,
    position INTEGER NOT NULL,
    path BLOB NOT NULL,
    note BLOB NOT NULL,                    -- which of `origin_notes`
    PRIMARY KEY (sender, envelope)
) STRICT, WITHOUT ROWID;

CREATE TABLE origin_notes (
    id BLOB PRIMARY KEY,                   -- SHA-256 of the note: many acceptances share one
    note BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Envelopes whose proof is to be fetched. Acceptances from before this table keep theirs at the relay.
CREATE TABLE origins_due (
    sender TEXT NOT NULL,
    envelope BLOB NOT NULL,
    due INTEGER NOT NULL,                  -- not asked for earlier
    tries INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sender, envelope)
) STRICT, WITHOUT ROWID;
CREATE INDEX origins_by_due ON origins_due (due);

CREATE TRIGGER origin_of_sent AFTER UPDATE OF receipt ON outbox
WHEN NEW.receipt IS NOT NULL AND OLD.receipt IS NULL AND NEW.message IS NOT NULL
BEGIN
    INSERT OR IGNORE INTO origins_due (sender, envelope, due) VALUES ('', NEW.envelope, 0);
END;

CREATE TRIGGER origin_of_received AFTER INSERT ON received
WHEN NEW.outcome IN ('delivered', 'repeated')
     AND NOT EXISTS (SELECT 1 FROM origins WHERE sender = NEW.sender AND envelope = NEW.envelope)
BEGIN
    INSERT OR IGNORE INTO origins_due (sender, envelope, due) VALUES (NEW.sender, NEW.envelope, NEW.time);
END;
