"""The pages of the authorization server: sign in, choose a patient, decide what an app may do (RFC 6749, section 4.1).

No script, no other host. Each form carries what is needed, sealed for this browser and session; nothing that a form says beside
that is believed without being checked again.
"""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from recovery_api.fhir.errors import BadRequest, FhirError
from recovery_api.identity.accounts import Account
from recovery_api.identity.authorization_endpoint import needs_patient
from recovery_api.identity.authorization_server import AuthorizationServer
from recovery_api.identity.authorize import AuthorizationRequest, NotToldByRedirect, Refused
from recovery_api.identity.choices import choices, chosen, without
from recovery_api.identity.oauth_errors import OAuthError
from recovery_api.identity.registrations import Registration
from recovery_api.identity.sessions import Session, TooManyAttempts
from recovery_api.interactions.target import pairs
from recovery_api.routers.browser import Browser, Carried
from recovery_api.routers.oauth import form
from recovery_api.routers.patients import Patient, Patients

ACCOUNT = "/account"
FAILED = "That did not work. Check the username, the password and, if you use one, the one-time code."
TOO_MANY = "Too many attempts. Please wait a quarter of an hour, then try again."
Fields = dict[str, list[str]]


class Asked(NamedTuple):
    """What an app asked for, and who is here to answer."""

    request: AuthorizationRequest
    client: Registration
    session: Session
    account: Account


class Pages:
    """The steps from an authorization request to the answer."""

    def __init__(self, server: AuthorizationServer, patients: Patients) -> None:
        self.server = server
        self._patients = patients

    async def authorize(self, browser: Browser, query: str) -> Response:
        """The first page that an authorization request needs. Raises NotToldByRedirect or Refused."""
        request, client = await self.server.authorization.authorize.read(pairs(query))
        session, account = await self.present(browser)
        if session is None or account is None or not session.complete:
            if request.silent:
                raise self.server.authorization.refused(request, OAuthError("login_required", "Nobody is signed in."))
            return self.sign_in(browser, Carried(query), session if account else None, request)
        if request.silent:
            raise self.server.authorization.refused(request, OAuthError("consent_required", "The person must be asked."))
        return await self._next(browser, Carried(query), Asked(request, client, session, account))

    async def signed_in(self, browser: Browser, fields: Fields, address: str) -> Response:
        """Who sent their name and password is signed in, and goes on where they came from."""
        carried = self.carried(browser, fields)
        request = await self._request(carried)
        username, password, code = (one(fields, name) for name in ("username", "password", "code"))
        try:
            secret = await self.server.sessions.sign_in(username, password, code, address)
        except TooManyAttempts:
            return self.sign_in(browser, carried, None, request, 429, TOO_MANY)
        if secret is None:
            return self.sign_in(browser, carried, None, request, 401, FAILED)
        return browser.redirect(back(carried), session=secret)

    async def second_factor(self, browser: Browser, fields: Fields) -> Response:
        """The key that the page showed is the account's second factor, where a code of it came along."""
        carried = self.carried(browser, fields)
        session, account = await self.present(browser)
        if session is None or account is None:
            return browser.redirect(back(carried))
        code = one(fields, "code")
        if account.second_factor is None and await self.server.sessions.set_second_factor(session, carried.key or "", code):
            return browser.redirect(back(carried))
        return self.new_second_factor(browser, Carried(carried.query), session, 400)

    async def patient(self, browser: Browser, fields: Fields) -> Response:
        """The next page, with the patient that was chosen; or the list, with those that were searched for."""
        carried, asked = await self._asked(browser, fields)
        if asked is None:
            return browser.redirect(back(carried))
        found = await self._patients.find(asked.account, id_) if (id_ := one(fields, "patient")) else None
        if found is None:
            return await self._choose(browser, Carried(carried.query), asked, one(fields, "search"))
        return await self._next(browser, Carried(carried.query, found.id), asked)

    async def decision(self, browser: Browser, fields: Fields) -> Response:
        """Back to the app, with a code for what the person left ticked, or with their no."""
        carried, asked = await self._asked(browser, fields)
        if asked is None:
            return browser.redirect(back(carried))
        endpoint = self.server.authorization
        offered = endpoint.offered(asked.request, asked.client, asked.account)
        granted = chosen(offered, fields.get("line", ()), fields.get("kind", ()))
        if "offline_access" in offered.others and "offline" not in fields:
            granted = without(granted, "offline_access")
        if one(fields, "decision") != "allow" or (offered.resources and not granted.resources):
            return browser.redirect(await endpoint.deny(asked.request, asked.account))
        patient = await self._patient(carried, asked)
        if patient is None and needs_patient(offered):
            return await self._choose(browser, carried, asked, "")
        id_ = patient.id if patient else None
        return browser.redirect(await endpoint.approve(asked.request, asked.session, asked.account, granted, id_))

    async def present(self, browser: Browser) -> tuple[Session | None, Account | None]:
        """Who is signed in."""
        session = await self.server.sessions.find(browser.secret)
        return session, await self.server.sessions.account(session) if session else None

    def carried(self, browser: Browser, fields: Fields) -> Carried:
        """What the form carried. Raises NotToldByRedirect where this server did not give it to this browser."""
        carried = browser.carried(one(fields, "carried"))
        if carried is None:
            raise NotToldByRedirect("This page was open for too long, or in another window. Please go back to the app and start again.")
        return carried

    def sign_in(
        self,
        browser: Browser,
        carried: Carried,
        session: Session | None,
        request: AuthorizationRequest | None = None,
        status: int = 200,
        problem: str = "",
    ) -> Response:
        """The page to sign in; who is signed in already sets up their second factor."""
        if session is not None:
            return self.new_second_factor(browser, carried, session)
        values = {"problem": problem, "app": request.client_name if request else ""}
        return browser.page("sign_in", values, status=status, carried=carried)

    def new_second_factor(self, browser: Browser, carried: Carried, session: Session, status: int = 200) -> Response:
        """The page that shows a new key for an authenticator, and asks for a code of it."""
        key = self.server.second_factor.new_key()
        problem = "" if status == 200 else "That code did not fit. Please enter this new key, and the code that it gives."
        values = {"key": key, "address": self.server.second_factor.address(key, session.username), "problem": problem}
        return browser.page("second_factor", values, status=status, carried=Carried(carried.query, key=key))

    async def _request(self, carried: Carried) -> AuthorizationRequest | None:
        return (await self.server.authorization.authorize.read(pairs(carried.query)))[0] if carried.query else None

    async def _asked(self, browser: Browser, fields: Fields) -> tuple[Carried, Asked | None]:
        """What the form carried, and what was asked for; None where nobody is signed in any more."""
        carried = self.carried(browser, fields)
        request, client = await self.server.authorization.authorize.read(pairs(carried.query))
        session, account = await self.present(browser)
        if session is None or account is None or not session.complete:
            return carried, None
        return carried, Asked(request, client, session, account)

    async def _next(self, browser: Browser, carried: Carried, asked: Asked) -> Response:
        """The page to choose a patient where one is needed, else the one to decide."""
        offered = self.server.authorization.offered(asked.request, asked.client, asked.account)
        found = await self._patient(carried, asked)
        if found is None and needs_patient(offered):
            return await self._choose(browser, carried, asked, "")
        values = {
            "app": asked.request.client_name,
            "username": asked.account.username,
            "patient": found,
            "lines": choices(offered),
            **{word: word in offered.others for word in ("openid", "offline_access", "online_access")},
        }
        return browser.page("decision", values, carried=carried, to=[asked.request.redirect_uri])

    async def _patient(self, carried: Carried, asked: Asked) -> Patient | None:
        """The patient that was chosen or is known; None where there is none yet. Raises Refused where the person may not open them."""
        endpoint, launch = self.server.authorization, asked.request.launch
        id_ = carried.patient or endpoint.patient(asked.request, asked.account)
        found = await self._patients.find(asked.account, id_) if id_ else None
        hidden = launch and launch.encounter and not await self._patients.may_read(asked.account, "Encounter", launch.encounter)
        if (id_ and found is None) or hidden:
            raise endpoint.refused(asked.request, OAuthError("access_denied", "The person may not open this patient."))
        return found

    async def _choose(self, browser: Browser, carried: Carried, asked: Asked, words: str) -> Response:
        found = await self._patients.search(asked.account, words)
        values = {"app": asked.request.client_name, "username": asked.account.username, "patients": found, "search": words}
        return browser.page("patient", values, carried=carried, to=[asked.request.redirect_uri])


