-- What is missing in a stream is told once, so that a turn looks only at streams with something new.

ALTER TABLE streams_in ADD COLUMN told INTEGER NOT NULL DEFAULT 0;  -- up to this number an alarm has named what is missing
ALTER TABLE streams_in ADD COLUMN untold_since INTEGER;             -- since when the oldest gap above it is open, NULL: none
UPDATE streams_in SET untold_since = 0 WHERE gaps <> '[]';
CREATE INDEX streams_late ON streams_in (untold_since) WHERE untold_since IS NOT NULL;

CREATE INDEX outbox_to_expire ON outbox (expires) WHERE state = 'sealed';
