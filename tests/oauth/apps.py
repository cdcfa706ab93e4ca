"""An app and a browser, as they come to the authorization server: pages are read as people read them, and sent as forms."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from jose import jws

from recovery_api.fhir.json import JsonObject
from recovery_api.identity.grants import challenge
from recovery_api.identity.keys import SigningKey
from recovery_api.identity.registrations import Kind, Registration
from tests.api import Api, Client

PASSWORD = "correct horse battery"
CALLBACK = "http://127.0.0.1:9/callback?app=1"
BASE = "http://127.0.0.1:8000/fhir"
TOKEN_URL = "http://127.0.0.1:8000/oauth/token"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Form:
    """One form of a page: where it goes, what it would send, and what its buttons would add."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[tuple[str, str, bool]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """A page as a browser without script has it."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response
        self.status = response.status_code
        self.forms: list[Form] = []
        self.text = ""
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            self.forms.append(Form(said.get("action") or ""))
        elif tag == "input" and said.get("type") == "checkbox":
            self.forms[-1].boxes.append((said["name"] or "", said["value"] or "", "checked" in said))
        elif tag == "input":
            self.forms[-1].fields.append((said["name"] or "", said.get("value") or ""))
        elif tag == "button" and said.get("name"):
            self.forms[-1].buttons.append((said["name"] or "", said["value"] or ""))

    def handle_data(self, data: str) -> None:
        self.text += data

    def boxes(self, name: str) -> set[str]:
        """The values of the checkboxes of a name."""
        return {value for form in self.forms for box, value, _ in form.boxes if box == name}

    def choices(self, name: str) -> set[str]:
        """The values of the buttons of a name."""
        return {value for form in self.forms for button, value in form.buttons if button == name}


