-- Where events of inputs came from. A message that was received has a row for each event that was in it, or one
-- where there was none; a message that is read again from its place has no further row.
CREATE TABLE origins (
    seq BIGINT,
    outcome VARCHAR NOT NULL,
    bus VARCHAR NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    input VARCHAR NOT NULL,
    topic VARCHAR NOT NULL, broker VARCHAR, queue_id INTEGER, queue_offset BIGINT,
    message_id VARCHAR, keys VARCHAR, tag VARCHAR,
    born_at TIMESTAMPTZ, stored_at TIMESTAMPTZ, delivery_attempt INTEGER
);

-- What was received of each queue, as ranges of offsets that do not overlap, see entries.py.
CREATE TABLE ledger (
    input VARCHAR NOT NULL, topic VARCHAR NOT NULL, broker VARCHAR NOT NULL, queue_id INTEGER NOT NULL,
    first_offset BIGINT NOT NULL, last_offset BIGINT NOT NULL,
    stored BIGINT NOT NULL, duplicates BIGINT NOT NULL, rejected BIGINT NOT NULL, empty BIGINT NOT NULL,
    first_stored_at TIMESTAMPTZ, last_stored_at TIMESTAMPTZ
);
