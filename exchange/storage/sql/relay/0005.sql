-- Transfers that were refused for want of consent: the providers are told, with the header that the forwarder signed.

CREATE TABLE refused_headers (
    digest BLOB PRIMARY KEY,
    sender TEXT NOT NULL,
    header BLOB NOT NULL,
    size   INTEGER NOT NULL,                 -- of the header
    open   INTEGER NOT NULL                  -- providers that do not have it yet; the row goes with the last
) STRICT, WITHOUT ROWID;

-- Kept for a while after it was seen, so that the same header is told once.
CREATE TABLE refusals (
    position INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    digest   BLOB NOT NULL,
    sender   TEXT NOT NULL,
    rule     TEXT NOT NULL,
    time     INTEGER NOT NULL,
    seen     INTEGER NOT NULL DEFAULT 0,
    UNIQUE (provider, digest)
) STRICT;
CREATE INDEX refusals_waiting ON refusals (provider, position) WHERE seen = 0;
CREATE INDEX refusals_by_pair ON refusals (provider, sender, time);
CREATE INDEX refusals_by_time ON refusals (time);