@dataclass
class Smart:
    """A registered app, and the browser of whoever uses it."""

    api: Api
    http: httpx.AsyncClient
    registration: Registration
    secret: str | None = None
    key: SigningKey | None = None
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def name(self) -> str:
        """Its client_id."""
        return self.registration.client_id

    def question(self, scope: str, **changes: str | None) -> dict[str, str]:
        """The parameters of an authorization request; None leaves one out."""
        whole: dict[str, str | None] = {
            "response_type": "code", "client_id": self.registration.client_id, "redirect_uri": self.registration.redirect_uris[0],
            "scope": scope, "state": self.state, "aud": BASE, "code_challenge": challenge(self.verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        return {name: value for name, value in (whole | changes).items() if value is not None}

    async def authorize(self, scope: str, by_post: bool = False, **changes: str | None) -> httpx.Response:
        """What the authorization endpoint answers."""
        question = self.question(scope, **changes)
        return await (self.http.post("/oauth/authorize", data=question) if by_post else self.http.get("/oauth/authorize", params=question))

    async def submit(
        self, page: Page, place: int = -1, *, unticked: Sequence[str] = (), ticked: Sequence[str] = (), **given: str
    ) -> httpx.Response:
        """Send a form of the page: what was typed or pressed, and the boxes that stayed ticked."""
        form = page.forms[place]
        sent = [(name, given.pop(name, value)) for name, value in form.fields]
        sent += [(name, value) for name, value, on in form.boxes if (on and value not in unticked) or value in ticked]
        content = urlencode([*sent, *given.items()])
        return await self.http.post(form.action, content=content, headers={"content-type": "application/x-www-form-urlencoded"})

    async def choose(self, page: Page, patient: str) -> httpx.Response:
        """Choose somebody from the list of people."""
        return await self.submit(page, [form.action for form in page.forms].index("/oauth/patient", 1), patient=patient)

    async def follow(self, response: httpx.Response) -> httpx.Response:
        """Where a redirect on this server leads."""
        assert response.status_code == 303, response.text
        return await self.http.get(response.headers["location"])

    async def sign_in(self, page: Page, username: str = "maya", password: str = PASSWORD, code: str = "") -> httpx.Response:
        return await self.submit(page, username=username, password=password, code=code)

    async def at_decision(self, scope: str, username: str = "maya", patient: str | None = "ana", **changes: str | None) -> Page:
        """The page that asks for a decision, after signing in and choosing a patient where one is asked for."""
        page = Page(await self.authorize(scope, by_post=False, **changes))
        if page.forms[-1].action == "/oauth/sign-in":
            page = Page(await self.follow(await self.sign_in(page, username)))
        if page.forms[0].action == "/oauth/patient":
            page = Page(await self.choose(page, patient or ""))
        assert page.forms[-1].action == "/oauth/decision", page.text
        return page

    async def code(
        self,
        scope: str,
        username: str = "maya",
        patient: str | None = "ana",
        *,
        unticked: Sequence[str] = (),
        ticked: Sequence[str] = (),
        **changes: str | None,
    ) -> str:
        """The code that the app is sent back with."""
        page = await self.at_decision(scope, username, patient, **changes)
        answer = self.answer(await self.submit(page, decision="allow", unticked=unticked, ticked=ticked))
        assert answer["state"] == self.state
        return answer["code"]

    def answer(self, response: httpx.Response) -> dict[str, str]:
        """What the app is told at its redirect URI."""
        assert response.status_code == 303, response.text
        location = response.headers["location"]
        assert location.startswith(f"{self.registration.redirect_uris[0]}&"), location
        return dict(parse_qsl(urlsplit(location).query))

    async def token(self, **params: str) -> httpx.Response:
        """What the token endpoint answers to the app, which authenticates as it was registered to."""
        return await self.post("token", None, **params)

    async def post(self, endpoint: str, headers: Mapping[str, str] | None = None, **params: str) -> httpx.Response:
        """What an endpoint answers to the app; with headers, it authenticates by these alone."""
        auth = httpx.BasicAuth(self.registration.client_id, self.secret) if self.secret and not headers else None
        if self.key is not None and "client_assertion" not in params:
            params |= {"client_assertion": self.assertion(), "client_assertion_type": ASSERTION}
        elif auth is None and "client_id" not in params:
            params["client_id"] = self.registration.client_id
        return await self.http.post(f"/oauth/{endpoint}", data=params, headers=headers, auth=auth or httpx.USE_CLIENT_DEFAULT)

    async def exchange(self, authorization_code: str, /, **changes: str) -> httpx.Response:
        """The code for tokens; an empty value leaves a parameter out."""
        whole = {"grant_type": "authorization_code", "code": authorization_code, "redirect_uri": self.registration.redirect_uris[0]}
        return await self.token(**(whole | {"code_verifier": self.verifier} | changes))

    async def granted(self, scope: str, username: str = "maya", patient: str | None = "ana", **more: Any) -> JsonObject:
        """The whole answer of a launch that goes well."""
        answer = await self.exchange(await self.code(scope, username, patient, **more))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refresh(self, refresh_token: str, **more: str) -> httpx.Response:
        return await self.token(**({"grant_type": "refresh_token", "refresh_token": refresh_token} | more))

    def assertion(self, **changes: Any) -> str:
        """A client assertion; None leaves a claim out."""
        assert self.key is not None
        now, name = self.api.clock() // 1_000_000, self.registration.client_id
        claims = {"iss": name, "sub": name, "aud": TOKEN_URL, "exp": now + 240, "jti": secrets.token_hex(8)} | changes
        payload = {claim: value for claim, value in claims.items() if value is not None}
        return jws.sign(payload, self.key.key, headers={"kid": self.key.kid, "typ": "JWT"}, algorithm=self.key.algorithm)

    def fhir(self, token: str) -> Client:
        """The API with a token."""
        return Client(self.api.http, token)


async def registered(api: Api, kind: Kind, *, client_id: str | None = None, key: SigningKey | None = None, **more: Any) -> Smart:
    """An app of the kind, registered, with a browser of its own."""
    keys: dict[str, Any] = {"jwks": {"keys": [dict(key.public)]}} if key and "jwks_uri" not in more else {}
    client_id = client_id or f"app-{secrets.token_hex(4)}"
    registration = Registration(client_id=client_id, name="Walking Along", kind=kind, **(keys | more))
    secret = await api.running.authorization.registrations.add(registration)
    found = await api.running.authorization.registrations.find(client_id)
    assert found
    http = httpx.AsyncClient(base_url="http://127.0.0.1:8000", timeout=60, event_hooks=api.http.event_hooks)
    return Smart(api, http, found, secret, key)


class Register(Protocol):
    """Registers an app on a server."""

    async def __call__(self, api: Api, kind: Kind, **more: Any) -> Smart: ...


def types(scope: str) -> set[str]:
    """The types that a scope text opens."""
    return {word.partition("/")[2].partition(".")[0] for word in scope.split() if word.partition("/")[0] in {"patient", "user", "system"}}
