"""What the dashboard's source may not do, read from the source itself."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
SOURCES = sorted(APP.rglob("*.py"))
CATALOGUES = {name: json.loads((APP / "i18n" / f"{name}.json").read_text("utf-8")) for name in ("en", "zh")}
TREES = {path: ast.parse(path.read_text("utf-8")) for path in SOURCES}
SPOKEN = {
    path: tree
    for path, tree in TREES.items()
    if {"views", "components"} & set(path.parts)
    or path.name in {"main.py", "session.py", "ranges.py", "urlstate.py"}
}

RAW = {
    "markdown",
    "write",
    "write_stream",
    "title",
    "header",
    "subheader",
    "caption",
    "text",
    "latex",
    "echo",
    "exception",
    "json",
    "info",
    "success",
    "warning",
    "error",
    "table",
    "badge",
    "help",
    "iframe",
    "image",
    "graphviz_chart",
    "chat_message",
}
LABELLED = {
    "button",
    "toggle",
    "checkbox",
    "radio",
    "selectbox",
    "multiselect",
    "text_input",
    "text_area",
    "number_input",
    "metric",
    "popover",
    "expander",
    "tabs",
    "toast",
    "form_submit_button",
    "segmented_control",
    "pills",
    "download_button",
    "datetime_input",
    "date_input",
    "dialog",
    "status",
    "spinner",
    "link_button",
    "page_link",
    "slider",
    "select_slider",
    "Page",
}
FORBIDDEN_IMPORTS = {
    "httpx",
    "requests",
    "urllib3",
    "urllib.request",
    "http.client",
    "socket",
    "sqlite3",
    "sqlalchemy",
    "duckdb",
    "subprocess",
    "pickle",
}
IN_MARKDOWN = {"help", "label"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Calls of `st.name(…)` and `st.sidebar.name(…)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if owner == "st" or owner.startswith("st."):
                yield node.func.attr, node


def from_catalogue(node: ast.expr) -> bool:
    """Empty, or texts of the catalogue without values of others: Streamlit may read it as markdown."""
    if isinstance(node, ast.Constant):
        return node.value in {"", None}
    if isinstance(node, ast.IfExp):
        return from_catalogue(node.body) and from_catalogue(node.orelse)
    if isinstance(node, ast.List | ast.Tuple):
        return all(from_catalogue(one) for one in node.elts)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "t":
        return all(keyword.arg == "variable" for keyword in node.keywords)
    return False


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(APP)))
def test_no_raw_text(path: Path) -> None:
    for name, call in calls(TREES[path]):
        where = f"{path.name}:{call.lineno}"
        assert name not in RAW, f"{where}: st.{name} reads markdown or HTML; use app.components"
        assert not any(keyword.arg == "unsafe_allow_html" for keyword in call.keywords), where
        if name == "html":
            assert path.name == "markup.py", f"{where}: only markup.py writes HTML"
            assert not any(keyword.arg == "unsafe_allow_javascript" for keyword in call.keywords), where
    source = path.read_text("utf-8")
    assert "components.v1" not in source
    if path.parent.name != "components":
        assert "Markup(" not in source, f"{path.name}: only components make markup"


@pytest.mark.parametrize("path", SPOKEN, ids=lambda path: str(path.relative_to(APP)))
def test_labels_come_from_the_catalogue(path: Path) -> None:
    for name, call in calls(TREES[path]):
        if name not in LABELLED:
            continue
        where = f"{path.name}:{call.lineno} st.{name}"
        if name == "segmented_control" and path.name == "urlstate.py":
            assert ast.unparse(call.args[0]) == "label"
            continue
        if name == "metric":
            assert path.name == "overview.py", where
            continue
        if name == "Page":
            title = next(keyword.value for keyword in call.keywords if keyword.arg == "title")
            assert from_catalogue(title), where
            continue
        assert call.args, where
        assert from_catalogue(call.args[0]), f"{where}: {ast.unparse(call.args[0])}"
        for keyword in call.keywords:
            if keyword.arg in IN_MARKDOWN:
                assert from_catalogue(keyword.value), f"{where}: {keyword.arg}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(APP)))
def test_talks_to_the_client_only(path: Path) -> None:
    for node in ast.walk(TREES[path]):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name not in FORBIDDEN_IMPORTS, f"{path.name}: {name}"
            top = name.split(".")[0]
            assert top not in {"queries", "alerts", "ingest"}, f"{path.name}: {name}"
            if top == "eventcenter":
                assert name in {"eventcenter.client", "eventcenter.settings", "eventcenter.errors"}, (
                    f"{path.name}: {name}"
                )


def test_every_cached_function_takes_the_tenant_first() -> None:
    found = 0
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            if any("cache_" in ast.unparse(one) for one in node.decorator_list):
                found += 1
                first = [*node.args.posonlyargs, *node.args.args][0].arg
                assert first == "tenant", f"{path.name}: {node.name}"
    assert found


def test_every_page_asks_who_is_there() -> None:
    pages = [p for p in SOURCES if p.parent.name == "views" and p.name != "__init__.py"]
    pages += [APP / "views" / folder / "page.py" for folder in ("inputs", "settings")]
    for path in pages:
        shown = next(n for n in TREES[path].body if isinstance(n, ast.FunctionDef) and n.name == "show")
        assert [ast.unparse(one) for one in shown.decorator_list] == ["session.page"], path.name
        assert "session.follow_link(viewer)" in ast.unparse(shown.body[1]), path.name
    assert not (APP / "pages").exists()


def test_both_catalogues_have_every_text() -> None:
    assert list(CATALOGUES["en"]) == list(CATALOGUES["zh"])
    for key in CATALOGUES["en"]:
        places = [sorted(re.findall(r"(?<!\$)\{(\w+)\}", CATALOGUES[name][key])) for name in ("en", "zh")]
        assert places[0] == places[1], key
        assert CATALOGUES["en"][key].strip(), key
        assert CATALOGUES["zh"][key].strip(), key
        assert not re.search(r"[\u4e00-\u9fff]", CATALOGUES["en"][key]), key


def test_no_catalogue_text_is_markdown() -> None:
    for texts in CATALOGUES.values():
        for key, text in texts.items():
            if not key.startswith("operator.") and key != "rules.default_text":
                assert not re.search(r"^#|[*_`\[\]<>]|:\w+:", text), key


def used() -> Iterator[tuple[Path, str]]:
    """Keys and beginnings of keys that the source asks for."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            at = {"t": 0, "say": 0, "text": 1, "i18n.text": 1}.get(name)
            if at is None or len(node.args) <= at:
                continue
            key = node.args[at]
            if isinstance(key, ast.Constant):
                yield path, str(key.value)
            elif isinstance(key, ast.JoinedStr) and isinstance(key.values[0], ast.Constant):
                yield path, str(key.values[0].value) + "*"


def test_every_key_is_in_the_catalogue_and_every_text_is_used() -> None:
    keys = set(CATALOGUES["en"])
    asked = set()
    for path, key in used():
        if key.endswith("*"):
            matching = {one for one in keys if one.startswith(key[:-1])}
            assert matching, f"{path.name}: {key}"
            asked |= matching
        else:
            assert key in keys, f"{path.name}: {key}"
            asked.add(key)
    troubles = {"pattern.bad_path", "pattern.bad_number", "pattern.twice"}
    assert keys - asked - troubles == set()


def test_no_text_outside_the_catalogues() -> None:
    for path in SOURCES:
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if path.name == "__init__.py" and path.parent.name == "i18n":
                    continue
                assert not re.search(r"[\u4e00-\u9fff]", node.value), f"{path.name}:{node.lineno}"


def test_the_process_does_not_import_duckdb() -> None:
    import subprocess
    import sys

    code = (
        "import app.server, app.session, app.views.overview, sys;"
        "import app.views.inputs.page, app.views.settings.page;"
        "bad = {'duckdb', 'sqlalchemy', 'fastapi'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd="/", capture_output=True)
