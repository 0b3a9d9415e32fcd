-- Bytes held for each member, so that a quota is one row; large bodies apart in the mailbox's index; uses of a Grant as
-- one number beside the rows that say which.

-- Header and body. Of a large body that stood before this version only the header is known here.
ALTER TABLE contents ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
UPDATE contents SET size = length(header) + coalesce(length(body), 0);

ALTER TABLE deliveries ADD COLUMN large INTEGER NOT NULL DEFAULT 0;  -- 1: the body is a file, to be fetched
UPDATE deliveries SET large = 1 WHERE envelope IN (SELECT envelope FROM contents WHERE file IS NOT NULL);
DROP INDEX mailbox;
CREATE INDEX mailbox ON deliveries (recipient, precedence, large, envelope, state) WHERE state = 0;

CREATE TABLE held (
    member  TEXT PRIMARY KEY,
    sent    INTEGER NOT NULL,                -- bytes of its envelopes whose ciphertext is here
    waiting INTEGER NOT NULL                 -- bytes in its mailbox
) STRICT, WITHOUT ROWID;

INSERT INTO held (member, sent, waiting)
    SELECT member, sum(sent), sum(waiting) FROM (
        SELECT sender AS member, size AS sent, 0 AS waiting FROM contents JOIN envelopes ON position = envelope
        UNION ALL
        SELECT recipient, 0, size FROM contents JOIN deliveries USING (envelope) WHERE state = 0
    ) GROUP BY member;

CREATE TRIGGER content_added AFTER INSERT ON contents BEGIN
    INSERT OR IGNORE INTO held SELECT sender, 0, 0 FROM envelopes WHERE position = NEW.envelope;
    UPDATE held SET sent = sent + NEW.size
        WHERE member = (SELECT sender FROM envelopes WHERE position = NEW.envelope);
END;

CREATE TRIGGER content_removed AFTER DELETE ON contents BEGIN
    UPDATE held SET sent = sent - OLD.size
        WHERE member = (SELECT sender FROM envelopes WHERE position = OLD.envelope);
END;

-- A delivery comes after its content and ends before it.
CREATE TRIGGER delivery_added AFTER INSERT ON deliveries WHEN NEW.state = 0 BEGIN
    INSERT OR IGNORE INTO held VALUES (NEW.recipient, 0, 0);
    UPDATE held SET waiting = waiting + (SELECT size FROM contents WHERE envelope = NEW.envelope)
        WHERE member = NEW.recipient;
END;

CREATE TRIGGER delivery_ended AFTER UPDATE OF state ON deliveries WHEN OLD.state = 0 AND NEW.state <> 0 BEGIN
    UPDATE held SET waiting = waiting - (SELECT size FROM contents WHERE envelope = NEW.envelope)
        WHERE member = NEW.recipient;
END;

-- By Provision first: of one Grant and one Provision there are never more uses than a Grant has recipients.
CREATE TABLE uses_by_provision (
    provider  TEXT NOT NULL,                 -- whose Grant: two providers may choose the same id
    consent   BLOB NOT NULL,                 -- the Grant's id
    provision BLOB NOT NULL,
    recipient TEXT NOT NULL,
    PRIMARY KEY (provider, consent, provision, recipient)
) STRICT, WITHOUT ROWID;
INSERT INTO uses_by_provision SELECT provider, consent, provision, recipient FROM uses;
DROP TABLE uses;
ALTER TABLE uses_by_provision RENAME TO uses;

CREATE TABLE use_counts (
    provider TEXT NOT NULL,
    consent  BLOB NOT NULL,
    used     INTEGER NOT NULL,
    PRIMARY KEY (provider, consent)
) STRICT, WITHOUT ROWID;
INSERT INTO use_counts SELECT provider, consent, count(*) FROM uses GROUP BY provider, consent;

CREATE TRIGGER use_added AFTER INSERT ON uses BEGIN
    INSERT OR IGNORE INTO use_counts VALUES (NEW.provider, NEW.consent, 0);
    UPDATE use_counts SET used = used + 1 WHERE provider = NEW.provider AND consent = NEW.consent;
END;
