"""The pages: who signs in, how often one may try, what a form is worth in another browser, and how pages go out."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pyotp.totp import TOTP

from recovery_api.fhir.errors import ServiceUnavailable
from recovery_api.identity.events import Event, SignIn, TokenRefused
from tests.api import Api, serving
from tests.databases import Databases
from tests.oauth.apps import BASE, CALLBACK, PASSWORD, Page, Register, Smart, registered

SCOPE = "launch/patient user/Patient.rs"


def at(page: Page, action: str) -> int:
    """The place of the form that goes there."""
    return next(place for place, form in enumerate(page.forms) if form.action == action)


def without_secrets(page: Page) -> str:
    return re.sub(r'value="[\w\-]{40,}"', "", page.response.text)


async def test_a_wrong_password_and_an_unknown_name_get_the_same_page(smart: Smart) -> None:
    page = Page(await smart.authorize(SCOPE))
    wrong, unknown = [Page(await smart.sign_in(page, name, "wrong wrong")) for name in ("maya", "nobody-at-all")]
    assert wrong.status == unknown.status == 401
    assert without_secrets(wrong) == without_secrets(unknown)
    assert "That did not work" in wrong.text
    assert Page(await smart.follow(await smart.sign_in(wrong))).forms[0].action == "/oauth/patient"


@pytest.mark.parametrize("username", ["maya", "nobody-at-all"])
async def test_after_ten_attempts_a_name_waits_in_every_process(
    databases: Databases, people_template: str, tmp_path: Path, username: str
) -> None:
    url = databases.clone(people_template)
    async with serving(url, tmp_path) as one, serving(url, tmp_path) as other:
        first, second = [await registered(api, "public", redirect_uris=(CALLBACK,)) for api in (one, other)]
        async with first.http, second.http:
            here, there = [Page(await app.authorize(SCOPE)) for app in (first, second)]
            for number in range(10):
                app, page = ((first, here), (second, there))[number % 2]
                assert (await app.sign_in(page, username, "wrong wrong")).status_code == 401
            for app, page in ((first, here), (second, there)):
                assert (await app.sign_in(page, username)).status_code == 429
            assert (await first.sign_in(here, "ruth")).status_code == 303
            one.clock.move(seconds=900)
            first.http.cookies.clear()
            here = Page(await first.authorize(SCOPE))
            assert (await first.sign_in(here, username)).status_code == (303 if username == "maya" else 401)
    databases.drop(url)


async def test_after_a_hundred_failures_an_address_waits(api: Api, register: Register) -> None:
    app = await register(api, "public", redirect_uris=(CALLBACK,))
    ledger = api.running.server.store.ledger
    for number in range(100):
        await ledger.add("attempt", str(number), owner="address 127.0.0.1", expires=api.clock() + 60_000_000)
    page = Page(await app.authorize(SCOPE))
    assert (await app.sign_in(page)).status_code == 429
    api.clock.move(seconds=60)
    assert (await app.sign_in(page)).status_code == 303
    assert await ledger.entries_of("attempt", "address 127.0.0.1") == []


async def test_a_form_is_worth_nothing_in_another_browser(smart: Smart, register: Register) -> None:
    other = await register(smart.api, "public", redirect_uris=(CALLBACK,))
    page = Page(await smart.authorize(SCOPE))
    await other.authorize(SCOPE)
    forged = await other.sign_in(page)
    assert forged.status_code == 400
    assert "Nothing was shared" in forged.text
    decision = await smart.at_decision(SCOPE)
    await other.follow(await other.sign_in(Page(await other.authorize(SCOPE))))
    for stolen in (decision, Page(await smart.authorize(SCOPE))):
        assert (await other.submit(stolen, decision="allow", patient="ana")).status_code == 400
    for path in ("/oauth/decision", "/oauth/patient", "/account/sign-out", "/account/open"):
        assert (await other.http.post(path, data={"decision": "allow", "carried": ""})).status_code == 400
        assert (await other.http.post(path, json={})).status_code == 400
    assert "Your account" in (await other.http.get("/account")).text


async def test_a_page_from_before_signing_in_is_worth_nothing_after(smart: Smart) -> None:
    page = Page(await smart.authorize(SCOPE))
    await smart.sign_in(page)
    assert (await smart.sign_in(page, "ruth")).status_code == 400


async def test_pages_go_out_closed(smart: Smart) -> None:
    answer = await smart.authorize(SCOPE)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "script-src" not in policy
    assert "no-store" in answer.headers["cache-control"]
    assert "<script" not in answer.text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)
    decision = (await smart.at_decision(SCOPE)).response
    assert "form-action 'self' http://127.0.0.1:9;" in decision.headers["content-security-policy"]
    style = await smart.http.get("/oauth/style.css")
    assert (style.status_code, style.headers["content-type"].partition(";")[0]) == (200, "text/css")
    assert "access-control-allow-origin" not in answer.headers


async def test_what_people_type_is_shown_as_text(smart: Smart) -> None:
    page = Page(await smart.follow(await smart.sign_in(Page(await smart.authorize(SCOPE)))))
    shown = await smart.submit(page, 0, search='"><script>alert(1)</script>')
    assert "<script" not in shown.text
    assert "Nobody of that name" in shown.text


async def test_cookies_are_for_the_server_alone(smart: Smart) -> None:
    answer = await smart.sign_in(Page(await smart.authorize(SCOPE)))
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


async def test_an_https_address_makes_everything_https(databases: Databases, people_template: str, tmp_path: Path) -> None:
    url = databases.clone(people_template)
    async with serving(url, tmp_path, PUBLIC_URL="https://recovery.example.org") as api:
        where = f"http://127.0.0.1:{api.http.base_url.port}"
        async with httpx.AsyncClient(base_url=where, event_hooks=api.http.event_hooks) as http:
            said = (await http.get("/fhir/.well-known/smart-configuration")).json()
            addresses = [value for name, value in said.items() if name.endswith(("endpoint", "_uri"))]
            assert all(address.startswith("https://recovery.example.org/oauth/") for address in addresses)
            for path in ("/fhir/metadata", "/oauth/jwks.json", "/health/live", "/fhir/Patient/ana"):
                assert (await http.get(path)).headers["strict-transport-security"].startswith("max-age=31536000")
            cookie = (await http.get("/account")).headers["set-cookie"]
            assert cookie.startswith("__Host-recovery-form=")
            assert "Secure" in cookie
    databases.drop(url)


async def test_a_session_ends_after_a_working_day(lone: Smart) -> None:
    await lone.at_decision(SCOPE)
    lone.api.clock.move(seconds=8 * 3600 - 1)
    assert "sign-in" not in (await lone.authorize(SCOPE)).text
    lone.api.clock.move(seconds=1)
    assert "/oauth/sign-in" in (await lone.authorize(SCOPE)).text


async def test_a_second_factor_is_set_up_and_then_needed(lone: Smart) -> None:
    page = Page(await lone.follow(await lone.sign_in(Page(await lone.http.get("/account")))))
    page = Page(await lone.submit(page, at(page, "/account/second-factor")))
    wrong = Page(await lone.submit(page, code="000000"))
    assert wrong.status == 400
    key = shown_key(wrong)
    assert key != shown_key(page)
    answer = await lone.submit(wrong, code=code(lone, key))
    assert "Your authenticator is set up" in (await lone.follow(answer)).text
    lone.http.cookies.clear()
    page = Page(await lone.authorize(SCOPE))
    for tried in ("", "000000", code(lone, key)):  # the last was used when it was set up
        assert (await lone.sign_in(page, code=tried)).status_code == 401
    lone.api.clock.move(seconds=30)
    assert (await lone.sign_in(page, code=code(lone, key))).status_code == 303


async def test_staff_must_set_up_a_second_factor_where_the_setting_says_so(
    databases: Databases, people_template: str, tmp_path: Path
) -> None:
    url = databases.clone(people_template)
    async with serving(url, tmp_path, REQUIRE_TOTP="true") as api:
        app = await registered(api, "public", redirect_uris=(CALLBACK,))
        async with app.http:
            page = Page(await app.follow(await app.sign_in(Page(await app.authorize(SCOPE)))))
            assert page.forms[-1].action == "/oauth/second-factor"
            again = Page(await app.http.get("/account"))
            assert again.forms[-1].action == "/oauth/second-factor"
            page = Page(await app.follow(await app.submit(page, code=code(app, shown_key(page)))))
            assert page.forms[0].action == "/oauth/patient"
            app.http.cookies.clear()
            assert (await app.granted("launch/patient patient/Patient.rs", "ana", patient=None))["patient"] == "ana"
    databases.drop(url)


async def test_an_app_is_opened_from_the_account_page(smart: Smart, register: Register) -> None:  # B03
    app = await register(smart.api, "public", redirect_uris=(CALLBACK,), launch_uri="https://app.example/launch")
    page = Page(await app.follow(await app.sign_in(Page(await app.http.get("/account")))))
    opened = await app.submit(page, at(page, "/account/open"), app=app.name, patient="ana")
    assert opened.headers["location"].startswith("https://app.example/launch?")
    asked = parse_qs(urlsplit(opened.headers["location"]).query)
    assert asked["iss"] == [BASE]
    assert "https://app.example" in page.response.headers["content-security-policy"]
    said = await app.granted("launch user/Patient.rs", launch=asked["launch"][0])
    assert said["patient"] == "ana"
    for fields in ({"app": app.name, "patient": "ben"}, {"app": "nobody", "patient": "ana"}, {"app": smart.name, "patient": "ana"}):
        answer = await app.submit(page, at(page, "/account/open"), **fields)
        assert answer.headers["location"] == "/account"


async def test_a_page_that_is_not_there(smart: Smart) -> None:
    page = Page(await smart.follow(await smart.sign_in(Page(await smart.http.get("/account")))))
    assert (await smart.submit(Page(page.response), at(page, "/account/sign-out"))).status_code == 303
    assert (await smart.http.post("/account/nothing")).status_code == 404


async def test_who_is_asked_in_silence_is_not_asked(smart: Smart) -> None:
    await smart.at_decision(SCOPE)
    assert smart.answer(await smart.authorize(SCOPE, prompt="none"))["error"] == "consent_required"


async def test_who_may_open_nobody_is_told_so(api: Api, register: Register) -> None:
    from recovery_api.identity.accounts import Account

    await api.running.authorization.accounts.add(Account(username="kim", role="admin", fhir_user="Practitioner/kim"), PASSWORD)
    app = await register(api, "public", redirect_uris=(CALLBACK,))
    page = Page(await app.follow(await app.sign_in(Page(await app.authorize("launch/patient user/Practitioner.rs")), "kim")))
    assert "No record is open to you" in page.text
    assert [form.action for form in page.forms] == ["/oauth/patient", "/oauth/decision"]
    assert app.answer(await app.submit(page, decision="deny"))["error"] == "access_denied"


async def test_no_decision_comes_before_a_patient_is_chosen(smart: Smart) -> None:
    page = Page(await smart.follow(await smart.sign_in(Page(await smart.authorize(SCOPE)))))
    for patient in ("", "ana"):
        again = Page(await smart.submit(page, decision="allow", line="Patient", patient=patient))
        assert again.forms[0].action == "/oauth/patient"


def shown_key(page: Page) -> str:
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page.response.text)
    assert found
    assert f"secret={found[1]}" in page.response.text
    return found[1]


def code(app: Smart, key: str) -> str:
    return TOTP(key).at(app.api.clock() // 1_000_000)


async def test_what_happens_is_told_before_it_is_answered(databases: Databases, people_template: str, tmp_path: Path) -> None:
    url, told = databases.clone(people_template), list[Event]()

    async def record(event: Event) -> None:
        told.append(event)
        if isinstance(event, TokenRefused):
            raise ServiceUnavailable

    async with serving(url, tmp_path, (), record) as api:
        app = await registered(api, "public", redirect_uris=(CALLBACK,))
        async with app.http:
            await app.sign_in(Page(await app.authorize(SCOPE)), "maya", "wrong wrong")
            said = await app.granted(SCOPE)
            untold = await app.exchange("random")
            await app.post("revoke", token=said["access_token"])
    databases.drop(url)
    assert (untold.status_code, untold.json()["error"]) == (503, "temporarily_unavailable")
    assert [type(event).__name__ for event in told] == ["SignIn", "SignIn", "Decision", "TokenIssued", "TokenRefused", "TokenRevoked"]
    assert [event.succeeded for event in told if isinstance(event, SignIn)] == [False, True]
    assert PASSWORD not in repr(told)
    assert said["access_token"] not in repr(told)
