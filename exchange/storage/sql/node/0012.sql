-- Heads as evidence: what each said, sent or received. Numbers and digests, no content.

CREATE TABLE heads (
    sender TEXT NOT NULL,                  -- empty for this node's own
    envelope BLOB NOT NULL,                -- ascends with time for one sender
    partner TEXT NOT NULL,
    stream BLOB NOT NULL,
    last INTEGER NOT NULL,                 -- the last number in it that the head names
    manifest BLOB NOT NULL,                -- exact bytes, to which the head's Provision commits
    acknowledgement BLOB,                  -- of the partner, of an own one
    PRIMARY KEY (sender, envelope)
) STRICT, WITHOUT ROWID;
CREATE INDEX heads_by_stream ON heads (stream, last);
CREATE INDEX numbers_by_digest ON numbers_out (digest);
CREATE INDEX heads_by_partner ON heads (partner, envelope);

-- Received messages that an official has opened, until their sender is told.
CREATE TABLE openings_due (
    message BLOB PRIMARY KEY,
    sender TEXT NOT NULL,
    envelope BLOB NOT NULL,                -- that brought it first
    header_digest BLOB NOT NULL,
    opened INTEGER NOT NULL,               -- the hour in which it was opened first
    due INTEGER NOT NULL,                  -- its sender is not told earlier
    teller BLOB                            -- the message that tells it, NULL: none yet
) STRICT, WITHOUT ROWID;
CREATE INDEX openings_to_tell ON openings_due (due) WHERE teller IS NULL;

-- What others' nodes say of this node's own envelopes: the first of each.
CREATE TABLE openings (
    envelope BLOB NOT NULL,
    reader TEXT NOT NULL,
    signed BLOB NOT NULL,                  -- exact bytes
    PRIMARY KEY (envelope, reader)
) STRICT, WITHOUT ROWID;
