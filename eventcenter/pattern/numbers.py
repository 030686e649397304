"""How numbers compare: one meaning for Python and for the SQL that a pattern compiles to."""

import math

EXACT_DIGITS = 38
"""Whole numbers of up to so many digits compare exactly: what the archive's widest integer holds."""
_BOUND = 10**EXACT_DIGITS


def whole(text: str) -> int | float:
    """A number written without `.` and `e`: exact up to 38 digits, a double beyond."""
    return normal(int(text)) if len(text) <= EXACT_DIGITS + 1 else float(text)


def normal(number: float) -> int | float:
    """`number` as it takes part in comparisons: infinite where a double cannot hold it."""
    if isinstance(number, int) and not -_BOUND < number < _BOUND:
        try:
            return float(number)
        except OverflowError:
            return math.inf if number > 0 else -math.inf
    return number


def equal(left: float, right: float) -> bool:
    """Whether two normal numbers are the same by value."""
    if isinstance(left, int) and isinstance(right, int):
        return left == right
    return float(left) == float(right)


def less(left: float, right: float) -> bool:
    """Whether the normal number `left` is less than `right`."""
    if isinstance(left, int) and isinstance(right, int):
        return left < right
    return float(left) < float(right)
