-- Joint Provisions: what several states are to sign before any of it leaves.

CREATE TABLE drafts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- the cursor of listings
    provision BLOB NOT NULL UNIQUE,        -- digest of the Provision
    body BLOB NOT NULL,                    -- its exact bytes, which every provider signs
    lead TEXT NOT NULL,                    -- the provider who collects, and sends when all have signed
    state TEXT NOT NULL CHECK (state IN ('collecting', 'signed', 'refused', 'expired')),
    providers INTEGER NOT NULL,            -- how many have to sign
    ministry TEXT,                         -- whose token asked for it; NULL: another state did
    measure TEXT NOT NULL,
    record_type TEXT NOT NULL,
    created INTEGER NOT NULL,              -- when this node had it
    sign_by INTEGER NOT NULL,
    sealed_manifest BLOB NOT NULL,
    message BLOB NOT NULL                  -- the message that carried it, which holds the same content
) STRICT;
CREATE INDEX drafts_open ON drafts (sign_by) WHERE state = 'collecting';
CREATE INDEX drafts_by_lead ON drafts (lead) WHERE state = 'collecting';

-- At the lead they are the message's as well when it is signed; elsewhere they are those of the message that brought it.
CREATE TABLE draft_files (
    provision BLOB NOT NULL,
    position INTEGER NOT NULL,
    file TEXT NOT NULL,                    -- name of the sealed file in content/
    PRIMARY KEY (provision, position)
) STRICT, WITHOUT ROWID;

-- One of each provider. An answer may overtake the draft that it is about.
CREATE TABLE draft_answers (
    provision BLOB NOT NULL,
    member TEXT NOT NULL,
    signature BLOB,                        -- as it is sent; NULL: refused
    sealed_reason BLOB,                    -- why it was refused
    time INTEGER NOT NULL,
    PRIMARY KEY (provision, member)
) STRICT, WITHOUT ROWID;
