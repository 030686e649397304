"""kill -9 while a main file of a former format is brought up to date: it answers, whole, in the end."""

import gzip
import http.client
import random
import shutil
import threading
import time
from pathlib import Path

import duckdb
import pytest

from eventcenter.archive import Archives, examine
from eventcenter.store import Store
from eventcenter.store.models import Tenant
from eventcenter.store.sql import select
from tests.crash.test_crash import seed_of
from tests.support.product import Product, wait_until

FORMER = Path(__file__).parent.parent / "archive" / "former" / "format-1.duckdb.gz"
EVENTS = 200_000


def former(path: Path) -> None:
    """The stored file of format 1, with many more events of the same kind."""
    path.parent.mkdir(parents=True, mode=0o700)
    with gzip.open(FORMER) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "INSERT INTO fresh SELECT f.* REPLACE (s.seq AS seq, 'n' || s.seq AS id, hash(s.seq) AS key)"
            " FROM (SELECT * FROM fresh WHERE seq = 1) f, range(24, ?) s(seq)",
            [EVENTS + 1],
        )
        connection.execute("UPDATE state SET next_seq = ?", [EVENTS + 1])
        connection.execute("UPDATE buses SET events = events + ? WHERE bus = 'default'", [EVENTS - 23])


@pytest.mark.long
@pytest.mark.timeout(180)
def test_killed_while_it_migrates_nothing_is_lost(tmp_path: Path) -> None:
    rnd = random.Random(seed_of(20261124))
    with Product(tmp_path) as product:
        viewer = product.token("viewer")
        with Store.open(product.settings) as store:
            tenant = store.read(lambda session: session.scalars(select(Tenant.id)).one())
        former(product.settings.tenants_dir / tenant / "main.duckdb")
        for _ in range(4):
            product.start("server")
            # The first question opens the archive; it is not answered before the kill.
            _ask_and_go(product, viewer)
            time.sleep(rnd.uniform(0.0, 1.0))
            product.kill("server")
        product.start("server")
        wait_until(lambda: product.api("GET", "/v1/status", viewer)[1].get("events") == EVENTS, 60.0)
        product.stop("server")
        archives = Archives(product.settings.tenants_dir)
        assert list(examine(archives.tenant(tenant))) == []
        archives.close()


def _ask_and_go(product: Product, token: str) -> None:
    def ask() -> None:
        try:
            product.api("GET", "/v1/status", token)
        except (OSError, http.client.HTTPException, ValueError):
            return

    threading.Thread(target=ask, daemon=True).start()
