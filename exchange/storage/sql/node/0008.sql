-- What waits for other officials, lists of states, and what class tags stand for.

-- An act that its author asked for and that is performed when enough others have approved it.
CREATE TABLE acts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL,                    -- send, forward, grant, sign
    token TEXT NOT NULL,                   -- the author's
    ministry TEXT NOT NULL,
    scopes TEXT NOT NULL,                  -- of the author, comma-separated
    measures TEXT NOT NULL,                -- of the author, comma-separated patterns
    measure TEXT NOT NULL,                 -- what it is about
    record_type TEXT NOT NULL,
    sealed_request BLOB NOT NULL,          -- empty once the act has ended
    digest BLOB NOT NULL,                  -- of request and files, keyed
    needed INTEGER NOT NULL,               -- how many approvals
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    result BLOB,                           -- what came of it, such as a message
    sealed_fault BLOB                      -- why nothing did
) STRICT;
CREATE INDEX acts_open ON acts (expires) WHERE state IN ('pending', 'approved');

CREATE TABLE act_files (
    act BLOB NOT NULL,
    position INTEGER NOT NULL,
    file TEXT NOT NULL,                    -- name of the sealed file in content/
    PRIMARY KEY (act, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE act_approvals (
    act BLOB NOT NULL,
    token TEXT NOT NULL,
    ministry TEXT NOT NULL,
    digest BLOB NOT NULL,                  -- what this official saw
    time INTEGER NOT NULL,
    PRIMARY KEY (act, token)
) STRICT, WITHOUT ROWID;

-- Lists of states, each signed by this node.
CREATE TABLE state_groups (
    name TEXT PRIMARY KEY,
    signed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The random tags that stand for classes of information in this state's Provisions.
CREATE TABLE class_tags (
    name BLOB PRIMARY KEY,                 -- keyed digest of the name
    tag BLOB NOT NULL UNIQUE,
    sealed_name BLOB NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
