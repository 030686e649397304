"""The bytes that the scan looks for: alone, in classes, and eight in one number."""

from typing import Any, Final

import numpy as np

TAB: Final = 9
LF: Final = 10
CR: Final = 13
SPACE: Final = 32
QUOTE: Final = 34
PLUS: Final = 43
COMMA: Final = 44
MINUS: Final = 45
DOT: Final = 46
SLASH: Final = 47
ZERO: Final = 48
NINE: Final = 57
COLON: Final = 58
SEMICOLON: Final = 59
EQUALS: Final = 61
OPEN_ARRAY: Final = 91
BACKSLASH: Final = 92
CLOSE_ARRAY: Final = 93
A_SMALL: Final = 97
E_SMALL: Final = 101
F_SMALL: Final = 102
N_SMALL: Final = 110
T_SMALL: Final = 116
U_SMALL: Final = 117
Z_SMALL: Final = 122
OPEN: Final = 123
CLOSE: Final = 125
DELETE: Final = 127
LOWER: Final = 0x20
"""The bit that makes a letter small."""


def _word(text: bytes) -> int:
    """The text (of at most eight bytes) as a little-endian number, as the scan loads it."""
    return int.from_bytes(text, "little", signed=True)


W_ID = _word(b"id")
W_TYPE = _word(b"type")
W_TIME = _word(b"time")
W_DATA = _word(b"data")
W_SOURCE = _word(b"source")
W_SUBJECT = _word(b"subject")
W_SCHEMA, W_SCHEMA_REST = _word(b"datasche"), _word(b"ma")
W_VERSION, W_VERSION_REST = _word(b"specvers"), _word(b"ion")
W_BASE64, W_BASE64_REST = _word(b"data_bas"), _word(b"e64")
W_MEDIA_TYPE, W_MEDIA_TYPE_REST = _word(b"datacont"), _word(b"enttype")
W_JSON_MEDIA, W_JSON_MEDIA_REST = _word(b"applicat"), _word(b"ion/json")
W_ONE_ZERO = _word(b'"1.0"')
W_TRUE = _word(b"true")
W_FALSE = _word(b"false")
W_NULL = _word(b"null")
W_NAN = _word(b"NaN")
W_INFINITY = _word(b"Infinity")
W_JSON = _word(b"json")
W_SMALL_LETTERS = _word(b"    ")
W_KIND_JSON = _word(b"\tjson\t")
W_KIND_TEXT = _word(b"\ttext\t")
W_KIND_BINARY = _word(b"\tbinary\t")
W_KIND_NONE = _word(b"\t\t")

K1: Final = -7046029254386353131
K2: Final = -4417276706812531889
"""Odd numbers whose bits spread when multiplied."""


def _class(characters: bytes) -> Any:
    """Of each byte whether it is one of them."""
    table = np.zeros(256, np.uint8)
    table[list(characters)] = 1
    return table


_SMALL = b"abcdefghijklmnopqrstuvwxyz"
_DIGITS = b"0123456789"
_ALPHANUMERIC = _SMALL + _SMALL.upper() + _DIGITS
IN_NAME = _class(_SMALL + _DIGITS)
IN_MEDIA_TYPE = _class(b"!#$%&'*+.^_`|~-" + _ALPHANUMERIC)
IN_SCHEME = _class(b"+.-" + _ALPHANUMERIC)
IN_URI = _class(bytes(set(range(0x21, 0x7F)) - set(b'<>"{}|\\^`')))
IN_BASE64 = _class(b"+/" + _ALPHANUMERIC)
PLAIN_ESCAPE = _class(b'"\\bfnrt')
ESCAPED = np.zeros(256, np.int64)
ESCAPED[list(b'"\\/bfnrt')] = list(b'"\\/\b\f\n\r\t')
HEX = np.full(256, -1, np.int64)
HEX[list(b"0123456789abcdef")] = range(16)
HEX[list(b"ABCDEF")] = range(10, 16)
DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
"""Of each month, outside leap years."""
MASK = np.array([(1 << 8 * size) - 1 for size in range(8)] + [-1], np.int64)
"""What is left of a word that has only so many bytes."""
