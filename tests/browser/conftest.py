"""A real browser, headless: Debian's Chromium, driven by Playwright, with a profile of its own that calls nobody."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.oauth.conftest import api, people_template, register

__all__ = ["api", "people_template", "register"]

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--disable-features=OptimizationHints,MediaRouter,AutofillServerCommunication",
)  # fmt: skip


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, which `.ci/run` installs where it is missing."""
    path = shutil.which("chromium")
    assert path, "Chromium is needed: apt-get install chromium"
    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=Path(path), headless=True, args=list(FLAGS))
        yield chromium
        await chromium.close()
