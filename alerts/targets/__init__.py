"""The kinds of target. A new kind is a module with the functions of `dingtalk` and a row here."""

from types import ModuleType
from typing import Final

from alerts.targets import dingtalk

TARGETS: Final[dict[str, ModuleType]] = {"dingtalk": dingtalk}
