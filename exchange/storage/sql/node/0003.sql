-- Which record each message holds and which records that one names: ids alone, so that a chain is found unopened.

CREATE TABLE records (
    message BLOB PRIMARY KEY,
    record_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX records_by_id ON records (record_id);

CREATE TABLE record_names (
    message BLOB NOT NULL,
    named TEXT NOT NULL,
    PRIMARY KEY (message, named)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_names_by_id ON record_names (named);

-- Stored before there were these tables: the node opens them at its next start, which only it can.
CREATE TABLE records_due (
    message BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO records_due SELECT id FROM messages;

-- The evidence about a message, without a look at every envelope.
CREATE INDEX outbox_by_message ON outbox (message) WHERE message IS NOT NULL;
CREATE INDEX received_by_provision ON received (provision);
