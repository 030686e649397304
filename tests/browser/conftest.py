"""The real product, a robot that checks signatures, and Chromium."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from eventcenter.store import Store
from eventcenter.store.bootstrap import sign_in_link
from eventcenter.testing.robot import Robot, RobotConfig, run_robot
from tests.conftest import program
from tests.support.product import Product

ROBOT_TOKEN = "b" * 64
ROBOT_SECRET = "SEC" + "c" * 61
PATIENCE_MS = 30_000


@dataclass(frozen=True, kw_only=True)
class House:
    """All that runs, and a way in."""

    product: Product
    robot: Robot

    def link(self) -> str:
        """A one-time link of the first user."""
        with Store.open(self.product.settings) as store:
            code = sign_in_link(store, "admin")
        return f"{self.product.settings.dashboard_url}/auth/link?code={code}"


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    robot = Robot(robots={ROBOT_TOKEN: RobotConfig(secret=ROBOT_SECRET, name="on-call")})
    with run_robot(robot), Product(tmp_path_factory.mktemp("house")) as product:
        product.start("ingest", "server", "dashboard")
        yield House(product=product, robot=robot)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program("browser"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


def visit(chromium: Browser, house: House, locale: str) -> tuple[BrowserContext, Page]:
    """A new browser of that language, signed in by a one-time link."""
    context = chromium.new_context(locale=locale, viewport={"width": 1440, "height": 1100})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(house.link())
    page.click("button[type=submit]")
    page.wait_for_selector(".ec-head")
    return context, page


def go(page: Page, house: House, path: str) -> None:
    """Open a page and wait until its script has run."""
    page.goto(house.product.settings.dashboard_url + path)
    page.wait_for_selector(".ec-head, .ec-note, .ec-empty")
    settle(page)


def settle(page: Page) -> None:
    """Wait until no run is under way."""
    page.wait_for_function(
        "() => { const app = document.querySelector('[data-testid=stApp]');"
        " return app && app.dataset.testScriptState === 'notRunning' }"
    )


def shots() -> Path | None:
    """Where screenshots go, if a person wants them: EVENTCENTER_SHOTS is no setting of the product."""
    import os

    folder = os.environ.get("SHOTS")
    return Path(folder) if folder else None
