-- Consent between states: what is said about it travels as messages of their own kind, and what happened is written down.

ALTER TABLE messages ADD COLUMN kind INTEGER NOT NULL DEFAULT 1;  -- 1 record, 4 consent, 5 joint draft: ministries see 1

-- Received messages about consent whose effect has not been taken yet.
CREATE TABLE consent_due (
    message BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What happened in consent, in order; nothing of any content.
CREATE TABLE consent_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,                 -- what it is about: a request, Grant, message, draft or act, in hexadecimal
    member TEXT,                           -- the other state
    official TEXT,                         -- whose token, or the rule that did it
    detail TEXT NOT NULL                   -- JSON: codes, ids, dates
) STRICT;
CREATE INDEX consent_log_by_subject ON consent_log (subject, seq);

-- Requests for consent: made by this node as a holder (out), received by it as a provider (in). Ids are random and known
-- only to who asks and who is asked: a second request under one id is refused, whoever sends it.
CREATE TABLE consent_requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- the cursor of listings
    box TEXT NOT NULL CHECK (box IN ('in', 'out')),
    id BLOB NOT NULL,
    member TEXT NOT NULL,                  -- who asks
    provision BLOB NOT NULL,               -- digest of the Provision
    message BLOB,                          -- the message here that stands under it, if there is one
    measure TEXT,                          -- of that message, NULL when it is not known
    record_type TEXT,
    sealed_request BLOB NOT NULL,          -- the request's exact bytes
    state TEXT NOT NULL,                   -- open, granted, refused, expired
    created INTEGER NOT NULL,              -- when it was made or received here
    answer_by INTEGER NOT NULL,
    told INTEGER NOT NULL DEFAULT 0,       -- 1: people were reminded of it
    UNIQUE (box, id)
) STRICT;
CREATE INDEX consent_requests_open ON consent_requests (answer_by) WHERE state = 'open';
CREATE INDEX consent_requests_by_member ON consent_requests (member, created) WHERE box = 'in';

-- What each provider that is asked has answered; of a received request, what this node has.
CREATE TABLE consent_answers (
    box TEXT NOT NULL,
    request BLOB NOT NULL,
    provider TEXT NOT NULL,
    state TEXT NOT NULL,                   -- open, granted, refused
    grant_id BLOB,
    sealed_reason BLOB,
    time INTEGER,
    official TEXT,
    PRIMARY KEY (box, request, provider)
) STRICT, WITHOUT ROWID;

-- Grants: given by this node as a provider (given), received as a holder (held).
CREATE TABLE consent_grants (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    box TEXT NOT NULL CHECK (box IN ('given', 'held')),
    provider TEXT NOT NULL,
    id BLOB NOT NULL,
    holder TEXT NOT NULL,
    provision BLOB,                        -- the Provision's id (16 bytes), or NULL, and then
    class_tag BLOB,
    until INTEGER NOT NULL,
    uses INTEGER,
    signed BLOB NOT NULL,                  -- the signed Grant
    request BLOB,                          -- what it answers
    message BLOB,                          -- the message here that it was given for
    measure TEXT,
    record_type TEXT,
    created INTEGER NOT NULL,
    official TEXT,                         -- whose token, or the rule that gave it
    UNIQUE (box, provider, id)
) STRICT;
CREATE INDEX consent_grants_by_provision ON consent_grants (provider, provision);
CREATE INDEX consent_grants_by_class ON consent_grants (provider, class_tag);

-- Uses of held Grants by this node's own transfers; gone with a transfer that the relay did not accept.
CREATE TABLE consent_uses (
    provider TEXT NOT NULL,
    grant_id BLOB NOT NULL,
    recipient TEXT NOT NULL,
    provision BLOB NOT NULL,               -- the Provision's id
    message BLOB NOT NULL,
    PRIMARY KEY (provider, grant_id, recipient, provision, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_uses_by_message ON consent_uses (message);
