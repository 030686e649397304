"""The dashboard's process: Streamlit as an ASGI application behind our own gate."""

import gc
import tomllib
from pathlib import Path
from typing import Any

import uvicorn
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from app.auth import routes
from app.context import configure
from app.gate import Gate
from eventcenter.client import Client
from eventcenter.settings import Settings

_HERE = Path(__file__).parent


def create(settings: Settings, client: Client | None = None) -> ASGIApp:
    """The ASGI application. One per process: Streamlit's configuration is global."""
    import streamlit as st

    context = configure(settings, client)
    _configure_streamlit()
    _settle_memory()
    return st.App(
        _HERE / "main.py",
        routes=routes(context),
        middleware=[
            Middleware(Gate, context=context),
            Middleware(GZipMiddleware, minimum_size=1024, compresslevel=5),
        ],
    )


def run(settings: Settings) -> None:
    """Serve the dashboard until the process is told to stop."""
    uvicorn.run(
        create(settings),
        host=settings.dashboard_host,
        port=settings.dashboard_port,
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


def _configure_streamlit() -> None:
    """Theme and options of streamlit.toml, whatever folder the process was started in."""
    from streamlit.web import bootstrap

    options: dict[str, Any] = {}

    def flatten(prefix: str, table: dict[str, Any]) -> None:
        for name, value in table.items():
            if isinstance(value, dict):
                flatten(f"{prefix}{name}.", value)
            else:
                options[f"{prefix}{name}".replace(".", "_")] = value

    flatten("", tomllib.loads((_HERE / "streamlit.toml").read_text("utf-8")))
    bootstrap.load_config_options(options)


def _settle_memory() -> None:
    """Streamlit collects garbage after every run; what is imported once need not be looked at again."""
    import pandas as pd
    import plotly.graph_objects as go

    go.Figure(go.Bar(x=pd.Series([0]), y=pd.Series([0]))).to_json()
    gc.collect()
    gc.freeze()
