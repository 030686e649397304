"""Moments and spans as people read them, in the tenant's zone."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.i18n import t

SPANS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}


def moment(value: datetime | None, zone: ZoneInfo) -> str:
    """`2026-11-23 14:05:09`, or a dash."""
    return "–" if value is None else value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def sent(text: str | None, zone: ZoneInfo) -> str | None:
    """A moment of an event in the zone; as it was sent where it is none that we can tell (a leap second)."""
    try:
        return moment(datetime.fromisoformat(text.upper()), zone) if text else None
    except (ValueError, OverflowError):
        return text


def precise(value: datetime | None, zone: ZoneInfo) -> str:
    """`2026-11-23 14:05:09.123 +08:00`."""
    if value is None:
        return "–"
    local = value.astimezone(zone)
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {offset[:3]}:{offset[3:]}"


def short(value: datetime | None, zone: ZoneInfo) -> str:
    """`11-23 14:05:09`."""
    return "–" if value is None else value.astimezone(zone).strftime("%m-%d %H:%M:%S")


def seconds(value: float | None) -> str:
    """A span in the unit that fits: `0.2 s`, `3 min`, `2 h`."""
    if value is None:
        return "–"
    if value < 60:
        return t("span.seconds", n=f"{value:.1f}" if value < 10 else f"{value:.0f}")
    if value < 3600:
        return t("span.minutes", n=f"{value / 60:.0f}")
    if value < 172_800:
        return t("span.hours", n=f"{value / 3600:.0f}")
    return t("span.days", n=f"{value / 86_400:.0f}")


def number(value: float) -> str:
    """With thousands separated."""
    return f"{value:,}"
