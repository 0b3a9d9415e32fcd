-- Transfers of what this state provides that the relay or another node refused, as they were told: evidence.

CREATE TABLE refused_transfers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL,                  -- of the header
    source TEXT NOT NULL,                  -- who refused: 'relay', or a member's code
    sender TEXT NOT NULL,                  -- the forwarder
    recipients TEXT NOT NULL,
    provisions BLOB NOT NULL,              -- digests of this state's Provisions in the header
    rule TEXT NOT NULL,
    header BLOB NOT NULL,
    size INTEGER NOT NULL,                 -- of the header
    receipt BLOB,
    time INTEGER NOT NULL,                 -- when it was refused, as the source says
    received INTEGER NOT NULL,
    judgement TEXT NOT NULL,               -- 'agrees' or 'cannot-tell': this node's own
    UNIQUE (digest, source)
) STRICT;
CREATE INDEX refused_transfers_by_sender ON refused_transfers (sender, received, size);
