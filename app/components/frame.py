"""What surrounds every page: style, the tenant, who is signed in and the way out."""

from pathlib import Path

import streamlit as st

from app import session
from app.components import notice
from app.components.markup import Markup, build, show
from app.components.visible import visible
from app.i18n import t
from app.session import Viewer

_CSS = (Path(__file__).parents[1] / "theme.css").read_text("utf-8")


def style() -> None:
    """Our own style sheet."""
    show(Markup(f"<style>{_CSS}</style>"))


def sidebar(viewer: Viewer) -> None:
    """Tenant and person."""
    names = {one.name: visible(one.title or one.name, 60) for one in viewer.me.tenants}
    if len(names) > 1:
        st.session_state["tenant_choice"] = viewer.tenant.name
        st.selectbox(
            t("tenant.tenant"),
            list(names),
            key="tenant_choice",
            format_func=lambda n: names.get(n, n),
            on_change=_switch,
            args=(viewer,),
        )
    who = viewer.me.user.name if viewer.me.user else viewer.me.actor
    show(
        build(
            '<div class="ec-who"><span class="ec-avatar">$letter</span><div><b>$name</b>'
            "<p>$role · $tenant</p></div>"
            '<a href="/auth/sign-out" target="_self">$out</a></div>',
            letter=who[:1].upper(),
            name=who,
            role=t(f"role.{viewer.me.role}") if viewer.me.role in {"viewer", "editor", "admin"} else "",
            tenant=viewer.tenant.title or viewer.tenant.name,
            out=t("auth.sign_out"),
        )
    )


def _switch(viewer: Viewer) -> None:
    wanted = st.session_state.get("tenant_choice")
    if wanted and wanted != viewer.tenant.name:
        with notice.catching():
            session.switch_tenant(viewer.client, wanted)
