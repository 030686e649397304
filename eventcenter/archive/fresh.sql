-- Fresh events as text, in load order. `key` tells (bus, source, id), see keys.py.
-- Long texts are not compressed: that would take a fifth of loading, for a table that is soon a segment.
-- Behind them a column for each promoted path, with what data->>path gives.
CREATE TABLE fresh_{number} (
    seq BIGINT NOT NULL,
    key UBIGINT NOT NULL,
    bus VARCHAR NOT NULL,
    id VARCHAR USING COMPRESSION uncompressed NOT NULL,
    source VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    subject VARCHAR,
    time TIMESTAMPTZ,
    time_text VARCHAR USING COMPRESSION uncompressed,
    datacontenttype VARCHAR,
    dataschema VARCHAR,
    extensions VARCHAR USING COMPRESSION uncompressed,
    data_kind VARCHAR,
    data VARCHAR USING COMPRESSION uncompressed,
    received_at TIMESTAMPTZ NOT NULL{paths}
);
