-- A tenant's main file, format 1. docs/decisions/0002-archive.md has the why.

CREATE TABLE format (version INTEGER NOT NULL);
INSERT INTO format VALUES (1);

-- One row: where the next event goes.
CREATE TABLE state (next_seq BIGINT NOT NULL, last_received_at TIMESTAMPTZ);
INSERT INTO state VALUES (1, NULL);

-- What each bus holds, kept by the loader, so that overviews need no scan.
CREATE TABLE buses (bus VARCHAR PRIMARY KEY, events BIGINT NOT NULL, last_received_at TIMESTAMPTZ NOT NULL);

-- How far each journal was loaded; changes in the transaction that loads.
CREATE TABLE loaded (journal BLOB PRIMARY KEY, file BIGINT NOT NULL, start BIGINT NOT NULL);

-- Results of blocks somebody waits for, to tell them again after a crash.
CREATE TABLE outcomes (
    journal BLOB NOT NULL, file BIGINT NOT NULL, start BIGINT NOT NULL,
    stored BIGINT NOT NULL, duplicates BIGINT NOT NULL, rejected BIGINT NOT NULL
);

-- Events as text, in load order. `key` is 64 bits of a hash of (bus, source, id): a hit is compared in full.
CREATE TABLE fresh (
    seq BIGINT NOT NULL,
    key UBIGINT NOT NULL,
    bus VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    subject VARCHAR,
    time TIMESTAMPTZ,
    time_text VARCHAR USING COMPRESSION zstd,
    datacontenttype VARCHAR,
    dataschema VARCHAR,
    extensions VARCHAR USING COMPRESSION zstd,
    data_kind VARCHAR,
    data VARCHAR USING COMPRESSION zstd,
    received_at TIMESTAMPTZ NOT NULL
);

-- Repeats with the same content: which event, and when the repeat came.
CREATE TABLE duplicates (
    seq BIGINT NOT NULL, bus VARCHAR NOT NULL, received_at TIMESTAMPTZ NOT NULL, input VARCHAR NOT NULL
);

CREATE SEQUENCE reject_id;
CREATE TABLE rejects (
    id BIGINT NOT NULL DEFAULT nextval('reject_id'),
    bus VARCHAR NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    reason VARCHAR NOT NULL,
    error VARCHAR NOT NULL,
    content_type VARCHAR,
    bytes BLOB NOT NULL,
    event_index INTEGER
);

-- What everybody reads; stays the same whatever form the events are kept in.
CREATE VIEW events AS
SELECT seq, bus, id, source, type, subject, time, time_text, datacontenttype, dataschema, extensions, data,
       data_kind, received_at
FROM fresh;
