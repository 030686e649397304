-- Fresh events as text, in load order. `key` tells (bus, source, id), see keys.py.
CREATE TABLE fresh_{number} (
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
