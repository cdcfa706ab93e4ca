"""Signing in as people do it: in a browser, without script, on a phone, and with the keyboard alone."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.api import Api
from tests.identity.provider import serving as answering
from tests.oauth.apps import PASSWORD, Register, Smart, types

SCOPE = "openid launch/patient online_access user/Patient.rs user/Observation.rs user/Goal.rs"
PHONE = {"width": 360, "height": 740}


@pytest.fixture
async def app(api: Api, register: Register) -> AsyncIterator[Smart]:
    """An app whose redirect URI answers."""
    with answering() as there:
        yield await register(api, "public", redirect_uris=(f"{there.origin}/callback?app=1",))


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A phone without script."""
    made = await browser.new_context(java_script_enabled=False, viewport=PHONE, has_touch=True)  # pyright: ignore[reportArgumentType]
    yield made
    await made.close()


def start(app: Smart) -> str:
    """Where the app sends people."""
    return f"http://127.0.0.1:{app.api.port}/oauth/authorize?{urlencode(app.question(SCOPE))}"


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus, and see that one can see it."""
    for _ in range(60):
        if await page.evaluate(f"document.activeElement.matches({selector!r})"):
            outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
        await page.keyboard.press("Tab")
    raise AssertionError(selector)


async def check(page: Page) -> None:
    """What holds on every page: it fits the phone, says its language and title, and every field has a label."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert await page.evaluate("document.documentElement.lang") == "en"
    assert await page.title()
    assert await page.locator("h1").count() == 1
    fields = "input:not([type=hidden]), select"
    assert await page.evaluate(f"[...document.querySelectorAll({fields!r})].every(field => field.labels.length > 0)")
    small = "[...document.querySelectorAll('button')].filter(button => button.getBoundingClientRect().height < 44).length"
    assert await page.evaluate(small) == 0
    loaded = await page.evaluate("performance.getEntriesByType('resource').map(one => new URL(one.name).host)")
    assert set(loaded) <= {urlsplit(page.url).netloc}


async def told(app: Smart, page: Page) -> dict[str, list[str]]:
    """What the browser brought back to the app."""
    await page.wait_for_url(lambda url: urlsplit(url).path == "/callback")
    answer = parse_qs(urlsplit(page.url).query)
    assert answer["state"] == [app.state]
    assert answer["app"] == ["1"]
    return answer


async def test_a_companion_lets_an_app_in_on_a_phone(app: Smart, context: BrowserContext, tmp_path: Path) -> None:
    page = await context.new_page()
    await page.goto(start(app))
    await check(page)
    await page.screenshot(path=tmp_path / "1-sign-in.png", full_page=True)
    await page.get_by_label("Username").fill("maya")
    await page.get_by_label("Password").fill("wrong wrong")
    await page.get_by_role("button", name="Sign in").click()
    assert "That did not work" in await page.get_by_role("alert").inner_text()
    await check(page)
    await page.get_by_label("Username").fill("maya")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await check(page)
    await page.screenshot(path=tmp_path / "2-patient.png", full_page=True)
    await page.get_by_label("Search by name").fill("ana")
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("button", name="Ana Morales").click()
    await check(page)
    await page.screenshot(path=tmp_path / "3-decision.png", full_page=True)
    await page.get_by_label("Goal").uncheck()
    await page.get_by_role("button", name="Allow", exact=True).click()
    [code] = (await told(app, page))["code"]
    said = (await app.exchange(code)).json()
    assert types(said["scope"]) == {"Patient", "Observation"}
    assert (said["patient"], (await app.fhir(said["access_token"]).get("Patient/ana")).status) == ("ana", 200)
    await page.goto(f"http://127.0.0.1:{app.api.port}/account")
    await check(page)
    await page.screenshot(path=tmp_path / "4-account.png", full_page=True)
    await page.get_by_role("button", name="Sign out everywhere").click()
    assert "Sign in" in await page.title()
    assert (await app.fhir(said["access_token"]).get("Patient/ana")).status == 401


async def test_the_keyboard_alone_is_enough(app: Smart, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(start(app))
    await tab_to(page, "#username")
    await page.keyboard.type("maya")
    await tab_to(page, "#password")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#search")
    await tab_to(page, "button[value=ana]")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("button[value=allow]")
    await tab_to(page, "input[value=Goal]")
    await page.keyboard.press("Space")
    await tab_to(page, "summary")
    await page.keyboard.press("Space")
    await tab_to(page, "input[value$='|vital-signs']")
    await page.keyboard.press("Space")
    await tab_to(page, "button[value=allow]")
    await page.keyboard.press("Enter")
    [code] = (await told(app, page))["code"]
    scope = (await app.exchange(code)).json()["scope"].split()
    assert "user/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs" in scope
    assert types(" ".join(scope)) == {"Patient", "Observation"}


async def test_somebody_who_says_no_goes_back_without_a_code(app: Smart, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(start(app))
    await page.get_by_label("Username").fill("maya")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Ana Morales").click()
    await page.get_by_role("button", name="Do not allow").click()
    answer = await told(app, page)
    assert answer["error"] == ["access_denied"]
    assert "code" not in answer
