-- The node's store. Times are Unix seconds; ids, digests and wire objects are exact bytes.
-- Columns named sealed_* are under the node's local key: what is said, and to which measure's title, is not in clear here.

CREATE TABLE directory (
    position INTEGER PRIMARY KEY,          -- place in the directory, from 0
    entry BLOB NOT NULL
) STRICT;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL,                    -- SHA-256 of the token's secret half, which has 256 random bits
    ministry TEXT NOT NULL,
    scopes TEXT NOT NULL,                  -- comma-separated
    measures TEXT NOT NULL,                -- comma-separated patterns
    created INTEGER NOT NULL,
    revoked INTEGER
) STRICT;

CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- the cursor of listings
    id BLOB NOT NULL UNIQUE,               -- from the Provision's digest; for a forward an id of its own
    box TEXT NOT NULL CHECK (box IN ('outbox', 'inbox')),
    provision BLOB NOT NULL,               -- digest of the Provision
    state TEXT NOT NULL,
    ministry TEXT,                         -- whose token sent it
    measure TEXT NOT NULL,
    record_type TEXT NOT NULL,
    precedence INTEGER NOT NULL,
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,                  -- not sealed earlier
    expires INTEGER NOT NULL,
    signed_provisions BLOB NOT NULL,       -- one after another, each framed by its length
    signed_grants BLOB NOT NULL,
    purpose INTEGER NOT NULL,
    path TEXT NOT NULL,                    -- members whose hands it went through, comma-separated
    sealed_manifest BLOB NOT NULL,
    sealed_title BLOB NOT NULL,
    waits TEXT                             -- why a queued message is not sealed yet
) STRICT;
CREATE INDEX messages_by_box ON messages (box, seq);
CREATE INDEX messages_by_state ON messages (state, precedence, seq) WHERE state = 'queued';
CREATE UNIQUE INDEX inbox_by_provision ON messages (provision) WHERE box = 'inbox';

CREATE TABLE attachments (
    message BLOB NOT NULL,
    position INTEGER NOT NULL,
    file TEXT NOT NULL,                    -- name of the sealed file in content/
    PRIMARY KEY (message, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE recipients (
    message BLOB NOT NULL,
    member TEXT NOT NULL,
    state TEXT NOT NULL,
    changed INTEGER NOT NULL,
    acknowledgement BLOB,                  -- the recipient's signed acknowledgement, as received
    PRIMARY KEY (message, member)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    token TEXT NOT NULL,
    key TEXT NOT NULL,
    request BLOB NOT NULL,                 -- SHA-256 of the request
    message BLOB NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    envelope BLOB PRIMARY KEY,
    message BLOB,                          -- NULL: a head
    state TEXT NOT NULL,                   -- sealed, accepted, refused, expired, superseded
    precedence INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    header BLOB NOT NULL,
    header_digest BLOB NOT NULL,
    body BLOB,                             -- the ciphertext when small, else it is in spool/<envelope>.body
    receipt BLOB,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try INTEGER NOT NULL DEFAULT 0,
    fault TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_to_send ON outbox (precedence, created) WHERE state = 'sealed';

CREATE TABLE streams_out (
    recipient TEXT NOT NULL,
    kind INTEGER NOT NULL,                 -- 1 messages, 2 heads
    stream BLOB NOT NULL,
    last INTEGER NOT NULL,
    digest BLOB NOT NULL,
    head_due INTEGER,                      -- when a head is to be sent, if ever
    PRIMARY KEY (recipient, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE numbers_out (
    stream BLOB NOT NULL,
    number INTEGER NOT NULL,
    envelope BLOB NOT NULL,
    recipient TEXT NOT NULL,
    digest BLOB NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,    -- 0 open, 1 accepted by the relay, 2 and above void: reason + 1
    PRIMARY KEY (stream, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX numbers_by_envelope ON numbers_out (envelope);

CREATE TABLE received (
    sender TEXT NOT NULL,
    envelope BLOB NOT NULL,
    header_digest BLOB NOT NULL,
    header BLOB NOT NULL,
    receipt BLOB NOT NULL,
    acknowledgement BLOB NOT NULL,
    provision BLOB NOT NULL,
    outcome TEXT NOT NULL,                 -- delivered, repeated, head, resend, refused
    reason TEXT,                           -- why it was refused, for this node only
    time INTEGER NOT NULL,
    PRIMARY KEY (sender, envelope)
) STRICT, WITHOUT ROWID;

CREATE TABLE streams_in (
    sender TEXT NOT NULL,
    stream BLOB NOT NULL,
    floor INTEGER NOT NULL,                -- every number up to this is settled
    top INTEGER NOT NULL,                  -- the highest number known to be used
    gaps TEXT NOT NULL,                    -- JSON: pairs (last, since) of what is missing, see delivery.streams
    PRIMARY KEY (sender, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE numbers_in (
    sender TEXT NOT NULL,
    stream BLOB NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB,                           -- NULL: void
    PRIMARY KEY (sender, stream, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    message BLOB NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL                     -- JSON: states and ids, no content
) STRICT;

CREATE TABLE alarms (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    fact TEXT NOT NULL UNIQUE,             -- what it is about: the same fact is one alarm
    kind TEXT NOT NULL,
    member TEXT,
    detail TEXT NOT NULL,
    time INTEGER NOT NULL
) STRICT;
