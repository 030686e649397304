"""Rules: the list with its switches, and the form that shows what a rule would do before it does it."""

import msgspec
import streamlit as st

from app import patterns, reads, session
from app.components import conditions, detail, dingtalk, notice, times, tried
from app.components.markup import build
from app.components.markup import show as draw
from app.components.visible import visible
from app.components.words import words
from app.i18n import choose, language, t, text
from app.patterns import Condition
from app.session import Viewer
from eventcenter.client import Envelope, Preview, Rule, Target

_COOLDOWNS = (0, 60, 300, 900, 3600, 21_600, 86_400)
_PATHS = (*patterns.ATTRIBUTES, "data.")


@session.page
def show(viewer: Viewer) -> None:
    """The page: one rule if the URL names it, else all."""
    session.follow_link(viewer)
    wanted = st.query_params.get("rule")
    if wanted:
        _form(viewer, wanted)
    else:
        st.session_state.pop("rule.loaded", None)
        _list(viewer)


def _list(viewer: Viewer) -> None:
    head, new = st.columns([6, 1.2], vertical_alignment="center")
    with head:
        notice.heading(t("rules.title"), aside=viewer.tenant.title or viewer.tenant.name)
    rules = viewer.client.rules()
    targets = {target.id: target for target in viewer.client.targets()}
    with new:
        if viewer.may("editor"):
            st.button(
                t("rules.new"),
                icon=":material/add:",
                type="primary",
                on_click=_open,
                args=("new",),
                width="stretch",
            )
    if not rules:
        notice.empty(t("empty.rules"), t("empty.rules_text") if targets else t("empty.rules_no_target"))
        return
    for rule in rules:
        _line(viewer, rule, targets)


def _line(viewer: Viewer, rule: Rule, targets: dict[str, Target]) -> None:
    with st.container(key=f"ec-row-{rule.id}"):
        switch, text, numbers, edit = st.columns([0.5, 6, 2.4, 1], vertical_alignment="center")
        with switch:
            st.toggle(
                t("rules.enabled"),
                value=rule.enabled,
                key=f"enabled.{rule.id}.{rule.enabled}",
                label_visibility="collapsed",
                disabled=not viewer.may("editor"),
                on_change=_switch,
                args=(viewer, rule),
            )
        target = targets.get(rule.target_id or "")
        with text:
            draw(
                build(
                    '<div class="ec-line"><b>$name</b><p>$sentence</p><p>$buses → $target</p></div>',
                    name=rule.name,
                    buses=", ".join(rule.buses) or t("filter.all_buses"),
                    target=target.name if target else t("common.none"),
                    sentence=_sentence(rule),
                    limit=500,
                )
            )
        with numbers:
            draw(
                build(
                    '<div class="ec-numbers"><span><b>$count</b> $label</span><span>$last</span></div>',
                    count=times.number(rule.alerts_24h),
                    label=t("rules.alert_24h") if rule.alerts_24h == 1 else t("rules.alerts_24h"),
                    last=times.short(rule.last_fired_at, viewer.zone)
                    if rule.last_fired_at
                    else t("rules.never"),
                )
            )
        with edit:
            st.button(
                t("common.edit") if viewer.may("editor") else t("common.open"),
                key=f"edit.{rule.id}",
                on_click=_open,
                args=(rule.id,),
                width="stretch",
            )


def _sentence(rule: Rule) -> str:
    if rule.sentence is None:
        return rule.pattern_text
    return rule.sentence.zh if language() == "zh" else rule.sentence.en


def _switch(viewer: Viewer, rule: Rule) -> None:
    with notice.catching():
        viewer.client.enable_rule(rule.id, enabled=not rule.enabled)


def _open(rule_id: str) -> None:
    st.query_params["rule"] = rule_id


def _back() -> None:
    st.query_params.pop("rule", None)
    st.session_state.pop("rule.loaded", None)


def _form(viewer: Viewer, wanted: str) -> None:
    st.button(t("rules.all"), icon=":material/arrow_back:", type="tertiary", on_click=_back)
    rule = None if wanted == "new" else viewer.client.rule(wanted)
    targets = viewer.client.targets()
    _load(viewer, wanted, rule, targets)
    notice.heading(rule.name if rule else t("rules.new"), aside=t("rules.form_aside"))
    left, right = st.columns([1.35, 1], gap="large")
    with left, st.container(key="ec-panel-form"):
        pattern = _fields(viewer, targets)
    with right:
        fields = _collected(pattern, targets)
        _preview(viewer, rule, fields)
        _actions(viewer, rule, fields)


