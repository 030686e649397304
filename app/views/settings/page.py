"""Settings: the sections that this person's role may see."""

from collections.abc import Callable, Mapping

from app import session, urlstate
from app.components import notice
from app.i18n import t
from app.session import Viewer
from app.views.settings import account, audit, buses, members, preferences, retention, targets, tokens

_SECTIONS: Mapping[str, tuple[str, Callable[[Viewer], None]]] = {
    "buses": ("viewer", buses.draw),
    "retention": ("viewer", retention.draw),
    "tokens": ("admin", tokens.draw),
    "targets": ("viewer", targets.draw),
    "members": ("admin", members.draw),
    "preferences": ("viewer", preferences.draw),
    "account": ("viewer", account.draw),
    "audit": ("admin", audit.draw),
}


@session.page
def show(viewer: Viewer) -> None:
    """The page."""
    session.follow_link(viewer)
    notice.heading(t("settings.title"), aside=viewer.tenant.title or viewer.tenant.name)
    allowed = [name for name, (role, _) in _SECTIONS.items() if viewer.may(role)] or ["account"]
    chosen = urlstate.choice(
        t("settings.section"), "section", allowed, say=lambda name: t(f"settings.{name}")
    )
    _SECTIONS[chosen][1](viewer)
