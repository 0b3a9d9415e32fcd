-- Consent that was withdrawn: by this state, and by others of what is here; what holders state, and what was destroyed.

-- This state's own. The entry is kept before it is offered to the relay.
CREATE TABLE withdrawals (
    id BLOB PRIMARY KEY,                   -- of the Grant or Provision (16 bytes)
    target INTEGER NOT NULL,               -- 1 Grant, 2 Provision
    provision BLOB,                        -- digest of the Provision, NULL: a Grant for a class, or it is not known
    measure TEXT NOT NULL,
    record_type TEXT NOT NULL,
    entry BLOB NOT NULL,                   -- the signed entry for the directory
    sealed_reason BLOB NOT NULL,
    official TEXT NOT NULL,
    created INTEGER NOT NULL,
    position INTEGER,                      -- its index in the cosigned directory, NULL: pending
    since INTEGER,                         -- when this node saw it there
    fault TEXT,                            -- why the last try to publish it failed
    reminded INTEGER NOT NULL DEFAULT 0    -- 1: people know which statements are missing
) STRICT, WITHOUT ROWID;
CREATE INDEX withdrawals_pending ON withdrawals (created) WHERE position IS NULL;
CREATE INDEX withdrawals_to_remind ON withdrawals (since) WHERE reminded = 0;

-- Whom this state has told, by which message.
CREATE TABLE withdrawal_told (
    id BLOB NOT NULL,
    member TEXT NOT NULL,
    message BLOB NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (id, member)
) STRICT, WITHOUT ROWID;

-- What others have withdrawn: told by them, or seen in the directory when it concerns what is here.
CREATE TABLE withdrawals_seen (
    provider TEXT NOT NULL,
    id BLOB NOT NULL,
    target INTEGER NOT NULL,
    provision BLOB,                        -- digest of the Provision
    sealed_reason BLOB,
    told INTEGER,                          -- when the provider's message came, NULL: it has not come
    position INTEGER,                      -- its index in the cosigned directory, NULL: announced
    time INTEGER NOT NULL,                 -- when it was known here first
    alarmed INTEGER NOT NULL DEFAULT 0,    -- 1: it concerns what is here, and people were told
    PRIMARY KEY (provider, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX withdrawals_announced ON withdrawals_seen (provider, id) WHERE position IS NULL;

-- Signed statements: this state's own about others' withdrawals, and others' about its own.
CREATE TABLE holder_statements (
    provider TEXT NOT NULL,
    id BLOB NOT NULL,
    holder TEXT NOT NULL,
    time INTEGER NOT NULL,                 -- when it was made, by its holder
    conduct INTEGER NOT NULL,
    signed BLOB NOT NULL,                  -- exact bytes
    PRIMARY KEY (provider, id, holder, time, conduct)
) STRICT, WITHOUT ROWID;

-- Which messages stand under which Provisions and Grants, by provider and id.
CREATE TABLE consent_names (
    provider TEXT NOT NULL,
    id BLOB NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (provider, id, message)
) STRICT, WITHOUT ROWID;
CREATE TABLE consent_named (upto INTEGER NOT NULL) STRICT;  -- one row: messages.seq
INSERT INTO consent_named (upto) VALUES (0);

-- What is left of a message whose content was destroyed after a withdrawal. Its evidence stays where it was.
CREATE TABLE destroyed (
    message BLOB PRIMARY KEY,
    box TEXT NOT NULL,
    provision BLOB NOT NULL,
    ministry TEXT,
    measure TEXT NOT NULL,
    record_type TEXT NOT NULL,
    precedence INTEGER NOT NULL,
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    signed_provisions BLOB NOT NULL,
    signed_grants BLOB NOT NULL,
    purpose INTEGER NOT NULL,
    path TEXT NOT NULL,
    time INTEGER NOT NULL,                 -- when it was destroyed
    official TEXT NOT NULL,
    provider TEXT NOT NULL,                -- whose withdrawal it was
    withdrawal BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX destroyed_by_provision ON destroyed (provision);
