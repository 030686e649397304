"""`make screenshots`: every page, light and dark, empty and with the demo, in both languages.

They are there to be looked at; the README's picture is one of them.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from eventcenter.testing.robot import Robot
from tests.browser.conftest import House, settle, visit
from tests.conftest import program
from tests.support.product import Product, free_port, request, wait_until

ROOT = Path(__file__).parents[2]
PAGES = {
    "overview": "/",
    "events": "/events",
    "inputs": "/inputs",
    "input": "/inputs?input=new",
    "rules": "/rules",
    "deliveries": "/deliveries",
    "rejects": "/rejects",
    "settings": "/settings",
}
LOCALES = {"en": "en-US", "zh": "zh-CN"}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PICTURE = "overview-full-en-light.png"
_DRAWN_MS = 2500
_SOME_LIFE_S = 60


def main(folder: Path) -> None:
    """Write all pictures into `folder` and the README's into docs/images/."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, Product(Path(place), robot_port=free_port()) as product:
        product.start("ingest", "server", "dashboard")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program("browser"), args=["--no-sandbox"])
            house = House(product=product, robot=Robot())
            _shoot(browser, house, folder, "empty")
            with subprocess.Popen(
                [sys.executable, "-m", "eventcenter.cli.process", "demo"], env=product.environment()
            ) as demo:
                try:
                    wait_until(lambda: _delivered(product.settings.robot_port), 120 + _SOME_LIFE_S)
                    _shoot(browser, house, folder, "full")
                    _shoot_robot(browser, product.settings.robot_port, folder)
                finally:
                    demo.terminate()
            browser.close()
    shutil.copy(folder / PICTURE, ROOT / "docs" / "images" / "overview-light.png")


def _shoot(browser: Browser, house: House, folder: Path, state: str) -> None:
    for language, locale in LOCALES.items():
        context, page = visit(browser, house, locale)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            for name, path in PAGES.items():
                page.goto(house.product.settings.dashboard_url + path)
                page.wait_for_selector(".ec-head, .ec-note, .ec-empty")
                settle(page)
                _save(page, folder / f"{name}-{state}-{language}-{scheme}.png")
        context.close()


def _shoot_robot(browser: Browser, port: int, folder: Path) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 1100})
    page.goto(f"http://127.0.0.1:{port}/")
    _save(page, folder / "robot.png")


def _save(page: Page, path: Path) -> None:
    page.wait_for_timeout(_DRAWN_MS)
    page.screenshot(path=path)


def _delivered(port: int) -> bool:
    try:
        status, answer = request(port, "GET", "/messages")
    except OSError:
        return False
    return status == 200 and len(answer["messages"]) > 1


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "screenshots")
