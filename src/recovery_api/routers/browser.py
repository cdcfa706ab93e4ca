"""What a browser holds for us: the cookie of a session, and the one that binds forms to it. And how pages go out."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from recovery_api.identity.keys import Sealer

_pages = Environment(
    loader=PackageLoader("recovery_api.routers", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


class Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a form carries to the next page, sealed: the authorization request as it came ('': none), the patient chosen, and a new
    key for an authenticator.
    """

    query: str = ""
    patient: str | None = None
    key: str | None = None


class Browser:
    """One request of a browser."""

    def __init__(self, request: Request, sealer: Sealer, public_url: str) -> None:
        """`sealer` seals what forms carry; cookies are for `public_url`, by https only where it is https."""
        self._secure = public_url.startswith("https:")
        prefix = "__Host-" if self._secure else ""
        self._names = (f"{prefix}recovery-session", f"{prefix}recovery-form")
        self.secret, found = (request.cookies.get(name, "") for name in self._names)
        self._form = found or secrets.token_urlsafe(24)
        self._sealer = sealer

    def page(
        self, name: str, values: Mapping[str, Any], *, status: int = 200, carried: Carried | None = None, to: Sequence[str] = ()
    ) -> Response:
        """A page, with the values that its template names. `carried` goes into its form; `to` is where the answer to the form may
        lead the browser, beside this server.
        """
        sealed = "" if carried is None else self._sealer.seal(msgspec.json.encode(carried), self._whose())
        response = HTMLResponse(_pages.get_template(f"{name}.html").render(values, carried=sealed), status, _headers(to))
        if carried is not None:
            self._set(response, self._names[1], self._form)
        return response

    def carried(self, sealed: str) -> Carried | None:
        """What a form carried; None where this browser was not given it in this session (a forged request, say)."""
        content = self._sealer.unseal(sealed, self._whose()) if sealed else None
        return msgspec.json.decode(content, type=Carried) if content else None

    def redirect(self, address: str, *, session: str | None = None) -> Response:
        """To another address; `session` is the secret of a new session, '' ends it."""
        response = RedirectResponse(address, 303, _headers())
        if session is not None:
            self._set(response, self._names[0], session)
        return response

    def _whose(self) -> bytes:
        return f"{self._form} {self.secret}".encode()

    def _set(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(name, value, max_age=None if value else 0, path="/", secure=self._secure, httponly=True, samesite="lax")


def _headers(to: Sequence[str] = ()) -> Mapping[str, str]:
    elsewhere = "".join(sorted({f" {_source(address)}" for address in to}))
    policy = f"default-src 'none'; style-src 'self'; form-action 'self'{elsewhere}; base-uri 'none'; frame-ancestors 'none'"
    return {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "pragma": "no-cache",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }


def _source(address: str) -> str:
    """An address in a Content-Security-Policy: its origin, or the scheme of an app."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"
