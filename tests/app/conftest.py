"""Pages opened through main.py against a made-up API."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element
from streamlit.util import calc_hash

from app import context, identity, session
from eventcenter.client import Client
from eventcenter.clock import ManualClock
from eventcenter.settings import Settings
from tests.support.fake_api import SESSION, FakeApi

MAIN = Path(__file__).parents[2] / "app" / "main.py"
Open = Callable[..., AppTest]


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def empty() -> FakeApi:
    return FakeApi(full=False)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """`opened(api, "events", event="1000")` runs main.py on that page and gives the tree."""
    import streamlit as st

    def run(api: FakeApi, page: str = "", *, cookie: str | None = SESSION, **query: str) -> AppTest:
        client = Client("http://api.test", transport=api.transport(), clock=ManualClock(api.now))
        context.configure(Settings(), client)
        monkeypatch.setattr(session, "read_cookie", lambda: cookie)
        monkeypatch.setattr(identity.IDENTITIES, "_known", type(identity.IDENTITIES._known)())
        st.cache_data.clear()
        tree = AppTest.from_file(str(MAIN), default_timeout=30)
        tree.query_params.update(query)
        tree._page_hash = calc_hash(page) if page else ""
        return tree.run()

    yield run
    st.cache_data.clear()


def html(tree: AppTest) -> str:
    """All HTML of a page but the style sheet."""
    found = [str(one.value) for one in tree.get("html") if isinstance(one, Element)]
    return "\n".join(text for text in found if not text.startswith("<style>"))


def everything(tree: AppTest) -> str:
    """All that a page shows as text, wherever."""
    parts: list[Any] = [html(tree)]
    for kind in ("code", "metric", "button", "selectbox", "multiselect", "text_input", "toggle"):
        parts += [str(one.proto) for one in tree.get(kind)]
    parts += [frame.value.to_csv() for frame in tree.dataframe]
    return "\n".join(map(str, parts))
