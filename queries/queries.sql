-- The fixed statements. Each has a name and a sentence; parameters are named.

-- name: totals
-- How many rejects and duplicates a tenant has, and the newest seq.
SELECT (SELECT count(*) FROM rejects) AS rejects,
       (SELECT count(*) FROM duplicates) AS duplicates,
       (SELECT next_seq - 1 FROM state) AS last_seq;

-- name: bus_totals
-- How many events each bus holds and when the last one came.
SELECT bus, coalesce(sum(counted.events), 0)::BIGINT AS events, last_received_at
FROM buses
LEFT JOIN (
    SELECT bus, events FROM rollup_kinds
    UNION ALL
    SELECT bus, events FROM rollup_loose
) AS counted USING (bus)
GROUP BY bus, last_received_at
ORDER BY bus;

-- name: rejects
-- Rejects, newest first, each with the beginning of its bytes.
SELECT id, bus, received_at, reason, error, content_type, event_index,
       octet_length(bytes) AS size, bytes[1:4096] AS start
FROM rejects
WHERE ($bus::VARCHAR IS NULL OR bus = $bus) AND id < $before
ORDER BY id DESC
LIMIT $limit;

-- name: reject
-- One reject with all its bytes.
SELECT id, bus, received_at, reason, error, content_type, event_index,
       octet_length(bytes) AS size, bytes[1:4096] AS start, bytes
FROM rejects
WHERE id = $id;

-- name: origins
-- By which messages an event came, in the order of their arrival.
SELECT outcome, received_at, input, topic, broker, queue_id, queue_offset, message_id, keys, tag, born_at,
       stored_at, delivery_attempt
FROM origins
WHERE seq = $seq
ORDER BY received_at
LIMIT 100;
