"""The page of whoever is signed in: opening apps, the second factor, signing out here and everywhere."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from recovery_api.identity.accounts import Account
from recovery_api.identity.authorization_server import AuthorizationServer
from recovery_api.identity.launches import Launch
from recovery_api.identity.sessions import Session
from recovery_api.routers.browser import Browser, Carried
from recovery_api.routers.patients import Patients
from recovery_api.routers.sign_in import ACCOUNT, Fields, Pages, answered, one


class AccountPage:
    """What somebody can do with their own account."""

    def __init__(self, server: AuthorizationServer, patients: Patients, base: str) -> None:
        """`base` is the FHIR base, which a launched app is told."""
        self._server = server
        self._patients = patients
        self._base = base
        self._pages = Pages(server, patients)

    async def show(self, browser: Browser, fields: Fields) -> Response:
        """The page; who is not signed in signs in first."""
        del fields
        session, account = await self._pages.present(browser)
        if session is None or account is None or not session.complete:
            return self._pages.sign_in(browser, Carried(), session if account else None)
        apps = await self._server.registrations.launched_by(account.role)
        patients = await self._patients.search(account, "") if apps else []
        values = {"username": account.username, "role": account.role, "apps": apps, "patients": patients}
        to = [app.launch_uri or "" for app in apps]
        return browser.page("account", values | {"second_factor": account.second_factor is not None}, carried=Carried(), to=to)

    async def open_app(self, browser: Browser, fields: Fields) -> Response:
        """To the app, with the patient that was chosen (SMART App Launch 2.2, EHR launch)."""
        _, account = await self._held(browser, fields)
        app = await self._server.registrations.find(one(fields, "app"))
        patient = await self._patients.find(account, one(fields, "patient")) if account and one(fields, "patient") else None
        if account is None or patient is None or app is None or app.launch_uri is None:
            return browser.redirect(ACCOUNT)
        launch = self._server.launches.sealed(Launch(client_id=app.client_id, fhir_user=account.fhir_user, patient=patient.id))
        return browser.redirect(launch_address(app.launch_uri, self._base, launch))

    async def add_second_factor(self, browser: Browser, fields: Fields) -> Response:
        """The page that sets up a second factor, for who has none."""
        session, account = await self._held(browser, fields)
        if session is None or account is None or account.second_factor is not None:
            return browser.redirect(ACCOUNT)
        return self._pages.new_second_factor(browser, Carried(), session)

    async def sign_out(self, browser: Browser, fields: Fields) -> Response:
        """Signed out here."""
        session, _ = await self._held(browser, fields)
        if session is not None:
            await self._server.sign_out(session)
        return browser.redirect(ACCOUNT, session="")

    async def sign_out_everywhere(self, browser: Browser, fields: Fields) -> Response:
        """Signed out of every browser and app."""
        session, _ = await self._held(browser, fields)
        if session is not None:
            await self._server.sign_out_everywhere(session.username)
        return browser.redirect(ACCOUNT, session="")

    async def _held(self, browser: Browser, fields: Fields) -> tuple[Session | None, Account | None]:
        """Who is signed in. Raises NotToldByRedirect for a form that this server did not give to this browser."""
        self._pages.carried(browser, fields)
        return await self._pages.present(browser)


def account(server: AuthorizationServer, patients: Patients, base: str) -> APIRouter:
    """The routes of the account page."""
    router = APIRouter(include_in_schema=False)
    page = AccountPage(server, patients, base)

    @router.get(ACCOUNT)
    async def show(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return await answered(server, request, page.show)

    steps = {
        "open": page.open_app,
        "second-factor": page.add_second_factor,
        "sign-out": page.sign_out,
        "sign-out-everywhere": page.sign_out_everywhere,
    }

    @router.post(f"{ACCOUNT}/{{step}}")
    async def act(request: Request, step: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        return await answered(server, request, steps[step]) if step in steps else Response(status_code=404)

    return router


def launch_address(launch_uri: str, base: str, launch: str) -> str:
    """Where an EHR sends the browser to launch an app."""
    return f"{launch_uri}{'&' if '?' in launch_uri else '?'}{urlencode({'iss': base, 'launch': launch})}"
