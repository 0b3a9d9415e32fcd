-- A node that was restored from a backup begins new streams; the one before is announced as far as the backup knows it.
-- streams_out.kind 3: the messages' stream before the last restore. Only its heads are sent any more.

CREATE TABLE restores (
    restored INTEGER PRIMARY KEY,          -- when
    taken INTEGER NOT NULL,                -- when the backup was made: what came after it is not known here
    spread INTEGER NOT NULL DEFAULT 0      -- 1: every partner of that time is in `asks`
) STRICT;

-- Partners that are asked, once each, to send again what they sent since a time.
CREATE TABLE asks (
    member TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    sent INTEGER                           -- when it was asked, NULL: not yet
) STRICT, WITHOUT ROWID;

-- Messages that a recipient could not keep or not read, and that are sealed for it anew, as an envelope of their own.
CREATE TABLE resends (
    message BLOB NOT NULL,
    member TEXT NOT NULL,
    asked INTEGER NOT NULL,
    replaces BLOB NOT NULL,                -- the envelope whose number the new one settles
    waits INTEGER NOT NULL,                -- 1: until the recipient has another epoch than that envelope was sealed to
    envelope BLOB,                         -- the new one, once it is sealed
    fault TEXT,                            -- why there is none and will be none
    PRIMARY KEY (message, member, asked)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX resends_by_envelope ON resends (envelope) WHERE envelope IS NOT NULL;
CREATE INDEX resends_due ON resends (asked) WHERE envelope IS NULL AND fault IS NULL;
