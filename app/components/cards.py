"""Events as cards and values as ranked bars, in one block of HTML each."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from app.components import charts, times
from app.components.jsontext import compact
from app.components.markup import Markup, build, join, show
from app.i18n import t
from eventcenter.client import Envelope, TopValue

_CARD = """<article class="ec-card" style="--ec-stripe:$colour"><header><span class="ec-type">$type</span>
<time>$time</time></header><b>$subject</b><p>$source · $bus</p><code>$data</code></article>"""


def events(found: Sequence[Envelope], zone: ZoneInfo, palette: Mapping[str, str]) -> None:
    """A grid of cards, newest first; the stripe has the colour of the type in the chart."""
    show(
        build('<div class="ec-cards">$cards</div>', cards=join([_card(one, zone, palette) for one in found]))
    )


def ranking(title: str, found: Sequence[TopValue], palette: Mapping[str, str] | None = None) -> None:
    """Values with their counts, the bar behind each as long as its share of the first."""
    most = max((one.count for one in found), default=1) or 1
    rows = [
        build(
            '<li style="--ec-share:$share%;--ec-stripe:$colour"><span title="$value">$value</span>'
            "<b>$count</b></li>",
            share=max(1, round(100 * one.count / most)),
            colour=(palette or {}).get(one.value or "", charts.SERIES[0] if palette is None else charts.REST),
            value=one.value if one.value is not None else t("common.none"),
            count=times.number(one.count),
        )
        for one in found
    ]
    show(build('<div class="ec-rank"><h3>$title</h3><ol>$rows</ol></div>', title=title, rows=join(rows)))


def _card(one: Envelope, zone: ZoneInfo, palette: Mapping[str, str]) -> Markup:
    members = one.members()
    kind = one.attribute("type") or ""
    data = members.get("data") or members.get("data_base64") or ""
    return build(
        _CARD,
        colour=palette.get(kind, charts.REST),
        type=kind,
        time=times.short(one.received_at, zone),
        subject=one.attribute("subject") or one.attribute("id"),
        source=one.attribute("source"),
        bus=one.bus,
        data=compact(data[:2000]),
    )
