"""Runs the program as a person does, in a folder of its own, but within this process: that is much faster."""

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest

from eventcenter import settings
from eventcenter.cli.commands import run
from eventcenter.cli.up import prepare
from eventcenter.settings import PREFIX, Settings
from tests.support.product import free_port


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True, kw_only=True)
class Program:
    """The program `eventcenter` in `folder`, with the settings of the environment given."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "", code: int | None = 0) -> Done:
        """Run a command to its end; fails unless it ends with `code` (None: any)."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment = {**clean, "COLUMNS": "200", **self.environment}
        out, err = io.StringIO(), io.StringIO()
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            with (
                mock.patch.dict(os.environ, environment, clear=True),
                mock.patch.object(sys, "argv", ["eventcenter", *arguments]),
                mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))),
                redirect_stdout(out),
                redirect_stderr(err),
                pytest.raises(SystemExit) as ended,
            ):
                run()
        finally:
            os.chdir(before)
        done = Done(returncode=int(ended.value.code or 0), stdout=out.getvalue(), stderr=err.getvalue())
        assert code is None or done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def out(self, *arguments: str, stdin: str = "") -> list[str]:
        """The lines that a command that succeeds prints on stdout."""
        return self.run(*arguments, stdin=stdin).stdout.splitlines()

    @property
    def settings(self) -> Settings:
        """The settings that the program sees."""
        found = settings.load(self.environment, dotenv=None)
        return Settings(**{**found.__dict__, "data_dir": self.folder / found.data_dir})


@pytest.fixture
def empty(tmp_path: Path) -> Program:
    """In a folder without data."""
    return _program(tmp_path)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """In a folder whose store is made."""
    made = _program(tmp_path)
    prepare(made.settings)
    return made


def _program(folder: Path) -> Program:
    ports = {f"{PREFIX}{name}_PORT": str(free_port()) for name in ("INGEST", "API", "DASHBOARD", "ROBOT")}
    return Program(folder=folder, environment=ports)
