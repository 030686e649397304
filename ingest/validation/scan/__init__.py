"""Reads the events of a body in one pass and writes their journal lines: compiled by numba, no objects made.

As `quick` it never refuses. An event that it is not sure of is put on a list, and the exact check decides
that one alone; what it does accept it writes byte for byte as the exact check would
(tests/ingest/test_paths_agree.py). `ingest.validation.scanner` is the door.

Why no read or write is ever out of bounds, which nothing checks at run time (NUMBA_BOUNDSCHECK=1 does):

* The body ends with `PADDING` zero bytes. A position moves on only past bytes that were looked at and are not
  zero, so that it is never beyond the first of them; what is looked at ahead of it is less than `PADDING`.
* A line is never longer than its event: attributes and data are no longer in it than in the event, and
  `{"specversion":"1.0"` alone makes up for its TABs, braces and kind. Output and scratch are as long as the
  body with its padding, so that copies by whole blocks end inside.
* Places in `work` are bounded where they grow: levels, keys, extension attributes, doubtful events.
"""
