"""Looks whether an archive is as it should be; changes nothing in it."""

from collections.abc import Iterator

from eventcenter.archive import manifest, rollup
from eventcenter.archive.archive import Archive, Reader
from eventcenter.archive.index import IndexDamaged


def examine(archive: Archive) -> Iterator[str]:
    """What is wrong with the archive, one sentence each; reads all of it.

    Segments against the manifest and their indexes, roll-ups and counts of buses against the events, seq
    against the next one. Raises whatever DuckDB says where a file cannot be read at all.
    """
    with archive.reader(timeout_s=float("inf")) as reader:
        for segment in reader.layout.segments:
            yield from _segment(archive, reader, segment)
        yield from _fresh(reader)
        yield from rollup.check(reader.cursor, "SELECT bus, source, type, time, received_at FROM events")
        wrong = reader.rows(
            "SELECT bus, b.events AS counted, coalesce(e.events, 0) AS found FROM buses b FULL JOIN"
            " (SELECT bus, count(*) AS events FROM events GROUP BY bus) e USING (bus)"
            " WHERE b.events IS DISTINCT FROM coalesce(e.events, 0)"
        )
        for row in wrong:
            yield f"bus {row['bus']} counts {row['counted']} events and holds {row['found']}"
        yield from _origins(reader)


def _origins(reader: Reader) -> Iterator[str]:
    [orphans] = reader.rows(
        "SELECT count(*) AS n FROM origins WHERE seq IS NOT NULL AND seq NOT IN (SELECT seq FROM events)"
    )
    if orphans["n"]:
        yield f"{orphans['n']} origins belong to no event"
    overlaps = reader.rows(
        "SELECT topic, broker, queue_id, first_offset FROM (SELECT *, max(last_offset) OVER"
        " (PARTITION BY input, topic, broker, queue_id ORDER BY first_offset"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS former FROM ledger)"
        " WHERE former >= first_offset OR last_offset < first_offset"
    )
    for row in overlaps:
        place = f"{row['topic']}, {row['broker']}, queue {row['queue_id']}, offset {row['first_offset']}"
        yield f"the ledger tells what was received twice over: {place}"


def _segment(archive: Archive, reader: Reader, segment: manifest.Segment) -> Iterator[str]:
    about = f"segment {segment.number}"
    # All columns are read, so that a damaged block is found.
    [found] = reader.rows(
        "SELECT count(*) AS events, min(seq) AS first_seq, max(seq) AS last_seq,"  # noqa: S608 our own name
        f" sum(length(COLUMNS(* EXCLUDE (seq, time, received_at))::VARCHAR)) FROM {segment.catalog}.events"
    )
    for name in ("events", "first_seq", "last_seq"):
        if found[name] != getattr(segment, name):
            yield f"{about} has {name} {found[name]}, the manifest says {getattr(segment, name)}"
    try:
        segment.index.verify()
    except IndexDamaged as error:
        yield f"the index of {about} is damaged: {error}"
    size = sum(
        path(archive.folder, segment.number).stat().st_size
        for path in (manifest.segment_path, manifest.index_path)
    )
    if size != segment.bytes:
        yield f"the files of {about} have {size} bytes, the manifest says {segment.bytes}"


def _fresh(reader: Reader) -> Iterator[str]:
    [found] = reader.rows(
        "SELECT count(*) AS events, count(DISTINCT seq) AS seqs, coalesce(max(seq), 0) AS last FROM events"
    )
    if found["events"] != found["seqs"]:
        yield f"{found['events'] - found['seqs']} events share a seq with another"
    if found["last"] > reader.last_seq:
        yield f"the newest event has seq {found['last']}, the next one would get {reader.last_seq + 1}"
