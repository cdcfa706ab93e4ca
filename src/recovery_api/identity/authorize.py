"""The authorization request (RFC 6749, section 4.1.1; SMART App Launch 2.2; RFC 7636, RFC 9207), and where its answer goes."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec

from recovery_api.identity.launches import Launch, Launches
from recovery_api.identity.narrowing import asked_for
from recovery_api.identity.oauth_errors import OAuthError
from recovery_api.identity.registrations import Registration, Registrations

_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")
_LONGEST_STATE: Final = 4096


class NotToldByRedirect(Exception):
    """A request whose client or redirect URI is not known: nobody is redirected anywhere, the person is told. One sentence."""


class Refused(Exception):
    """A request that is refused to the API client; `location` is where the browser goes with the error."""

    def __init__(self, location: str, error: OAuthError) -> None:
        self.location = location
        self.error = error
        super().__init__(str(error))


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that can be answered. `launch` is what was open in the EHR, `launch_value` the value that said so."""

    client_id: str
    client_name: str
    redirect_uri: str
    state: str
    scope: str
    challenge: str
    nonce: str | None = None
    silent: bool = False
    launch: Launch | None = None
    launch_value: str | None = None


class Authorize:
    """Reads authorization requests."""

    def __init__(self, registrations: Registrations, launches: Launches, issuer: str, base: str) -> None:
        """`issuer` is the public address, `base` the FHIR base that tokens are for."""
        self._registrations = registrations
        self._launches = launches
        self._issuer = issuer
        self._base = base

    async def read(self, pairs: Iterable[tuple[str, str]]) -> tuple[AuthorizationRequest, Registration]:
        """The request in these parameters, and whose it is. Raises NotToldByRedirect or Refused."""
        params, repeated = _single(pairs)
        client = await self._registrations.find(params.get("client_id", ""))
        if client is None or client.kind == "backend" or "client_id" in repeated:
            raise NotToldByRedirect("The app that sent you here is not registered with this server.")
        redirect_uri = params.get("redirect_uri", "")
        if redirect_uri not in client.redirect_uris or "redirect_uri" in repeated:
            raise NotToldByRedirect("The app that sent you here wants you back at an address that is not registered for it.")
        try:
            return self._checked(params, client, repeated), client
        except OAuthError as error:
            raise Refused(self.refusal(redirect_uri, params.get("state", ""), error), error) from error

    def refusal(self, redirect_uri: str, state: str, error: OAuthError) -> str:
        """Where the browser goes with an error."""
        return self.answer(redirect_uri, state, {"error": error.error, "error_description": error.description})

    def answer(self, redirect_uri: str, state: str, said: Mapping[str, str]) -> str:
        """Where the browser goes with an answer."""
        query = urlencode({**said, **({"state": state} if state else {}), "iss": self._issuer})
        return f"{redirect_uri}{'&' if urlsplit(redirect_uri).query else '?'}{query}"

    def _checked(self, params: Mapping[str, str], client: Registration, repeated: Collection[str]) -> AuthorizationRequest:
        if repeated:
            raise OAuthError("invalid_request", "A parameter is repeated.")
        _check_flow(params)
        if params.get("aud", "").rstrip("/") != self._base:
            raise OAuthError("invalid_request", "aud is not the FHIR base of this server.")
        words = asked_for(params.get("scope", "")).others
        launch = self._launches.opened(params.get("launch", ""), client.client_id) if "launch" in words else None
        if "launch" in words and launch is None:
            raise OAuthError("invalid_request", "launch is not a value of this server for this app, or it is over.")
        return AuthorizationRequest(
            client_id=client.client_id,
            client_name=client.name,
            redirect_uri=params["redirect_uri"],
            state=params["state"],
            scope=params["scope"],
            challenge=params["code_challenge"],
            nonce=params.get("nonce"),
            silent="none" in params.get("prompt", "").split(" "),
            launch=launch,
            launch_value=params.get("launch") if launch else None,
        )


def _single(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], set[str]]:
    """The parameters, and the names of those that came more than once; without a value they count as left out."""
    params: dict[str, str] = {}
    repeated: set[str] = set()
    for name, value in pairs:
        if value:
            if name in params:
                repeated.add(name)
            params[name] = value
    return params, repeated


def _check_flow(params: Mapping[str, str]) -> None:
    if "request" in params or "request_uri" in params:
        raise OAuthError("request_not_supported", "Request objects are not taken.")
    if params.get("response_type") != "code":
        raise OAuthError("unsupported_response_type" if "response_type" in params else "invalid_request", "response_type is code.")
    if params.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "response_mode is query.")
    if params.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(params.get("code_challenge", "")):
        raise OAuthError("invalid_request", "A code_challenge of the method S256 is needed (RFC 7636).")
    if not 0 < len(params.get("state", "")) <= _LONGEST_STATE:
        raise OAuthError("invalid_request", "A state is needed.")
    if "scope" not in params:
        raise OAuthError("invalid_scope", "A scope is needed.")
