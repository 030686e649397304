"""Checks events as the CloudEvents specification and our limits want them; invents nothing."""

from ingest.validation.checked import Checked, Reject
from ingest.validation.events import check_array, check_lines, check_one
from ingest.validation.limits import Limits

__all__ = ["Checked", "Limits", "Reject", "check_array", "check_lines", "check_one"]
