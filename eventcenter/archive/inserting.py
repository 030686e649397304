"""What makes DuckDB insert at half the price."""


def nothing(columns: int) -> str:
    """A SELECT without rows to put behind UNION ALL in an INSERT … SELECT.

    It keeps DuckDB from inserting in parallel, for which it would copy all rows once more: half the time of
    the processors, and of the clock. Rows stay in order.
    """
    return f"SELECT {', '.join(['NULL'] * columns)} FROM (SELECT unnest([]::INTEGER[]))"  # noqa: S608 a number