def sign_in(server: AuthorizationServer, patients: Patients) -> APIRouter:
    """The routes of the pages."""
    router = APIRouter(include_in_schema=False)
    pages = Pages(server, patients)

    @router.get("/oauth/authorize")
    async def authorize(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return await answered(server, request, lambda browser, _: pages.authorize(browser, request.url.query))

    @router.post("/oauth/authorize")
    async def authorize_by_post(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        async def act(browser: Browser, fields: Fields) -> Response:
            return await pages.authorize(browser, urlencode(fields, doseq=True))

        return await answered(server, request, act)

    @router.post("/oauth/sign-in")
    async def signed_in(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        address = request.client.host if request.client else ""
        return await answered(server, request, lambda browser, fields: pages.signed_in(browser, fields, address))

    @router.post("/oauth/second-factor")
    async def second_factor(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return await answered(server, request, pages.second_factor)

    @router.post("/oauth/patient")
    async def patient(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return await answered(server, request, pages.patient)

    @router.post("/oauth/decision")
    async def decision(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        return await answered(server, request, pages.decision)

    @router.get("/oauth/style.css")
    def style() -> Response:  # pyright: ignore[reportUnusedFunction]
        content = (files("recovery_api.routers") / "pages" / "style.css").read_bytes()
        return Response(content, headers={"cache-control": "no-cache", "x-content-type-options": "nosniff"}, media_type="text/css")

    return router


async def answered(server: AuthorizationServer, request: Request, act: Callable[[Browser, Fields], Awaitable[Response]]) -> Response:
    """The page that comes of a request; what is refused goes to the app where it may, else to the person."""
    browser = Browser(request, server.pages, server.issuer)
    try:
        return await act(browser, grouped(await form(request)) if request.method == "POST" else {})
    except Refused as refused:
        return browser.redirect(refused.location)
    except (NotToldByRedirect, OAuthError, BadRequest) as error:
        sentence = str(error) if isinstance(error, NotToldByRedirect) else "What the app sent can't be read."
        return browser.page("refused", {"sentence": sentence}, status=400)
    except FhirError as error:
        return browser.page("refused", {"sentence": error.diagnostics}, status=error.status)


def grouped(fields: list[tuple[str, str]]) -> Fields:
    """The values of a form by their names, in order."""
    found: Fields = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found


def one(fields: Fields, name: str) -> str:
    """The value of a field that may stand once; '' where it does not."""
    values = fields.get(name, ())
    return values[0] if len(values) == 1 else ""


def back(carried: Carried) -> str:
    """Where somebody goes on after they signed in."""
    return f"/oauth/authorize?{carried.query}" if carried.query else ACCOUNT
