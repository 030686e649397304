"""Language of the person; title, time zone and language of the tenant."""

from zoneinfo import available_timezones

import streamlit as st

from app import i18n, session
from app.components import notice
from app.i18n import t
from app.session import Viewer


def draw(viewer: Viewer) -> None:
    """The section."""
    mine, ours = st.columns(2, gap="large")
    with mine, st.container(key="ec-panel-mine"):
        _mine(viewer)
    with ours, st.container(key="ec-panel-ours"):
        _ours(viewer)


def _mine(viewer: Viewer) -> None:
    notice.heading(t("preferences.mine"))
    current = i18n.language()
    with st.form("my_language", border=False):
        chosen = st.selectbox(
            t("preferences.language"),
            i18n.LANGUAGES,
            index=i18n.LANGUAGES.index(current),
            format_func=i18n.NAMES.__getitem__,
        )
        if st.form_submit_button(t("common.save"), type="primary"):
            with notice.catching():
                viewer.client.set_language(chosen)
                session.forget()
                st.rerun()


def _ours(viewer: Viewer) -> None:
    notice.heading(t("preferences.tenant"), aside=viewer.tenant.name)
    zones = sorted(available_timezones())
    tenant, admin = viewer.tenant, viewer.may("admin")
    with st.form("tenant", border=False):
        title = st.text_input(t("preferences.title"), value=tenant.title, max_chars=200, disabled=not admin)
        zone = st.selectbox(
            t("preferences.time_zone"),
            zones,
            disabled=not admin,
            index=zones.index(tenant.time_zone) if tenant.time_zone in zones else zones.index("UTC"),
        )
        language = st.selectbox(
            t("preferences.tenant_language"),
            i18n.LANGUAGES,
            disabled=not admin,
            format_func=i18n.NAMES.__getitem__,
            index=i18n.LANGUAGES.index(tenant.language) if tenant.language in i18n.LANGUAGES else 0,
            help=t("preferences.tenant_language_help"),
        )
        if st.form_submit_button(t("common.save"), type="primary", disabled=not admin):
            with notice.catching():
                viewer.client.set_tenant(title=title.strip(), time_zone=zone, language=language)
                session.forget()
                st.toast(t("common.saved"), icon=":material/check:")
                st.rerun()
    if not admin:
        notice.caption(t("preferences.admins_only"))