def _load(viewer: Viewer, wanted: str, rule: Rule | None, targets: tuple[Target, ...]) -> None:
    """Fill the form once for each rule that is opened; later runs keep what was typed."""
    state = st.session_state
    if state.get("rule.loaded") == wanted and "rule.name" in state:
        return
    seq = state.pop("rules.from_event", None) if rule is None else None
    event = viewer.client.event(seq) if seq is not None else None
    state["rule.loaded"] = wanted
    state["rule.seq"] = seq
    state["rule.name"] = visible(rule.name if rule else (event.attribute("type") if event else ""), 100)
    state["rule.buses"] = list(rule.buses) if rule else ([event.bus] if event else [])
    state["rule.title"] = rule.template.title if rule else "${type}"
    state["rule.text"] = rule.template.text if rule else text(_language(viewer), "rules.default_text")
    known = {target.id: target for target in targets}
    target = rule.target_id if rule else None
    state["rule.target"] = target if target in known else next(iter(known), None)
    chosen = known.get(state["rule.target"])
    # Every event is to be forwarded, but not every one spoken of.
    state["rule.cooldown"] = rule.cooldown_s if rule else (0 if _is_topic(chosen) else 60)
    state["rule.enabled"] = rule.enabled if rule else True
    conditions.start("rule.pattern", rule.pattern_text if rule else _pattern_of(event))


def _language(viewer: Viewer) -> str:
    """Messages speak the tenant's language, not that of whoever makes the rule."""
    return choose(viewer.tenant.language, language())


def _pattern_of(event: Envelope | None) -> str:
    rows = (
        []
        if event is None
        else [
            Condition(path=name, value=patterns.typed(value))
            for name in ("type", "source")
            if (value := event.attribute(name))
        ]
    )
    return patterns.write(patterns.to_pattern(rows)[0])


def _fields(viewer: Viewer, targets: tuple[Target, ...]) -> str | None:
    state = st.session_state
    st.text_input(t("rules.name"), key="rule.name", max_chars=100)
    known = reads.bus_names(viewer)
    st.multiselect(
        t("filter.bus"),
        [*dict.fromkeys([*known, *state["rule.buses"]])],
        key="rule.buses",
        placeholder=t("filter.all_buses"),
    )
    notice.heading(t("rules.when"), aside=t("rules.when_aside"))
    made = conditions.editor("rule.pattern", _PATHS)
    known_targets = {target.id: target for target in targets}
    if _is_topic(known_targets.get(state["rule.target"])):
        notice.heading(t("rules.message"), aside=t("rules.forwarded"))
        # Kept for a robot that is chosen again: what is not drawn is forgotten.
        state["rule.title"], state["rule.text"] = state["rule.title"], state["rule.text"]
    else:
        notice.heading(t("rules.message"), aside=t("rules.message_aside"))
        st.text_input(t("rules.message_title"), key="rule.title", max_chars=500)
        st.text_area(t("rules.message_text"), key="rule.text", height=150, max_chars=10_240)
    names = {target.id: target.name for target in targets}
    target, cooldown = st.columns(2)
    with target:
        st.selectbox(
            t("rules.target"),
            list(names),
            key="rule.target",
            on_change=_chosen,
            args=(known_targets,),
            format_func=lambda i: visible(names.get(i, i)),
            index=None,
            placeholder=t("rules.no_target"),
        )
    with cooldown:
        st.selectbox(
            t("rules.cooldown"),
            sorted({*_COOLDOWNS, int(state["rule.cooldown"] or 0)}),
            key="rule.cooldown",
            format_func=lambda s: times.seconds(s) if s else t("rules.no_cooldown"),
            help=t("rules.cooldown_help"),
        )
    st.toggle(t("rules.enabled"), key="rule.enabled")
    if not targets:
        notice.note("info", t("rules.no_target"), t("rules.no_target_text"))
    return made.text


def _is_topic(target: Target | None) -> bool:
    """Whether the target gets the event itself."""
    return target is not None and target.rocketmq is not None


