-- The relay's state. Ciphertext lives in `contents` (and, when large, in a file that its row names) until the last
-- recipient has acknowledged it or it expires; what proves the acceptance and the answers is kept.

CREATE TABLE directory (
    position INTEGER PRIMARY KEY,            -- from 0; entry 0 is the charter
    entry    BLOB NOT NULL
) STRICT;

CREATE TABLE envelopes (
    position      INTEGER PRIMARY KEY,       -- order of acceptance
    sender        TEXT NOT NULL,
    id            BLOB NOT NULL,
    header_digest BLOB NOT NULL,
    receipt       BLOB NOT NULL,
    accepted      INTEGER NOT NULL,          -- never less than the row before
    open          INTEGER NOT NULL,          -- recipients that have not acknowledged yet
    UNIQUE (sender, id)
) STRICT;

CREATE TABLE contents (
    envelope INTEGER PRIMARY KEY REFERENCES envelopes (position),
    expires  INTEGER NOT NULL,
    header   BLOB NOT NULL,
    body     BLOB,                           -- a small body, or
    file     TEXT,                           -- the name of the file that holds a large one
    CHECK ((body IS NULL) <> (file IS NULL))
) STRICT;

CREATE INDEX contents_by_expiry ON contents (expires);

CREATE TABLE deliveries (
    envelope        INTEGER NOT NULL REFERENCES envelopes (position),
    recipient       TEXT NOT NULL,
    precedence      INTEGER NOT NULL,
    state           INTEGER NOT NULL,        -- 0 waiting, 1 acknowledged, 2 expired; it only grows but for 2 to 1
    acknowledgement BLOB,
    PRIMARY KEY (envelope, recipient)
) STRICT, WITHOUT ROWID;

-- The mailbox: the next of a million is one step into this index, which alone answers the question.
CREATE INDEX mailbox ON deliveries (recipient, precedence, envelope, state) WHERE state = 0;

-- Acknowledgements that the sender has not yet said it has on file.
CREATE TABLE notices (
    position  INTEGER PRIMARY KEY,
    sender    TEXT NOT NULL,
    envelope  INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    FOREIGN KEY (envelope, recipient) REFERENCES deliveries (envelope, recipient),
    UNIQUE (envelope, recipient)
) STRICT;

CREATE INDEX notices_by_sender ON notices (sender, position);

-- One use of a Grant is one (Grant, recipient, Provision), however often it is retried.
CREATE TABLE uses (
    provider  TEXT NOT NULL,                 -- whose Grant: two providers may choose the same id
    consent   BLOB NOT NULL,                 -- the Grant's id
    recipient TEXT NOT NULL,
    provision BLOB NOT NULL,
    PRIMARY KEY (provider, consent, recipient, provision)
) STRICT, WITHOUT ROWID;
