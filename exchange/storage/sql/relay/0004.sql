-- Which checkpoints are kept is decided by when each was published first: one that is cosigned again every hour, while its
-- log rests, stays the last of the day on which it was published.

ALTER TABLE checkpoints ADD COLUMN since INTEGER NOT NULL DEFAULT 0;  -- Unix seconds; 0 while it is not published
UPDATE checkpoints SET since = time WHERE published = 1;
