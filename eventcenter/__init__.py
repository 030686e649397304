"""Event Center: keeps every event of an event bus, shows all of it, acts on it without code."""

__version__ = "0.1.0"
