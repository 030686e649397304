"""`python -m ingest.validation.scan`: compiles the scan, unless the cache on disk has it."""

from ingest.validation import scanner

if scanner.is_possible():
    scanner.load()
