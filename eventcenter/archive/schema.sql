-- A tenant's main file, format 5, with origins.sql. docs/decisions/0002-archive.md has the why.

CREATE TABLE format (version INTEGER NOT NULL);
INSERT INTO format VALUES (5);

-- One row: where the next event goes, and how many bytes of journal lines the newest fresh table took in.
CREATE TABLE state (next_seq BIGINT NOT NULL, last_received_at TIMESTAMPTZ, fresh_bytes BIGINT NOT NULL);
INSERT INTO state VALUES (1, NULL, 0);

-- What each bus holds, kept by the loader, so that overviews need no scan.
CREATE TABLE buses (bus VARCHAR PRIMARY KEY, events BIGINT NOT NULL, last_received_at TIMESTAMPTZ NOT NULL);

-- How far each journal was loaded; changes in the transaction that loads.
CREATE TABLE loaded (journal BLOB PRIMARY KEY, file BIGINT NOT NULL, start BIGINT NOT NULL);

-- Results of blocks somebody waits for, to tell them again after a crash.
CREATE TABLE outcomes (
    journal BLOB NOT NULL, file BIGINT NOT NULL, start BIGINT NOT NULL,
    stored BIGINT NOT NULL, duplicates BIGINT NOT NULL, rejected BIGINT NOT NULL
);

-- The tables of fresh events, fresh_<number>, oldest first. The last one is written; the others are settled
-- into segments in the background and dropped. fresh.sql has their columns; `paths` says which of them hold what
-- lies at which payload path (JSON, as in segments).
CREATE TABLE fresh_tables (number BIGINT PRIMARY KEY, first_seq BIGINT NOT NULL, paths VARCHAR NOT NULL);

-- The settled stretches: files segments/<number>.duckdb and .index. What is not listed here is an orphan.
CREATE TABLE segments (
    number BIGINT PRIMARY KEY,
    first_seq BIGINT NOT NULL, last_seq BIGINT NOT NULL,
    events BIGINT NOT NULL, bytes BIGINT NOT NULL,
    first_received_at TIMESTAMPTZ NOT NULL, last_received_at TIMESTAMPTZ NOT NULL,
    first_at TIMESTAMPTZ NOT NULL, last_at TIMESTAMPTZ NOT NULL,
    paths VARCHAR NOT NULL, form INTEGER NOT NULL
);

-- Payload paths that were asked for, as JSON pointers, and how often; `uses` fades with time.
CREATE TABLE path_uses (path VARCHAR PRIMARY KEY, uses DOUBLE NOT NULL, used_at TIMESTAMPTZ NOT NULL);

-- Counts of events, kept by the loader, see rollup.py. A kind is what bus, source and type an event has. Cells
-- are numbered by whole minutes or hours since 1970 (UTC): `received` of received_at, `happened` of time, or of
-- received_at where an event has none. Cells repeat and may be negative: their sum counts.
CREATE TABLE rollup_kinds (
    kind INTEGER NOT NULL, bus VARCHAR NOT NULL, source VARCHAR NOT NULL, type VARCHAR NOT NULL, events BIGINT NOT NULL
);
CREATE TABLE rollup_minutes (
    kind INTEGER NOT NULL, received BIGINT NOT NULL, happened BIGINT NOT NULL, events BIGINT NOT NULL
);
CREATE TABLE rollup_hours (
    kind INTEGER NOT NULL, received BIGINT NOT NULL, happened BIGINT NOT NULL, events BIGINT NOT NULL
);
-- Cells of minutes that are not in the three tables above yet.
CREATE TABLE rollup_loose (
    bus VARCHAR NOT NULL, source VARCHAR NOT NULL, type VARCHAR NOT NULL,
    received BIGINT NOT NULL, happened BIGINT NOT NULL, events BIGINT NOT NULL
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

-- What deletions that somebody asked for took away; changes in the transaction that takes it, so that their
-- reports are exact also over a crash. `what` is events, duplicates, rejects or segments.
CREATE TABLE removals (
    deletion VARCHAR NOT NULL, what VARCHAR NOT NULL, bus VARCHAR, type VARCHAR, counted BIGINT NOT NULL,
    first_received_at TIMESTAMPTZ, last_received_at TIMESTAMPTZ
);
