"""The kinds of target. A new kind is a class as `Kind` says, its traits a row here."""

from collections.abc import Mapping
from typing import Final

from alerts.targets import robot, topic
from alerts.targets.kind import Traits

TRAITS: Final[Mapping[str, Traits]] = {each.name: each for each in (robot.TRAITS, topic.TRAITS)}
