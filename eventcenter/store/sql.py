"""The words of SQLAlchemy that services use in `Store.read` and `Store.write`.

Services take them from here, so that SQLAlchemy is imported by this package alone.
"""

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.orm import Session

__all__ = [
    "ColumnElement",
    "Select",
    "Session",
    "and_",
    "delete",
    "exists",
    "func",
    "insert",
    "or_",
    "select",
    "tuple_",
    "update",
]
