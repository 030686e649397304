"""`eventcenter query` against a running server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from eventcenter.cli.commands import app
from tests.support.product import Product


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("query")) as made:
        made.start("server")
        yield made


def ask(product: Product, *arguments: str, code: int = 0) -> Result:
    environment = {**product.environment(), "EVENTCENTER_TOKEN": product.token("viewer")}
    done = CliRunner().invoke(app, ["query", *arguments], env=environment)
    assert done.exit_code == code, done.output
    return done


def test_formats(product: Product) -> None:
    sql = "SELECT * FROM (VALUES ($x, 'a'), (NULL, E'b\\x1b')) AS t(n, s)"
    assert ask(product, sql, "--param", "x=1").stdout == "1\ta\n\tb\\x1b\n"
    answer = json.loads(ask(product, sql, "--param", "x=1", "--format", "json").stdout)
    assert answer["rows"] == [[1, "a"], [None, "b\x1b"]]
    table = ask(product, sql, "--param", "x=y", "--format", "csv").stdout_bytes
    assert table == b"n,s\r\ny,a\r\n,b\x1b\r\n"
    assert ask(product, "SELECT count(*) FROM events", "--format", "arrow").stdout_bytes[:4] == b"\xff" * 4


def test_it_says_that_there_is_more(product: Product) -> None:
    done = ask(product, "SELECT * FROM range(5)", "--limit", "2")
    assert done.stdout == "0\n1\n"
    assert "more rows" in done.stderr


def test_refusals(product: Product, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["query", "SELECT 1"], env={**product.environment(), "EVENTCENTER_TOKEN": ""}
    )
    assert done.exit_code == 2
    assert "--role viewer" in done.stderr
    refused = ask(product, "SELECT * FROM read_csv('x')", code=1)
    assert "read_csv" in str(refused.exception)
    assert "NAME=VALUE" in ask(product, "SELECT 1", "--param", "x", code=2).stderr
