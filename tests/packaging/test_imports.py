"""The packages have short names that others have too: the guards that make this safe."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("alerts", "app", "eventcenter", "ingest", "queries")
APP_MAY_IMPORT = ("eventcenter.client", "eventcenter.settings", "eventcenter.errors")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def python(code: str, folder: Path) -> str:
    """What `code` prints in a fresh interpreter that was started in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_ours_outside_the_checkout(package: str, tmp_path: Path) -> None:
    found = python(f"import {package}; print({package}.__file__)", tmp_path)
    assert Path(found).parent == ROOT / package


def test_it_is_never_published() -> None:
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def test_the_program_says_its_version() -> None:
    version = python("import eventcenter; print(eventcenter.__version__)", ROOT)
    assert importlib.metadata.version("eventcenter") == version
    for command in (
        [sys.executable, "-m", "eventcenter"],
        [str(Path(sys.executable).parent / "eventcenter")],
    ):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == f"eventcenter {version}\n"


def test_nothing_in_app_shares_a_name_with_a_package() -> None:
    """Streamlit puts `app/` on the path: `app/queries.py` would hide the package `queries`."""
    taken = {*PACKAGES, "tests", *importlib.metadata.packages_distributions()}
    inside = {path.stem for path in (ROOT / "app").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not (inside - {"__init__", "__pycache__"}) & taken


def test_app_has_no_folder_of_pages() -> None:
    """With `pages/` beside the entry script Streamlit serves them without it, and so without the sign-in."""
    assert not (ROOT / "app" / "pages").exists()


def test_app_talks_to_the_client_only() -> None:
    graph = grimp.build_graph(*PACKAGES)
    wrong = [
        f"{importer} imports {imported}, line {detail['line_number']}"
        for importer in sorted({"app"} | graph.find_descendants("app"))
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if imported.partition(".")[0] != "app" and not imported.startswith(APP_MAY_IMPORT)
        for detail in graph.get_import_details(importer=importer, imported=imported)
    ]
    assert not wrong


def test_the_ingest_process_loads_no_duckdb(tmp_path: Path) -> None:
    code = "import sys, eventcenter.cli.process, ingest.service; print('duckdb' in sys.modules)"
    assert python(code, tmp_path) == "False"


def test_help_does_not_load_the_store(tmp_path: Path) -> None:
    heavy = ("duckdb", "sqlalchemy", "streamlit", "pandas", "fastapi")
    code = f"import sys, eventcenter.cli.commands; print([m for m in {heavy} if m in sys.modules])"
    assert python(code, tmp_path) == "[]"


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").iterdir()), ids=lambda path: path.name)
def test_requirements_name_no_index(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links|-f)\b", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_every_locked_requirement_has_a_hash(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if "==" in line]
    assert pins
    assert all(line.endswith("\\") for line in pins)


@pytest.mark.parametrize("name", ["runtime", "dev", "build", "rocketmq"])
def test_everything_wanted_is_locked(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    wanted = {re.split(r"[<>=;\[ ]", line)[0] for line in lines if line and line[0] not in "#-"}
    locked = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    assert wanted <= set(re.findall(r"^([a-z0-9._-]+)==", locked, re.MULTILINE))
