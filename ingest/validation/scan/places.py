"""Where the scan keeps what: places in its arrays of numbers, and the numbers that stand for something."""

from typing import Final

# What the body is.
LINES: Final = 0
"""One event a line."""
ARRAY: Final = 1
"""A JSON array of events."""
ONE: Final = 2
"""One event."""

# Results that are no number of bytes.
BROKEN: Final = -1
"""The elements of the array cannot be told apart for sure."""
TOO_MANY: Final = -2
"""More events (or lines) than a body may hold."""

BLOCK: Final = 32
"""Bytes that are compared or copied at once."""
PADDING: Final = 64
"""Zero bytes behind the body; output and scratch are as long as the body with them."""

# In `limits`, in the units of `Limits`. The attributes' lengths stand in the order of the attributes.
MAX_EVENT_BYTES: Final = 0
MAX_NESTING: Final = 1
MAX_LENGTH: Final = 2
MAX_EXTENSION_NAME: Final = 9
MAX_EVENTS: Final = 10
LIMITS: Final = 11

# The members of an event; the attributes stand in the order of the journal line.
EXTENSION: Final = -1
ID: Final = 0
SOURCE: Final = 1
TYPE: Final = 2
SUBJECT: Final = 3
TIME: Final = 4
MEDIA_TYPE: Final = 5
SCHEMA: Final = 6
ATTRIBUTES: Final = 7
VERSION: Final = 7
DATA: Final = 8
BASE64: Final = 9

# What a string holds, in `FLAGS`.
ESCAPES: Final = 1
BEYOND_ASCII: Final = 2
UNUSUAL: Final = 4
"""An escape of what can be written in another way as well."""
LONE: Final = 8
"""Half of a surrogate pair."""

# What the data is, in `DATA_KIND`.
NO_DATA: Final = 0
JSON: Final = 1
TEXT: Final = 2
BINARY: Final = 3

# What the media type is, in `MEDIA`.
NO_MEDIA: Final = 0
JSON_MEDIA: Final = 1
OTHER_MEDIA: Final = 2

# What an extension attribute's value is.
PLAIN: Final = 0
"""A string that needs no escape, in the body."""
LITERAL: Final = 1
"""A number, true or false, in the body."""
DECODED_TEXT: Final = 2
"""A string in the scratch."""

# In `work`: results.
COUNT: Final = 0
"""Events in the body."""
DOUBTS: Final = 1
"""Events that the exact check is to decide."""

# In `work`: of the string that was read last.
FLAGS: Final = 2
TEXT_START: Final = 3
TEXT_END: Final = 4
DECODED: Final = 5

# In `work`: of the event that is read.
DOUBTFUL: Final = 6
DEEPEST: Final = 7
SPACED: Final = 8
"""Whether TAB, LF or CR stood between tokens."""
MEDIA: Final = 9
DATA_KIND: Final = 10
DATA_START: Final = 11
DATA_END: Final = 12
DATA_SPACED: Final = 13
EXTENSIONS: Final = 14
SCRATCH_END: Final = 15

# In `work`: of the keys.
KEYS_HELD: Final = 16
"""Where the keys end of the objects around the one that is read."""
OBJECTS: Final = 17
"""How many objects were ever read, which is the name of the last one."""
SET_FROM: Final = 18
"""The first object of the event: what the sets hold of earlier ones is a free place."""
SMALL_SIZE: Final = 19
LARGE_SIZE: Final = 20

SOURCES: Final = 21
"""Which sources the scan was compiled from."""

FIELDS: Final = 24
"""Of each attribute: its start (negative without one), its end, whether it is in the scratch."""
VALUES: Final = FIELDS + 3 * ATTRIBUTES
"""Of each extension attribute: start and end of the name, start and end of the value, what it is."""
MOST_EXTENSIONS: Final = 64
ORDER: Final = VALUES + 5 * MOST_EXTENSIONS
"""The extension attributes in alphabetical order."""
LEVELS: Final = ORDER + MOST_EXTENSIONS
"""Of each level what is kept while a deeper one is read."""
LEVEL: Final = 5
MOST_LEVELS: Final = 256
KEYS: Final = LEVELS + LEVEL * MOST_LEVELS
"""Hashes of the first keys of each object on the way to the one that is read."""
FEW_KEYS: Final = 32
SMALL_SET: Final = KEYS + FEW_KEYS * (MOST_LEVELS + 2)
"""Of each place: an object and the hash of a key of it. Small, so that it stays in the processor's cache."""
SMALL_MASK: Final = (1 << 10) - 1
MOST_SMALL: Final = 700
LARGE_SET: Final = SMALL_SET + 2 * (SMALL_MASK + 1)
"""The same for what has no room in the small one."""
LARGE_MASK: Final = (1 << 16) - 1
MOST_LARGE: Final = 1 << 15
MOST_PROBES: Final = 64
DOUBT: Final = LARGE_SET + 2 * (LARGE_MASK + 1)
"""From here on of each doubtful event: its number, its start and end in the body, its place in the output."""
DOUBT_SIZE: Final = 4


def work_size(max_events: int) -> int:
    """How many numbers the scan works with for a body of that many events."""
    return DOUBT + DOUBT_SIZE * (max_events + 1)