def _chosen(known: dict[str, Target]) -> None:
    """A rule that begins to forward loses no event to a pause."""
    if _is_topic(known.get(st.session_state["rule.target"])):
        st.session_state["rule.cooldown"] = 0


def _collected(pattern: str | None, targets: tuple[Target, ...]) -> dict[str, object] | None:
    state = st.session_state
    if pattern is None:
        return None
    forwarded = any(target.id == state["rule.target"] and _is_topic(target) for target in targets)
    return {
        "name": (state["rule.name"] or "").strip(),
        "buses": list(state["rule.buses"] or []),
        "pattern": msgspec.Raw(pattern.encode()),
        "template": {"title": "", "text": ""}
        if forwarded
        else {"title": state["rule.title"] or "", "text": state["rule.text"] or ""},
        "cooldown_s": int(state["rule.cooldown"] or 0),
        "target_id": state["rule.target"],
        "enabled": bool(state["rule.enabled"]),
    }


def _preview(viewer: Viewer, rule: Rule | None, fields: dict[str, object] | None) -> None:
    with st.container(key="ec-panel-preview"):
        notice.heading(t("rules.preview"))
        if fields is None:
            notice.caption(t("rules.preview_waits"))
            return
        asked = {name: fields[name] for name in ("buses", "pattern", "template")}
        if fields["target_id"]:
            asked["target_id"] = fields["target_id"]
        if rule is not None:
            asked["rule_id"] = rule.id
        if st.session_state.get("rule.seq"):
            asked["event_seq"] = st.session_state["rule.seq"]
        with notice.catching():
            _shown(viewer, viewer.client.preview_rule(asked))


def _shown(viewer: Viewer, found: Preview) -> None:
    sentence = found.sentence.zh if language() == "zh" else found.sentence.en
    draw(
        build(
            '<p class="ec-sentence">$sentence</p><p class="ec-matched"><b>$count</b> $label</p>',
            sentence=sentence,
            count=times.number(found.matched_24h),
            label=t("rules.matched_one_24h") if found.matched_24h == 1 else t("rules.matched_24h"),
            limit=1500,
        )
    )
    for trouble in found.problems:
        notice.note("warn", words(trouble))
    if found.message is None:
        notice.caption(t("rules.no_sample"))
        return
    if found.message.form == "event":
        notice.caption(t("rules.forwarded_to", topic=found.message.title))
        detail.block(found.message.text)
    else:
        dingtalk.message(found.message.title, found.message.text)
    if found.sample is not None:
        notice.caption(
            t("rules.sample", seq=found.sample.seq, at=times.moment(found.sample.received_at, viewer.zone))
        )


def _actions(viewer: Viewer, rule: Rule | None, fields: dict[str, object] | None) -> None:
    if not viewer.may("editor"):
        return
    save, test, delete = st.columns([1, 1.1, 0.9])
    ready = fields is not None and bool(fields["name"]) and bool(fields["target_id"])
    with save:
        saved = st.button(t("common.save"), type="primary", disabled=not ready, width="stretch", key="save")
    with test:
        tested = st.button(
            t("rules.test"),
            icon=":material/send:",
            disabled=not ready,
            width="stretch",
            help=t("rules.test_help"),
            key="test",
        )
    with delete:
        if rule is not None:
            with st.popover(t("common.delete"), icon=":material/delete:", width="stretch"):
                notice.note("warn", t("rules.delete_sure"), rule.name)
                if st.button(t("rules.delete_yes"), type="primary", key="delete"):
                    with notice.catching():
                        viewer.client.delete_rule(rule.id)
                        st.toast(t("rules.deleted"))
                        _back()
                        st.rerun()
    tried.show("rule.sent")
    if fields is None or not (saved or tested):
        return
    with notice.catching():
        kept = viewer.client.replace_rule(rule.id, fields) if rule else viewer.client.create_rule(fields)
        if tested:
            st.session_state["rule.sent"] = viewer.client.test_rule(
                kept.id, event_seq=st.session_state.get("rule.seq")
            )
        st.toast(t("common.saved"), icon=":material/check:")
        if rule is None:
            st.session_state["rule.loaded"] = kept.id
            st.query_params["rule"] = kept.id
        st.rerun()
